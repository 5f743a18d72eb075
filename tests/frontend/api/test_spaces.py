"""Spaces and free times by program."""

import base64
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from incubator.ground import clock, database
from tests.booking.conftest import NOW, Rooms, at, booked
from tests.frontend.api.conftest import check_problem
from tests.frontend.api.test_reservations import PROGRAM, is_chinese
from tests.people import People


def made_of(text: str) -> str:
    """Return a cursor that says this."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def times(free: list[dict[str, str]]) -> list[tuple[datetime, datetime]]:
    """Return free spans as times."""
    return [(datetime.fromisoformat(each["starts_at"]), datetime.fromisoformat(each["ends_at"])) for each in free]


async def test_it_works(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    answer = (await alice.get("/api/v1/spaces")).json()
    assert answer["next"] is None
    assert [(each["id"], each["kind"], each["name"]) for each in answer["items"]] == [
        (str(rooms.one.uid), "live_room", "1 号间"), (str(rooms.two.uid), "live_room", "2 号间"),
        (str(rooms.meeting.uid), "meeting_room", "会议室")]
    assert answer["items"][0]["setup_min"] == 15


async def test_one_kind(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    found = (await alice.get("/api/v1/spaces", params={"kind": "meeting_room"})).json()
    assert [each["id"] for each in found["items"]] == [str(rooms.meeting.uid)]


async def pages(client: httpx.AsyncClient, address: str, query: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the items of every page, one after another, until the last says that it is."""
    found, cursor = [], None
    while len(found) < 10:
        answer = (await client.get(address, params=query | ({"cursor": cursor} if cursor else {}))).json()
        found.append(answer["items"])
        cursor = answer["next"]
        if cursor is None:
            break
    return found


@pytest.mark.parametrize(("limit", "lengths"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (200, [3])])
async def test_pages_of_spaces_make_the_whole(rooms: Rooms, alice: httpx.AsyncClient, limit: int, lengths: list[int]) -> None:
    whole = (await alice.get("/api/v1/spaces")).json()["items"]
    found = await pages(alice, "/api/v1/spaces", {"limit": limit})
    assert [len(page) for page in found] == lengths
    assert [each for page in found for each in page] == whole


async def test_pages_of_one_kind(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    found = await pages(alice, "/api/v1/spaces", {"limit": 1, "kind": "live_room"})
    assert [each["id"] for page in found for each in page] == [str(rooms.one.uid), str(rooms.two.uid)]


async def test_pages_of_free_times_make_the_whole(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    await booked(people.dora, rooms.two, at(10, day=1))
    query = {"from": at(8, day=1).isoformat(), "to": at(22, day=1).isoformat()}
    whole = (await alice.get("/api/v1/availability", params=query)).json()["items"]
    found = await pages(alice, "/api/v1/availability", query | {"limit": 2})
    assert [len(page) for page in found] == [2, 1]
    assert [each for page in found for each in page] == whole


async def test_a_space_that_goes_meanwhile_takes_no_other_with_it(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    first = (await alice.get("/api/v1/spaces", params={"limit": 1})).json()
    await database.execute("UPDATE units SET retired_at = $2 WHERE id = $1", rooms.one.id, NOW)
    rest = (await alice.get("/api/v1/spaces", params={"cursor": first["next"]})).json()
    assert [each["id"] for each in rest["items"]] == [str(rooms.two.uid), str(rooms.meeting.uid)]


@pytest.mark.parametrize("query", [
    {"limit": "0"}, {"limit": "201"}, {"limit": "-1"}, {"limit": "x"}, {"limit": ""}, {"limit": "1e2"}, {"limit": "9" * 5000},
    {"cursor": ""}, {"cursor": "x"}, {"cursor": "山"}, {"cursor": made_of("x|L1")}, {"cursor": made_of("1")},
    {"cursor": made_of("1|\x00")}, {"cursor": made_of("9999999999|L1")}, {"cursor": made_of(" 1|L1")},
    {"cursor": made_of("9" * 5000 + "|")},
])
async def test_a_page_that_is_none(rooms: Rooms, alice: httpx.AsyncClient, query: dict[str, str]) -> None:
    day = {"from": at(8, day=1).isoformat(), "to": at(22, day=1).isoformat()}
    for address, more in (("/api/v1/spaces", {}), ("/api/v1/availability", day)):
        problem = check_problem(await alice.get(address, params=more | query), 422, "invalid")
        assert [error["field"] for error in problem["errors"]] == list(query)
        assert is_chinese(problem["errors"][0]["message"])


async def test_free_times_leave_room_for_setup_and_teardown(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    await booked(people.dora, rooms.one, at(10, day=1))
    query = {"from": at(8, day=1).isoformat(), "to": at(22, day=1).isoformat(), "kind": "live_room"}
    answer = (await alice.get("/api/v1/availability", params=query)).json()
    one, two = answer["items"]
    assert (one["space_id"], answer["next"]) == (str(rooms.one.uid), None)
    assert times(one["free"]) == [(at(8, day=1), at(9, 30, day=1)), (at(12, 30, day=1), at(22, day=1))]
    assert times(two["free"]) == [(at(8, day=1), at(22, day=1))]


async def test_what_is_offered_can_be_booked(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    await booked(people.dora, rooms.one, at(10, day=1))
    query = {"from": at(8, day=1).isoformat(), "to": at(13, day=1).isoformat(), "kind": "live_room"}
    first = (await alice.get("/api/v1/availability", params=query)).json()["items"][0]
    for free in first["free"]:
        answer = await alice.post("/api/v1/reservations", json={"space_id": first["space_id"], **free})
        assert answer.status_code == 201, answer.text


async def test_a_hold_is_not_free_until_it_runs_out(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    begin, end = at(10, day=1).isoformat(), at(12, day=1).isoformat()
    await alice.post("/api/v1/reservations", json={
        "space_id": str(rooms.meeting.uid), "starts_at": begin, "ends_at": end, "hold": True, "page_key": "p"})
    query = {"from": begin, "to": end, "kind": "meeting_room"}
    assert (await alice.get("/api/v1/availability", params=query)).json()["items"][0]["free"] == []
    with clock.frozen_at(NOW + timedelta(minutes=5)):
        assert times((await alice.get("/api/v1/availability", params=query)).json()["items"][0]["free"]) == [
            (at(10, day=1), at(12, day=1))]


async def test_the_past_is_not_free(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    query = {"from": at(8, day=-1).isoformat(), "to": at(22, day=-1).isoformat()}
    assert [each["free"] for each in (await alice.get("/api/v1/availability", params=query)).json()["items"]] == [[], [], []]


async def test_a_tablet_may_look(rooms: Rooms, tablet: PROGRAM) -> None:
    assert (await (await tablet(rooms.one)).get("/api/v1/spaces")).status_code == 200


@pytest.mark.parametrize(("query", "field"), [
    ({}, "from"), ({"from": "2026-11-24T10:00:00+08:00"}, "to"), ({"from": "2026-11-24T10:00:00"}, "from"),
    ({"from": "1795000000"}, "from"), ({"from": "2026-11-24T10:00:00+08:00", "to": "2026-11-24T10:00:00+08:00"}, "ends_at"),
    ({"from": "2026-11-24T10:00:00+08:00", "to": "2026-11-23T10:00:00+08:00"}, "ends_at"),
    ({"from": "2026-11-24T10:00:00+08:00", "to": "2027-11-24T10:00:00+08:00"}, "to"),
    ({"from": "2026-11-24T10:00:00+08:00", "to": "2026-11-25T10:00:00+08:00", "kind": "person"}, "kind"),
    ({"from": "\x00", "to": "9999-12-31T00:00:00+00:00"}, "from"),
])
async def test_a_question_that_does_not_do(rooms: Rooms, alice: httpx.AsyncClient, query: dict[str, str], field: str) -> None:
    problem = check_problem(await alice.get("/api/v1/availability", params=query), 422, "invalid")
    told: dict[str, Any] = {error["field"]: error["message"] for error in problem["errors"]}
    assert field in told
    assert all(is_chinese(text) for text in told.values())


async def test_an_unknown_kind(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    check_problem(await alice.get("/api/v1/spaces", params={"kind": "stable"}), 422, "invalid")


async def test_nobody_is_told_to_sign_in(anonymous: httpx.AsyncClient) -> None:
    for path in ("/api/v1/spaces", "/api/v1/availability"):
        check_problem(await anonymous.get(path), 401, "not-signed-in")
