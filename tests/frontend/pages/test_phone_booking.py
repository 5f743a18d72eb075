"""The phone's way: slots, confirmation, done."""

import re
from typing import Any

from booking.policies import service as policies
from booking.reservations import queries
from incubator.ground import clock
from tests.frontend.pages.conftest import DAY, HOUSE, Centre, in_days, query_of, uid_in


async def test_it_works(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    page = await visitor.get(f"/book?date={DAY}")
    slot = re.search(r'<a class="slot" href="([^"]+)" data-confirm>', page.text)
    assert slot is not None
    confirmation = await visitor.get(slot.group(1).replace("&amp;", "&"), partial=True)
    assert "15 分钟" not in confirmation.text
    chosen = query_of(slot.group(1))
    answer = await visitor.post("/book", space=chosen["space"], date=DAY, start=chosen["from"], to=chosen["to"])
    assert answer.status_code == 303
    done = await visitor.get(answer.headers["location"])
    made = await queries.reservation(centre.people.alice, uid_in(answer.headers["location"]))
    assert made.merchant_id == centre.people.sunrise_id
    assert made.number in done.text
    assert await queries.check_in_code(centre.people.alice, made.uid) in done.text
    assert f'<a href="/reservations/{made.uid}/key">贴推流码</a>，开播前' in done.text
    dora = await visit(centre.people.dora)
    assert "推流码由商家自己贴" in (await dora.get(f"/book/done/{made.uid}")).text


async def test_a_second_tap_leads_to_the_booking_of_the_first(centre: Centre, visit: Any) -> None:
    await policies.set_quota(HOUSE, centre.people.site.id, 180)  # the first one uses up what the second one would need
    visitor = await visit(centre.people.alice)
    wanted = {"space": centre.rooms[0].uid, "date": DAY, "start": "10:00", "to": "12:00"}
    first, second = await visitor.post("/book", **wanted), await visitor.post("/book", **wanted)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len((await queries.find(centre.people.alice, centre.people.site.id)).items) == 1
    other = await visitor.post("/book", **wanted | {"to": "11:00"})
    assert other.status_code == 409, "another wish meets it like any other booking"
    with clock.frozen_at(centre.at("14:31", "2026-11-24")):
        assert (await visitor.post("/book", **wanted)).status_code == 409, "it was not just now any more"


async def test_a_booking_of_somebody_else_stays_in_the_way(centre: Centre, visit: Any) -> None:
    wanted = {"space": centre.rooms[0].uid, "date": DAY, "start": "10:00", "to": "12:00"}
    assert (await (await visit(centre.people.alice)).post("/book", **wanted)).status_code == 303
    for other in (centre.people.bob, centre.people.charlie):
        assert (await (await visit(other)).post("/book", **wanted)).status_code == 409


async def test_days_say_how_much_is_free(centre: Centre, visit: Any) -> None:
    page = await (await visit(centre.people.alice)).get("/book?hours=3")
    assert len(re.findall(r"\d+ 档", page.text)) == 14


async def test_full_rooms_say_why(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.dora, 0, "08:15", "14:00")
    await centre.book(centre.people.dora, 0, "14:30", "21:45")
    page = await (await visit(centre.people.alice)).get(f"/book?date={DAY}")
    assert "1 间订不到，看原因" in page.text


async def test_somebody_was_faster(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    await centre.book(centre.people.charlie, 0, "19:00", "21:00")
    fields = {"space": centre.rooms[0].uid, "date": DAY, "start": "19:00", "to": "21:00", "title": "我的场次"}
    whole = await visitor.post("/book", **fields)
    assert whole.status_code == 409
    assert 'value="我的场次"' in whole.text
    part = await visitor.post("/book", partial=True, **fields)
    assert part.status_code == 409
    assert 'class="alt"' in part.text
    assert "<html" not in part.text


async def test_ten_thousand_characters(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    answer = await visitor.post("/book", space=centre.rooms[0].uid, date=DAY, start="19:00", to="21:00", title="山" * 10_000)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_somebody_without_merchant(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.aud)
    page = await visitor.get("/book")
    assert "您还不属于任何商家" in page.text
    answer = await visitor.post("/book", space=centre.rooms[0].uid, date=DAY, start="19:00", to="21:00")
    assert answer.status_code == 403


async def test_other_peoples_done_page(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.charlie)
    assert (await (await visit(centre.people.alice)).get(f"/book/done/{made.uid}")).status_code == 404


async def test_odd_addresses(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    for query in ("kind=spaceship", "date=never", "hours=99", "space=x&from=y&to=z", "date=9999-12-31"):
        assert (await visitor.get(f"/book?{query}")).status_code == 200


async def test_a_slip_can_be_taken_back(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    bob, aud = await visit(centre.people.bob), await visit(centre.people.aud)
    page = await bob.get(f"/book/done/{made.uid}")
    assert f'action="/reservations/{made.uid}/cancel"' in page.text
    assert f'action="/reservations/{made.uid}/cancel"' not in (await aud.get(f"/book/done/{made.uid}")).text
    with clock.frozen_at(centre.at("14:31", "2026-11-24")):
        assert f'action="/reservations/{made.uid}/cancel"' not in (await bob.get(f"/book/done/{made.uid}")).text


async def test_a_day_that_is_not_open_yet_says_so_once(centre: Centre, visit: Any) -> None:
    page = (await (await visit(centre.people.alice)).get(f"/book?date={in_days(150)}&hours=2")).text
    assert "还没到开放预约的时候" in page
    assert f"/book?kind=live_room&amp;date={in_days(60)}&amp;hours=2" in page
    assert page.count("未开放") == 14
    assert "已满" not in page
    assert page.count('<li class="sub">') == 1


async def test_the_confirmation_names_the_day(centre: Centre, visit: Any) -> None:
    query = f"space={centre.rooms[0].uid}&from=10:00&to=12:00&hours=2"
    visitor = await visit(centre.people.alice)
    assert "明天 · 11 月 25 日 周三" in (await visitor.get(f"/book?date={DAY}&{query}")).text
    assert '<p class="sub">11 月 27 日 周五</p>' in (await visitor.get(f"/book?date={in_days(3)}&{query}")).text
    made = await centre.book(centre.people.alice)
    assert "明天 · 11 月 25 日 周三" in (await visitor.get(f"/book/done/{made.uid}")).text


async def test_a_slot_that_makes_no_sense_says_why(centre: Centre, visit: Any) -> None:
    query = f"date={DAY}&space={centre.rooms[0].uid}&from=21:30&to=21:00"
    page = await (await visit(centre.people.alice)).get(f"/book?{query}", partial=True)
    assert "结束要晚于开始" in page.text
