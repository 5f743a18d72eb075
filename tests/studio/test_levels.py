"""Levels say whose they are: the session's that has the room, and nobody's before it and after its cut-off."""

import asyncio
from datetime import timedelta
from typing import Any

from incubator.ground import clock, database
from studio.director import wire
from studio.director.publish import Publisher
from studio.live_sessions import preparation
from studio.obs.port import Meters
from tests.studio.conftest import PATIENCE_S, Studio


async def heard(studio: Studio, session: int, patience_s: float = PATIENCE_S) -> bool:
    """Listen until levels of a session come."""
    async with asyncio.timeout(patience_s):
        async for frame in studio.board.watch(studio.rig.id):
            if frame.kind == "meters" and wire.meters(frame.body).session == session:
                return True
    return False


async def test_it_works(studio: Studio) -> None:
    await studio.owned()
    assert await heard(studio, 0)
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    assert await heard(studio, session.id)
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
    await preparation.follow(reservation)
    assert await heard(studio, 0)


class Ear:
    """Takes what a publisher sends."""

    def __init__(self) -> None:
        self.sessions: list[int] = []

    async def publish(self, _channel: str, body: bytes) -> int:
        self.sessions.append(wire.meters(body).session)
        return 1


async def test_after_the_cut_off_they_are_nobodys_though_the_plan_still_stands(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    assert await heard(studio, session.id)
    ear: Any = Ear()
    publisher = Publisher(director.owners[studio.rig.id].held, ear)
    for moment in (session.cut_off_at - timedelta(seconds=1), session.cut_off_at):
        with clock.frozen_at(moment):
            await publisher._send_levels(Meters(()), 0.0)
    assert ear.sessions == [session.id, 0]
