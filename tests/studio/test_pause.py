"""A recording paused or hung at the room's computer: told as what it is, still running, also by the next director."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import paste
from studio.director import outputs
from studio.director.mirror import Mirror, phase_read
from studio.director.wire import Outcome, OutputNow, OutputPhase, StartOutput, StartRecord, StopRecord
from studio.live_sessions import preparation, service
from studio.obs.machine import SimulatedMachine
from studio.obs.port import OutputChanged, OutputKind, Outputs, OutputState, RecordStatus, StreamStatus
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"
RECORD = OutputKind.RECORD
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def read(*, paused: bool, duration_ms: int = 0) -> Outputs:
    return Outputs(StreamStatus(active=False), RecordStatus(active=True, paused=paused, duration_ms=duration_ms), False)


@pytest.mark.parametrize(("before", "is_paused", "after"), [
    (OutputPhase.STOPPED, True, OutputPhase.PAUSED), (OutputPhase.LIVE, True, OutputPhase.PAUSED),
    (OutputPhase.PAUSED, True, OutputPhase.PAUSED), (OutputPhase.PAUSED, False, OutputPhase.LIVE),
    (OutputPhase.STOPPING, True, OutputPhase.STOPPING), (OutputPhase.STUCK, True, OutputPhase.STUCK),
    (OutputPhase.STUCK, False, OutputPhase.STUCK), (OutputPhase.RECONNECTING, False, OutputPhase.RECONNECTING),
])
def test_what_a_re_read_of_a_running_output_says(before: OutputPhase, is_paused: bool, after: OutputPhase) -> None:
    assert phase_read(OutputNow(before), True, NOW, is_paused=is_paused) is after


def seconds(n: int) -> datetime:
    return NOW + timedelta(seconds=n)


def test_the_clock_of_a_recording_leaves_its_pause_out() -> None:
    mirror = Mirror()
    mirror.apply(OutputChanged(RECORD, OutputState.STARTED), seconds(0))
    mirror.apply(OutputChanged(RECORD, OutputState.PAUSED), seconds(60))
    assert mirror.outputs[RECORD] == OutputNow(OutputPhase.PAUSED, seconds(60))
    assert mirror.began(RECORD) == seconds(0)
    mirror.load_outputs(read(paused=True, duration_ms=59_000), seconds(70))  # OBS counts its own way
    mirror.apply(OutputChanged(RECORD, OutputState.STARTED), seconds(360))
    assert mirror.outputs[RECORD] == OutputNow(OutputPhase.LIVE, seconds(301))


def test_a_recording_found_paused_began_before_it_was_found() -> None:
    mirror = Mirror()
    mirror.load_outputs(read(paused=True, duration_ms=90_000), NOW)
    assert mirror.outputs[RECORD].phase is OutputPhase.PAUSED
    assert mirror.began(RECORD) == NOW - timedelta(seconds=90)


async def recording(studio: Studio) -> None:
    """Let a session that only records have its recording on."""
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    await service.choose_output(studio.people.alice, session.uid, "record", "", version=session.version)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    assert (await command(studio.board, place, StartRecord())).outcome == Outcome.DONE
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE)


async def spans() -> list[tuple[bool, str]]:
    return [tuple(row) for row in await database.fetch("SELECT stopped_at IS NULL, stop_reason FROM air_spans")]


async def test_a_paused_recording_is_shown_goes_on_as_a_span_and_can_be_stopped(studio: Studio) -> None:
    director = await studio.owned()
    await recording(studio)
    machine = studio.machine(director)
    machine.record.pause()
    await studio.shows(lambda s: s.record.phase == OutputPhase.PAUSED)
    director.owners[studio.rig.id]._touched.set()  # a re-read must not take it for live again
    await until(lambda: director.owners[studio.rig.id].held.mirror.recorded)
    assert (await studio.shows(lambda s: s.link.is_online)).record.phase == OutputPhase.PAUSED
    assert await spans() == [(True, "")]
    place = await seat(studio.people.alice, await session_uid())
    assert (await command(studio.board, place, StartRecord())).code == "already_running"
    machine.record.resume()
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE)
    machine.record.pause()
    await studio.shows(lambda s: s.record.phase == OutputPhase.PAUSED)
    assert (await command(studio.board, place, StopRecord())).outcome == Outcome.DONE
    assert (await studio.snapshot()).record.phase == OutputPhase.STOPPED  # type: ignore[union-attr]  # it was shown above
    await until(lambda: is_ended("asked"))
    assert len(await spans()) == 1


async def session_uid() -> UUID:
    uid: UUID = await database.fetchval("SELECT uid FROM live_sessions")
    return uid


async def is_ended(reason: str) -> bool:
    return await spans() == [(False, reason)]


async def test_the_next_director_tells_a_pause_that_it_did_not_hear_of(studio: Studio) -> None:
    first = await studio.owned()
    await recording(studio)
    machines = first._links.machines
    await studio.end(first)
    machines[studio.rig.id].record.pause()
    second = await studio.direct()
    second._links.machines = machines
    await studio.shows(lambda s: s.fence == 2 and s.record.phase == OutputPhase.PAUSED)
    place = await seat(studio.people.alice, await session_uid())
    assert await studio.board.snapshot(studio.rig.id, fresh_s=0)
    assert (await command(studio.board, place, StopRecord())).outcome == Outcome.DONE
    await until(lambda: is_ended("asked"))
    assert len(await spans()) == 1


def hang(machine: SimulatedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a recording never end, as OBS 29 does with one that was paused and stopped in its first moment."""
    monkeypatch.setattr(machine.record, "stop", lambda: None)
    monkeypatch.setattr(outputs, "STOP_S", 0.3)


async def test_a_recording_that_obs_cannot_end_says_so(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    await recording(studio)
    machine = studio.machine(director)
    with monkeypatch.context() as patched:
        hang(machine, patched)
        place = await seat(studio.people.alice, await session_uid())
        answer = await command(studio.board, place, StopRecord())
        assert (answer.outcome, answer.code) == (Outcome.REFUSED, "recording_stuck")
        await studio.shows(lambda s: s.record.phase == OutputPhase.STUCK)
        assert (await command(studio.board, place, StopRecord())).code == "recording_stuck"  # in time for who taps again
    machine.power_off()
    machine.power_on()
    await studio.shows(lambda s: s.record.phase == OutputPhase.STOPPED and s.link.is_online)
    await until(lambda: is_ended("asked"))


TOLD = "SELECT person, link, read_at IS NULL AS unread FROM notices WHERE once_key LIKE 'stuck:%'"


async def test_operators_hear_once_of_a_recording_that_obs_cannot_end_until_it_has(
        studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await studio.owned()
    await recording(studio)
    machines = first._links.machines
    machine = machines[studio.rig.id]
    with monkeypatch.context() as patched:
        hang(machine, patched)
        place = await seat(studio.people.alice, await session_uid())
        for _ in range(2):
            assert (await command(studio.board, place, StopRecord())).code == "recording_stuck"
        await until(lambda: database.fetchrow(TOLD))
        await studio.end(first)
        second = await studio.direct()
        second._links.machines = machines
        await studio.shows(lambda s: s.fence == 2 and s.record.phase == OutputPhase.LIVE)
        assert await studio.board.snapshot(studio.rig.id, fresh_s=0)
        assert (await command(studio.board, place, StopRecord())).code == "recording_stuck"  # found so by the next director too
        await second.journal.flush()
        assert [tuple(row) for row in await database.fetch(TOLD)] == [
            (studio.people.olaf.person_id, f"/rigs/{studio.rig.uid}", True)]
    machine.power_off()
    machine.power_on()
    await studio.shows(lambda s: s.record.phase == OutputPhase.STOPPED and s.link.is_online)

    async def is_settled() -> bool:
        return [row["unread"] for row in await database.fetch(TOLD)] == [False]

    await until(is_settled)


async def test_a_recording_that_obs_cannot_end_does_not_keep_the_key_in_it(
        studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartRecord())
    await command(studio.board, place, StartOutput())
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE and s.stream.phase == OutputPhase.LIVE)
    machine = studio.machine(director)
    hang(machine, monkeypatch)
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
    await preparation.follow(reservation)
    assert (await studio.state(reservation, "ended", 15)).cleanliness == "clean"
    assert not machine.stream.active
    assert not machine.service_settings.get("key")
    assert (await studio.shows(lambda s: s.link.is_online)).record.phase == OutputPhase.STUCK


async def test_a_session_that_only_records_waits_for_a_restart_of_obs(
        studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    await recording(studio)
    machine = studio.machine(director)
    with monkeypatch.context() as patched:
        hang(machine, patched)
        place = await seat(studio.people.alice, await session_uid())
        await command(studio.board, place, StopRecord())
        shown = await studio.shows(lambda s: s.plan.state == "failed")
        assert shown.plan.code == "recording_stuck"
    machine.power_off()
    machine.power_on()
    await studio.shows(lambda s: s.plan.state == "ready")
