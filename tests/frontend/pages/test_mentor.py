"""What a mentor sees of merchants: the public profile, and nothing of their people and bookings by any page."""

from typing import Any

import httpx
import pytest_asyncio

from incubator.ground import database
from incubator.ground.rights import Role
from incubator.merchants import service as merchants
from tests.booking.conftest import Rooms, at, booked, noon, rooms
from tests.people import People, person

__all__ = ["noon", "rooms"]
SECRET = ("13800000001", "138****0001", "Alice", "铁棍山药专场", "13900000009", "139****0009", "陈秘书")


@pytest_asyncio.fixture
async def mentor(rooms: Rooms, people: People, client_for: Any) -> httpx.AsyncClient:
    """The browser of a mentor; Alice's merchant has a contact, a shop, and a booking on Tuesday."""
    await booked(people.alice, rooms.one, at(10, day=1), merchant_id=people.sunrise_id, title="铁棍山药专场")
    await merchants.add_shop(people.alice, people.sunrise_id, platform="taobao", name="怀山堂")
    await database.execute("UPDATE merchants SET contact_name = '陈秘书', contact_phone = '13900000009', products = '怀山药',"
                           " search = search || ' 13900000009' WHERE id = $1", people.sunrise_id)
    found: httpx.AsyncClient = await client_for(await person("Mentor", 13, Role.MENTOR, "site", people.site.id))
    return found


async def test_the_public_profile(mentor: httpx.AsyncClient, people: People) -> None:
    page = (await mentor.get(f"/merchants/{people.sunrise_uid}")).text
    assert [text for text in ("朝阳山药有限公司", "怀山药", "怀山堂") if text not in page] == []
    assert [text for text in SECRET if text in page] == []


async def test_staff_see_the_same_page_whole(mentor: httpx.AsyncClient, people: People, client_for: Any) -> None:
    page = (await (await client_for(people.dora)).get(f"/merchants/{people.sunrise_uid}")).text
    assert [text for text in ("Alice", "铁棍山药专场", "陈秘书") if text not in page] == []


async def test_the_home_shows_merchants_rooms_and_notices(mentor: httpx.AsyncClient, people: People) -> None:
    page = (await mentor.get("/")).text
    assert f'href="/merchants/{people.sunrise_uid}"' in page
    assert 'class="mini' in page
    assert "还没有消息。" in page
    assert 'href="/days"' in page
    assert 'href="/book"' not in page
    assert [text for text in SECRET if text in page] == []


async def test_the_list_shows_names_only(mentor: httpx.AsyncClient) -> None:
    page = (await mentor.get("/merchants")).text
    assert "朝阳山药" in page
    assert "怀山药" not in page
    assert "朝阳山药" in (await mentor.get("/merchants", params={"q": "朝阳"})).text


async def test_a_phone_finds_nothing(mentor: httpx.AsyncClient) -> None:
    """Whoever is not shown a number must not learn by searching whose it is."""
    assert "朝阳山药" not in (await mentor.get("/merchants", params={"q": "13900000009"})).text


async def test_no_other_page_tells_more(mentor: httpx.AsyncClient, rooms: Rooms) -> None:
    for path in ("/", "/days/2026-11-24", "/reservations", "/reservations?q=R26", "/live", "/notices", "/book",
                 f"/units/{rooms.one.uid}/week/2026-11-24", "/api/v1/reservations", "/api/v1/reservations?q=R26"):
        answer = await mentor.get(path)
        assert answer.status_code in {200, 303}, path
        assert [text for text in SECRET if text in answer.text] == [], path
