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
from tests.obs_faults import PASSWORD, FaultServer, true

SCENE = "双人"
MIC = "主播麦"
OTHER = "另一个"


@pytest_asyncio.fixture
async def link(server: FaultServer) -> AsyncIterator[RealObs]:
    """Connect with short patience, so that tests of silence need not be long."""
    link = RealObs("127.0.0.1", server.port, PASSWORD, answer_s=0.6, beat_s=0.2, silence_s=0.6)
    await link.connect()
    yield link
    await link.close()


async def test_nothing_is_sent_while_a_scene_collection_changes(server: FaultServer, link: RealObs) -> None:
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
    await asyncio.sleep(0.05)
    tap = asyncio.create_task(link.switch_scene(SCENE))
    await asyncio.sleep(0.3)
    assert "SetCurrentProgramScene" not in server.seen
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "new"})
    await tap
    assert server.machine.program == SCENE


async def test_nothing_is_sent_while_somebody_changes_the_profile(server: FaultServer, link: RealObs) -> None:
    server.say("CurrentProfileChanging", {"profileName": "old"})
    await asyncio.sleep(0.05)
    before = list(server.seen)
    asked = [asyncio.create_task(one) for one in (link.switch_scene(SCENE), link.read_snapshot(), link.read_destination())]
    await asyncio.sleep(0.5)  # more than two beats
    assert server.seen == before
    server.say("CurrentProfileChanged", {"profileName": "new"})
    await asyncio.gather(*asked)
    assert server.machine.program == SCENE


async def test_nothing_is_sent_while_we_change_the_profile_but_what_is_urgent(server: FaultServer, link: RealObs) -> None:
    """The machine has no profile of that name, so here the answer alone ends the change."""
    server.late_s["SetCurrentProfile"] = 0.4
    changing = asyncio.create_task(link.switch_profile(OTHER))
    await true(lambda: server.seen[-1] == "SetCurrentProfile")
    before = list(server.seen)
    reading = asyncio.create_task(link.read_snapshot())
    picturing = asyncio.create_task(link.screenshot(SCENE, width=90))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await link.stand_by(SCENE, [MIC])
    with pytest.raises(OutputNotRunning):
        await link.stop_output(OutputKind.STREAM, urgent=True)
    assert time.monotonic() - began < 0.2
    moving = asyncio.create_task(link.set_volume_db(MIC, -3))
    await asyncio.sleep(0.1)
    assert server.seen == [*before, "SetCurrentProgramScene", "SetInputMute", "StopStream"]
    with pytest.raises(NotFoundInObs):
        await changing
    await asyncio.gather(reading, picturing, moving)


async def test_a_change_of_profile_waits_for_what_is_in_flight(server: FaultServer, link: RealObs) -> None:
    """On both connections, also for what was sent past all that waits."""
    server.machine._services[OTHER] = ("rtmp_common", {})
    server.late_s = {"SetInputMute": 0.1, "GetSceneList": 0.2, "StopStream": 0.3}
    muting = asyncio.create_task(link.set_mute(MIC, True))
    reading = asyncio.create_task(link.read_snapshot())
    stopping = asyncio.create_task(link.stop_output(OutputKind.STREAM, urgent=True))
    await true(lambda: {"SetInputMute", "GetSceneList", "StopStream"} <= set(server.seen))
    changing = asyncio.create_task(link.switch_profile(OTHER))
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
    monkeypatch.setattr(real, "TOLD_S", 0.2)
    if not told:
        monkeypatch.setattr(server.machine, "emit", lambda *_: None)
    began = time.monotonic()
    await link.switch_profile(OTHER)
    took = time.monotonic() - began
    assert server.machine.profile == OTHER
    assert (took < 0.2) is told
    await link.switch_profile(OTHER)  # in force already: OBS tells nothing
    await link.switch_scene(SCENE)
    assert link.alive


async def test_a_change_of_profile_without_an_answer_opens_the_gates_by_itself(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "PROFILE_S", 0.9)
    server.swallow.add("SetCurrentProfile")
    began = time.monotonic()
    with pytest.raises(AnswerTimeout):
        await link.switch_profile(OTHER)
    await asyncio.wait_for(link.read_destination(), 2)
    assert time.monotonic() - began > 0.85
    assert link.alive


async def test_a_change_of_profile_ends_with_the_link(server: FaultServer, link: RealObs) -> None:
    server.reset_on.add("SetCurrentProfile")
    changes = [asyncio.create_task(link.switch_profile(OTHER)) for _ in range(2)]
    outcomes = await asyncio.wait_for(asyncio.gather(*changes, return_exceptions=True), 0.5)
    assert [isinstance(one, LinkLost) and one.sent for one in outcomes] == [True, False]


async def test_our_change_of_profile_waits_for_the_end_of_somebody_elses_change(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    server.machine._services[OTHER] = ("rtmp_common", {})
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
    await asyncio.sleep(0.05)
    changing = asyncio.create_task(link.switch_profile(OTHER))
    await asyncio.sleep(0.2)
    assert "SetCurrentProfile" not in server.seen
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "new"})
    await changing
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "old"})
    await asyncio.sleep(0.05)
    monkeypatch.setattr(real, "ANSWER_S", 0.1)
    with pytest.raises(NotSent):
        await link.switch_profile(OTHER)
