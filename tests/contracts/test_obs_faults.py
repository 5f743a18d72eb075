"""What can go wrong between us and an OBS, provoked one by one."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from studio.obs.errors import (
    AnswerTimeout,
    BadAnswer,
    Dropped,
    LinkLost,
    LinkRefused,
    NotReady,
    NotSent,
    ObsError,
    OutputUnsettled,
    Unreachable,
    WrongPassword,
    WrongVersion,
)
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import Destination, Event, LinkDown, MuteChanged, OutputKind, OutputState, SceneChanged, Step
from studio.obs.protocol import ALL_EVENTS, METERS
from studio.obs.real import RealObs
from studio.obs.simulated_outputs import STARTS_S
from studio.obs.websocket import HANDSHAKE_S
from tests import obs_rig
from tests.obs_faults import PASSWORD, PATIENCE_S, FaultServer, SteppedClock, down_of, heard_on, patience, patient, raw_peer, true
from tests.obs_starting import start_until_started

SCENE = "双人"
MIC = "主播麦"


@pytest_asyncio.fixture
async def link(server: FaultServer) -> AsyncIterator[RealObs]:
    link = patient("127.0.0.1", server.port)
    await link.connect()
    yield link
    await link.close()


def destination() -> Destination:
    return Destination(server="rtmp://127.0.0.1/live", key="key")


# coming in


async def test_nobody_listens() -> None:
    with pytest.raises(Unreachable):
        await RealObs("127.0.0.1", obs_rig.free_port(), PASSWORD).connect()


async def test_no_such_host() -> None:
    with pytest.raises(Unreachable):
        await RealObs("no-such-host.invalid", 4455, PASSWORD).connect()


async def test_something_else_than_obs_answers() -> None:
    with raw_peer(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as port, pytest.raises(Unreachable):
        await RealObs("127.0.0.1", port, PASSWORD).connect()


async def test_a_peer_that_accepts_and_stays_silent_is_given_up() -> None:
    began = time.monotonic()
    with raw_peer(None) as port, pytest.raises(Unreachable):
        await RealObs("127.0.0.1", port, PASSWORD, handshake_s=0.4).connect()
    assert time.monotonic() - began < HANDSHAKE_S, "nobody gave up before the usual time"


async def test_a_peer_that_greets_with_silence_is_given_up(server: FaultServer) -> None:
    server.greet = False
    began = time.monotonic()
    with pytest.raises(Unreachable):
        await RealObs("127.0.0.1", server.port, PASSWORD, handshake_s=0.4).connect()
    assert time.monotonic() - began < HANDSHAKE_S, "nobody gave up before the usual time"


async def test_a_wrong_password_is_refused_and_not_tried_again(server: FaultServer) -> None:
    with pytest.raises(WrongPassword) as caught:
        await RealObs("127.0.0.1", server.port, "guess").connect()
    assert caught.value.close_code == 4009


async def test_another_protocol_version_is_refused(server: FaultServer) -> None:
    server.close_identify = 4010
    with pytest.raises(WrongVersion):
        await RealObs("127.0.0.1", server.port, PASSWORD).connect()


async def test_a_drop_during_identify_is_unreachable_and_may_be_tried_again(server: FaultServer) -> None:
    server.close_identify = 0
    with pytest.raises(ObsError) as caught:
        await RealObs("127.0.0.1", server.port, PASSWORD).connect()
    assert not isinstance(caught.value, LinkRefused)


async def test_an_obs_that_is_not_ready_says_so(server: FaultServer) -> None:
    server.refuse["GetVersion"] = 207
    link = patient("127.0.0.1", server.port)
    with pytest.raises(NotReady):
        await link.connect()
    await link.close()


async def test_a_proxy_of_the_environment_does_not_come_between(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    link = patient("127.0.0.1", server.port)
    facts = await link.connect()
    assert facts.can("SetCurrentProgramScene")
    await link.close()


async def test_each_connection_asks_for_its_own_events(server: FaultServer, link: RealObs) -> None:
    assert sorted(server.masks) == [ALL_EVENTS, METERS]
    assert link.alive


# being there


async def test_requests_go_one_after_another(server: FaultServer, link: RealObs) -> None:
    server.late_s["SetInputMute"] = 0.02
    await asyncio.gather(*(link.set_mute(MIC, bool(n % 2)) for n in range(12)))
    assert server.most_in_flight == 1
    assert server.seen.count("SetInputMute") == 12
    assert server.machine.sounds[MIC].muted


async def test_a_caller_that_gave_up_does_not_let_the_next_request_overtake(server: FaultServer, link: RealObs) -> None:
    server.late_s["SetInputMute"] = 60
    waiting = asyncio.create_task(link.set_mute(MIC, True))
    await true(lambda: "SetInputMute" in server.seen)
    waiting.cancel()
    next_one = asyncio.create_task(link.switch_scene(SCENE))
    await asyncio.sleep(0.05)
    server.clear()
    await next_one
    assert server.most_in_flight == 1
    assert server.machine.sounds[MIC].muted


async def test_of_many_waiting_moves_of_a_fader_the_last_one_counts(server: FaultServer, link: RealObs) -> None:
    server.late_s["SetInputMute"] = 0.1
    first = asyncio.create_task(link.set_mute(MIC, True))
    await asyncio.gather(*(link.set_volume_db(MIC, -level) for level in range(20)), first)
    assert server.seen.count("SetInputVolume") == 1
    assert server.machine.sounds[MIC].volume_db == -19


async def test_an_answer_that_never_comes_is_an_unknown_outcome(server: FaultServer, link: RealObs) -> None:
    server.swallow.add("SetCurrentProgramScene")
    patience(link, answer_s=0.3)
    with pytest.raises(AnswerTimeout):
        await link.switch_scene(SCENE)
    patience(link)
    server.clear()
    await link.switch_scene(SCENE)


async def test_limit_18_what_was_not_answered_is_never_sent_again_by_itself(server: FaultServer, link: RealObs) -> None:
    server.swallow = {"StartStream", "SetCurrentProgramScene"}
    patience(link, answer_s=0.3)
    for asked in (link.start_output(OutputKind.STREAM), link.switch_scene(SCENE)):
        with pytest.raises(AnswerTimeout):
            await asked
    await asyncio.sleep(0.5)
    assert [server.seen.count(name) for name in ("StartStream", "SetCurrentProgramScene")] == [1, 1]


async def test_m10_no_batch_is_ever_carried_out_side_by_side(server: FaultServer, link: RealObs) -> None:
    """OBS labels the results of a parallel batch wrongly; that shows on more cores than here, so it is forbidden instead."""
    await link.read_snapshot()
    await link.stand_by("马上回来", [MIC])
    await link.run_steps([Step("GetStats")])
    await link.run_steps([Step("GetStats")], one_frame=True)
    assert server.executions == {0, 1}


async def test_panic_without_a_scene_still_mutes_past_everybody(server: FaultServer, link: RealObs) -> None:
    server.swallow.add("SetVideoSettings")
    stuck = asyncio.create_task(link.run_steps([Step("SetVideoSettings")]))
    await true(lambda: "SetVideoSettings" in server.seen)
    results = await link.stand_by(None, [MIC])
    assert [result.request for result in results] == ["SetInputMute"]
    assert server.machine.sounds[MIC].muted
    assert await link.stand_by(None, []) == ()
    assert not stuck.done()
    stuck.cancel()


async def test_an_answer_that_comes_too_late_disturbs_nobody(server: FaultServer, link: RealObs) -> None:
    server.late_s["SetInputMute"] = 60
    patience(link, answer_s=0.3)
    with pytest.raises(AnswerTimeout):
        await link.set_mute(MIC, True)
    patience(link)
    answered_at = link._writing.answered_at
    assert not server.machine.sounds[MIC].muted
    server.clear()
    await true(lambda: server.machine.sounds[MIC].muted and link._writing.answered_at > answered_at)
    await link.switch_scene(SCENE)
    assert server.machine.program == SCENE
    assert link.alive


async def test_a_slow_request_does_not_make_a_living_obs_look_hung(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = heard_on(link)
    clock = await SteppedClock.on(link, monkeypatch)
    server.swallow.add("SetInputMute")
    stuck = asyncio.create_task(link.set_mute(MIC, True))
    await true(lambda: "SetInputMute" in server.seen)
    patience(link, silence_s=0.6)
    await clock.go_on(link, 2.0)
    assert link.alive
    assert not [event for event in heard if isinstance(event, LinkDown)]
    assert not stuck.done()
    stuck.cancel()


async def test_a_request_that_waits_too_long_is_never_sent(server: FaultServer, link: RealObs) -> None:
    server.swallow.add("SetInputMute")
    patience(link, answer_s=0.3)
    asked = (link.set_mute(MIC, True), link.set_mute(MIC, False), link.switch_scene(SCENE))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [AnswerTimeout, AnswerTimeout, NotSent]
    assert "SetCurrentProgramScene" not in server.seen


async def test_panic_overtakes_and_drops_what_waits(server: FaultServer, link: RealObs) -> None:
    server.swallow.add("SetInputMute")
    stuck = asyncio.create_task(link.set_mute(MIC, False))
    waiting = asyncio.create_task(link.switch_scene(SCENE))
    await true(lambda: "SetInputMute" in server.seen)
    results = await link.stand_by("马上回来", ["主播麦", "助播麦"])
    assert not stuck.done(), "panic waited for what is stuck"
    assert all(result.done for result in results)
    with pytest.raises(Dropped):
        await waiting
    stuck.cancel()
    assert server.machine.program == "马上回来"


async def test_panic_goes_out_while_a_picture_is_being_taken(server: FaultServer, link: RealObs) -> None:
    server.late_s["GetSourceScreenshot"] = 60
    picture = asyncio.create_task(link.screenshot(SCENE, width=90))
    await true(lambda: "GetSourceScreenshot" in server.seen)
    await link.stand_by("马上回来", [MIC])
    assert not picture.done(), "panic waited for the picture"
    server.clear()
    await picture


async def test_an_answer_without_its_status_ends_the_link(server: FaultServer, link: RealObs) -> None:
    original = server._result
    server._result = lambda step: {**original(step), "requestStatus": {}}  # type: ignore[method-assign]  # scripted
    heard = heard_on(link)
    with pytest.raises((LinkLost, BadAnswer)):
        await link.read_snapshot()
    assert (await down_of(heard)).reason.startswith("unreadable message")


async def test_an_event_without_its_fields_is_skipped(
    server: FaultServer, link: RealObs, caplog: pytest.LogCaptureFixture
) -> None:
    heard = heard_on(link)
    server.say("InputMuteStateChanged", {"nonsense": True})
    server.say("InputMuteStateChanged", {"inputName": MIC, "inputMuted": True})
    await true(lambda: MuteChanged(input=MIC, muted=True) in heard)
    assert link.alive
    assert "InputMuteStateChanged" in caplog.text


async def test_a_listener_hears_nothing_after_it_has_stopped(server: FaultServer, link: RealObs) -> None:
    heard: list[Event] = []
    others = [link.listen(heard.append) for _ in range(3)]
    for stop in others:
        stop()
    still_listening = heard_on(link)
    server.say("CurrentProgramSceneChanged", {"sceneName": SCENE})
    await true(lambda: SceneChanged(scene=SCENE) in still_listening)
    assert heard == []


# losing it


async def test_a_reset_in_mid_request_fails_it_at_once_as_sent(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.reset_on.add("SetCurrentProgramScene")
    async with asyncio.timeout(PATIENCE_S / 2):  # neither its time nor that of silence has come
        with pytest.raises(LinkLost) as caught:
            await link.switch_scene(SCENE)
    assert caught.value.sent
    assert not (await down_of(heard)).refused
    assert not link.alive


async def test_what_waited_behind_a_lost_request_was_not_sent(server: FaultServer, link: RealObs) -> None:
    server.reset_on.add("SetInputMute")
    outcomes = await asyncio.gather(link.set_mute(MIC, True), link.switch_scene(SCENE), return_exceptions=True)
    assert [isinstance(one, LinkLost) and one.sent for one in outcomes] == [True, False]


async def test_a_clean_close_is_a_loss_with_its_code(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.close_all(1001)
    down = await down_of(heard)
    assert "1001" in down.reason
    assert not down.refused
    assert sum(isinstance(event, LinkDown) for event in heard) == 1


async def test_being_thrown_out_is_told_as_refused(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.close_all(4011)
    down = await down_of(heard)
    assert down.refused
    assert "4011" in down.reason


async def test_a_hung_obs_is_noticed_by_its_silence(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.frozen = True
    patience(link, silence_s=0.6)
    assert (await down_of(heard)).stalled


async def test_a_message_that_nobody_can_read_ends_the_link(server: FaultServer, link: RealObs) -> None:
    heard = heard_on(link)
    server.send_raw("{this is no json")
    await down_of(heard)
    with pytest.raises(LinkLost):
        await link.switch_scene(SCENE)


async def test_a_message_of_an_unknown_kind_is_passed_over(server: FaultServer, link: RealObs) -> None:
    server.send_raw('{"op": 99, "d": {}}')
    await link.switch_scene(SCENE)
    assert link.alive


# outputs


async def test_an_output_that_never_decides_is_unsettled(
    server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.machine.stream, "start", lambda: None)  # answers and does nothing
    with pytest.raises(OutputUnsettled):
        await start_until_started(link, OutputKind.STREAM, deadline_s=0.3)


async def test_a_link_lost_while_starting_is_unsettled_not_failed(
        server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STARTS_S, OutputKind.STREAM, 60)
    await link.write_destination(destination())
    starting = asyncio.create_task(start_until_started(link, OutputKind.STREAM, deadline_s=60))
    await true(lambda: link.output_state(OutputKind.STREAM) is OutputState.STARTING and server.machine.stream.state is OutputState.STARTING)
    server.reset_all()
    with pytest.raises(OutputUnsettled, match="connection"):
        await starting


async def test_stopped_is_not_believed_while_the_output_reads_as_running(server: FaultServer, link: RealObs) -> None:
    await link.write_destination(destination())
    await start_until_started(link, OutputKind.STREAM)
    server.say("StreamStateChanged", {"outputActive": False, "outputState": "OBS_WEBSOCKET_OUTPUT_STOPPED"})
    await true(lambda: link.output_state(OutputKind.STREAM) is OutputState.STOPPED)
    await stop_until_stopped(link, OutputKind.STREAM)
    assert server.machine.stream.state is OutputState.STOPPED


async def test_a_stream_that_loses_its_server_reconnects_and_can_be_stopped(server: FaultServer, link: RealObs) -> None:
    await link.write_destination(destination())
    await start_until_started(link, OutputKind.STREAM)
    server._loop.call_soon_threadsafe(server.machine.stream.lose_server)
    await true(lambda: link.output_state(OutputKind.STREAM) is OutputState.RECONNECTING)
    status = (await link.read_outputs()).stream
    assert (status.active, status.reconnecting) == (True, True)
    await stop_until_stopped(link, OutputKind.STREAM)
    assert not (await link.read_outputs()).stream.active
