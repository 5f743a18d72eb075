"""Bad input, each in both languages: a clear refusal in the reader's own, never our fault, and nothing half-written."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from booking.calendars import service as calendars
from booking.reservations.queries import ReservationFacts
from incubator.ground import clock, database
from incubator.sites import queries as sites
from tests.booking.conftest import ALL_DAY, HOUSE, NOW, Rooms, at, booked, make_rooms
from tests.frontend.api.conftest import ClientFor, check_problem, wish
from tests.frontend.api.test_reservations import PATH, is_chinese
from tests.people import People

LANGUAGES = ("zh-CN", "en")
# what stays Latin in Chinese: names of headers, fields and formats, and examples of them
LATIN = re.compile(r"application/json|Idempotency-Key|`next`|UTC|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00")


@dataclass(frozen=True)
class Bad:
    """One bad request and its refusal; `fields` None: not one of fields."""

    status: int
    code: str
    body: Callable[["Ground"], Any] = lambda ground: wish(ground.rooms.one)
    method: str = "POST"
    path: Callable[["Ground"], str] = lambda _: PATH
    headers: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Ground:
    """What the bad requests speak of: a booking of the desk on Tuesday from 10:00, and one of Alice's after it."""

    rooms: Rooms
    people: People
    taken: ReservationFacts
    own: ReservationFacts


@pytest_asyncio.fixture
async def ground(rooms: Rooms, people: People) -> Ground:
    """The ground of the bad requests."""
    taken = await booked(people.dora, rooms.one, at(10, day=1))
    own = await booked(people.alice, rooms.two, at(14, day=1), merchant_id=people.sunrise_id)
    await booked(people.alice, rooms.two, at(18, day=1), 3, merchant_id=people.sunrise_id)
    return Ground(rooms, people, taken, own)


def times(first: datetime, last: datetime) -> Callable[[Ground], Any]:
    """Return the maker of a wish from a time to another."""
    return lambda ground: wish(ground.rooms.two, first, last)


def changed(**fields: Any) -> Callable[[Ground], Any]:
    """Return the maker of a wish with other fields."""
    return lambda ground: wish(ground.rooms.two) | fields


def own(more: str = "") -> Callable[[Ground], str]:
    """Return the address of Alice's own booking."""
    return lambda ground: f"{PATH}/{ground.own.uid}{more}"


BAD = {
    "overlapping": Bad(409, "slot-taken"),
    "neighbours without setup": Bad(409, "slot-taken", lambda g: wish(g.rooms.one, at(12, day=1), at(13, day=1))),
    "reversed": Bad(422, "invalid", times(at(12, day=2), at(10, day=2)), fields=("ends_at",)),
    "zero length": Bad(422, "invalid", times(at(10, day=2), at(10, day=2)), fields=("ends_at",)),
    "past": Bad(409, "past", times(at(9), at(11))),
    "outside hours": Bad(409, "outside-hours", times(at(5, day=2), at(7, day=2))),
    "too far ahead": Bad(409, "too-far-ahead", times(at(10, day=90), at(12, day=90))),
    "off the grid": Bad(422, "invalid", times(at(10, 7, day=2), at(12, day=2)), fields=("starts_at",)),
    "over quota": Bad(409, "over-quota", lambda g: wish(g.rooms.one, at(10, day=2), at(17, day=2))),
    "unknown space": Bad(404, "not-found", changed(space_id=str(UUID(int=7)))),
    "somebody else's merchant": Bad(404, "not-found", lambda g: wish(g.rooms.two, merchant_id=str(g.people.other_uid))),
    "a stranger as host": Bad(422, "invalid", changed(host_id=str(uuid4())), fields=("host_id",)),
    "a title of 10,000 characters": Bad(422, "invalid", changed(title="山" * 10_000), fields=("title",)),
    "times without offset": Bad(422, "invalid", changed(starts_at="2026-11-24T10:00:00", ends_at="2026-11-24T12:00:00"),
                                fields=("starts_at", "ends_at")),
    "integers as times": Bad(422, "invalid", changed(starts_at=1795000000), fields=("starts_at",)),
    "a day that is none": Bad(422, "invalid", changed(starts_at="2026-02-30T10:00:00+08:00"), fields=("starts_at",)),
    "another century": Bad(422, "invalid", changed(starts_at="9999-12-31T23:59:59+00:00"), fields=("starts_at",)),
    "a missing field": Bad(422, "invalid", lambda g: {"space_id": str(g.rooms.one.uid)}, fields=("starts_at",)),
    "an unknown field": Bad(422, "invalid", changed(colour="red"), fields=("colour",)),
    "a text as switch": Bad(422, "invalid", changed(hold="yes"), fields=("hold",)),
    "a hold without page": Bad(422, "invalid", changed(hold=True), fields=("page_key",)),
    "a list as body": Bad(422, "invalid", lambda _: [], fields=("",)),
    "a stale version": Bad(409, "stale", lambda _: {"version": 7, "title": "x"}, "PATCH", own()),
    "a version beyond all numbers": Bad(422, "invalid", lambda _: {"version": 10**30}, "PATCH", own(), fields=("version",)),
    "half a step longer": Bad(422, "invalid", lambda _: {"minutes": 7}, "POST", own("/extend"), fields=("minutes",)),
    "ended before it begins": Bad(409, "not-begun", lambda _: {}, "POST", own("/end")),
    "confirmed twice": Bad(409, "wrong-state", lambda _: {}, "POST", own("/confirm")),
    "checked in by the merchant": Bad(403, "forbidden", lambda _: {}, "POST", own("/check-in")),
    "somebody else's booking": Bad(404, "not-found", lambda _: {}, "POST", lambda g: f"{PATH}/{g.taken.uid}/cancel"),
    "malformed JSON": Bad(400, "malformed", lambda _: b"{"),
    "half a character": Bad(400, "malformed", lambda _: b'{"title": "\\ud800"}'),
    "a wrong content type": Bad(415, "wrong-content-type", lambda _: b"a=b", headers={"content-type": "text/plain"}),
    "no content type": Bad(415, "wrong-content-type", lambda _: b"{}", without=("content-type",)),
    "a body too large": Bad(413, "too-large", lambda _: b" " * 2_000_000),
    "no origin": Bad(403, "foreign-origin", without=("origin",)),
    "a foreign origin": Bad(403, "foreign-origin", headers={"origin": "https://example.com"}),
    "nobody": Bad(401, "not-signed-in", without=("cookie",)),
    "a key too long": Bad(422, "invalid", headers={"idempotency-key": "k" * 201}, fields=("Idempotency-Key",)),
    "an unknown kind": Bad(422, "invalid", lambda _: None, "GET", lambda _: f"{PATH}?kind=stable", fields=("kind",)),
    "a limit that is none": Bad(422, "invalid", lambda _: None, "GET", lambda _: f"{PATH}?limit=x", fields=("limit",)),
    "more spaces than a page holds": Bad(
        422, "invalid", lambda _: None, "GET", lambda _: "/api/v1/spaces?limit=201", fields=("limit",)),
    "a page of spaces that we never named": Bad(
        422, "invalid", lambda _: None, "GET", lambda _: "/api/v1/spaces?cursor=x", fields=("cursor",)),
    "times forgotten": Bad(422, "invalid", lambda _: None, "GET", lambda _: "/api/v1/availability", fields=("from", "to")),
    "no such address": Bad(404, "not-found", lambda _: None, "GET", lambda _: "/api/v1/nothing"),
    "no such verb": Bad(405, "method-not-allowed", lambda _: {}, "POST", lambda _: "/api/v1/spaces"),
}


async def counted() -> dict[str, int]:
    """Return how many rows each table has."""
    names = await database.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    return {row["relname"]: int(await database.fetchval(f'SELECT count(*) FROM "{row["relname"]}"')) for row in names}


async def send(client: httpx.AsyncClient, ground: Ground, bad: Bad, language: str) -> httpx.Response:
    """Send a bad request."""
    content = bad.body(ground)
    options = {"content": content} if isinstance(content, bytes) else {} if content is None else {"json": content}
    request = client.build_request(bad.method, bad.path(ground), headers={
        "accept-language": language, "content-type": "application/json", **bad.headers}, **options)
    for name in bad.without:
        request.headers.pop(name, None)
    return await client.send(request)


def check_language(text: str, language: str) -> None:
    """Assert that a text is wholly in one language; names of people and rooms are their own."""
    if language == "en":
        assert not is_chinese(text), text
    else:
        assert is_chinese(text), text
        assert not re.search(r"[A-Za-z]{2}", LATIN.sub("", text)), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", BAD)
async def test_it_is_refused_in_the_readers_language(ground: Ground, alice: httpx.AsyncClient, name: str, language: str) -> None:
    bad, before = BAD[name], await counted()
    problem = check_problem(await send(alice, ground, bad, language), bad.status, bad.code)
    assert await counted() == before
    check_language(problem["detail"], language)
    check_language(problem["title"], language)
    if bad.fields is not None:
        assert tuple(error["field"] for error in problem["errors"]) == bad.fields
        for error in problem["errors"]:
            check_language(error["message"], language)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_double_submit(ground: Ground, alice: httpx.AsyncClient, language: str) -> None:
    """The second press of one form finds the slot taken by the first; with a key it is given the first answer."""
    body, headers = wish(ground.rooms.one, at(14, day=2), at(15, day=2)), {"accept-language": language}
    assert (await alice.post(PATH, json=body, headers=headers)).status_code == 201
    before = await counted()
    check_language(check_problem(await alice.post(PATH, json=body, headers=headers), 409, "slot-taken")["detail"], language)
    assert await counted() == before


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_key_with_another_body(ground: Ground, alice: httpx.AsyncClient, language: str) -> None:
    headers = {"accept-language": language, "idempotency-key": "k"}
    first = await alice.post(PATH, json=wish(ground.rooms.one, at(14, day=2), at(15, day=2)), headers=headers)
    before = await counted()
    other = await alice.post(PATH, json=wish(ground.rooms.one, at(16, day=2), at(17, day=2)), headers=headers)
    check_language(check_problem(other, 409, "idempotency-mismatch")["detail"], language)
    assert await counted() == before
    again = await alice.post(PATH, json=wish(ground.rooms.one, at(14, day=2), at(15, day=2)), headers=headers)
    assert (again.status_code, again.json(), await counted()) == (201, first.json(), before)


async def test_a_program_is_answered_in_the_language_it_names(ground: Ground, alice: httpx.AsyncClient, people: People) -> None:
    """Without one, in the person's own."""
    await database.execute("UPDATE people SET locale = 'en' WHERE id = $1", people.alice.person_id)
    bad = BAD["past"]
    assert is_chinese((await send(alice, ground, bad, "zh-CN")).json()["detail"])
    assert not is_chinese((await alice.post(PATH, json=bad.body(ground))).json()["detail"])


async def test_wrong_codes_are_counted_whatever_key_they_bring(ground: Ground, people: People, tablet: Any) -> None:
    """A refusal takes the verb's deeds back, but not the count of wrong codes: else a key would make them free."""
    device, told = await tablet(ground.rooms.two), []
    for number in range(6):
        answer = await device.post(f"{PATH}/{ground.own.uid}/check-in", json={"code": "x"}, headers={"idempotency-key": f"k{number}"})
        told.append(answer.json()["code"])
    assert told == ["wrong-code"] * 4 + ["too-many-misses"] * 2
    assert await database.fetchval("SELECT count(*) FROM kept_answers") == 0


ZONES = [
    ("Europe/Berlin", "2027-03-28", "2027-10-31"), ("America/New_York", "2027-03-14", "2027-11-07"),
]


async def moved_to(people: People, zone: str) -> Rooms:
    """Let the centre lie in another time zone, open round the clock."""
    await database.execute("UPDATE sites SET time_zone = $1", zone)
    sites.forget()
    made = await make_rooms(await sites.site(people.site.id))
    await calendars.set_hours(HOUSE, made.calendar_id, [type(each)(each.weekday, 0, 1440) for each in ALL_DAY])
    return made


@pytest.mark.parametrize(("zone", "spring", "autumn"), ZONES)
async def test_days_on_which_the_clock_changes(people: People, client_for: ClientFor, zone: str, spring: str, autumn: str) -> None:
    """Both hours that the clock shows twice can be booked, and are two; the missing one is simply the next."""
    rooms = await moved_to(people, zone)
    for day, first in ((spring, 1), (autumn, 0)):
        midnight = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=(await sites.first_site()).zone)
        with clock.frozen_at(midnight - timedelta(days=1)):
            client = await client_for(people.dora)
            begin = (midnight.timestamp() // 3600 + first) * 3600
            for hour in range(3):
                at_utc = datetime.fromtimestamp(begin + hour * 3600, tz=NOW.tzinfo)
                body = wish(rooms.meeting, at_utc, at_utc + timedelta(hours=1))
                assert (await client.post(PATH, json=body)).status_code == 201, (zone, day, hour)
                check_problem(await client.post(PATH, json=body), 409, "slot-taken")
