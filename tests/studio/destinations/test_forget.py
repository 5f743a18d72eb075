"""A key is taken away again: gone from the rows and wiped from OBS, never while it is on air."""

import pytest

from incubator.ground import database
from incubator.ground.errors import Forbidden, NotFound, Stale
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import StreamRuns, forget, paste
from studio.director.wire import OutputPhase, StartOutput, StopOutput
from studio.live_sessions.queries import LiveSession
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"


async def armed(studio: Studio) -> LiveSession:
    """Prepare a session whose key lies in OBS."""
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    return await studio.session_of(reservation)


async def test_it_works(studio: Studio) -> None:
    session = await armed(studio)
    machine = studio.machine(studio.running[0][0])
    assert machine._service[1]["key"] == "stream-9F3K5T"
    await forget(studio.people.bob, session.uid, version=1)
    await until(lambda: not machine._service[1].get("key"))
    shown = await studio.shows(lambda s: s.plan.state == "waiting_for_key" and not s.plan.is_armed)
    assert shown.plan.key_shown == ""
    assert await database.fetchval("SELECT count(*) FROM destinations") == 0
    assert await database.fetchval("SELECT reason FROM audit_entries WHERE verb = 'forget'") is not None
    await until(lambda: _cleanliness(studio, "clean"))


async def _cleanliness(studio: Studio, wanted: str) -> bool:
    return bool(await database.fetchval("SELECT cleanliness = $2 FROM rigs WHERE id = $1", studio.rig.id, wanted))


async def test_before_the_preparation(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(starts_in_min=300, state="confirmed"))
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await forget(studio.people.alice, session.uid, version=1)
    assert (await studio.session_of(await database.fetchval("SELECT reservation FROM live_sessions"))).key is None


async def test_on_air_it_stays(studio: Studio) -> None:
    session = await armed(studio)
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    await until(lambda: database.fetchval("SELECT 1 FROM air_spans WHERE stopped_at IS NULL"))
    with pytest.raises(StreamRuns):
        await forget(studio.people.alice, session.uid, version=1)
    assert (await studio.snapshot()).stream.phase == OutputPhase.LIVE  # type: ignore[union-attr]  # it was just shown
    await command(studio.board, place, StopOutput())
    await until(lambda: database.fetchval("SELECT 1 FROM air_spans WHERE stopped_at IS NOT NULL"))
    await forget(studio.people.alice, session.uid, version=1)
    await studio.shows(lambda s: s.plan.state == "waiting_for_key")


async def test_who_may_not(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await paste(studio.people.alice, session.uid, KEY, version=0)
    with pytest.raises(Forbidden):
        await forget(studio.people.dora, session.uid, version=1)
    with pytest.raises(NotFound):
        await forget(studio.people.charlie, session.uid, version=1)
    with pytest.raises(Stale):
        await forget(studio.people.alice, session.uid, version=7)
