"""A key is written, read back, compared, started with, and nothing of it is left after the cut-off."""

from datetime import timedelta

import pytest

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import forget, paste
from studio.director import reconcile
from studio.director.director import Director
from studio.director.reconcile import AGAIN_S, EVERY_S
from studio.director.wire import Outcome, OutputPhase, StartOutput, StopOutput
from studio.live_sessions import preparation
from studio.obs.port import OutputKind
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T?expire=4102444800&sign=ab%2F12"
AHEAD_S = 2.0


def service_of(studio: Studio, director: Director) -> dict[str, object]:
    return studio.machine(director)._service[1]


async def test_it_works(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    shown = await paste(studio.people.bob, session.uid, KEY, version=0)
    assert "9F3K5T" not in shown.shown
    await studio.state(reservation, "ready")
    assert service_of(studio, director)["server"] == "rtmp://push.example.cn/live"
    assert service_of(studio, director)["key"] == "stream-9F3K5T?expire=4102444800&sign=ab%2F12"
    row = await database.fetchrow("SELECT cleanliness, armed_session FROM rigs")
    assert (row["cleanliness"], row["armed_session"]) == ("armed", session.id)

    place = await seat(studio.people.alice, session.uid)
    answer = await command(studio.board, place, StartOutput())
    assert answer.outcome == Outcome.DONE, answer
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    answer = await command(studio.board, place, StopOutput())
    assert answer.outcome == Outcome.DONE, answer
    await studio.shows(lambda s: s.stream.phase == OutputPhase.STOPPED)

    async def spans() -> bool:
        return bool(await database.fetchval("SELECT 1 FROM air_spans WHERE kind = 'stream' AND stopped_at IS NOT NULL"))

    await until(spans)


async def test_the_cut_off_stops_and_empties(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
    await preparation.follow(reservation)
    await studio.state(reservation, "ended")
    assert not studio.machine(director).stream.active
    assert set(service_of(studio, director).values()) <= {"", False}
    row = await database.fetchrow("SELECT r.cleanliness, r.armed_mark, d.key_sealed, d.wiped_at FROM rigs r, destinations d")
    assert (row["cleanliness"], row["armed_mark"], row["key_sealed"]) == ("clean", None, None)
    assert row["wiped_at"] is not None


async def test_the_next_look_is_at_the_cut_off(studio: Studio) -> None:
    director = await studio.owned()
    waits = director.owners[studio.rig.id].reconciler._until_cut_off
    assert waits() == EVERY_S
    session = await studio.prepare(await studio.book())
    shown = await studio.shows(lambda s: s.plan.session == session.id)
    assert shown.plan.cut_off_at is not None
    for left_s, wait_s in ((3600, 3600), (1.25, 1.25), (0, AGAIN_S), (-30, AGAIN_S)):
        with clock.frozen_at(shown.plan.cut_off_at - timedelta(seconds=left_s)):
            assert waits() == wait_s


async def test_the_stop_comes_to_the_moment(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing wakes the director between, and it would look again much later only."""
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    shown = await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    assert shown.plan.cut_off_at is not None
    monkeypatch.setattr(reconcile, "EVERY_S", 600.0)
    left = shown.plan.cut_off_at - clock.now() - timedelta(seconds=AHEAD_S)
    clock.set_offset(int(left.total_seconds()))
    held = director.owners[studio.rig.id].held
    held.refresh.set()  # so that it goes from here on by the long wait
    held.due.set()
    await until(lambda: not studio.machine(director).stream.active, what="stopped")
    assert clock.now() >= shown.plan.cut_off_at
    await until(lambda: set(service_of(studio, director).values()) <= {"", False}, what="emptied")


async def test_a_new_key_on_air_stops_arms_and_offers_the_start(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    await paste(studio.people.alice, session.uid, "rtmp://push.example.cn/live\nanother-key-22", version=1)
    await studio.shows(lambda s: s.stream.phase == OutputPhase.STOPPED and s.plan.state == "ready")
    assert service_of(studio, director)["key"] == "another-key-22"
    assert (await command(studio.board, place, StartOutput())).outcome == Outcome.DONE
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)


async def test_a_start_without_key_is_refused(studio: Studio) -> None:
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    answer = await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "waiting_for_key")


async def test_a_start_with_another_key_in_obs_is_refused(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    service_of(studio, director)["key"] = "somebody-elses"
    answer = await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "key_not_armed")


async def test_a_stream_started_at_the_computer_with_another_key_is_stopped(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    machine = studio.machine(director)
    machine._service = ("rtmp_custom", {"server": "rtmp://elsewhere/live", "key": "x"})
    machine.stream.start()
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    await studio.shows(lambda s: s.stream.phase == OutputPhase.STOPPED)

    async def alarmed() -> bool:
        return bool(await database.fetchval("SELECT 1 FROM as_run WHERE what = 'alarm'"))

    await until(alarmed)
    assert not machine.stream.active


async def test_the_armed_key_may_be_started_at_the_computer(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    studio.machine(director).stream.start()
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    assert studio.machine(director).stream.active
    assert director.owners[studio.rig.id].held.mirror.outputs[OutputKind.STREAM].phase == OutputPhase.LIVE


async def test_a_forgotten_key_is_wiped(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    await forget(studio.people.alice, session.uid, version=1)
    await studio.state(reservation, "waiting_for_key")
    assert service_of(studio, director)["key"] == ""


async def test_a_changed_cut_off_is_followed(studio: Studio) -> None:
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.shows(lambda s: s.plan.session == session.id)
    later = session.ends_at + timedelta(minutes=3)
    await database.execute("UPDATE reservations SET ends_at = $1", later)
    await preparation.follow(reservation)
    shown = await studio.shows(lambda s: s.plan.cut_off_at == later + timedelta(minutes=5))
    assert shown.plan.session == session.id


@pytest.mark.parametrize("moment", ["unreachable"])
async def test_an_unreachable_rig_is_not_ready(studio: Studio, moment: str) -> None:
    director = await studio.owned()
    studio.machine(director).power_off()
    reservation = await studio.book()
    await studio.prepare(reservation)
    session = await studio.state(reservation, "failed")
    assert session.reason_code == "obs_unreachable"
    studio.machine(director).power_on()
    await studio.state(reservation, "waiting_for_key")
