"""What every OBS behind the port does alike, be it simulated, scripted or real."""

import asyncio
import re
from datetime import datetime, timedelta

import pytest

from studio.obs.errors import (
    InvalidState,
    LinkLost,
    NotFoundInObs,
    OutOfRange,
    OutputNotRunning,
    OutputRunning,
    UnknownRequest,
    refused,
)
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import (
    Destination,
    ListChanged,
    Listing,
    Meters,
    MuteChanged,
    OutputChanged,
    OutputKind,
    OutputState,
    SceneChanged,
    SceneStarted,
    Snapshot,
    Step,
    StudioModeChanged,
    VolumeChanged,
)
from tests.contracts.conftest import Room
from tests.obs_starting import OutputDied, start_until_started

STREAM, RECORD = OutputKind.STREAM, OutputKind.RECORD


def states(room: Room, kind: OutputKind) -> list[OutputState]:
    return [event.state for event in room.heard if isinstance(event, OutputChanged) and event.kind is kind]


def sound_of(snapshot: Snapshot, name: str) -> tuple[bool | None, float | None]:
    return next((one.muted, one.volume_db) for one in snapshot.inputs if one.name == name)


async def test_a_scene_change_is_told_from_its_beginning_to_its_end(room: Room) -> None:
    await room.link.switch_scene(room.second)
    started = await room.wait_for_kind(SceneStarted)
    changed = await room.wait_for_kind(SceneChanged)
    assert (started.scene, changed.scene) == (room.second, room.second)
    assert room.heard.index(started) < room.heard.index(changed)
    assert (await room.link.read_snapshot()).program == room.second


async def test_an_unknown_scene_is_not_found(room: Room) -> None:
    with pytest.raises(NotFoundInObs) as caught:
        await room.link.switch_scene("没有这个场景")
    assert (caught.value.code, caught.value.request) == (600, "SetCurrentProgramScene")


async def test_the_snapshot_holds_everything(room: Room) -> None:
    snapshot = await room.link.read_snapshot()
    places = [snapshot.scenes.index(name) for name in (room.first, room.second, room.stand_by)]
    assert places == sorted(places)
    assert snapshot.program == room.first
    assert room.microphone in [one.name for one in snapshot.audio_inputs]
    assert sound_of(snapshot, room.silent_input) == (None, None)
    assert not snapshot.studio_mode
    assert not snapshot.outputs.stream.active
    assert snapshot.stats.disk_free_mb > 0


async def test_mute_is_told_and_read_back(room: Room) -> None:
    await room.link.set_mute(room.microphone, True)
    told = await room.wait_for_kind(MuteChanged)
    assert told == MuteChanged(input=room.microphone, muted=True)
    assert sound_of(await room.link.read_snapshot(), room.microphone)[0] is True


async def test_a_fader_moves_and_is_told(room: Room) -> None:
    await room.link.set_volume_db(room.microphone, -12.5)
    told = await room.wait_for_kind(VolumeChanged)
    assert told.volume_db == pytest.approx(-12.5, abs=0.05)
    assert sound_of(await room.link.read_snapshot(), room.microphone)[1] == pytest.approx(-12.5, abs=0.05)
    await room.link.set_volume_db(room.microphone, 0)


async def test_a_fader_ends_at_26_db(room: Room) -> None:
    with pytest.raises(OutOfRange):
        await room.link.set_volume_db(room.microphone, 27)


async def test_an_input_without_sound_cannot_be_muted(room: Room) -> None:
    with pytest.raises(InvalidState):
        await room.link.set_mute(room.silent_input, True)


async def test_an_unknown_request_has_its_own_error(room: Room) -> None:
    result = (await room.link.run_steps([Step("MakeCoffee")]))[0]
    assert isinstance(refused(result.request, result.code), UnknownRequest)


async def test_panic_takes_the_scene_and_mutes_in_one_batch(room: Room) -> None:
    results = await room.link.stand_by(room.stand_by, [room.microphone, "没有这个输入"])
    assert [result.code for result in results] == [100, 100, 600]
    snapshot = await room.link.read_snapshot()
    assert snapshot.program == room.stand_by
    assert sound_of(snapshot, room.microphone)[0] is True


async def test_a_destination_is_read_back_whole(room: Room) -> None:
    wanted = Destination(server="rtmp://merchant-a/live", key="key-a", use_auth=True, username="a", password="secret-a")
    await room.link.write_destination(wanted)
    assert await room.link.read_destination() == wanted


async def test_nothing_of_the_merchant_before_stays_in_force(room: Room) -> None:
    left = {"server": "rtmp://a/live", "key": "key-a", "use_auth": True, "username": "a", "password": "secret-a", "bwtest": True}
    wanted = {"streamServiceType": "rtmp_custom", "streamServiceSettings": left}
    assert (await room.link.run_steps([Step("SetStreamServiceSettings", wanted)]))[0].done  # not through the verb under test
    await room.link.write_destination(Destination(server="rtmp://merchant-b/live", key="key-b"))
    after = await room.link.read_destination()
    assert (after.use_auth, after.username, after.password) == (False, "", "")


async def test_a_wiped_destination_is_empty(room: Room) -> None:
    await room.link.write_destination(Destination(server="rtmp://merchant-a/live", key="key-a"))
    await room.link.wipe_destination()
    assert (await room.link.read_destination()).empty


async def test_a_stream_starts_and_stops_by_what_obs_says(room: Room) -> None:
    await room.link.write_destination(Destination(server=room.server, key="key"))
    await start_until_started(room.link, STREAM)
    assert (await room.link.read_outputs()).stream.active
    assert room.link.output_state(STREAM) is OutputState.STARTED
    with pytest.raises(OutputRunning):
        await room.link.write_destination(Destination(server="rtmp://other/live", key="other"))
    await stop_until_stopped(room.link, STREAM)
    assert states(room, STREAM)[:2] == [OutputState.STARTING, OutputState.STARTED]
    assert states(room, STREAM)[-1] is OutputState.STOPPED
    await room.link.wipe_destination()


async def test_a_start_without_a_server_is_answered_well_and_dies(room: Room) -> None:
    with pytest.raises(OutputDied):
        await start_until_started(room.link, STREAM)
    assert states(room, STREAM) == [OutputState.STARTING, OutputState.STOPPED]


async def test_a_stop_right_after_a_start_is_refused_and_the_stream_goes_live(room: Room) -> None:
    await room.link.write_destination(Destination(server=room.server, key="key"))
    for _ in range(5):  # whoever is held up between start and stop finds it started
        await room.link.start_output(STREAM)
        try:
            await room.link.stop_output(STREAM)
        except OutputNotRunning:
            break
        await stop_until_stopped(room.link, STREAM)
        room.take_next()
    await room.wait_for(lambda event: isinstance(event, OutputChanged) and event.state is OutputState.STARTED)
    assert states(room, STREAM) == [OutputState.STARTING, OutputState.STARTED], "each stop was taken"
    await stop_until_stopped(room.link, STREAM)


async def test_the_stop_that_goes_on_until_stopped_catches_a_starting_stream(room: Room) -> None:
    await room.link.write_destination(Destination(server=room.server, key="key"))
    await room.link.start_output(STREAM)
    await stop_until_stopped(room.link, STREAM, urgent=True)
    assert states(room, STREAM)[-1] is OutputState.STOPPED
    assert not (await room.link.read_outputs()).stream.active


async def test_a_second_start_never_reaches_a_starting_stream(room: Room) -> None:
    await room.link.write_destination(Destination(server=room.server, key="key"))
    first, second = await asyncio.gather(*(room.link.start_output(STREAM) for _ in range(2)), return_exceptions=True)
    assert first is None
    assert isinstance(second, OutputRunning)
    await room.wait_for(lambda event: isinstance(event, OutputChanged) and event.state is OutputState.STARTED)
    assert states(room, STREAM) == [OutputState.STARTING, OutputState.STARTED]
    await stop_until_stopped(room.link, STREAM)


async def test_a_stream_can_start_again_after_it_has_died(room: Room) -> None:
    with pytest.raises(OutputDied):
        await start_until_started(room.link, STREAM)
    await room.link.write_destination(Destination(server=room.server, key="key"))
    await start_until_started(room.link, STREAM)
    await stop_until_stopped(room.link, STREAM)


async def test_stopping_what_has_stopped_is_fine(room: Room) -> None:
    with pytest.raises(OutputDied):
        await start_until_started(room.link, STREAM)
    await stop_until_stopped(room.link, STREAM)


async def test_a_recording_names_its_file_when_it_is_closed(room: Room) -> None:
    await room.link.set_recording(file_name="R261124-00001")
    started = await start_until_started(room.link, RECORD)
    await asyncio.sleep(0.3)
    stopped = await stop_until_stopped(room.link, RECORD)
    assert started == stopped
    assert stopped is not None
    assert "R261124-00001" in stopped
    assert (await room.link.read_outputs()).record.path == stopped


async def test_a_note_is_kept(room: Room) -> None:
    assert await room.link.read_note("never-written") is None
    await room.link.write_note("kaibo-fence", {"fence": 7})
    assert await room.link.read_note("kaibo-fence") == {"fence": 7}


async def test_what_is_not_ascii_in_a_note_is_garbled(room: Room) -> None:
    await room.link.write_note("kaibo-words", {"plain": "abc%20", "other": "二"})
    assert await room.link.read_note("kaibo-words") == {"plain": "abc%20", "other": "二".encode().decode("latin-1")}


async def test_a_picture_of_a_scene_that_is_not_on_air(room: Room) -> None:
    picture = await room.link.screenshot(room.second, width=90)
    magic = {"image/jpeg": b"\xff\xd8\xff", "image/svg+xml": b"<svg"}[picture.content_type]
    assert picture.data.startswith(magic)


async def test_a_picture_of_no_scene_is_not_found(room: Room) -> None:
    with pytest.raises(NotFoundInObs):
        await room.link.screenshot("没有这个场景", width=90)


async def test_meters_arrive_by_themselves(room: Room) -> None:
    told = await room.wait_for_kind(Meters)
    assert all(-100 <= level.magnitude_db <= level.peak_db + 0.01 for level in told.levels)


async def test_studio_mode_is_noticed_and_turned_off(room: Room) -> None:
    await room.link.run_steps([Step("SetStudioModeEnabled", {"studioModeEnabled": True})])
    assert (await room.wait_for_kind(StudioModeChanged)).on
    await room.link.leave_studio_mode()
    await room.wait_for(lambda event: event == StudioModeChanged(on=False))
    assert not (await room.link.read_snapshot()).studio_mode


async def test_a_scene_made_at_the_rooms_computer_is_noticed(room: Room) -> None:
    await room.link.run_steps([Step("CreateScene", {"sceneName": "临时"})])
    assert (await room.wait_for_kind(ListChanged)).what is Listing.SCENES
    assert "临时" in (await room.link.read_snapshot()).scenes
    await room.link.run_steps([Step("RemoveScene", {"sceneName": "临时"})])


async def test_steps_are_carried_out_in_order_and_none_is_undone(room: Room) -> None:
    texts = [Step("SetInputSettings", {"inputName": room.silent_input, "inputSettings": {"text": str(n)}}) for n in range(20)]
    results = await room.link.run_steps([*texts, Step("SetCurrentProgramScene", {"sceneName": "没有"})], one_frame=True)
    assert [result.done for result in results] == [True] * 20 + [False]
    read = await room.link.run_steps([Step("GetInputSettings", {"inputName": room.silent_input})])
    assert read[0].data["inputSettings"]["text"] == "19"


async def test_a_closed_link_sends_nothing_and_says_so(room: Room) -> None:
    await room.link.close()
    await room.link.close()
    with pytest.raises(LinkLost) as caught:
        await room.link.switch_scene(room.second)
    assert not caught.value.sent
    assert not room.link.alive


async def test_a_recording_is_named_by_the_machines_clock(room: Room) -> None:
    await room.link.set_recording(file_name="R261124-00042-%CCYY%MM%DD-%hh%mm%ss")
    before = datetime.now().astimezone()
    await start_until_started(room.link, RECORD)
    path = await stop_until_stopped(room.link, RECORD)
    await room.link.set_recording(file_name="%CCYY-%MM-%DD %hh-%mm-%ss")
    named = re.fullmatch(r"/.+/R261124-00042-(\d{8}-\d{6})\.mkv", path or "")
    assert named, path
    at = datetime.strptime(named[1], "%Y%m%d-%H%M%S").astimezone()
    assert timedelta(seconds=-1) <= at - before < timedelta(seconds=10)
