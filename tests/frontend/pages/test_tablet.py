"""The room's tablet: pairing, four digits, controls, all under one address; and its list for staff."""

import re
from typing import Any

import httpx
import pytest_asyncio

from booking.checkin import service as checkin
from incubator.ground import database
from tests.frontend.pages.studio_rooms import Room, make_room
from tests.frontend.pages.test_live_session import ClientFor, token_of
from tests.people import People

JSON = {"accept": "application/json"}

@pytest_asyncio.fixture
async def room(people: People) -> Room:
    return await make_room(people)


async def paired(anonymous: httpx.AsyncClient, people: People, room: Room) -> httpx.AsyncClient:
    page = await anonymous.get("/tablet")
    code = re.search(r'class="t code num">([\w-]+)<', page.text)
    assert code
    await checkin.pair(people.dora, code[1], room.unit.id, "机位旁")
    return anonymous


async def digits_of(room: Room) -> str:
    code: str = await database.fetchval("SELECT check_in_code FROM reservations WHERE id = $1", room.booking.id)
    return code


async def test_it_works(anonymous: httpx.AsyncClient, people: People, room: Room, redis: Any) -> None:
    tablet = await paired(anonymous, people, room)
    idle = await tablet.get("/tablet/screen")
    assert 'data-kind="idle"' in idle.text
    assert "朝阳山药" in idle.text
    assert (await tablet.post("/tablet/check-in", json={"code": await digits_of(room)})).status_code == 200
    await room.tell(redis)
    controls = await tablet.get(f"/tablet/screen?seen={idle.headers['x-mark']}")
    assert 'data-kind="control"' in controls.text
    assert str(room.session) in controls.text


async def test_a_new_tablet_shows_a_code_and_no_booking(anonymous: httpx.AsyncClient, people: People, room: Room) -> None:
    page = await anonymous.get("/tablet")
    assert 'data-kind="pairing"' in page.text
    assert "朝阳山药" not in page.text
    cookie = page.headers["set-cookie"]
    assert cookie.startswith("kaibo_device=")
    assert "HttpOnly" in cookie
    again = await anonymous.get("/tablet/screen")
    assert again.headers["x-mark"].startswith("pairing-")
    assert "set-cookie" not in again.headers


async def test_the_same_screen_is_not_sent_twice(anonymous: httpx.AsyncClient, people: People, room: Room) -> None:
    tablet = await paired(anonymous, people, room)
    mark = (await tablet.get("/tablet/screen")).headers["x-mark"]
    assert (await tablet.get(f"/tablet/screen?seen={mark}")).status_code == 204


async def test_wrong_digits_are_counted(anonymous: httpx.AsyncClient, people: People, room: Room) -> None:
    tablet = await paired(anonymous, people, room)
    wrong = f"{(int(await digits_of(room)) + 1) % 10000:04}"
    answer = await tablet.post("/tablet/check-in", json={"code": wrong}, headers=JSON)
    assert answer.status_code == 409
    assert answer.json()["code"] == "wrong-code"
    for _ in range(4):
        answer = await tablet.post("/tablet/check-in", json={"code": wrong}, headers=JSON)
    assert answer.json()["code"] == "too-many-misses"


async def test_without_pairing_nothing_can_be_done(anonymous: httpx.AsyncClient, people: People, room: Room) -> None:
    await anonymous.get("/tablet")
    for path in ("/tablet/check-in", "/tablet/help"):
        answer = await anonymous.post(path, json={"code": "0000"}, headers=JSON)
        assert answer.status_code == 401


async def test_help_is_called_before_check_in(anonymous: httpx.AsyncClient, people: People, room: Room) -> None:
    tablet = await paired(anonymous, people, room)
    assert (await tablet.post("/tablet/help", json={})).status_code == 200
    assert await database.fetchval("SELECT count(*) FROM help_calls WHERE unit = $1", room.unit.id) == 1


async def test_a_revoked_tablet_pairs_anew(anonymous: httpx.AsyncClient, people: People, room: Room) -> None:
    tablet = await paired(anonymous, people, room)
    uid = await database.fetchval("SELECT uid FROM devices WHERE unit = $1", room.unit.id)
    await checkin.revoke(people.dora, uid)
    assert 'data-kind="pairing"' in (await tablet.get("/tablet/screen")).text


async def test_staff_pair_by_comparing_the_code(anonymous: httpx.AsyncClient, client_for: ClientFor, people: People,
                                                room: Room) -> None:
    code = re.search(r'class="t code num">([\w-]+)<', (await anonymous.get("/tablet")).text)
    assert code
    staff = await client_for(people.dora)
    page = await staff.get(f"/pair/{code[1].lower()}")
    assert code[1] in page.text
    fields = {"_token": token_of(page.text), "unit": "", "label": "门口"}
    assert (await staff.post(f"/pair/{code[1]}", data=fields)).status_code == 422
    assert (await staff.post(f"/pair/{code[1]}", data=fields | {"unit": str(room.unit.id)})).status_code == 200
    listed = await staff.get("/devices")
    assert "门口" in listed.text
    uid = await database.fetchval("SELECT uid FROM devices WHERE unit = $1", room.unit.id)
    await staff.post(f"/devices/{uid}/revoke", data={"_token": token_of(listed.text), "version": "2"})
    assert "门口" not in (await staff.get("/devices")).text


async def test_an_unknown_code_is_said(client_for: ClientFor, people: People, room: Room) -> None:
    staff = await client_for(people.dora)
    page = await staff.get("/devices")
    answer = await staff.post("/pair", data={"_token": token_of(page.text), "code": "ZZ-ZZ"})
    assert answer.status_code == 422
    wrong = (await staff.get("/pair/ZZ-ZZ")).text
    assert "现在没有平板显示这个码" in wrong
    assert "paircode" not in wrong, "there is nothing to compare"
    assert 'name="unit"' not in wrong


async def test_merchants_neither_pair_nor_list(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    assert (await client.get("/devices")).status_code == 403
    assert (await client.get("/pair/K7-P2")).status_code == 403
