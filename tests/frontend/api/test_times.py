"""Times in answers have one form, UTC with `Z`, whatever offset was asked with and whichever floor reckoned them."""

from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from booking.units.queries import UnitFacts
from incubator.ground import clock
from tests.booking.conftest import Rooms, at, booked
from tests.frontend.api.conftest import ClientFor, check_problem, wish
from tests.frontend.api.described import UTC_TIME, check_times, times
from tests.frontend.pages.studio_rooms import make_room
from tests.people import People

PATH = "/api/v1/reservations"


def there(moment: datetime) -> str:
    """Return a time as a program in China writes it."""
    return moment.astimezone(timezone(timedelta(hours=8))).isoformat()


def asked(unit: UnitFacts, first: datetime, last: datetime, **more: object) -> dict[str, Any]:
    """Return the body of a booking whose times are written there."""
    return wish(unit) | {"starts_at": there(first), "ends_at": there(last)} | more


def told_times(told: Any) -> list[str]:
    """Return every text of an answer that stands under the name of a time."""
    if isinstance(told, dict):
        own = [value for name, value in told.items() if name in times() and value is not None]
        return own + [each for value in told.values() for each in told_times(value)]
    return [each for value in told for each in told_times(value)] if isinstance(told, list) else []


def test_the_check_can_fail() -> None:
    """The transport of these tests holds every answer of the API against it."""
    assert times() == {"starts_at", "ends_at", "blocked_from", "blocked_until", "hold_until", "checked_in_at", "cut_off_at",
                       "started_at", "stopped_at"}
    check_times({"items": [{"starts_at": "2026-11-24T11:00:00Z", "hold_until": None}]})
    for other in ("2026-11-24T19:00:00+08:00", "2026-11-24T11:00:00+00:00", "2026-11-24T11:00:00"):
        with pytest.raises(AssertionError):
            check_times({"items": [{"starts_at": other}]})


async def test_each_read_tells_utc(rooms: Rooms, alice: httpx.AsyncClient, people: People, client_for: ClientFor) -> None:
    made = (await alice.post(PATH, json=asked(rooms.one, at(10, day=1), at(12, day=1)))).json()
    room = await make_room(people, "L9")
    day = {"from": there(at(9, day=1)), "to": there(at(21, day=1))}
    for address, query in ((PATH, {}), (f"{PATH}/{made['id']}", {}), ("/api/v1/availability", day),
                           (f"/api/v1/live-sessions/{room.session}", {})):
        answer = await alice.get(address, params=query)
        found = told_times(answer.json())
        assert answer.status_code == 200
        assert found, address
        assert all(UTC_TIME.fullmatch(each) for each in found), (address, found)


async def test_each_write_tells_utc(rooms: Rooms, alice: httpx.AsyncClient, dora: httpx.AsyncClient) -> None:
    hold = (await alice.post(PATH, json=asked(rooms.one, at(14), at(15), hold=True, page_key="p"))).json()
    told = [hold, (await alice.post(f"{PATH}/{hold['id']}/confirm")).json()]
    change = {"version": told[-1]["version"], "starts_at": there(at(15)), "ends_at": there(at(16))}
    told.append((await alice.patch(f"{PATH}/{hold['id']}", json=change)).json())
    told.append((await alice.post(f"{PATH}/{hold['id']}/extend", json={"minutes": 30})).json())
    with clock.frozen_at(at(15, 15)):
        told += [(await dora.post(f"{PATH}/{hold['id']}/{verb}")).json() for verb in ("check-in", "end")]
    assert [each["state"] for each in told] == ["held", *["confirmed"] * 3, "checked_in", "finished"]
    assert all(UTC_TIME.fullmatch(each) for each in told_times(told)), told


@pytest.mark.parametrize("zone", ["+08:00", "Z", "-11:30"])
async def test_alternatives_are_told_in_utc(rooms: Rooms, alice: httpx.AsyncClient, people: People, zone: str) -> None:
    await booked(people.dora, rooms.one, at(10, day=1))
    begin = {"+08:00": "2026-11-24T10:00:00+08:00", "Z": "2026-11-24T02:00:00Z", "-11:30": "2026-11-23T14:30:00-11:30"}[zone]
    end = at(11, day=1).isoformat()
    assert datetime.fromisoformat(begin) == at(10, day=1)
    problem = check_problem(await alice.post(PATH, json=wish(rooms.one) | {"starts_at": begin, "ends_at": end}), 409, "slot-taken")
    found = told_times(problem["alternatives"])
    assert len(found) >= 2
    assert all(UTC_TIME.fullmatch(each) for each in found), found
