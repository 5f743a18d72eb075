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

from studio.obs.errors import AnswerTimeout, LinkLost, Unreachable
from studio.obs.keeper import LinkKeeper
from studio.obs.port import Event, LinkDown, LinkState, Meters, OutputKind, Step
from studio.obs.protocol import Ask
from studio.obs.real import RealObs
from tests import obs_faults, obs_rig
from tests.contracts.passage import Passage
from tests.obs_faults import FaultServer, down_of, heard_on, true
from tests.obs_rig import ObsRig

SCENE = "双人"
MIC = "主播麦"
MUTE = Ask((Step("SetInputMute", {"inputName": MIC, "inputMuted": True}),))
FLOOD = Step("SetInputSettings", {"inputName": "商品名称", "inputSettings": {"text": "x" * 900_000}})
BOTH, TO_OBS, FROM_OBS = (True, True), (True, False), (False, True)


@pytest.fixture
def passage(server: FaultServer) -> Iterator[Passage]:
    with Passage("127.0.0.1", server.port) as passage:
        yield passage


@pytest_asyncio.fixture
async def link(passage: Passage) -> AsyncIterator[RealObs]:
    link = link_through(passage, obs_faults.PASSWORD)
    await link.connect()
    yield link
    await link.close()


def link_through(passage: Passage, password: str) -> RealObs:
    return RealObs("127.0.0.1", passage.port, password, answer_s=0.6, beat_s=0.2, silence_s=0.6)


def downs(heard: list[Event]) -> list[LinkDown]:
    return [event for event in heard if isinstance(event, LinkDown)]


async def test_a_living_wire_stays_alive(passage: Passage, link: RealObs) -> None:
    heard = heard_on(link)
    await asyncio.sleep(1.5)  # more than twice the silence that would end it
    await link.switch_scene(SCENE)
    assert link.alive
    assert downs(heard) == []
    assert passage.carried > 1000


@pytest.mark.parametrize("lost", [BOTH, TO_OBS, FROM_OBS], ids=["both ways", "what we send", "what obs says"])
async def test_a_dead_wire_is_found_whichever_way_is_dead(passage: Passage, link: RealObs, lost: tuple[bool, bool]) -> None:
    heard = heard_on(link)
    passage.swallow_to_obs, passage.swallow_from_obs = lost
    began = time.monotonic()
    assert (await down_of(heard, 3.0)).stalled
    assert time.monotonic() - began < 1.5
    assert not link.alive


async def test_events_do_not_hide_that_nothing_we_send_arrives(passage: Passage, link: RealObs) -> None:
    """The worst case: meters go on and the page looks alive, while a panic would go nowhere."""
    heard = heard_on(link)
    passage.swallow_to_obs = True
    began = len(heard)
    await down_of(heard, 3.0)
    assert sum(isinstance(event, Meters) for event in heard[began:]) > 5


async def test_only_the_panic_connection_is_dead_and_its_meters_go_on(server: FaultServer, passage: Passage) -> None:
    link = link_through(passage, obs_faults.PASSWORD)
    link._writing.port = server.port  # past the passage
    await link.connect()
    heard = heard_on(link)
    passage.swallow_to_obs = True
    assert (await down_of(heard, 3.0)).stalled
    await link.close()


async def test_what_was_asked_of_a_dead_wire_has_an_unknown_outcome(passage: Passage, link: RealObs) -> None:
    passage.go_dead()
    asked = link.switch_scene(SCENE), link.stand_by("马上回来", [MIC]), link.stop_output(OutputKind.STREAM, urgent=True)
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, AnswerTimeout) or (isinstance(outcome, LinkLost) and outcome.sent)


async def test_only_the_writing_connection_is_dead(server: FaultServer, passage: Passage) -> None:
    """Panic travels on the other one, so it still arrives before the link is given up."""
    link = link_through(passage, obs_faults.PASSWORD)
    link._reading.port = server.port  # past the passage
    await link.connect()
    heard = heard_on(link)
    passage.go_dead()
    results = await link.stand_by("马上回来", [MIC])
    assert all(result.done for result in results)
    assert server.machine.program == "马上回来"
    assert (await down_of(heard, 3.0)).stalled
    await link.close()


def narrow(link: RealObs) -> None:
    """Let the kernel keep little of what we send."""
    for one in (link._writing, link._reading):
        assert one.ws
        assert one.ws.sock
        one.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


async def test_an_obs_that_takes_nothing_blocks_nobody(passage: Passage, link: RealObs) -> None:
    """A full buffer would block the sender and with it the rooms that the same process serves."""
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
    with pytest.raises((LinkLost, AnswerTimeout)):
        await link.run_steps([FLOOD])
    await down_of(heard, 3.0)
    await watching
    assert longest < 0.25


async def test_what_an_obs_takes_late_arrives_whole_and_in_order(
        server: FaultServer, passage: Passage, link: RealObs) -> None:
    """What follows waits behind the rest of a long message; nothing is torn, and nobody was held up meanwhile."""
    narrow(link)
    passage.hold = True
    began = time.monotonic()
    flood = asyncio.create_task(link.run_steps([FLOOD]))
    await asyncio.sleep(0)
    assert time.monotonic() - began < 0.25
    assert link._writing.ws
    assert link._writing.ws._backlog, "the kernel took all of it, so this shows nothing"
    muting = asyncio.create_task(asyncio.to_thread(link._writing.call_batch, MUTE))  # past the lane, on the same socket
    await asyncio.sleep(0.2)
    passage.hold = False
    assert (await flood)[0].done
    assert (await muting)[0].done
    assert server.machine.texts["商品名称"]["text"] == "x" * 900_000
    assert server.machine.sounds[MIC].muted
    await true(lambda: not any(one.name == "obs-writer" for one in threading.enumerate()), 2.0)
    await link.switch_scene(SCENE)
    assert link.alive


async def test_a_dead_wire_is_closed_without_waiting_and_leaves_no_thread(passage: Passage) -> None:
    before = threading.active_count()
    link = link_through(passage, obs_faults.PASSWORD)
    await link.connect()
    passage.go_dead()
    began = time.monotonic()
    await link.close()
    assert time.monotonic() - began < 0.3
    await true(lambda: threading.active_count() <= before + 4, 2.0)  # the passage's own four carriers


async def test_a_wire_that_dies_in_the_handshake_is_given_up(passage: Passage) -> None:
    passage.swallow_from_obs = True
    link = RealObs("127.0.0.1", passage.port, obs_faults.PASSWORD, handshake_s=0.4)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        await link.connect()
    assert time.monotonic() - began < 2


async def test_the_keeper_comes_back_when_the_wire_does(server: FaultServer, passage: Passage) -> None:
    def make() -> RealObs:
        return RealObs(
            "127.0.0.1", passage.port, obs_faults.PASSWORD, answer_s=0.6, beat_s=0.2, silence_s=0.6, handshake_s=0.4
        )

    keeper = LinkKeeper(make, first_wait_s=0.05, longest_wait_s=0.2)
    keeper.start()
    await true(lambda: keeper.online)
    passage.go_dead()
    await true(lambda: keeper.status.state is LinkState.STALLED, 3.0)
    assert not keeper.online
    server.machine.program = SCENE
    passage.swallow_to_obs = passage.swallow_from_obs = False
    await true(lambda: keeper.online, 5.0)
    assert keeper.snapshot is not None
    assert keeper.snapshot.program == SCENE
    await keeper.stop()


# a peer that is stopped as a whole


async def test_a_stopped_process_between_us_and_obs_is_found(server: FaultServer) -> None:
    """SIGSTOP of a tunnel: the kernel goes on acknowledging, so no timer of TCP ever fires."""
    code = (
        "import sys, time\nsys.path.insert(0, '.')\nfrom tests.contracts.passage import Passage\n"
        f"with Passage('127.0.0.1', {server.port}) as one:\n    print(one.port, flush=True)\n    time.sleep(30)\n"
    )
    tunnel = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert tunnel.stdout
        port = int(await asyncio.to_thread(tunnel.stdout.readline))
        link = RealObs("127.0.0.1", port, obs_faults.PASSWORD, answer_s=0.6, beat_s=0.2, silence_s=0.6)
        await link.connect()
        heard = heard_on(link)
        os.kill(tunnel.pid, signal.SIGSTOP)
        assert (await down_of(heard, 3.0)).stalled
        await link.close()
    finally:
        tunnel.kill()
        await asyncio.to_thread(tunnel.communicate)


# a real OBS


@pytest.mark.obs
@pytest.mark.parametrize("lost", [BOTH, TO_OBS], ids=["both ways", "what we send"])
async def test_real_a_dead_wire_to_obs_is_found(rig: ObsRig, lost: tuple[bool, bool]) -> None:
    with Passage(rig.host, rig.port) as passage:
        link = RealObs("127.0.0.1", passage.port, rig.password, answer_s=1.0, beat_s=0.4, silence_s=1.2)
        await link.connect()
        heard = heard_on(link)
        await asyncio.sleep(2.5)
        assert downs(heard) == []
        passage.swallow_to_obs, passage.swallow_from_obs = lost
        with pytest.raises((AnswerTimeout, LinkLost)):
            await link.switch_scene(obs_rig.SCENES[1])
        assert (await down_of(heard, 4.0)).stalled
        await link.close()
    with rig.client() as hand:  # OBS itself never noticed
        answer = hand.call_batch(obs_rig.ask("GetCurrentProgramScene"))
        assert answer[0].done
