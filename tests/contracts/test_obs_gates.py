"""Nothing but what is urgent is sent while OBS changes its scene collection or its profile, by a hand or by us."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from studio.obs import real
from studio.obs.errors import AnswerTimeout, LinkLost, NotFoundInObs, NotSent, OutputNotRunning
from studio.obs.port import OutputKind
from studio.obs.real import RealObs
from tests.obs_faults import PATIENCE_S, FaultServer, patience, patient, true

SCENE = "双人"
MIC = "主播麦"
OTHER = "另一个"


@pytest_asyncio.fixture
async def link(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealObs]:
    """Connect so that no gate opens and nobody gives up before a test says so."""
    for name in ("ANSWER_S", "PICTURE_WAIT_S", "PROFILE_S", "TOLD_S"):
        monkeypatch.setattr(real, name, 60)
    monkeypatch.setitem(real._GATES, "CurrentProfileChanging", 60)
    link = patient("127.0.0.1", server.port)
    await link.connect()
    yield link
    await link.close()


async def gated(link: RealObs) -> None:
    """Wait until the gates are closed and nothing is under way any more."""
    await true(lambda: not (link._may_send.is_set() or link._write_lane.in_flight or link._read_lane.in_flight))


async def test_nothing_is_sent_while_a_scene_collection_changes(server: FaultServer, link: RealObs) -> None:
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
    await gated(link)
    tap = asyncio.create_task(link.switch_scene(SCENE))
    await asyncio.sleep(0.3)
    assert "SetCurrentProgramScene" not in server.seen
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "new"})
    await tap
    assert server.machine.program == SCENE


async def test_nothing_is_sent_while_somebody_changes_the_profile(server: FaultServer, link: RealObs) -> None:
    server.say("CurrentProfileChanging", {"profileName": "old"})
    await gated(link)
    before = list(server.seen)
    asked = [asyncio.create_task(one) for one in (link.switch_scene(SCENE), link.read_snapshot(), link.read_destination())]
    await asyncio.sleep(0.5)  # more than two beats
    assert server.seen == before
    server.say("CurrentProfileChanged", {"profileName": "new"})
    await asyncio.gather(*asked)
    assert server.machine.program == SCENE


async def test_nothing_is_sent_while_we_change_the_profile_but_what_is_urgent(server: FaultServer, link: RealObs) -> None:
    """The machine has no profile of that name, so here the answer alone ends the change."""
    server.late_s["SetCurrentProfile"] = 60
    changing = asyncio.create_task(link.switch_profile(OTHER))
    await true(lambda: server.seen[-1] == "SetCurrentProfile")
    before = list(server.seen)
    reading = asyncio.create_task(link.read_snapshot())
    picturing = asyncio.create_task(link.screenshot(SCENE, width=90))
    await asyncio.sleep(0.05)
    await link.stand_by(SCENE, [MIC])
    with pytest.raises(OutputNotRunning):
        await link.stop_output(OutputKind.STREAM, urgent=True)
    assert not changing.done(), "what is urgent waited for the change"
    moving = asyncio.create_task(link.set_volume_db(MIC, -3))
    await asyncio.sleep(0.1)
    assert server.seen == [*before, "SetCurrentProgramScene", "SetInputMute", "StopStream"]
    server.clear()
    with pytest.raises(NotFoundInObs):
        await changing
    await asyncio.gather(reading, picturing, moving)


async def test_a_change_of_profile_waits_for_what_is_in_flight(server: FaultServer, link: RealObs) -> None:
    """On both connections, also for what was sent past all that waits."""
    server.machine._services[OTHER] = ("rtmp_common", {})
    server.late_s = {"SetInputMute": 60, "GetSceneList": 60, "StopStream": 60}
    muting = asyncio.create_task(link.set_mute(MIC, True))
    reading = asyncio.create_task(link.read_snapshot())
    stopping = asyncio.create_task(link.stop_output(OutputKind.STREAM, urgent=True))
    await true(lambda: {"SetInputMute", "GetSceneList", "StopStream"} <= set(server.seen))
    changing = asyncio.create_task(link.switch_profile(OTHER))
    for name, is_last in (("SetInputMute", False), ("GetSceneList", False), ("StopStream", True)):
        await asyncio.sleep(0.05)
        assert "SetCurrentProfile" not in server.seen
        server.late_s = {} if is_last else {other: late for other, late in server.late_s.items() if other != name}
    with pytest.raises(OutputNotRunning):
        await stopping
    await changing
    assert server.beside["SetCurrentProfile"] == 0
    assert server.machine.profile == OTHER
    assert (await reading).program == server.machine.program
    assert server.seen.index("SetCurrentProfile") < server.seen.index("GetInputMute"), "the second half of the snapshot waits"
    await muting


@pytest.mark.parametrize("told", [True, False], ids=["told", "the word of it is lost"])
async def test_after_a_change_of_profile_everything_goes_on(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch, told: bool) -> None:
    server.machine._services[OTHER] = ("rtmp_common", {})
    if not told:
        monkeypatch.setattr(real, "TOLD_S", 0.2)
        monkeypatch.setattr(server.machine, "emit", lambda *_: None)
    began = time.monotonic()
    await link.switch_profile(OTHER)
    took_s = time.monotonic() - began
    assert server.machine.profile == OTHER
    assert took_s < real.TOLD_S if told else took_s >= real.TOLD_S
    monkeypatch.setattr(real, "TOLD_S", 0.2)
    await link.switch_profile(OTHER)  # in force already: OBS tells nothing
    await link.switch_scene(SCENE)
    assert link.alive


async def test_a_change_of_profile_without_an_answer_opens_the_gates_by_itself(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "PROFILE_S", 0.9)
    server.swallow.add("SetCurrentProfile")
    patience(link, answer_s=0.6)
    began = time.monotonic()
    with pytest.raises(AnswerTimeout):
        await link.switch_profile(OTHER)
    patience(link)
    await link.read_destination()
    assert time.monotonic() - began > 0.85
    assert link.alive


async def test_a_change_of_profile_ends_with_the_link(server: FaultServer, link: RealObs) -> None:
    server.reset_on.add("SetCurrentProfile")
    changes = [asyncio.create_task(link.switch_profile(OTHER)) for _ in range(2)]
    outcomes = await asyncio.wait_for(asyncio.gather(*changes, return_exceptions=True), PATIENCE_S / 2)
    assert [isinstance(one, LinkLost) and one.sent for one in outcomes] == [True, False]


async def test_our_change_of_profile_waits_for_the_end_of_somebody_elses_change(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    server.machine._services[OTHER] = ("rtmp_common", {})
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
    await gated(link)
    changing = asyncio.create_task(link.switch_profile(OTHER))
    await asyncio.sleep(0.2)
    assert "SetCurrentProfile" not in server.seen
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "new"})
    await changing
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
    await gated(link)
    monkeypatch.setattr(real, "ANSWER_S", 0.1)
    with pytest.raises(NotSent):
        await link.switch_profile(OTHER)
