"""The schedule of a day, the sheet, the week of a room."""

import re
from datetime import timedelta
from typing import Any

import pytest

from booking.calendars import service as calendars
from booking.reservations import service as reservations
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from frontend.pages.schedule import widest_free
from incubator.ground import clock, database
from incubator.ground.values import Span, new_uid
from tests.frontend.pages.conftest import DAY, HOUSE, NOW, Centre, in_days


async def test_it_works(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    page = await (await visit(centre.people.alice)).get(f"/days/{DAY}")
    assert page.status_code == 200
    block = re.search(rf'<div class="([^"]+)" id="b{made.uid}"', page.text)
    assert block is not None
    # eight o'clock is step 0: blocked from 9:45 (21) for 2 h 30 (30), setup and teardown of three steps
    assert block.group(1) == "bk mine s21 w30 a3 z3"
    assert 'role="grid" tabindex="0"' in page.text


async def test_today_is_found(centre: Centre, visit: Any) -> None:
    page = await (await visit(centre.people.alice)).get("/days?kind=meeting_room")
    assert str(page.url).endswith("/days/2026-11-24?kind=meeting_room")
    assert "3 号间" in page.text
    assert "1 号间" not in page.text


async def test_others_read_taken(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.charlie, title="怀菊花茶秋季场")
    page = await (await visit(centre.people.alice)).get(f"/days/{DAY}")
    assert "怀菊花茶" not in page.text
    assert "沁河花茶" not in page.text
    assert "已占用" in page.text


async def test_staff_read_everything_and_choose_a_merchant(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.charlie, title="怀菊花茶秋季场")
    page = await (await visit(centre.people.dora)).get(f"/days/{DAY}?for={centre.people.other_uid}")
    assert "怀菊花茶秋季场" in page.text
    assert re.search(rf'class="bk mine [^"]+" id="b{made.uid}"', page.text)
    assert f'<option value="{centre.people.other_uid}" selected>' in page.text


async def test_the_page_asks_for_its_lanes_alone(centre: Centre, visit: Any) -> None:
    part = await (await visit(centre.people.alice)).get(f"/days/{DAY}", partial=True)
    assert part.text.startswith('\n<div class="gw') or part.text.lstrip().startswith('<div class="gw')
    assert "<html" not in part.text


async def test_a_closure_says_why(centre: Centre, visit: Any) -> None:
    span = Span(centre.at("12:00"), centre.at("17:00"))
    await calendars.close(HOUSE, calendars.Extent(unit_ids=(centre.rooms[0].id,)), span, reason="排风检修", reason_en="Vent repair")
    page = await (await visit(centre.people.alice)).get(f"/days/{DAY}")
    assert "排风检修" in page.text


async def test_only_free_rooms(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.dora, 0, "08:15", "14:00")
    await centre.book(centre.people.dora, 0, "14:30", "21:45")
    page = await (await visit(centre.people.dora)).get(f"/days/{DAY}?free=1")
    assert "2 号间" in page.text
    assert 'data-name="1 号间"' not in page.text


async def test_a_rest_in_which_no_setup_fits_is_not_free(centre: Centre, visit: Any) -> None:
    room = centre.rooms[0].id
    for starts, ends in (("08:30", "12:00"), ("12:45", "22:00")):
        span = Span(centre.at(starts), centre.at(ends))
        await calendars.close(HOUSE, calendars.Extent(unit_ids=(room,)), span, reason="排风检修")
    page = await (await visit(centre.people.alice)).get(f"/days/{DAY}?free=1")
    assert 'data-name="1 号间"' not in page.text
    assert 'data-name="2 号间"' in page.text


async def test_a_day_that_is_none(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    for day in ("tomorrow", "2026-13-45", "9999-12-31", "0001-01-01"):
        assert (await visitor.get(f"/days/{day}")).status_code == 404


async def test_nobody_signed_in(centre: Centre, anonymous: Any) -> None:
    answer = await anonymous.get(f"/days/{DAY}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=/days/{DAY}")


async def test_the_sheet_suggests_and_judges(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.charlie, 1, "18:30", "21:30", "怀菊花茶秋季场")
    part = await (await visit(centre.people.alice)).get(
        f"/days/{DAY}/sheet?space={centre.rooms[1].uid}&from=16:30&to=18:15", partial=True)
    assert "撤场到 18:30，而另一场预约从 18:15 开始布场，重叠 15" in part.text
    assert 'data-bad="1"' in part.text
    assert "提前 15" in part.text


async def test_the_check_knows_its_own_hold(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    await visitor.get(f"/days/{DAY}?new=1")
    fields = {"space": centre.rooms[0].uid, "date": DAY, "start": "10:00", "to": "12:00", "page_key": "k"}
    assert (await visitor.post("/reservations/hold", **fields)).status_code == 200
    query = f"space={centre.rooms[0].uid}&date={DAY}&from=10:00&to=12:00&kind=live_room"
    assert 'data-bad=""' in (await visitor.get(f"/reservations/check?{query}&page_key=k", partial=True)).text
    assert 'data-bad="1"' in (await visitor.get(f"/reservations/check?{query}", partial=True)).text
    await visitor.post("/reservations/release", page_key="k")
    assert (await visitor.post("/reservations/release", page_key="k")).status_code == 204
    assert 'data-bad=""' in (await visitor.get(f"/reservations/check?{query}", partial=True)).text


async def test_quota_is_shown_before_booking(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.alice, 0, "08:15", "16:15")
    part = await (await visit(centre.people.alice)).get(
        f"/days/{DAY}/sheet?space={centre.rooms[1].uid}&from=17:00&to=20:00", partial=True)
    assert re.search("已用 8 .* 本次 3 .*共 10 ", part.text)
    assert re.search("那一周只剩 2 .*（共 10 .*），这场要 3 ", part.text)


async def test_the_form_without_scripts(centre: Centre, visit: Any) -> None:
    page = await (await visit(centre.people.alice)).get(f"/days/{DAY}?new=1")
    assert 'action="/reservations/new"' in page.text
    assert page.text.count(" selected>") == 3


async def test_week_of_a_room(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.alice)
    page = await (await visit(centre.people.alice)).get(f"/units/{centre.rooms[0].uid}/week/{DAY}")
    assert page.status_code == 200
    assert page.text.count('role="row"') == 8
    assert "铁棍山药专场" in page.text


async def test_week_of_another_room_by_the_select(centre: Centre, visit: Any) -> None:
    first, second = centre.rooms[0].uid, centre.rooms[1].uid
    page = await (await visit(centre.people.alice)).get(f"/units/{first}/week/{in_days(3)}?room={second}")
    assert f"/units/{second}/week/" in str(page.url)


async def on_air(centre: Centre) -> ReservationFacts:
    """Return a show that is being sent."""
    made = await centre.book(centre.people.alice, 0, "14:30", "16:00", day=f"{NOW:%Y-%m-%d}")
    rig = await database.fetchval(
        "INSERT INTO rigs (uid, site, unit, driver) VALUES ($1, $2, $3, 'simulated') RETURNING id",
        new_uid(), centre.people.site.id, centre.rooms[0].id)
    session = await database.fetchval(
        "INSERT INTO live_sessions (uid, reservation, rig, created_at) VALUES ($1, $2, $3, $4) RETURNING id",
        new_uid(), made.id, rig, clock.now())
    await database.execute("INSERT INTO air_spans (uid, rig, live_session, kind, started_at) VALUES ($1, $2, $3, 'stream', $4)",
                           new_uid(), rig, session, clock.now())
    return made


async def test_a_show_on_air_is_red_and_says_until_when(centre: Centre, visit: Any) -> None:
    made = await on_air(centre)
    page = await (await visit(centre.people.alice)).get(f"/days/{NOW:%Y-%m-%d}")
    assert re.search(rf'class="bk mine air [^"]+" id="b{made.uid}"', page.text)
    assert re.search(r'aria-label="[^"]* 至 16:00，播出，', page.text)
    assert "<i>至 16:00</i>" in page.text
    other = await (await visit(centre.people.charlie)).get(f"/days/{NOW:%Y-%m-%d}")
    assert "bk taken" in other.text


async def test_what_staff_booked_for_a_merchant_is_not_the_centres_own(centre: Centre, visit: Any) -> None:
    theirs = await reservations.reserve(centre.people.dora, Wish(
        centre.rooms[0].uid, centre.at("10:00"), centre.at("12:00"), "铁棍山药专场", centre.people.sunrise_id))
    ours = await centre.book(centre.people.dora, 1)
    visitor = await visit(centre.people.dora)
    page = (await visitor.get(f"/days/{DAY}")).text
    assert re.search(rf'class="bk other [^"]+" id="b{theirs.uid}"', page)
    assert re.search(rf'class="bk mine [^"]+" id="b{ours.uid}"', page)
    assert 'class="bk other' in (await visitor.get(f"/units/{centre.rooms[0].uid}/week/{DAY}")).text
    assert 'class="bk mine' in (await visitor.get(f"/units/{centre.rooms[1].uid}/week/{DAY}")).text


async def test_other_peoples_holds_count_down(centre: Centre, visit: Any) -> None:
    owner = await visit(centre.people.alice)
    await owner.post("/reservations/hold", space=centre.rooms[0].uid, date=DAY, start="10:00", to="12:00", page_key="x")
    block = re.search(r'<div class="bk held [^>]+>', (await (await visit(centre.people.charlie)).get(f"/days/{DAY}")).text)
    assert block is not None
    assert "data-until=" in block[0]
    assert "data-held=" not in block[0]


async def test_a_closure_on_its_own_day_tells_the_hour_alone(centre: Centre, visit: Any) -> None:
    room = centre.rooms[0].id
    short, long = Span(centre.at("09:00"), centre.at("12:30")), Span(centre.at("14:00"), centre.at("12:00") + timedelta(days=1))
    for span, reason in ((short, "排风检修"), (long, "换灯")):
        await calendars.close(HOUSE, calendars.Extent(unit_ids=(room,)), span, reason=reason)
    page = (await (await visit(centre.people.alice)).get(f"/days/{DAY}")).text
    assert re.search(r"<b>排风检修</b>\n12:30 恢复</span>", page)
    assert re.search(r"<b>换灯</b>\n\d\d-\d\d 12:00 恢复</span>", page)


async def test_a_booking_in_a_closure_does_not_cover_why(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.charlie, 0, "12:00", "14:00")
    span = Span(centre.at("10:00"), centre.at("18:00"))
    await calendars.close(HOUSE, calendars.Extent(unit_ids=(centre.rooms[0].id,)), span, reason="排风检修")
    page = (await (await visit(centre.people.alice)).get(f"/days/{DAY}")).text
    # the booking lies from 11:45 to 14:15, so that the widest rest of the closure begins at step 75
    assert re.search(r'<div class="said s75 w45" aria-hidden="true"><span>.*<b>排风检修</b>', page)


@pytest.mark.parametrize(("taken", "widest"), [
    ([], (10, 40)), ([(12, 20)], (20, 40)), ([(30, 50)], (10, 30)), ([(0, 60)], (10, 10)), ([(10, 15), (13, 25), (35, 37)], (25, 35)),
    ([(0, 5), (45, 50)], (10, 40))])
def test_words_stand_where_nothing_covers_them(taken: list[tuple[int, int]], widest: tuple[int, int]) -> None:
    assert widest_free(10, 40, taken) == widest


async def test_the_hour_beneath_the_clock_is_hidden(centre: Centre, visit: Any) -> None:
    page = (await (await visit(centre.people.alice)).get(f"/days/{NOW:%Y-%m-%d}")).text
    (at,) = map(int, re.findall(r'class="now s(\d+)"', page))
    hidden = {int(step) for step in re.findall(r'class="hour s(\d+) off"', page)}
    shown = {int(step) for step in re.findall(r'class="hour s(\d+)"', page)}
    assert hidden == {step for step in hidden | shown if -12 <= step - at <= 3} != set()


async def test_desks_are_called_desks(centre: Centre, visit: Any) -> None:
    page = (await (await visit(centre.people.alice)).get(f"/days/{DAY}?kind=desk")).text
    assert "个工位" in page
    assert '<span role="columnheader">工位</span>' in page


async def test_the_week_is_red_too_and_marked_in_the_rail(centre: Centre, visit: Any) -> None:
    made = await on_air(centre)
    page = (await (await visit(centre.people.dora)).get(f"/units/{centre.rooms[0].uid}/week/{NOW:%Y-%m-%d}")).text
    assert re.search(rf'class="bk other air [^"]+" id="b{made.uid}"', page)
    assert '<i class="air"></i>播出' in page
    assert re.search(r'href="/days" aria-current="page"', page)


CHECK = "/reservations/check?kind=live_room&space={space}&date={day}&from={starts}&to={ends}"


async def check(centre: Centre, visitor: Any, starts: str, ends: str, day: str = DAY) -> str:
    """Return what the check says about a time in the first room."""
    url = CHECK.format(space=centre.rooms[0].uid, day=day, starts=starts, ends=ends)
    return str((await visitor.get(url, partial=True)).text)


async def test_the_check_speaks_of_times_that_make_no_sense(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    reversed_times = await check(centre, visitor, "21:30", "21:00")
    assert "结束要晚于开始" in reversed_times
    assert 'data-bad="1"' in reversed_times
    too_long = await check(centre, visitor, "08:00", "22:00")
    assert re.search(r'class="ck alarm">.*现在是 14.小时', too_long)
    assert '<span hidden id="check-title">1 号间</span>' in too_long


async def test_setup_before_the_doors_open_is_told(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    early, late = await check(centre, visitor, "08:00", "10:00"), await check(centre, visitor, "20:00", "22:00")
    inside = await check(centre, visitor, "10:00", "12:00")
    assert "布场早于 08:00 开门" in early
    assert "撤场" not in early.replace("前撤场", "")
    assert "撤场晚于 22:00 关门" in late
    assert 'class="ck wait"' not in inside
    assert all('data-bad=""' in one for one in (early, late, inside))


async def test_nothing_is_offered_beyond_the_days_that_are_open(centre: Centre, visit: Any) -> None:
    text = await check(centre, await visit(centre.people.alice), "10:00", "12:00", in_days(90))
    assert 'data-bad="1"' in text
    assert 'class="alt"' not in text


async def test_the_sheet_tells_staff_for_whom_they_book(centre: Centre, visit: Any) -> None:
    dora, query = await visit(centre.people.dora), f"space={centre.rooms[0].uid}&from=10:00&to=12:00"
    theirs = await dora.get(f"/days/{DAY}/sheet?{query}&for={centre.people.other_uid}", partial=True)
    assert "代沁河花茶预约" in theirs.text
    own = await dora.get(f"/days/{DAY}/sheet?{query}", partial=True)
    assert '<p class="sub">中心自用</p>' in own.text
    alice = await (await visit(centre.people.alice)).get(f"/days/{DAY}/sheet?{query}", partial=True)
    assert "中心自用" not in alice.text


async def test_a_day_with_nothing_free_says_why_in_the_sheet(centre: Centre, visit: Any) -> None:
    page = (await (await visit(centre.people.alice)).get(f"/days/{in_days(90)}?new=1")).text
    assert '<h2 id="sheet-title">1 号间 08:00–10:00</h2>' in page
    assert re.search(r'class="ck alarm">.*60', page)


@pytest.mark.parametrize(("ends", "is_short"), [("10:30", True), ("10:45", True), ("11:00", False)])
async def test_a_short_block_gives_its_words_the_room_of_setup_and_teardown(
        centre: Centre, visit: Any, ends: str, is_short: bool) -> None:
    made = await centre.book(centre.people.alice, ends=ends)
    for actor, name in ((centre.people.alice, f"b{made.uid}"), (centre.people.charlie, r"t\d+-\d+")):
        page = (await (await visit(actor)).get(f"/days/{DAY}")).text
        block = re.search(rf'class="(bk [^"]+)" id="{name}"', page)
        assert block
        assert ("short" in block[1].split()) == is_short


async def test_a_block_without_title_is_named_for_whom_it_is(centre: Centre, visit: Any) -> None:
    theirs, ours = await centre.book(centre.people.alice, title=""), await centre.book(centre.people.dora, 1, title="")
    page = (await (await visit(centre.people.dora)).get(f"/days/{DAY}")).text
    assert re.search(rf'href="/reservations/{theirs.uid}"[^>]*>朝阳山药</a>', page)
    assert re.search(rf'href="/reservations/{ours.uid}"[^>]*>中心自用</a>', page)
