"""OBS 30 and later, on the scripted server alone: the real OBS of these tests is 29 and never answers 207."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from studio.obs import real
from studio.obs.errors import NotReady, OutputUnsettled
from studio.obs.keeper import LinkKeeper
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import (
    Destination,
    LinkDown,
    LinkState,
    ListChanged,
    Listing,
    MuteChanged,
    OutputKind,
    OutputState,
    SceneChanged,
)
from studio.obs.real import RealObs
from tests.obs_faults import FaultServer, SteppedClock, heard_on, patience, patient, true
from tests.obs_starting import start_until_started

SCENE = "双人"
MIC = "主播麦"
STREAM = OutputKind.STREAM
EVERYTHING = ("GetStudioModeEnabled", "GetSceneList", "GetInputList", "GetStreamStatus", "GetRecordStatus", "GetVirtualCamStatus", "StopStream",
              "StartStream", "SetCurrentProgramScene", "SetInputMute", "GetStats", "SetStreamServiceSettings")


@pytest_asyncio.fixture
async def link(server: FaultServer) -> AsyncIterator[RealObs]:
    link = patient("127.0.0.1", server.port)
    await link.connect()
    yield link
    await link.close()


async def live(link: RealObs) -> None:
    await link.write_destination(Destination(server="rtmp://127.0.0.1/live", key="key"))
    await start_until_started(link, STREAM)


def not_ready(server: FaultServer) -> None:
    server.refuse = dict.fromkeys(EVERYTHING, 207)


# 207


async def test_every_verb_tells_that_obs_is_not_ready(server: FaultServer, link: RealObs) -> None:
    not_ready(server)
    asked = (link.switch_scene(SCENE), link.set_mute(MIC, True), link.read_snapshot(), link.read_outputs(),
             link.write_destination(Destination()), link.start_output(STREAM), link.stop_output(STREAM))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [NotReady] * len(asked)
    server.clear()
    await live(link)  # the start that was refused forbids no later one
    await stop_until_stopped(link, STREAM)


async def test_207_is_an_answer_so_the_link_stays(
    server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = heard_on(link)
    clock = await SteppedClock.on(link, monkeypatch)
    not_ready(server)
    patience(link, silence_s=0.6)
    await clock.go_on(link, 2.0)
    assert link.alive
    assert not [event for event in heard if isinstance(event, LinkDown)]


async def test_a_stop_goes_on_through_207_until_stopped(server: FaultServer, link: RealObs) -> None:
    """The cut-off falls into a change of the scene collection: the stream must end all the same."""
    await live(link)
    not_ready(server)
    stopping = asyncio.create_task(stop_until_stopped(link, STREAM, urgent=True))
    await asyncio.sleep(0.7)
    assert not stopping.done()
    assert server.machine.stream.active
    server.clear()
    await stopping
    assert server.machine.stream.state is OutputState.STOPPED


async def test_a_stop_that_never_gets_through_is_unsettled_never_stopped(server: FaultServer, link: RealObs) -> None:
    await live(link)
    not_ready(server)
    with pytest.raises(OutputUnsettled):
        await stop_until_stopped(link, STREAM, deadline_s=0.5)
    server.clear()
    await stop_until_stopped(link, STREAM)


async def test_a_stop_goes_on_when_the_outputs_cannot_be_read_for_a_while(server: FaultServer, link: RealObs) -> None:
    await live(link)
    server.swallow.add("GetStreamStatus")
    patience(link, answer_s=0.3)
    stopping = asyncio.create_task(stop_until_stopped(link, STREAM))
    await true(lambda: server.seen.count("GetStreamStatus") >= 2)
    assert not stopping.done()
    patience(link)
    server.clear()
    await stopping
    assert server.machine.stream.state is OutputState.STOPPED


async def test_an_input_that_is_not_ready_does_not_look_as_if_it_had_no_sound(server: FaultServer, link: RealObs) -> None:
    """Else the next panic would leave its microphone open."""
    server.refuse["GetInputMute"] = 207
    with pytest.raises(NotReady):
        await link.read_snapshot()
    server.clear()
    assert MIC in [one.name for one in (await link.read_snapshot()).audio_inputs]


async def test_a_panic_into_207_tells_of_every_step_that_it_was_not_done(server: FaultServer, link: RealObs) -> None:
    not_ready(server)
    results = await link.stand_by("马上回来", [MIC])
    assert [result.code for result in results] == [207, 207]


async def test_the_keeper_waits_for_an_obs_that_is_still_starting(server: FaultServer) -> None:
    server.refuse["GetVersion"] = 207
    keeper = LinkKeeper(lambda: patient("127.0.0.1", server.port), first_wait_s=0.05, longest_wait_s=0.1)
    keeper.start()
    await true(lambda: keeper.status.state is LinkState.DOWN and "207" in keeper.status.reason)
    await asyncio.sleep(0.3)
    assert not keeper.online
    server.clear()
    await true(lambda: keeper.online)
    await keeper.stop()


# scene collections


async def test_a_change_right_after_another_keeps_the_gate_closed(
    server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the first change must not let requests into the second."""
    monkeypatch.setitem(real._GATES, "CurrentSceneCollectionChanged", 0.15)
    heard = heard_on(link)
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "a"})
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "b"})
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "b"})
    server.say("InputMuteStateChanged", {"inputName": MIC, "inputMuted": True})
    await true(lambda: MuteChanged(input=MIC, muted=True) in heard)  # and so all that was said before
    tap = asyncio.create_task(link.switch_scene(SCENE))
    await asyncio.sleep(0.3)
    assert "SetCurrentProgramScene" not in server.seen
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "c"})
    await tap


async def test_a_change_whose_end_nobody_hears_is_not_waited_for_for_ever(
    server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(real._GATES, "CurrentSceneCollectionChanging", 1.0)
    heard = heard_on(link)
    began = time.monotonic()
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "a"})
    await true(lambda: not link._may_send.is_set())
    await link.switch_scene(SCENE)
    assert time.monotonic() - began >= 0.95
    assert not [event for event in heard if isinstance(event, LinkDown)]


async def test_the_silence_of_a_change_is_ours(server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked meanwhile, so that nothing is answered is no sign of a dead OBS."""
    heard = heard_on(link)
    clock = await SteppedClock.on(link, monkeypatch)
    patience(link, silence_s=0.6)
    server.say("CurrentSceneCollectionChanging", {"sceneCollectionName": "a"})
    await true(lambda: not link._may_send.is_set())
    clock.now += 10
    await asyncio.sleep(0.5)  # more than two beats
    clock.now = link._answers_from + 0.1
    await asyncio.sleep(0.5)
    assert link.alive
    assert not [event for event in heard if isinstance(event, LinkDown)]


async def test_another_collection_makes_everything_read_again(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.say("CurrentSceneCollectionChanged", {"sceneCollectionName": "b"})
    await true(lambda: any(isinstance(event, ListChanged) for event in heard))
    assert [event.what for event in heard if isinstance(event, ListChanged)] == [Listing.EVERYTHING]


# words that 29 does not know


async def test_facts_come_from_what_obs_can_do_not_from_its_number(server: FaultServer) -> None:
    server.instead["GetVersion"] = {
        "obsVersion": "32.1.0", "obsWebSocketVersion": "5.7.3", "rpcVersion": 1, "platform": "windows",
        "availableRequests": ["GetVersion", "SetRecordDirectory", "GetCanvasList"], "supportedImageFormats": ["jpg", "webp"],
        "platformDescription": "Windows 11",
    }
    link = patient("127.0.0.1", server.port)
    facts = await link.connect()
    assert (facts.obs_version, facts.can_be_aborted) == ("32.1.0", False)
    assert facts.can("SetRecordDirectory")
    assert not facts.can("SplitRecordFile")
    await link.close()


async def test_more_fields_and_new_events_disturb_nobody(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.say("CanvasCreated", {"canvasName": "竖屏", "canvasUuid": "1"})
    server.say("InputSettingsChanged", {"inputName": "商品名称", "inputUuid": "2", "inputSettings": {"text": "新"}})
    server.say("RecordFileChanged", {"newOutputPath": "/recordings/b.mkv"})
    server.say("CurrentProgramSceneChanged", {"sceneName": SCENE, "sceneUuid": "3"})
    server.say("InputMuteStateChanged", {"inputName": MIC, "inputUuid": "4", "inputMuted": True})
    await true(lambda: MuteChanged(input=MIC, muted=True) in heard)
    assert SceneChanged(scene=SCENE) in heard
    assert link.alive


async def test_a_state_that_nobody_knows_yet_changes_nothing(server: FaultServer, link: RealObs) -> None:
    await live(link)
    heard = heard_on(link)
    server.say("StreamStateChanged", {"outputActive": True, "outputState": "OBS_WEBSOCKET_OUTPUT_SLEEPING"})
    server.say("InputMuteStateChanged", {"inputName": MIC, "inputMuted": True})
    await true(lambda: MuteChanged(input=MIC, muted=True) in heard)
    assert link.output_state(STREAM) is OutputState.STARTED
    await stop_until_stopped(link, STREAM)
