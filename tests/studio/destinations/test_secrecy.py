"""A key is nowhere in the clear but in OBS between arm and wipe: no table, no Redis, no log, no answer holds it."""

import io
import logging

import pytest
import structlog

from incubator.ground import database
from incubator.ground.errors import Forbidden, Invalid, NotFound, Stale
from studio.control.queries import seat
from studio.control.service import command, panic
from studio.destinations.service import SessionOver, forget, paste
from studio.director.wire import OutputPhase, StartOutput
from studio.live_sessions.queries import live_session
from tests.studio.conftest import Studio, tablet

SECRET = "zq7Kx9PwTr4Lm2"
SIGN = "s1gn8f3c"
KEY = f"rtmp://push.example.cn/live/{SECRET}?sign={SIGN}"


async def everything_in_tables() -> str:
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found: list[str] = []
    for table in tables:
        rows = await database.fetch(f'SELECT t::text AS line FROM "{table["tablename"]}" t')
        found.extend(row["line"] for row in rows)
    return "\n".join(found)


async def test_the_key_is_nowhere_in_the_clear(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    written = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(written))
    caplog.set_level(logging.DEBUG)
    try:
        director = await studio.owned()
        reservation = await studio.book()
        session = await studio.prepare(reservation)
        await paste(studio.people.alice, session.uid, KEY, version=0)
        await studio.state(reservation, "ready")
        place = await seat(studio.people.alice, session.uid)
        await command(studio.board, place, StartOutput())
        await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
        await panic(studio.board, place, 2)
        shown = repr(await live_session(studio.people.alice, session.uid))
        in_redis = b""
        for name in await studio.redis.keys("*"):
            kind = await studio.redis.type(name)
            in_redis += await studio.redis.get(name) if kind == b"string" else b""
        assert studio.machine(director)._service[1]["key"] == f"{SECRET}?sign={SIGN}"
        haystack = [await everything_in_tables(), written.getvalue(), caplog.text, shown, in_redis.decode(errors="replace")]
    finally:
        structlog.reset_defaults()
    assert len(haystack[0]) > 1000
    for text in haystack:
        assert SECRET not in text
        assert SIGN not in text
    spool = b"".join(path.read_bytes() for path in (studio.data / "spool").glob("*"))
    assert SECRET.encode() not in spool


async def test_a_stranger_does_not_know_of_the_session(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    with pytest.raises(NotFound):
        await paste(studio.people.charlie, session.uid, KEY, version=0)


async def test_an_auditor_only_reads(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    with pytest.raises(Forbidden):
        await paste(studio.people.aud, session.uid, KEY, version=0)


async def test_a_tablet_pastes_after_check_in_only(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(state="confirmed"))
    device = await tablet(studio.unit, studio.people.site.id)
    with pytest.raises(Forbidden):
        await paste(device, session.uid, KEY, version=0)
    await database.execute("UPDATE reservations SET state = 'checked_in', checked_in_at = now()")
    assert (await paste(device, session.uid, KEY, version=0)).version == 1


async def test_an_older_version_is_refused(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await paste(studio.people.alice, session.uid, KEY, version=0)
    with pytest.raises(Stale):
        await paste(studio.people.bob, session.uid, KEY, version=0)


async def test_a_refused_text_leaves_what_was(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await paste(studio.people.alice, session.uid, KEY, version=0)
    with pytest.raises(Invalid):
        await paste(studio.people.alice, session.uid, "nothing", version=1)
    found = await live_session(studio.people.alice, session.uid)
    assert found.key is not None
    assert found.key.version == 1


async def test_after_the_end_nothing_is_pasted(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await database.execute("UPDATE live_sessions SET state = 'ended'")
    with pytest.raises(SessionOver):
        await paste(studio.people.alice, session.uid, KEY, version=0)
    with pytest.raises(SessionOver):
        await forget(studio.people.alice, session.uid, version=0)
