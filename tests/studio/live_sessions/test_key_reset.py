"""A key that could not be wiped: its reset on the platform is a person's word, kept with name and time."""

import pytest

from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, NotFound
from studio.destinations.service import paste
from studio.live_sessions import preparation
from studio.live_sessions.queries import LiveSession, key_reset
from studio.live_sessions.service import NotLeft, declare_key_reset
from studio.rigs.rules import Cleanliness
from studio.rigs.service import set_cleanliness
from tests.studio.conftest import Studio

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"


async def left(studio: Studio) -> LiveSession:
    """Have a session whose rig nobody could empty."""
    session = await studio.prepare(await studio.book())
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await set_cleanliness(studio.rig.id, Cleanliness.ARMED, session=session.id, mark="mark")
    await preparation.quarantine(session.id)
    return session


async def again(studio: Studio) -> LiveSession:
    return await studio.session_of(await database.fetchval("SELECT reservation FROM live_sessions"))


async def test_it_works(studio: Studio) -> None:
    session = await left(studio)
    assert (await again(studio)).key_is_left
    assert await key_reset(session.id) is None
    await declare_key_reset(studio.people.bob, session.uid)
    await declare_key_reset(studio.people.alice, session.uid)
    found = await again(studio)
    assert found.key_reset_by == studio.people.bob.name
    assert found.key_reset_at is not None
    assert found.key_reset_at <= clock.now()
    said = await key_reset(session.id)
    assert said is not None
    assert said.by == studio.people.bob.name
    entries = await database.fetch("SELECT person FROM audit_entries WHERE verb = 'key_reset'")
    assert [row["person"] for row in entries] == [studio.people.bob.person_id]
    assert found.cleanliness == Cleanliness.UNCLEAN, "an operator still has to look at the rig"


async def test_a_key_that_was_not_left_is_not_reset(studio: Studio) -> None:
    session = await studio.prepare(await studio.book())
    await paste(studio.people.alice, session.uid, KEY, version=0)
    with pytest.raises(NotLeft):
        await declare_key_reset(studio.people.alice, session.uid)
    assert (await again(studio)).key_reset_at is None


async def test_who_may_not(studio: Studio) -> None:
    session = await left(studio)
    with pytest.raises(NotFound):
        await declare_key_reset(studio.people.charlie, session.uid)
    with pytest.raises(Forbidden):
        await declare_key_reset(studio.people.mia, session.uid)
