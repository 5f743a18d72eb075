"""Links that die without a word: no FIN, no RST, the socket stays open; on the scripted server, the last part on a real OBS."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from studio.obs import websocket
from studio.obs.errors import AnswerTimeout, LinkLost, Unreachable
from studio.obs.keeper import LinkKeeper
from studio.obs.port import Event, LinkDown, LinkState, Meters, OutputKind, Step
from studio.obs.protocol import Ask
from studio.obs.real import RealObs
from tests import obs_faults, obs_rig
from tests.contracts.passage import Passage
from tests.obs_faults import PATIENCE_S, FaultServer, SteppedClock, down_of, heard_on, patience, patient, true
from tests.obs_rig import ObsRig

SCENE = "双人"
MIC = "主播麦"
MUTE = Ask((Step("SetInputMute", {"inputName": MIC, "inputMuted": True}),))
BEAT_S, SILENCE_S = 0.2, 0.6
FLOOD = Step("SetInputSettings", {"inputName": "商品名称", "inputSettings": {"text": "x" * 900_000}})
BOTH, TO_OBS, FROM_OBS = (True, True), (True, False), (False, True)


@pytest.fixture
def passage(server: FaultServer) -> Iterator[Passage]:
    with Passage("127.0.0.1", server.port) as passage:
        yield passage


@pytest_asyncio.fixture
async def link(passage: Passage) -> AsyncIterator[RealObs]:
    link = link_through(passage)
    await link.connect()
    yield link
    await link.close()


def link_through(passage: Passage, password: str = obs_faults.PASSWORD) -> RealObs:
    return patient("127.0.0.1", passage.port, password)


def downs(heard: list[Event]) -> list[LinkDown]:
    return [event for event in heard if isinstance(event, LinkDown)]


async def heard_more(link: RealObs, heard: list[Event], seen: int) -> None:
    """Wait for one more reading of the meters than are among the first ones, or the end of the link."""
    await true(lambda: not link.alive or any(isinstance(event, Meters) for event in heard[seen:]))


async def test_a_living_wire_stays_alive(passage: Passage, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = heard_on(link)
    clock = await SteppedClock.on(link, monkeypatch)
    patience(link, silence_s=SILENCE_S)
    await clock.go_on(link, 3 * SILENCE_S)
    await link.switch_scene(SCENE)
    assert link.alive
    assert downs(heard) == []
    assert passage.carried > 1000


@pytest.mark.parametrize("lost", [BOTH, TO_OBS, FROM_OBS], ids=["both ways", "what we send", "what obs says"])
async def test_a_dead_wire_is_found_whichever_way_is_dead(
        passage: Passage, link: RealObs, lost: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """When OBS has not answered for the time that is allowed, and not before."""
    heard = heard_on(link)
    clock = await SteppedClock.on(link, monkeypatch)
    patience(link, silence_s=SILENCE_S)
    passage.swallow_to_obs, passage.swallow_from_obs = lost
    clock.now += SILENCE_S * 0.9
    await asyncio.sleep(3 * BEAT_S)
    assert downs(heard) == []
    clock.now += SILENCE_S
    assert (await down_of(heard)).stalled
    assert not link.alive


async def test_only_the_panic_connection_is_dead_and_its_meters_go_on(
        server: FaultServer, passage: Passage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst case: meters go on and the page looks alive, while a panic would go nowhere."""
    link = link_through(passage)
    link._writing.port = server.port  # past the passage
    await link.connect()
    heard = heard_on(link)
    clock = await SteppedClock.on(link, monkeypatch)
    patience(link, silence_s=SILENCE_S)
    passage.swallow_to_obs = True
    for _ in range(int(2 * SILENCE_S / 0.05)):
        await heard_more(link, heard, len(heard))
        clock.now += 0.05
    assert (await down_of(heard)).stalled
    assert sum(isinstance(event, Meters) for event in heard) > 5
    await link.close()


async def test_what_was_asked_of_a_dead_wire_has_an_unknown_outcome(passage: Passage, link: RealObs) -> None:
    passage.go_dead()
    patience(link, answer_s=0.6, silence_s=SILENCE_S)
    asked = link.switch_scene(SCENE), link.stand_by("马上回来", [MIC]), link.stop_output(OutputKind.STREAM, urgent=True)
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, AnswerTimeout) or (isinstance(outcome, LinkLost) and outcome.sent)


async def test_only_the_writing_connection_is_dead(server: FaultServer, passage: Passage) -> None:
    """Panic travels on the other one, so it still arrives before the link is given up."""
    link = link_through(passage)
    link._reading.port = server.port  # past the passage
    await link.connect()
    heard = heard_on(link)
    passage.go_dead()
    results = await link.stand_by("马上回来", [MIC])
    assert all(result.done for result in results)
    assert server.machine.program == "马上回来"
    patience(link, silence_s=SILENCE_S)
    assert (await down_of(heard)).stalled
    await link.close()


def narrow(link: RealObs) -> None:
    """Let the kernel keep little of what we send."""
    for one in (link._writing, link._reading):
        assert one.ws
        assert one.ws.sock
        one.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


async def test_an_obs_that_takes_nothing_blocks_nobody(passage: Passage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full buffer would block the sender and with it the rooms that the same process serves."""
    monkeypatch.setattr(websocket, "UNACKNOWLEDGED_MS", 60_000)  # so long would a sender be blocked here
    link = link_through(passage)
    await link.connect()
    narrow(link)
    passage.hold = True
    heard = heard_on(link)
    longest = 0.0

    async def watch_the_loop() -> None:
        nonlocal longest
        while not downs(heard):
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    watching = asyncio.create_task(watch_the_loop())
    await asyncio.sleep(0)
    with pytest.raises((LinkLost, AnswerTimeout)):
        await link.run_steps([FLOOD])
    await down_of(heard)
    await watching
    assert longest < 20
    await link.close()


async def test_what_an_obs_takes_late_arrives_whole_and_in_order(
        server: FaultServer, passage: Passage, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows waits behind the rest of a long message; nothing is torn, and nobody was held up meanwhile."""
    monkeypatch.setattr(websocket, "SEND_S", PATIENCE_S)
    narrow(link)
    passage.hold = True
    flood = asyncio.create_task(link.run_steps([FLOOD]))
    await asyncio.sleep(0)
    assert link._writing.ws
    assert link._writing.ws._backlog, "whoever sent was held up until all of it had left"
    muting = asyncio.create_task(asyncio.to_thread(link._writing.call_batch, MUTE, PATIENCE_S))  # past the lane, on the same socket
    await true(lambda: link._writing.waiting == 2)
    await asyncio.sleep(0.1)
    assert link._writing.ws._backlog
    passage.hold = False
    assert (await flood)[0].done
    assert (await muting)[0].done
    assert server.machine.texts["商品名称"]["text"] == "x" * 900_000
    assert server.machine.sounds[MIC].muted
    await true(lambda: not any(one.name == "obs-writer" for one in threading.enumerate()))
    await link.switch_scene(SCENE)
    assert link.alive


async def test_a_dead_wire_is_closed_without_waiting_and_leaves_no_thread(passage: Passage) -> None:
    before = threading.active_count()
    took_s = []
    for _ in range(3):  # the best of them counts: a busy machine is not what is to be seen
        passage.swallow_to_obs = passage.swallow_from_obs = False
        link = link_through(passage)
        await link.connect()
        passage.go_dead()
        began = time.monotonic()
        await link.close()
        took_s.append(time.monotonic() - began)
    assert min(took_s) < 1, "a farewell is answered within three seconds or never"
    await true(lambda: threading.active_count() <= before + 3 * 4)  # the passage's own carriers


async def test_a_wire_that_dies_in_the_handshake_is_given_up(passage: Passage) -> None:
    passage.swallow_from_obs = True
    link = RealObs("127.0.0.1", passage.port, obs_faults.PASSWORD, handshake_s=0.4)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        await link.connect()
    assert time.monotonic() - began < websocket.HANDSHAKE_S, "nobody gave up before the usual time"


async def test_the_keeper_comes_back_when_the_wire_does(server: FaultServer, passage: Passage) -> None:
    keeper = LinkKeeper(lambda: link_through(passage), first_wait_s=0.05, longest_wait_s=0.2)
    states: list[LinkState] = []
    keeper.watch(lambda status: states.append(status.state))
    keeper.start()
    await true(lambda: keeper.online)
    passage.go_dead()
    patience(keeper.link, silence_s=SILENCE_S)
    await true(lambda: LinkState.STALLED in states)
    assert not keeper.online
    server.machine.program = SCENE
    passage.swallow_to_obs = passage.swallow_from_obs = False
    await true(lambda: keeper.online)
    assert keeper.snapshot is not None
    assert keeper.snapshot.program == SCENE
    await keeper.stop()


# a peer that is stopped as a whole


async def test_a_stopped_process_between_us_and_obs_is_found(server: FaultServer) -> None:
    """SIGSTOP of a tunnel: the kernel goes on acknowledging, so no timer of TCP ever fires."""
    code = (
        "import sys, time\nsys.path.insert(0, '.')\nfrom tests.contracts.passage import Passage\n"
        f"with Passage('127.0.0.1', {server.port}) as one:\n    print(one.port, flush=True)\n    time.sleep(100)\n"
    )
    tunnel = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert tunnel.stdout
        port = int(await asyncio.to_thread(tunnel.stdout.readline))
        link = patient("127.0.0.1", port)
        await link.connect()
        heard = heard_on(link)
        os.kill(tunnel.pid, signal.SIGSTOP)
        patience(link, silence_s=SILENCE_S)
        assert (await down_of(heard)).stalled
        await link.close()
    finally:
        tunnel.kill()
        await asyncio.to_thread(tunnel.communicate)


# a real OBS


@pytest.mark.obs
@pytest.mark.parametrize("lost", [BOTH, TO_OBS], ids=["both ways", "what we send"])
async def test_real_a_dead_wire_to_obs_is_found(rig: ObsRig, lost: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    with Passage(rig.host, rig.port) as passage:
        link = link_through(passage, rig.password)
        await link.connect()
        heard = heard_on(link)
        clock = await SteppedClock.on(link, monkeypatch)
        patience(link, answer_s=0.6, silence_s=SILENCE_S)
        await clock.go_on(link, 3 * SILENCE_S)
        assert downs(heard) == []
        passage.swallow_to_obs, passage.swallow_from_obs = lost
        with pytest.raises(AnswerTimeout):
            await link.switch_scene(obs_rig.SCENES[1])
        clock.now += 2 * SILENCE_S
        assert (await down_of(heard)).stalled
        await link.close()
    with rig.client() as hand:  # OBS itself never noticed
        answer = hand.call_batch(obs_rig.ask("GetCurrentProgramScene"))
        assert answer[0].done
