"""A room whose OBS may still hold a key is not armed again until a person or a proven wipe opens it."""

from typing import Any
from uuid import UUID

import pytest

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import paste
from studio.director import rows
from studio.director.wire import Outcome, OutputPhase, StartOutput, StartRecord
from studio.live_sessions import preparation
from studio.obs.machine import _HANDLERS
from studio.rigs import service as rigs
from studio.rigs.queries import incidents
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"


async def unclean(studio: Studio, *, with_key: bool = True) -> tuple[int, UUID]:
    await database.execute("UPDATE rigs SET cleanliness = 'unclean'")
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    if with_key:
        await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "failed")
    return reservation, session.uid


async def test_it_works(studio: Studio) -> None:
    reservation, uid = await unclean(studio)
    assert (await studio.session_of(reservation)).reason_code == "unclean"
    machine = studio.machine(studio.running[0][0])
    assert machine.service_settings.get("key", "") == ""
    place = await seat(studio.people.alice, uid)
    answer = await command(studio.board, place, StartOutput())
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "unclean")
    assert not machine.stream.active
    await rigs.mark_clean(studio.people.olaf, studio.rig.uid, reason="looked")
    await studio.state(reservation, "ready")
    assert machine.service_settings["key"] == "stream-9F3K5T"
    assert (await command(studio.board, place, StartOutput())).outcome == Outcome.DONE
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)


async def test_it_does_not_ask_for_a_key_that_it_would_not_take(studio: Studio) -> None:
    reservation, uid = await unclean(studio, with_key=False)
    assert (await studio.session_of(reservation)).reason_code == "unclean"
    place = await seat(studio.people.alice, uid)
    for wanted in (StartOutput(), StartRecord()):
        answer = await command(studio.board, place, wanted)
        assert (answer.outcome, answer.code) == (Outcome.REFUSED, "unclean")
    await rigs.mark_clean(studio.people.olaf, studio.rig.uid, reason="looked")
    await studio.state(reservation, "waiting_for_key")


@pytest.mark.parametrize(("state", "may"), [("unclean", False), ("clean", True), ("account_open", True)])
async def test_its_row_is_asked_once_more_before_the_key_is_written(studio: Studio, state: str, may: bool) -> None:
    """A room may be closed between the last look at the rows and the arming."""
    director = await studio.owned()
    session = await studio.session_of(await studio.book())
    await database.execute("UPDATE rigs SET cleanliness = $1", state)
    lease = director.owners[studio.rig.id].held.lease
    assert await rows.arm(studio.rig.id, lease.fence, session.id, "mark") is may
    wanted: Any = (session.id, "mark") if may else (None, None)
    row = await database.fetchrow("SELECT cleanliness, armed_session, armed_mark FROM rigs")
    assert tuple(row) == ("armed" if may else state, *wanted)


async def test_a_key_that_obs_keeps_closes_the_room_and_alarms_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    machine = studio.machine(director)

    async def closed() -> bool:
        row = await database.fetchrow("SELECT cleanliness, unclean_reason FROM rigs")
        return tuple(row) == ("unclean", "not_wiped")

    with monkeypatch.context() as patched:
        patched.setitem(_HANDLERS, "SetStreamServiceSettings", lambda *_: None)  # answered well, and nothing happens
        await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
        await preparation.follow(reservation)
        await until(closed)
        assert machine.service_settings["key"] == "stream-9F3K5T"
        await studio.shows(lambda s: (s.plan.state, s.plan.code) == ("failed", "not_wiped"))
        reconciler = director.owners[studio.rig.id].reconciler
        await reconciler.act()  # it is tried again and again, and told once
        await director.journal.flush()
        found = await studio.session_of(reservation)
        assert (found.state, found.reason_code) == ("ended", "unclean")
        assert found.key is not None
        assert found.key.wiped_at is None
        assert await database.fetchval("SELECT count(*) FROM as_run WHERE what = 'not_wiped'") == 1
        assert await database.fetchval("SELECT count(*) FROM as_run WHERE what = 'wiped'") == 0
        told = await database.fetch("SELECT person FROM notices WHERE once_key = $1", f"unclean:{session.id}")
        people = studio.people
        assert {row["person"] for row in told} == {one.person_id for one in (people.alice, people.bob, people.olaf)}
        assert (await incidents([studio.rig.id]))[studio.rig.id] == [], "nobody did anything by hand"

    async def opened() -> bool:
        return bool(await database.fetchval("SELECT cleanliness = 'clean' FROM rigs"))

    await until(opened)
    assert machine.service_settings["key"] == ""
