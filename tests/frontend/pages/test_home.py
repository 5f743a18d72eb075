"""Home: what do I do now."""

from typing import Any

import pytest

from booking.reservations import queries
from incubator.ground import clock, database
from tests.frontend.pages.conftest import Centre
from tests.frontend.pages.studio_rooms import make_room
from tests.people import People


async def test_it_works(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="16:00", ends="18:00")
    page = await (await visit(centre.people.alice)).get("/")
    assert "Alice，下午好" in page.text
    assert "距开始 1" in page.text
    assert await queries.check_in_code(centre.people.alice, made.uid) in page.text
    assert "还剩 8 小时，共 10 小时" in page.text
    assert "您常用的时段" in page.text


async def test_a_merchant_without_booking(centre: Centre, visit: Any) -> None:
    page = await (await visit(centre.people.charlie)).get("/")
    assert "还没有预约" in page.text
    assert 'href="/book"' in page.text


async def test_staff_see_who_is_due(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    with clock.frozen_at(centre.at("15:12", "2026-11-24")):
        page = await (await visit(centre.people.dora)).get("/")
    assert "还没签到，晚了 12" in page.text
    assert f'action="/reservations/{made.uid}/check-in"' in page.text
    assert f'action="/reservations/{made.uid}/no-show"' in page.text
    assert "现场预约" in page.text


async def test_a_row_of_today_is_a_link_and_its_buttons_are_deeds(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="18:00", ends="19:00")
    page = (await (await visit(centre.people.dora)).get("/")).text
    row = page[page.index('<article class="task goes">'):page.index("</article>")]
    assert f'<h3><a href="/reservations/{made.uid}">' in row
    assert 'class="btn' not in row


@pytest.mark.parametrize(("at", "said"), [
    ("00:01", "Dora，您好"), ("04:59", "Dora，您好"), ("05:00", "Dora，上午好"), ("12:00", "Dora，下午好"), ("18:00", "Dora，晚上好"),
    ("23:30", "Dora，您好")])
async def test_the_greeting_goes_by_the_sites_clock(centre: Centre, visit: Any, at: str, said: str) -> None:
    with clock.frozen_at(centre.at(at)):
        assert said in (await (await visit(centre.people.dora)).get("/")).text


async def test_home_leads_wherever_one_works(centre: Centre, visit: Any) -> None:
    for actor in (centre.people.dora, centre.people.mia):
        page = (await (await visit(actor)).get("/")).text
        links = page[page.index('aria-labelledby="go"'):]
        for href in ("/rigs", "/devices", "/reservations", "/closures", "/merchants"):
            assert f'href="{href}"' in links


async def test_an_auditor_reads_and_does_nothing(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    with clock.frozen_at(centre.at("15:12", "2026-11-24")):
        page = await (await visit(centre.people.aud)).get("/")
    assert "铁棍山药专场" in page.text
    assert "/check-in" not in page.text
    assert await queries.check_in_code(centre.people.alice, made.uid) not in page.text
    assert "现场预约" not in page.text


async def test_every_role_has_a_home(centre: Centre, visit: Any) -> None:
    people = centre.people
    for actor in (people.alice, people.bob, people.dora, people.olaf, people.mia, people.ada, people.aud):
        assert (await (await visit(actor)).get("/")).status_code == 200


async def test_the_show_on_air_comes_first(people: People, visit: Any) -> None:
    await make_room(people, "L1")
    second = await make_room(people, "L2")
    await database.execute("UPDATE live_sessions SET state = 'waiting_for_key' WHERE id = $1", second.session_id)
    await second.begins()
    bob = await visit(people.bob)
    page = (await bob.get("/")).text
    assert f'class="btn pri" href="/live-sessions/{second.session}#key-text">贴推流码' in page
    assert "等推流码" in page
    await second.airs()
    await database.execute("UPDATE live_sessions SET output = 'client' WHERE id = $1", second.session_id)
    page = (await bob.get("/")).text
    assert f'class="btn pri" href="/live-sessions/{second.session}/control">打开控制页' in page
    assert '<span class="chip air"><span class="dot"></span>画面已送出' in page
    assert '<span class="chip air"><span class="dot"></span>画面已送出' in (await bob.get(f"/reservations/{second.booking.uid}")).text


async def test_staff_see_red_what_is_on_air(people: People, visit: Any) -> None:
    room = await make_room(people)
    await room.begins()
    dora = await visit(people.dora)
    assert "sq air" not in (await dora.get("/")).text
    await room.airs()
    page = (await dora.get("/")).text
    assert "sq air" in page
    assert "推流中，到" in page
    assert '<i class="air s' in page
    assert "其中 1 场在推流" in page
