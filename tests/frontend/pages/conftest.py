"""A small centre for the booking pages: two live rooms and a meeting room, open from eight to ten, on a Tuesday afternoon."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from booking.calendars import service as calendars
from booking.calendars.rules import WeeklyHours
from booking.policies import service as policies
from booking.reservations import service as reservations
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from booking.units import service as units
from booking.units.queries import UnitFacts
from booking.units.service import NewUnit
from frontend.pages import live_session
from incubator.ground import clock
from incubator.ground.rights import Actor, house
from tests.people import People

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 24, 14, 20, tzinfo=ZONE)
HOUSE = house("tests")
DAY = "2026-11-25"


class Centre:
    """The rooms, and a quick way to book them for tests."""

    def __init__(self, people: People, rooms: list[UnitFacts]) -> None:
        self.people = people
        self.rooms = rooms

    def at(self, clock_time: str, day: str = DAY) -> datetime:
        """Return a moment of the centre's day."""
        return datetime.fromisoformat(f"{day}T{clock_time}").replace(tzinfo=ZONE)

    async def book(self, actor: Actor, room: int = 0, starts: str = "10:00", ends: str = "12:00", title: str = "铁棍山药专场",
                   day: str = DAY, **options: Any) -> ReservationFacts:
        """Book a room for the actor's merchant."""
        merchant = next(iter(sorted(actor.merchant_ids)), None)
        wish = Wish(self.rooms[room].uid, self.at(starts, day), self.at(ends, day), title, merchant)
        return await reservations.reserve(actor, wish, **options)


@pytest.fixture(autouse=True)
def tuesday() -> Iterator[None]:
    """Hold business time on Tuesday at 14:20."""
    with clock.frozen_at(NOW):
        yield


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no hiccup of the machine look like a Redis that is away."""
    monkeypatch.setattr(live_session, "PATIENCE_S", 30.0)


@pytest_asyncio.fixture
async def centre(people: People) -> Centre:
    """The rooms with hours and quota."""
    hours = [WeeklyHours(weekday, 8 * 60, 22 * 60) for weekday in range(7)]
    calendar = await calendars.add_calendar(HOUSE, people.site.id, "8–22", hours)
    made = []
    for place, (kind, code) in enumerate((("live_room", "L1"), ("live_room", "L2"), ("meeting_room", "M1"))):
        new = NewUnit(kind, code, f"{place + 1} 号间", f"Room {place + 1}", "标准带货", "Standard", 6, calendar, setup_min=15,
                      teardown_min=15, sort=place)
        made.append(await units.add_unit(HOUSE, people.site.id, new))
    await policies.set_quota(HOUSE, people.site.id, 600)
    return Centre(people, made)


class Visitor:
    """A browser that fills in forms: the token of the last page goes with each of them."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.token = ""

    async def get(self, url: str, *, partial: bool = False) -> httpx.Response:
        """Open a page, or ask for a partial as an open page does."""
        answer = await self.client.get(url, headers={"hx-request": "true"} if partial else {}, follow_redirects=True)
        found = re.search(r'name="_token" value="([^"]+)"', answer.text)
        self.token = found.group(1) if found else self.token
        return answer

    async def post(self, url: str, *, partial: bool = False, **fields: object) -> httpx.Response:
        """Send a form; a field called `start` is sent as `from`, which is no name in Python."""
        if not self.token:
            await self.get("/book")
        named = {"from" if name == "start" else name: str(value) for name, value in fields.items()}
        headers = {"hx-request": "true"} if partial else {}
        return await self.client.post(url, data={"_token": self.token, **named}, headers=headers)


@pytest.fixture
def visit(client_for: Callable[[Actor], Awaitable[httpx.AsyncClient]]) -> Callable[[Actor], Awaitable[Visitor]]:
    """A browser of that person."""

    async def make(actor: Actor) -> Visitor:
        return Visitor(await client_for(actor))

    return make


def uid_in(location: str) -> UUID:
    """Return the reservation named at the end of an address."""
    return UUID(urlsplit(location).path.rsplit("/", 1)[-1])


def query_of(href: str) -> dict[str, str]:
    """Return the query of an address in a page."""
    return {name: values[0] for name, values in parse_qs(urlsplit(href.replace("&amp;", "&")).query).items()}


def in_days(days: int) -> str:
    """Return the day that lies so many days ahead."""
    return str((NOW + timedelta(days=days)).date())
