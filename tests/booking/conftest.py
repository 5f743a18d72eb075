"""Rooms to book: two live rooms with setup and teardown, a meeting room, all open 08:00 to 22:00; the clock stands still."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from booking.calendars import service as calendars
from booking.calendars.rules import WeeklyHours
from booking.policies import service as policies
from booking.reservations import service
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from booking.units import service as units
from booking.units.queries import UnitFacts
from booking.units.service import NewUnit
from incubator.ground import clock
from incubator.ground.rights import Actor, house
from incubator.sites.queries import SiteFacts
from tests.people import People

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Monday noon in Qinyang
ALL_DAY = [WeeklyHours(weekday, 8 * 60, 22 * 60) for weekday in range(7)]
HOUSE = house("test")


@dataclass(frozen=True)
class Rooms:
    """What the site offers."""

    one: UnitFacts
    two: UnitFacts
    meeting: UnitFacts
    calendar_id: int


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    """Return a time of Monday 23 November 2026 (or `day` days later) in Qinyang."""
    return datetime(2026, 11, 22, 16, tzinfo=UTC) + timedelta(days=day, hours=hour, minutes=minute)


async def make_rooms(site: SiteFacts) -> Rooms:
    """Open two live rooms and a meeting room, and set the quota of ten hours."""
    calendar_id = await calendars.add_calendar(HOUSE, site.id, "opening", ALL_DAY)
    made = [
        await units.add_unit(HOUSE, site.id, NewUnit(kind, code, name, code, calendar_id=calendar_id, setup_min=setup,
                                                     teardown_min=setup, sort=sort))
        for sort, (kind, code, name, setup) in enumerate(
            [("live_room", "L1", "1 号间", 15), ("live_room", "L2", "2 号间", 15), ("meeting_room", "M1", "会议室", 0)])
    ]
    await policies.set_quota(HOUSE, site.id, 600)
    return Rooms(made[0], made[1], made[2], calendar_id)


@pytest.fixture
def noon() -> Iterator[datetime]:
    """Hold the clock at Monday noon."""
    with clock.frozen_at(NOW):
        yield NOW


@pytest_asyncio.fixture
async def rooms(noon: datetime, people: People) -> AsyncIterator[Rooms]:
    """The rooms, inside the test's rolled-back transaction."""
    yield await make_rooms(people.site)


def wish(unit: UnitFacts, start: datetime, hours: float = 2, **more: object) -> Wish:
    """Return a wish for so many hours."""
    return Wish(unit.uid, start, start + timedelta(hours=hours), **more)  # type: ignore[arg-type]  # named by the test


async def booked(actor: Actor, unit: UnitFacts, start: datetime, hours: float = 2, **more: object) -> ReservationFacts:
    """Return a confirmed booking."""
    return await service.reserve(actor, wish(unit, start, hours, **more))
