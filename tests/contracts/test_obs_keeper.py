"""Keeping a link: what is lost comes back by itself unless a person has to allow it; the last part with a real OBS."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from studio.obs.errors import AnswerTimeout, LinkLost, WrongPassword
from studio.obs.keeper import LinkKeeper, LinkStatus
from studio.obs.port import LinkState
from studio.obs.protocol import ALL_EVENTS, METERS
from studio.obs.real import RealObs
from tests import obs_rig
from tests.obs_faults import PASSWORD, PATIENCE_S, FaultServer, down_of, heard_on, patience, patient, raw_peer, true
from tests.obs_rig import ObsRig

SCENE = "双人"


@pytest_asyncio.fixture
async def keeper(server: FaultServer) -> AsyncIterator[LinkKeeper]:
    made = LinkKeeper(lambda: patient("127.0.0.1", server.port), first_wait_s=0.05, longest_wait_s=0.2)
    yield made
    await made.stop()


async def until(keeper: LinkKeeper, state: LinkState, within_s: float = PATIENCE_S) -> LinkStatus:
    await true(lambda: keeper.status.state is state, within_s)
    return keeper.status


async def test_everything_is_read_before_online(server: FaultServer, keeper: LinkKeeper) -> None:
    states: list[LinkState] = []
    keeper.watch(lambda status: states.append(status.state))
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    assert states == [LinkState.CONNECTING, LinkState.SYNCING, LinkState.ONLINE]
    assert keeper.snapshot is not None
    assert keeper.snapshot.program == server.machine.program
    assert keeper.online


async def test_limit_10_a_drop_during_identify_is_tried_again(server: FaultServer, keeper: LinkKeeper) -> None:
    server.close_identify = 0
    keeper.start()
    await until(keeper, LinkState.DOWN)
    server.clear()
    await until(keeper, LinkState.ONLINE)
    assert keeper.snapshot is not None


@pytest.mark.parametrize("address", ["no-such-host.invalid", "bad-gateway"])
async def test_limit_10_an_address_that_becomes_right_is_tried_again(server: FaultServer, address: str) -> None:
    with raw_peer(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as port:
        wrong = (address, 4455) if address.endswith("invalid") else ("127.0.0.1", port)
        place = [wrong]
        made: list[RealObs] = []

        def make() -> RealObs:
            made.append(RealObs(*place[0], PASSWORD))
            return made[-1]

        keeper = LinkKeeper(make, first_wait_s=0.05, longest_wait_s=0.1)
        keeper.start()
        await true(lambda: keeper.status.state is LinkState.DOWN and len(made) >= 2)
        place[0] = ("127.0.0.1", server.port)
        await until(keeper, LinkState.ONLINE)
        await keeper.stop()


async def test_limit_24_a_new_link_asks_for_all_events_again(server: FaultServer, keeper: LinkKeeper) -> None:
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    server.reset_all()
    await until(keeper, LinkState.DOWN)
    await until(keeper, LinkState.ONLINE)
    assert sorted(server.masks) == sorted([ALL_EVENTS, METERS] * 2)


@pytest.mark.parametrize("loss", ["reset", "close", "restart"])
async def test_after_each_kind_of_loss_it_is_read_again(server: FaultServer, keeper: LinkKeeper, loss: str) -> None:
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    server.machine.program = SCENE
    if loss == "reset":
        server.reset_all()
    elif loss == "close":
        server.close_all(1001)
    else:
        server.stop_listening()
    await until(keeper, LinkState.DOWN)
    if loss == "restart":
        server.listen_again()
    await until(keeper, LinkState.ONLINE)
    assert keeper.snapshot is not None
    assert keeper.snapshot.program == SCENE


async def test_a_wrong_password_ends_the_attempts_until_a_person_allows(server: FaultServer, keeper: LinkKeeper) -> None:
    server.close_identify = 4009
    keeper.start()
    status = await until(keeper, LinkState.REFUSED)
    assert "4009" in status.reason
    before = server.connections
    await asyncio.sleep(0.5)
    assert server.connections == before
    server.clear()
    keeper.allow()
    await until(keeper, LinkState.ONLINE)


async def test_thrown_out_stays_out_until_a_person_allows(server: FaultServer, keeper: LinkKeeper) -> None:
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    server.close_all(4011)
    await until(keeper, LinkState.REFUSED)
    before = server.connections
    await asyncio.sleep(0.4)
    assert server.connections == before


async def test_a_hung_obs_is_stalled_and_comes_back(server: FaultServer, keeper: LinkKeeper) -> None:
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    server.frozen = True
    patience(keeper.link, silence_s=0.6)
    status = await until(keeper, LinkState.STALLED)
    assert status.reason
    server.clear()
    await until(keeper, LinkState.ONLINE)


async def test_no_attempt_follows_after_the_stop(server: FaultServer, keeper: LinkKeeper) -> None:
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    server.reset_all()
    await keeper.stop()
    before = server.connections
    await asyncio.sleep(0.4)
    assert server.connections == before
    assert keeper.status.state is LinkState.DOWN


async def test_an_obs_that_is_not_ready_is_tried_again(server: FaultServer, keeper: LinkKeeper) -> None:
    server.refuse["GetSceneList"] = 207
    keeper.start()
    status = await until(keeper, LinkState.DOWN)
    await asyncio.sleep(0.02)
    server.clear()
    await until(keeper, LinkState.ONLINE)
    assert "207" in status.reason or status.reason == ""


async def test_an_attempt_that_is_given_up_leaves_no_connection(server: FaultServer, keeper: LinkKeeper) -> None:
    server.greet = False
    keeper.start()
    await true(lambda: server.connections == 2)
    began = time.monotonic()
    await keeper.stop()
    assert time.monotonic() - began < PATIENCE_S / 2
    assert keeper.link is None


# a real OBS


@pytest.fixture(scope="module")
def own_rig() -> Iterator[ObsRig]:
    """Start an OBS that these tests may freeze, kill and start again."""
    obs_rig.require(*obs_rig.NEEDED)
    with ObsRig() as rig:
        yield rig


def link_to(rig: ObsRig, password: str | None = None) -> RealObs:
    return patient(rig.host, rig.port, password or rig.password)


@pytest.mark.obs
async def test_real_a_wrong_password_is_refused(own_rig: ObsRig) -> None:
    with pytest.raises(WrongPassword):
        await link_to(own_rig, "guess").connect()


@pytest.mark.obs
async def test_real_a_hung_obs_keeps_its_sockets_open_and_is_found_by_silence(own_rig: ObsRig) -> None:
    link = link_to(own_rig)
    await link.connect()
    heard = heard_on(link)
    own_rig.freeze()
    patience(link, answer_s=0.8, silence_s=0.8)
    try:
        with pytest.raises((AnswerTimeout, LinkLost)):
            await link.switch_scene(obs_rig.SCENES[1])
        assert (await down_of(heard)).stalled
    finally:
        own_rig.thaw()
        await link.close()


@pytest.mark.obs
async def test_real_kill_and_restart_are_lived_through(own_rig: ObsRig) -> None:
    keeper = LinkKeeper(lambda: link_to(own_rig), first_wait_s=0.1, longest_wait_s=0.3)
    keeper.start()
    await until(keeper, LinkState.ONLINE)
    own_rig.kill()
    await until(keeper, LinkState.DOWN)
    await asyncio.to_thread(own_rig.start)
    await until(keeper, LinkState.ONLINE)
    assert keeper.facts is not None
    assert keeper.facts.portrait
    await keeper.stop()


@pytest.mark.obs
async def test_real_an_obs_that_ends_says_goodbye(own_rig: ObsRig) -> None:
    link = link_to(own_rig)
    await link.connect()
    heard = heard_on(link)
    await asyncio.to_thread(own_rig.quit)
    down = await down_of(heard)
    assert not down.refused
    await link.close()
    await asyncio.to_thread(own_rig.start)
