"""A person's own notices, with times told as people tell them."""

from collections.abc import Callable
from typing import Any

from incubator.accounts.service import set_locale
from incubator.ground.notices.service import tell
from tests.people import People


async def test_it_works(people: People, client_for: Callable[[Any], Any]) -> None:
    assert people.alice.person_id is not None
    params = {"number": "R1", "starts_at": "2026-11-24T11:00:00Z"}
    await tell(people.alice.person_id, "x", "{number} is booked: {starts_at}.", params)
    client = await client_for(people.alice)
    page = (await client.get("/notices", headers={"accept-language": "zh-CN"})).text
    assert "19:00" in page
    assert "T11:00" not in page


async def test_reading_empties_the_badge(people: People, client_for: Callable[[Any], Any]) -> None:
    assert people.alice.person_id is not None
    await tell(people.alice.person_id, "x", "Room {room} is ready.", {"room": "2"})
    client = await client_for(people.alice)
    page = (await client.get("/notices")).text
    token = page.split('name="_token" value="')[1].split('"')[0]
    assert (await client.post("/notices/read", data={"_token": token})).status_code == 303
    assert 'class="badge"' not in (await client.get("/notices")).text


async def test_a_room_is_named_in_the_readers_language(people: People, client_for: Callable[[Any], Any]) -> None:
    assert people.alice.person_id is not None
    await set_locale(people.alice, "en")
    await tell(people.alice.person_id, "x", "{room} calls for help.", {"room": "2 号间", "room_en": "Room 2"})
    assert "Room 2 calls for help." in (await (await client_for(people.alice)).get("/notices")).text
