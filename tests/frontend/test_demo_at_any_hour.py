"""Whenever the demo is made, there is a show to prepare; at night its room, and no other, is opened for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from booking.calendars.queries import calendars_of
from booking.calendars.rules import open_spans
from booking.units.queries import spaces
from frontend import demo
from incubator.ground import clock, database
from incubator.ground.queue.registry import TryLater
from incubator.ground.values import Span
from incubator.sites.queries import first_site
from studio.director.director import Director
from studio.live_sessions import jobs
from tests.conftest import Scratch

ZONE = ZoneInfo("Asia/Shanghai")
DAY = datetime(2026, 11, 24, tzinfo=ZONE)
SHOW = """
SELECT r.starts_at, r.ends_at, r.state, u.code, s.id AS session FROM reservations r JOIN units u ON u.id = r.unit
JOIN live_sessions s ON s.reservation = r.id WHERE r.title = $1 AND r.ends_at > $2 ORDER BY r.starts_at LIMIT 1"""
# when the demo is made, when its show is, and what is opened for it
HOURS = (
    ("21:40", "21:45 23:45", "22:00 23:45 夜场"),
    ("23:50", "24:00 26:00", "24:00 26:00 夜场"),
    ("03:00", "03:15 05:15", "03:15 05:15 夜场"),
    ("07:40", "07:45 09:45", "07:45 08:00 早场"),
    ("12:00", "12:15 14:15", ""),
    ("19:40", "19:45 21:45", ""),
    ("20:40", "20:45 22:00", ""),
    ("22:58", "23:15 25:15", "23:15 25:15 夜场"),
)


def at(text: str, day: datetime = DAY) -> datetime:
    """Return the moment of a day; hours beyond 24 lie on the next."""
    hour, minute = text.split(":")
    return day + timedelta(hours=int(hour), minutes=int(minute))


@pytest.fixture
def few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the days around the present only: they decide whether the show finds its room free."""
    monkeypatch.setattr(demo, "DAYS", 1)


async def show_of(moment: datetime) -> Any:
    """Make the demo at that moment, and return its coming show."""
    with clock.frozen_at(moment):
        await demo._make(moment)
    return await database.fetchrow(SHOW, demo.SHOW_TITLE, moment)


async def hours_by_room(day: datetime) -> dict[str, list[Span]]:
    """Return when each place is open on a day and in the night after it."""
    within = Span(day, day + timedelta(hours=32))
    site = await first_site()
    units = await spaces(site.id)
    calendars = await calendars_of(units, within)
    return {unit.code: open_spans(calendars[unit.id], site.zone, within) for unit in units}


@pytest.mark.parametrize(("made", "show", "opened"), HOURS)
async def test_it_works(db: None, few_days: None, made: str, show: str, opened: str) -> None:
    found = await show_of(at(made))
    assert [found["starts_at"], found["ends_at"]] == [at(word) for word in show.split()]
    assert (found["code"], found["state"]) == ("L2", "confirmed")
    rows = await database.fetch("SELECT starts_at, ends_at, reason FROM calendar_exceptions WHERE is_open")
    starts_at, ends_at, reason = opened.split() if opened else ("", "", "")
    assert [tuple(row) for row in rows] == ([(at(starts_at), at(ends_at), reason)] if opened else [])


@pytest.mark.parametrize(("made", "show", "opened"), HOURS)
async def test_other_rooms_keep_their_hours(db: None, few_days: None, made: str, show: str, opened: str) -> None:
    await show_of(at(made))
    found = await hours_by_room(DAY)
    assert len(found) == 34
    usual = [Span(at("8:00"), at("22:00"))]
    assert [code for code, hours in found.items() if hours != usual] == (["L2"] if opened else [])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("made", ["08:10", "09:40", "11:10", "13:20", "17:50", "19:10"])
async def test_no_other_booking_takes_the_time(
    db: None, few_days: None, monkeypatch: pytest.MonkeyPatch, made: str, seed: int
) -> None:
    monkeypatch.setattr(demo, "SEED", seed)
    found = await show_of(at(made, DAY + timedelta(days=seed)))
    assert found["code"] == "L2"
    assert timedelta(minutes=2) <= found["starts_at"] - at(made, DAY + timedelta(days=seed)) < timedelta(minutes=17)


@asynccontextmanager
async def directing(redis: Any, data: Path) -> AsyncIterator[None]:
    """Let a director own all rigs."""
    stop = asyncio.Event()
    task = asyncio.create_task(Director(redis, data).run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def prepared(session: int, patience_s: float = 20.0) -> str:
    """Prepare a session as the worker does: try again until there is an end."""
    until = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await jobs.prepare({"session": session})
        except TryLater:
            assert asyncio.get_running_loop().time() < until, "the rig is not ready"
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("made", ["21:40", "23:50", "03:00", "07:40", "12:00"])
async def test_the_show_is_prepared(scratch: Scratch, redis: Any, few_days: None, tmp_path: Path, made: str) -> None:
    found = await show_of(at(made))
    with clock.frozen_at(found["starts_at"] - timedelta(minutes=5)):
        async with directing(redis, tmp_path):
            assert await prepared(found["session"]) == "waiting_for_key"
    assert await database.fetchval("SELECT state FROM live_sessions WHERE id = $1", found["session"]) == "waiting_for_key"
