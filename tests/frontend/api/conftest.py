"""The API over HTTP on Monday noon: rooms to book, and programs that speak for people by cookie, token or tablet.

Whatever a test does here, each answer is held against the description of the API.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from booking.checkin import service as checkin
from booking.units.queries import UnitFacts
from frontend import i18n
from frontend.errors import TITLES
from incubator.accounts import service as accounts
from incubator.ground.rights import Actor
from tests.booking.conftest import Rooms, at, noon, rooms
from tests.frontend.api.described import CheckedTransport
from tests.frontend.conftest import ORIGIN
from tests.people import HOUSE, People

__all__ = ["noon", "rooms"]
ClientFor = Callable[[Actor], Awaitable[httpx.AsyncClient]]


def wish(unit: UnitFacts, starts_at: datetime | None = None, ends_at: datetime | None = None, **more: object) -> dict[str, Any]:
    """Return the body of a booking on Tuesday from 10:00 to 12:00, or as told."""
    begin, end = starts_at or at(10, day=1), ends_at or at(12, day=1)
    times = {"starts_at": begin.isoformat(), "ends_at": end.isoformat()}
    return {"space_id": str(unit.uid), "title": "铁棍山药专场", **times, **more}


@pytest_asyncio.fixture
async def anonymous(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A program in whose name nobody signed in."""
    transport = CheckedTransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        yield client


@pytest.fixture
def client_for(app: Any) -> ClientFor:
    """A program in which that person is signed in, with the cookie that signing in gives."""

    async def make(actor: Actor) -> httpx.AsyncClient:
        token = await accounts._open_sign_in(actor.person_id or 0, "test")
        transport = CheckedTransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}, cookies={"kaibo": token})

    return make


@pytest_asyncio.fixture
async def alice(rooms: Rooms, people: People, client_for: ClientFor) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's program."""
    async with await client_for(people.alice) as client:
        yield client


@pytest_asyncio.fixture
async def dora(rooms: Rooms, people: People, client_for: ClientFor) -> AsyncIterator[httpx.AsyncClient]:
    """The front desk's program."""
    async with await client_for(people.dora) as client:
        yield client


@pytest.fixture
def bearer(app: Any) -> Callable[..., Awaitable[httpx.AsyncClient]]:
    """A program with a token, and so without cookie and Origin."""

    async def make(actor: Actor, *, can_write: bool = True) -> httpx.AsyncClient:
        token = await accounts.create_token(HOUSE, actor.person_id or 0, "test", can_write=can_write)
        transport = CheckedTransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def tablet(app: Any, people: People) -> Callable[[UnitFacts], Awaitable[httpx.AsyncClient]]:
    """The paired tablet of a room."""

    async def make(unit: UnitFacts) -> httpx.AsyncClient:
        shown = await checkin.show_pairing(people.site)
        await checkin.pair(people.dora, shown.code, unit.id, "")
        transport = CheckedTransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN},
                                 cookies={"kaibo_device": shown.token})

    return make


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that a refusal is problem+json as promised, and return it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"], problem["type"].rpartition("/")[2]) == (status, code, code)
    assert problem["title"] in {TITLES[code], i18n.catalog("zh_CN")["", TITLES[code]][0]}
    assert "{" not in problem["detail"]
    return problem
