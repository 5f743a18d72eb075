"""Somebody pauses a recording at the room's computer: it is told, it still counts as running, and it can be stopped."""

import asyncio
import subprocess
import time

import pytest

from studio.obs.errors import OutputRunning
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import OutputChanged, OutputKind, OutputState, RecordStatus, Step
from studio.obs.websocket import ObsSocket
from tests.contracts.conftest import Room
from tests.obs_faults import PATIENCE_S, patient
from tests.obs_rig import ObsRig, ask
from tests.obs_starting import start_until_started

RECORD = OutputKind.RECORD
PAUSE, RESUME = (Step("PauseRecord"),), (Step("ResumeRecord"),)


def states(room: Room) -> list[OutputState]:
    return [event.state for event in room.heard if isinstance(event, OutputChanged) and event.kind is RECORD]


async def told(room: Room, state: OutputState) -> None:
    await room.wait_for(lambda event: isinstance(event, OutputChanged) and event.state is state)


async def status(room: Room) -> RecordStatus:
    return (await room.link.read_outputs()).record


async def written(room: Room, more_than_ms: int = 500) -> None:
    """Wait until so much is in the file: on a busy machine that takes a while, and paused too early OBS 29 never ends it."""
    async with asyncio.timeout(PATIENCE_S):
        while (await status(room)).duration_ms <= more_than_ms:
            await asyncio.sleep(0.05)


async def standing(room: Room) -> None:
    """Wait until nothing more comes into the file: what was in the encoder still does, for a moment."""
    async with asyncio.timeout(PATIENCE_S):
        before = await status(room)
        await asyncio.sleep(0.4)
        while (after := await status(room)) != before:
            before = after
            await asyncio.sleep(0.4)


async def own_encoder(room: Room) -> None:
    """Give recordings an encoder of their own: one that shares the stream's cannot be paused."""
    await room.link.set_profile_parameter("SimpleOutput", "RecQuality", "Small")


async def shared_encoder(room: Room) -> None:
    await room.link.set_profile_parameter("SimpleOutput", "RecQuality", "Stream")


async def test_a_paused_recording_is_told_as_paused_and_as_running(room: Room) -> None:
    await own_encoder(room)
    path = await start_until_started(room.link, RECORD)
    await written(room)
    assert (await room.link.run_steps(PAUSE))[0].done
    await told(room, OutputState.PAUSED)
    assert room.link.output_state(RECORD) is OutputState.PAUSED
    one = await status(room)
    assert (one.active, one.paused, one.path) == (True, True, path)
    await standing(room)  # no time passes in the file
    assert await stop_until_stopped(room.link, RECORD) == path
    await shared_encoder(room)


async def test_a_resumed_recording_goes_on_in_the_same_file(room: Room) -> None:
    await own_encoder(room)
    path = await start_until_started(room.link, RECORD)
    await written(room)
    await room.link.run_steps(PAUSE)
    await told(room, OutputState.PAUSED)
    paused = await status(room)
    await asyncio.sleep(0.3)
    assert (await room.link.run_steps(RESUME))[0].done
    await room.wait_for(lambda _: states(room)[-1] is OutputState.STARTED)
    await written(room, paused.duration_ms)
    resumed = await status(room)
    assert (resumed.active, resumed.paused, resumed.path) == (True, False, path)
    assert resumed.duration_ms > paused.duration_ms
    assert await stop_until_stopped(room.link, RECORD) == path
    assert states(room) == [
        OutputState.STARTING, OutputState.STARTED, OutputState.PAUSED, OutputState.STARTED,
        OutputState.STOPPING, OutputState.STOPPED,
    ]
    await shared_encoder(room)


async def test_no_second_recording_starts_over_a_paused_one(room: Room) -> None:
    await own_encoder(room)
    await start_until_started(room.link, RECORD)
    await written(room)
    await room.link.run_steps(PAUSE)
    await told(room, OutputState.PAUSED)
    with pytest.raises(OutputRunning):
        await room.link.start_output(RECORD)
    assert (await room.link.run_steps([Step("StartRecord")]))[0].code == 500  # OBS would refuse it as well
    await stop_until_stopped(room.link, RECORD)
    await shared_encoder(room)


async def test_a_stop_ends_a_pause_and_closes_the_file(room: Room) -> None:
    await own_encoder(room)
    path = await start_until_started(room.link, RECORD)
    await written(room)
    await room.link.run_steps(PAUSE)
    await told(room, OutputState.PAUSED)
    assert await stop_until_stopped(room.link, RECORD, urgent=True) == path
    one = await status(room)
    assert (one.active, one.paused) == (False, False)
    assert states(room)[-2:] == [OutputState.STOPPING, OutputState.STOPPED]
    await shared_encoder(room)


async def test_pause_and_resume_out_of_place_have_their_codes(room: Room) -> None:
    await own_encoder(room)
    assert (await room.link.run_steps(RESUME))[0].code == 503
    assert (await room.link.run_steps(PAUSE))[0].done  # nothing runs, and OBS 29 says yes all the same
    await asyncio.sleep(0.1)
    assert states(room) == []
    await start_until_started(room.link, RECORD)
    await written(room)
    await room.link.run_steps(PAUSE)
    await told(room, OutputState.PAUSED)
    assert (await room.link.run_steps(PAUSE))[0].code == 502
    await stop_until_stopped(room.link, RECORD)
    await shared_encoder(room)


@pytest.mark.obs
async def test_real_m18f_a_pause_can_be_answered_well_and_not_happen(real: Room, hand: ObsSocket) -> None:
    await shared_encoder(real)
    await start_until_started(real.link, RECORD)
    await written(real)
    assert hand.call_batch(ask("PauseRecord"))[0].done
    before = await status(real)
    await written(real, before.duration_ms)
    after = await status(real)
    assert (after.active, after.paused) == (True, False)
    assert after.duration_ms > before.duration_ms
    assert OutputState.PAUSED not in states(real)
    assert real.link.output_state(RECORD) is OutputState.STARTED
    await stop_until_stopped(real.link, RECORD)


@pytest.mark.obs
async def test_real_a_link_that_comes_during_a_pause_reads_it(real: Room, rig: ObsRig, hand: ObsSocket) -> None:
    """Another director takes over: it heard no event, so only the re-read can tell."""
    await own_encoder(real)
    path = await start_until_started(real.link, RECORD)
    await written(real)
    hand.call_batch(ask("PauseRecord"))
    await told(real, OutputState.PAUSED)
    other = patient(rig.host, rig.port, rig.password)
    await other.connect()
    record = (await other.read_snapshot()).outputs.record
    assert (record.active, record.paused) == (True, True)
    assert other.output_state(RECORD) is None
    assert await stop_until_stopped(other, RECORD) == path
    await other.close()
    await shared_encoder(real)


@pytest.mark.obs
async def test_real_the_pause_is_missing_in_the_file(real: Room, hand: ObsSocket) -> None:
    await own_encoder(real)
    began = time.monotonic()
    await start_until_started(real.link, RECORD)
    await written(real, 800)
    hand.call_batch(ask("PauseRecord"))
    await told(real, OutputState.PAUSED)
    await asyncio.sleep(2.0)
    hand.call_batch(ask("ResumeRecord"))
    await asyncio.sleep(0.6)
    path = await stop_until_stopped(real.link, RECORD)
    took_s = time.monotonic() - began
    assert path
    length = await asyncio.to_thread(
        subprocess.check_output, ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path], timeout=20
    )
    assert 0.8 <= float(length) < took_s - 1.8
    await shared_encoder(real)
