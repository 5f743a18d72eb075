"""Reservations by program: the whole life of one, then each refusal as problem+json."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from incubator.ground import clock, database
from tests.booking.conftest import NOW, Rooms, at, booked
from tests.frontend.api.conftest import check_problem, wish
from tests.people import People

PATH = "/api/v1/reservations"
PROGRAM = Callable[..., Awaitable[httpx.AsyncClient]]


async def rows() -> int:
    """Return how many reservations are on file."""
    return int(await database.fetchval("SELECT count(*) FROM reservations"))


async def test_it_works(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    answer = await alice.post(PATH, json=wish(rooms.one))
    assert answer.status_code == 201
    made = answer.json()
    assert made["number"].startswith("R261123-")
    assert (made["state"], made["version"], made["hold_until"]) == ("confirmed", 1, None)
    assert (made["space_id"], made["merchant_id"]) == (str(rooms.one.uid), str(people.sunrise_uid))
    assert datetime.fromisoformat(made["blocked_from"]) == at(9, 45, day=1)
    assert (await alice.get(f"{PATH}/{made['id']}")).json() == made
    found = (await alice.get(PATH, params={"q": made["number"]})).json()
    assert (found["items"], found["next"]) == ([made], None)


async def test_a_hold_becomes_a_reservation(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    held = (await alice.post(PATH, json=wish(rooms.one, hold=True, page_key="page 1"))).json()
    assert (held["number"], held["state"]) == (None, "held")
    assert datetime.fromisoformat(held["hold_until"]) == NOW + timedelta(minutes=5)
    made = (await alice.post(f"{PATH}/{held['id']}/confirm", json={"title": "菊花茶", "version": 1})).json()
    assert (made["id"], made["state"], made["title"]) == (held["id"], "confirmed", "菊花茶")
    assert made["number"]


async def test_moving_changes_space_and_time(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one))).json()
    body = {"version": 1, "space_id": str(rooms.two.uid), "ends_at": at(13, day=1).isoformat()}
    moved = (await alice.patch(f"{PATH}/{made['id']}", json=body)).json()
    assert (moved["space_id"], moved["version"], moved["title"]) == (str(rooms.two.uid), 2, made["title"])
    assert datetime.fromisoformat(moved["ends_at"]) == at(13, day=1)


async def test_cancelling_gives_the_slot_back(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one))).json()
    gone = await alice.post(f"{PATH}/{made['id']}/cancel", json={"reason": "病了"})
    assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
    assert (await alice.post(PATH, json=wish(rooms.one))).status_code == 201


async def test_extending_and_ending_early(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one, at(13), at(14)))).json()
    with clock.frozen_at(at(13, 30)):
        longer = await alice.post(f"{PATH}/{made['id']}/extend", json={"minutes": 30})
        assert datetime.fromisoformat(longer.json()["ends_at"]) == at(14, 30)
        ended = await alice.post(f"{PATH}/{made['id']}/end")
    assert (ended.status_code, ended.json()["state"]) == (200, "finished")


async def test_staff_check_in_and_mark_who_did_not_come(rooms: Rooms, alice: httpx.AsyncClient, dora: httpx.AsyncClient) -> None:
    came = (await alice.post(PATH, json=wish(rooms.one, at(13), at(14)))).json()
    absent = (await alice.post(PATH, json=wish(rooms.two, at(13), at(14)))).json()
    with clock.frozen_at(at(13, 30)):
        assert (await dora.post(f"{PATH}/{came['id']}/check-in")).json()["state"] == "checked_in"
        assert (await dora.post(f"{PATH}/{absent['id']}/no-show")).json()["state"] == "no_show"


async def test_a_tablet_checks_in_by_its_code(rooms: Rooms, alice: httpx.AsyncClient, tablet: PROGRAM) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one, at(13), at(14)))).json()
    code = await database.fetchval("SELECT check_in_code FROM reservations WHERE uid = $1", UUID(made["id"]))
    device = await tablet(rooms.one)
    path = f"{PATH}/{made['id']}/check-in"
    check_problem(await device.post(path, json={"code": "x"}), 409, "wrong-code")
    check_problem(await device.post(path, json={"code": code}), 409, "not-yet")
    with clock.frozen_at(at(12, 45)):
        answer = await device.post(path, json={"code": code})
        assert (answer.status_code, answer.json()["state"]) == (200, "checked_in")
        check_problem(await device.post(path, json={"code": code}), 409, "already-checked-in")


async def test_a_tablet_knows_its_own_room_only(rooms: Rooms, alice: httpx.AsyncClient, tablet: PROGRAM) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one, at(13), at(14)))).json()
    check_problem(await (await tablet(rooms.two)).post(f"{PATH}/{made['id']}/check-in", json={"code": "1"}), 404, "not-found")


async def test_a_taken_slot_names_alternatives(rooms: Rooms, alice: httpx.AsyncClient, dora: httpx.AsyncClient) -> None:
    await dora.post(PATH, json=wish(rooms.one))
    problem = check_problem(await alice.post(PATH, json=wish(rooms.one, at(11, day=1), at(13, day=1))), 409, "slot-taken")
    assert problem["type"].endswith("/slot-taken")
    assert problem["alternatives"]
    spaces = {str(unit.uid) for unit in (rooms.one, rooms.two)}
    for other in problem["alternatives"]:
        assert other["space_id"] in spaces
        assert not [name for name, value in other.items() if name.endswith("id") and isinstance(value, int)]
    best = problem["alternatives"][0]
    again = wish(rooms.one) | {name: best[name] for name in ("space_id", "starts_at", "ends_at")}
    assert (await alice.post(PATH, json=again)).status_code == 201


async def test_a_move_to_a_taken_slot_names_alternatives(rooms: Rooms, alice: httpx.AsyncClient, dora: httpx.AsyncClient) -> None:
    await dora.post(PATH, json=wish(rooms.two))
    made = (await alice.post(PATH, json=wish(rooms.one))).json()
    answer = await alice.patch(f"{PATH}/{made['id']}", json={"version": 1, "space_id": str(rooms.two.uid)})
    assert check_problem(answer, 409, "slot-taken")["alternatives"]


DAY = 24 * 60


@pytest.mark.parametrize(("first", "last", "status", "code"), [
    (-60, 60, 409, "past"), (DAY + 300, DAY + 240, 422, "invalid"), (DAY + 300, DAY + 300, 422, "invalid"),
    (DAY + 540, DAY + 660, 409, "outside-hours"), (DAY + 7, DAY + 127, 422, "invalid"),
    (90 * DAY, 90 * DAY + 120, 409, "too-far-ahead"),
])
async def test_times_that_do_not_do(rooms: Rooms, alice: httpx.AsyncClient, first: int, last: int, status: int,
                                    code: str) -> None:
    times = [NOW + timedelta(minutes=minutes) for minutes in (first, last)]
    check_problem(await alice.post(PATH, json=wish(rooms.one, *times)), status, code)
    assert await rows() == 0


async def test_over_quota(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    for room in (rooms.one, rooms.two):
        answer = await alice.post(PATH, json=wish(room, at(10, day=1), at(15, day=1)))
        assert answer.status_code == 201
    check_problem(await alice.post(PATH, json=wish(rooms.one, at(17, day=1), at(18, day=1))), 409, "over-quota")


@pytest.mark.parametrize(("changes", "field"), [
    ({"title": "山" * 10_000}, "title"), ({"starts_at": "2026-11-24T10:00:00"}, "starts_at"),
    ({"starts_at": 1795000000}, "starts_at"),
    ({"ends_at": "2026-11-24"}, "ends_at"), ({"ends_at": "tomorrow"}, "ends_at"), ({"ends_at": None}, "ends_at"),
    ({"starts_at": "9999-12-31T23:59:59+00:00"}, "starts_at"), ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
    ({"space_id": "1"}, "space_id"), ({"space_id": 1}, "space_id"), ({"merchant_id": "x"}, "merchant_id"),
    ({"host_id": str(uuid4())}, "host_id"), ({"hold": True}, "page_key"), ({"hold": True, "page_key": "x" * 101}, "page_key"),
    ({"hold": True, "page_key": "\x00"}, "page_key"), ({"hold": "yes"}, "hold"), ({"colour": "red"}, "colour"),
])
async def test_a_field_that_does_not_do_is_named(rooms: Rooms, alice: httpx.AsyncClient, changes: dict[str, Any],
                                                 field: str) -> None:
    problem = check_problem(await alice.post(PATH, json=wish(rooms.one) | changes), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["message"]
    assert await rows() == 0


async def test_both_times_are_named_at_once(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    problem = check_problem(await alice.post(PATH, json=wish(rooms.one) | {"starts_at": "a", "ends_at": "b"}), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == ["starts_at", "ends_at"]


@pytest.mark.parametrize("title", ["\x00", "\ud800 half", "a\x00b", "\u202edesrever"])
async def test_odd_characters_harm_nothing(rooms: Rooms, alice: httpx.AsyncClient, title: str) -> None:
    body = json.dumps(wish(rooms.one) | {"title": title})
    answer = await alice.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {201, 400, 422}


async def test_another_zone_of_the_same_moment(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    body = wish(rooms.one) | {"starts_at": "2026-11-23T21:00:00-05:00", "ends_at": "2026-11-24T04:00:00Z"}
    answer = await alice.post(PATH, json=body)
    assert datetime.fromisoformat(answer.json()["starts_at"]) == at(10, day=1)


async def test_an_unknown_space(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    check_problem(await alice.post(PATH, json=wish(rooms.one) | {"space_id": str(uuid4())}), 404, "not-found")


async def test_somebody_elses_merchant(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    for merchant in (people.other_uid, uuid4()):
        check_problem(await alice.post(PATH, json=wish(rooms.one, merchant_id=str(merchant))), 404, "not-found")
    assert await rows() == 0


async def test_somebody_elses_reservation(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    made = await booked(people.charlie, rooms.one, at(10, day=1), merchant_id=people.other_id)
    check_problem(await alice.get(f"{PATH}/{made.uid}"), 404, "not-found")
    for verb in ("confirm", "extend", "end", "cancel", "no-show", "check-in"):
        answer = await alice.post(f"{PATH}/{made.uid}/{verb}", json={"minutes": 15} if verb == "extend" else {})
        check_problem(answer, 404, "not-found")
    check_problem(await alice.patch(f"{PATH}/{made.uid}", json={"version": 1, "title": "x"}), 404, "not-found")


async def test_what_staff_alone_may(rooms: Rooms, alice: httpx.AsyncClient, people: People) -> None:
    made = await booked(people.alice, rooms.one, at(10, day=1), merchant_id=people.sunrise_id)
    for verb in ("no-show", "check-in"):
        check_problem(await alice.post(f"{PATH}/{made.uid}/{verb}"), 403, "forbidden")


async def test_a_stale_version(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one))).json()
    check_problem(await alice.patch(f"{PATH}/{made['id']}", json={"version": 7, "title": "x"}), 409, "stale")
    for verb in ("end", "cancel"):
        check_problem(await alice.post(f"{PATH}/{made['id']}/{verb}", json={"version": 7}), 409, "stale")


@pytest.mark.parametrize("version", [10**30, -(2**63), 2**63])
async def test_a_version_beyond_all_numbers(rooms: Rooms, alice: httpx.AsyncClient, version: int) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one))).json()
    for method, path in (("PATCH", made["id"]), ("POST", f"{made['id']}/cancel")):
        answer = await alice.request(method, f"{PATH}/{path}", json={"version": version})
        assert answer.status_code in {409, 422}
    answer = await alice.post(f"{PATH}/{made['id']}/extend", json={"minutes": version})
    assert answer.status_code == 422


async def test_states_that_do_not_go(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one))).json()
    check_problem(await alice.post(f"{PATH}/{made['id']}/confirm"), 409, "wrong-state")
    check_problem(await alice.post(f"{PATH}/{made['id']}/end"), 409, "not-begun")
    await alice.post(f"{PATH}/{made['id']}/cancel")
    check_problem(await alice.post(f"{PATH}/{made['id']}/cancel"), 409, "wrong-state")
    check_problem(await alice.post(f"{PATH}/{made['id']}/extend", json={"minutes": 15}), 409, "wrong-state")


async def test_a_hold_that_ran_out(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    held = (await alice.post(PATH, json=wish(rooms.one, hold=True, page_key="p"))).json()
    with clock.frozen_at(NOW + timedelta(minutes=5)):
        check_problem(await alice.post(f"{PATH}/{held['id']}/confirm"), 409, "hold-expired")


async def test_not_yet(rooms: Rooms, people: People, dora: httpx.AsyncClient) -> None:
    made = await booked(people.alice, rooms.one, at(13), merchant_id=people.sunrise_id)
    check_problem(await dora.post(f"{PATH}/{made.uid}/check-in"), 409, "not-yet")
    check_problem(await dora.post(f"{PATH}/{made.uid}/no-show"), 409, "not-yet")
    with clock.frozen_at(at(12, 44)):
        check_problem(await dora.post(f"{PATH}/{made.uid}/check-in"), 409, "not-yet")


async def test_a_repeat_with_the_key_is_the_same_answer(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    first, second = [await alice.post(PATH, json=wish(rooms.one), headers={"idempotency-key": "k"}) for _ in range(2)]
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert first.headers["content-type"] == second.headers["content-type"]
    assert await rows() == 1


async def test_the_key_with_another_body(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    await alice.post(PATH, json=wish(rooms.one), headers={"idempotency-key": "k"})
    other = await alice.post(PATH, json=wish(rooms.two), headers={"idempotency-key": "k"})
    check_problem(other, 409, "idempotency-mismatch")
    assert await rows() == 1


async def test_a_key_belongs_to_its_person_and_route(rooms: Rooms, alice: httpx.AsyncClient, dora: httpx.AsyncClient) -> None:
    key = {"idempotency-key": "k"}
    made = (await alice.post(PATH, json=wish(rooms.one), headers=key)).json()
    check_problem(await dora.post(PATH, json=wish(rooms.one), headers=key), 409, "slot-taken")
    assert (await alice.post(f"{PATH}/{made['id']}/cancel", headers=key)).json()["state"] == "cancelled"


async def test_a_refused_request_may_be_tried_again_with_its_key(rooms: Rooms, alice: httpx.AsyncClient,
                                                                dora: httpx.AsyncClient) -> None:
    taken = (await dora.post(PATH, json=wish(rooms.one))).json()
    key = {"idempotency-key": "k"}
    check_problem(await alice.post(PATH, json=wish(rooms.one), headers=key), 409, "slot-taken")
    await dora.post(f"{PATH}/{taken['id']}/cancel")
    assert (await alice.post(PATH, json=wish(rooms.one), headers=key)).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 201, "键", "\x7f"])
async def test_a_key_that_is_none(rooms: Rooms, alice: httpx.AsyncClient, key: str) -> None:
    answer = await alice.post(PATH, json=wish(rooms.one), headers=[(b"idempotency-key", key.encode())])
    assert answer.status_code in {201, 422}


@pytest.mark.parametrize(("raw", "kind", "status", "code"), [
    (b"{", "application/json", 400, "malformed"), (b"", "application/json", 400, "malformed"),
    (b"\xff\xfe", "application/json", 400, "malformed"), (b"{}", "text/plain", 415, "wrong-content-type"),
    (b"{}", "", 415, "wrong-content-type"), (b"[]", "application/json", 422, "invalid"),
    (b"{}", "application/json; charset=utf-8", 422, "invalid"),
])
async def test_a_body_that_is_none(rooms: Rooms, alice: httpx.AsyncClient, raw: bytes, kind: str, status: int, code: str) -> None:
    check_problem(await alice.post(PATH, content=raw, headers={"content-type": kind}), status, code)


async def test_a_body_too_large(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    answer = await alice.post(PATH, content=b" " * 2_000_000, headers={"content-type": "application/json"})
    check_problem(answer, 413, "too-large")


async def test_a_cookie_needs_its_origin(rooms: Rooms, alice: httpx.AsyncClient) -> None:
    del alice.headers["origin"]
    check_problem(await alice.post(PATH, json=wish(rooms.one)), 403, "foreign-origin")
    assert (await alice.get(PATH)).status_code == 200


async def test_a_token_needs_none(rooms: Rooms, people: People, bearer: PROGRAM) -> None:
    assert (await (await bearer(people.alice)).post(PATH, json=wish(rooms.one))).status_code == 201


async def test_nobody_is_told_to_sign_in(rooms: Rooms, anonymous: httpx.AsyncClient) -> None:
    check_problem(await anonymous.get(PATH), 401, "not-signed-in")
    check_problem(await anonymous.post(PATH, json=wish(rooms.one)), 401, "not-signed-in")
    wrong = await anonymous.get(PATH, headers={"authorization": "Bearer kb_unknown"})
    check_problem(wrong, 401, "not-signed-in")


async def test_a_token_that_reads_only(rooms: Rooms, people: People, bearer: PROGRAM) -> None:
    made = await booked(people.dora, rooms.one, at(12), merchant_id=people.sunrise_id)
    reader = await bearer(people.dora, can_write=False)
    assert (await reader.get(f"{PATH}/{made.uid}")).status_code == 200
    check_problem(await reader.post(PATH, json=wish(rooms.one)), 403, "forbidden")
    check_problem(await reader.patch(f"{PATH}/{made.uid}", json={"version": 1, "title": "x"}), 403, "forbidden")
    for verb in ("confirm", "check-in", "extend", "end", "no-show", "cancel"):
        answer = await reader.post(f"{PATH}/{made.uid}/{verb}", json={"minutes": 15} if verb == "extend" else {})
        check_problem(answer, 403, "forbidden")
    assert await database.fetchval("SELECT version FROM reservations WHERE uid = $1", made.uid) == 1


@pytest.mark.parametrize(("changes", "english"), [
    ({}, "This slot is taken"), ({"space_id": str(UUID(int=7))}, "This does not exist"),
    ({"starts_at": "2026-11-22T10:00:00+08:00", "ends_at": "2026-11-22T11:00:00+08:00"}, "This time has passed"),
    ({"starts_at": "2026-11-24T05:00:00+08:00", "ends_at": "2026-11-24T07:00:00+08:00"}, "Not open then"),
    ({"starts_at": "2026-11-24T09:00:00"}, "Some fields need another look"),
    ({"title": "x" * 81}, "Some fields need another look"),
    ({"ends_at": "2026-11-24T09:00:00+08:00"}, "Some fields need another look"),
    ({"starts_at": "2027-03-24T10:00:00+08:00", "ends_at": "2027-03-24T12:00:00+08:00"}, "Bookings open"),
])
async def test_a_refusal_speaks_the_readers_language(rooms: Rooms, people: People, bearer: PROGRAM, changes: dict[str, str],
                                                     english: str) -> None:
    await booked(people.dora, rooms.one, at(10, day=1))
    client, told = await bearer(people.alice), {}
    for locale in ("zh_CN", "en"):
        await database.execute("UPDATE people SET locale = $2 WHERE id = $1", people.alice.person_id, locale)
        told[locale] = (await client.post(PATH, json=wish(rooms.one) | changes)).json()
    assert told["en"]["detail"].startswith(english)
    assert is_chinese(told["zh_CN"]["detail"])
    for here, there in zip(told["en"].get("errors", []), told["zh_CN"].get("errors", []), strict=True):
        assert not is_chinese(here["message"])
        assert is_chinese(there["message"])


def is_chinese(text: str) -> bool:
    """Tell whether Chinese characters stand in a text."""
    return any("一" <= character <= "鿿" for character in text)


@pytest.mark.parametrize("query", ["q=%00", "q=" + "x" * 5000, "q=%25", "q=%F0%9F"])
async def test_a_query_that_makes_no_sense(rooms: Rooms, alice: httpx.AsyncClient, query: str) -> None:
    answer = await alice.get(f"{PATH}?{query}")
    assert answer.status_code in {200, 422}, answer.text


@pytest.mark.parametrize("cursor", ["", "x", "%00", "eyJ9", "%E4%B8%AD", "OTk5OS0xMi0zMVQyMDowMDowMC0xMDowMHwx"])
async def test_an_unreadable_cursor_is_named(rooms: Rooms, alice: httpx.AsyncClient, cursor: str) -> None:
    problem = check_problem(await alice.get(f"{PATH}?cursor={cursor}"), 422, "invalid")
    assert [error["field"] for error in problem["errors"]] == ["cursor"]


async def test_the_tablet_reads_what_its_turn_has_come_for(rooms: Rooms, alice: httpx.AsyncClient, tablet: PROGRAM) -> None:
    made = (await alice.post(PATH, json=wish(rooms.one, at(13), at(14)))).json()
    here, elsewhere = await tablet(rooms.one), await tablet(rooms.two)
    for minute, status in ((44, 404), (45, 200)):
        with clock.frozen_at(at(12, minute)):
            assert (await here.get(f"{PATH}/{made['id']}")).status_code == status
            assert (await elsewhere.get(f"{PATH}/{made['id']}")).status_code == 404
    for minute, status in ((14, 200), (15, 404)):
        with clock.frozen_at(at(14, minute)):
            assert (await here.get(f"{PATH}/{made['id']}")).status_code == status
