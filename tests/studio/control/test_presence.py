"""Whoever is in control and was not heard for long is taken over at once; one that only reloads, or of whom nobody knows, is asked."""

import asyncio
import math

import pytest

from incubator.ground import database
from incubator.ground.errors import Forbidden, NotFound
from incubator.ground.jsons import loads
from incubator.ground.rights import Actor
from studio.control import presence
from studio.control.queries import seat
from studio.control.service import AskFirst, answer_control, ask_control, take_control
from studio.live_sessions.queries import LiveSession
from tests.studio.conftest import Studio, tablet


async def heard(studio: Studio, session: LiveSession, device: Actor, ago_s: float) -> None:
    """Let a tablet's page have said so many seconds ago that it is there, by Redis's clock."""
    place = await seat(device, session.uid)
    await studio.board.presence.note(place.session_id, place.sender)
    name = presence.presence_key(session.id, None, device.device_id)
    await studio.redis.pexpire(name, int((presence.LIFE_S - ago_s) * 1000))
    studio.board.presence.hears_since = -math.inf


async def held_by(session: LiveSession) -> tuple[int | None, int | None]:
    row = await database.fetchrow("SELECT controller_person, controller_device FROM live_sessions WHERE id = $1", session.id)
    return row["controller_person"], row["controller_device"]


async def test_a_holder_not_heard_for_long_is_taken_over_at_once(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    device, bob = await tablet(studio.unit, studio.people.site.id), studio.people.bob
    await take_control(studio.board, device, session.uid)
    await heard(studio, session, device, presence.UNHEARD_S + 32)
    await take_control(studio.board, bob, session.uid)
    assert await held_by(session) == (bob.person_id, None)
    before = await database.fetchval("SELECT before FROM audit_entries WHERE verb = 'take_control' ORDER BY id DESC LIMIT 1")
    assert loads(before) == {"controller": "tablet", "unheard_s": 42}
    await heard(studio, session, device, 0)  # it is back, and finds that it may ask as everybody
    with pytest.raises(AskFirst):
        await take_control(studio.board, device, session.uid)
    await ask_control(device, session.uid)
    await answer_control(bob, session.uid, hand_over=True)
    assert (await held_by(session))[1] == device.device_id


@pytest.mark.parametrize("ago_s", [0, 7, presence.UNHEARD_S - 1])
async def test_a_holder_that_only_reloads_keeps_control(studio: Studio, ago_s: float) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, device, session.uid)
    await heard(studio, session, device, ago_s)
    with pytest.raises(AskFirst, match="The room’s tablet is in control"):
        await take_control(studio.board, studio.people.bob, session.uid)
    assert (await held_by(session))[1] == device.device_id


async def test_nobody_takes_over_from_silence_that_this_process_did_not_hear(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, device, session.uid)
    await heard(studio, session, device, 60)
    studio.board.presence.hears_since = asyncio.get_running_loop().time()  # just started: the tablet may be about to come back
    with pytest.raises(AskFirst):
        await take_control(studio.board, studio.people.bob, session.uid)


async def test_of_whom_nothing_is_known_is_asked_first(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, device, session.uid)
    studio.board.presence.hears_since = -math.inf
    with pytest.raises(AskFirst):
        await take_control(studio.board, studio.people.bob, session.uid)


async def test_while_redis_is_away_the_holder_is_asked_first(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, device, session.uid)
    await heard(studio, session, device, 60)

    async def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(studio.redis, "pttl", away)
    with pytest.raises(AskFirst):
        await take_control(studio.board, studio.people.bob, session.uid)
    monkeypatch.undo()
    with pytest.raises(AskFirst):  # it is back, but who lived meanwhile could not be noted
        await take_control(studio.board, studio.people.bob, session.uid)
    studio.board.presence.hears_since = -math.inf
    await take_control(studio.board, studio.people.bob, session.uid)


async def test_a_stranger_takes_nothing_from_a_dead_tablet(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, device, session.uid)
    await heard(studio, session, device, 60)
    with pytest.raises(NotFound):
        await take_control(studio.board, studio.people.charlie, session.uid)
    with pytest.raises(Forbidden):
        await take_control(studio.board, studio.people.aud, session.uid)
    assert (await held_by(session))[1] == device.device_id
