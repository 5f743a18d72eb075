"""Making, moving and ending reservations by forms; one whole; the list."""

import re
from datetime import timedelta
from typing import Any

import pytest

from booking.calendars import service as calendars
from booking.calendars.service import Extent
from booking.reservations import queries, service
from incubator.ground import clock, database
from incubator.ground.values import Span
from studio.live_sessions.preparation import follow
from tests.frontend.pages.conftest import DAY, Centre, uid_in
from tests.frontend.pages.studio_rooms import make_room
from tests.people import People


def fields(centre: Centre, **other: object) -> dict[str, object]:
    """Return a filled sheet."""
    usual = {"space": centre.rooms[0].uid, "date": DAY, "start": "10:00", "to": "12:00", "title": "铁棍山药专场"}
    return usual | {"kind": "live_room"} | other


async def test_it_works(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    answer = await visitor.post("/reservations/new", **fields(centre))
    assert answer.status_code == 303
    page = await visitor.get(answer.headers["location"])
    assert re.search("已预约 1 号间，.*10:00–12:00。", page.text)


async def test_a_hold_of_the_page_becomes_the_booking(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    held = await visitor.post("/reservations/hold", **fields(centre, page_key="k1"))
    assert held.status_code == 200
    answer = await visitor.post("/reservations/new", partial=True, **fields(centre, page_key="k1"))
    assert answer.status_code == 200
    assert 'class="toast"' in answer.text


@pytest.mark.parametrize(("wrong", "field"), [
    ({"start": "12:00", "to": "10:00"}, "ends_at"), ({"to": "10:00"}, "ends_at"), ({"start": "10:07"}, "starts_at"),
    ({"start": "x"}, "starts_at"), ({"to": ""}, "ends_at"), ({"date": "soon"}, "date"), ({"space": "x"}, "space_id"),
    ({"title": "山" * 10_000}, "title"), ({"date": "9999-12-31"}, "date"), ({"host": "nobody"}, "host_id"),
])
async def test_wrong_fields(centre: Centre, visit: Any, wrong: dict[str, str], field: str) -> None:
    visitor = await visit(centre.people.alice)
    answer = await visitor.post("/reservations/new", partial=True, **fields(centre, **wrong))
    assert answer.status_code in (409, 422)
    assert "aria-invalid" in answer.text or "refused" in answer.text
    assert (await queries.find(centre.people.alice, centre.people.site.id)).items == ()


@pytest.mark.parametrize("other", [
    {"date": "2026-11-24", "start": "09:00", "to": "11:00"}, {"start": "06:00", "to": "09:00"}, {"date": "2027-11-24"},
])
async def test_times_that_the_house_refuses(centre: Centre, visit: Any, other: dict[str, str]) -> None:
    answer = await (await visit(centre.people.alice)).post("/reservations/new", partial=True, **fields(centre, **other))
    assert answer.status_code == 409
    assert 'id="refused"' in answer.text
    assert 'value="铁棍山药专场"' in answer.text


async def test_taken_brings_alternatives_and_keeps_the_input(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.charlie)
    visitor = await visit(centre.people.alice)
    answer = await visitor.post("/reservations/new", **fields(centre))
    assert answer.status_code == 409
    assert "<html" in answer.text
    assert 'value="铁棍山药专场"' in answer.text
    assert answer.text.count('class="alt"') >= 2


async def test_a_sheet_sent_twice_books_once_and_says_so_twice(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    answers = [await visitor.post("/reservations/new", partial=True, **fields(centre, page_key="k1")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
    plain = await visitor.post("/reservations/new", **fields(centre))
    made, = (await queries.find(centre.people.alice, centre.people.site.id)).items
    assert plain.headers["location"] == f"/reservations/{made.uid}?done=booked"


async def test_the_desk_books_the_same_time_for_one_merchant_only(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.dora)
    answers = [await visitor.post("/reservations/new", **{**fields(centre), "for": merchant})
               for merchant in (centre.people.other_uid, centre.people.other_uid, centre.people.sunrise_uid)]
    assert [answer.status_code for answer in answers] == [303, 303, 409]


async def test_a_cancelled_booking_is_no_answer(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    first = await visitor.post("/reservations/new", **fields(centre))
    await service.cancel(centre.people.alice, uid_in(first.headers["location"]))
    await centre.book(centre.people.charlie)
    assert (await visitor.post("/reservations/new", **fields(centre))).status_code == 409


async def test_an_alternative_without_scripts(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    choice = f"{centre.rooms[1].uid} {DAY} 11:00 13:00"
    answer = await visitor.post("/reservations/new", **fields(centre, choose=choice))
    assert answer.status_code == 200
    assert '<option value="11:00" selected>' in answer.text


async def test_a_form_without_its_token(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    visitor.token = "forged"
    assert (await visitor.post("/reservations/new", **fields(centre))).status_code == 403


async def test_for_somebody_elses_merchant(centre: Centre, visit: Any) -> None:
    alice = await visit(centre.people.alice)
    answer = await alice.post("/reservations/new", **{**fields(centre), "for": centre.people.other_uid})
    made = await queries.reservation(centre.people.alice, uid_in(answer.headers["location"]))
    assert made.merchant_id == centre.people.sunrise_id


async def test_staff_book_for_a_merchant(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.dora)
    answer = await visitor.post("/reservations/new", **{**fields(centre), "for": centre.people.other_uid})
    made = await queries.reservation(centre.people.dora, uid_in(answer.headers["location"]))
    assert made.merchant_id == centre.people.other_id


async def test_move_and_back(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    answer = await visitor.post(f"/reservations/{made.uid}/move", partial=True,
                                **fields(centre, start="14:00", to="16:00", version=made.version, back="grid"))
    assert answer.status_code == 200
    assert re.search("已改到 1 号间，.*14:00–16:00。", answer.text)
    assert 'name="from" value="10:00"' in answer.text
    assert (await queries.reservation(centre.people.alice, made.uid)).starts_at == centre.at("14:00")


async def test_a_stale_form(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    for path, other in (("move", {"start": "14:00", "to": "16:00"}), ("cancel", {})):
        answer = await visitor.post(f"/reservations/{made.uid}/{path}", **fields(centre, version=made.version + 7, **other))
        assert answer.status_code == 409
        assert 'id="refused"' in answer.text


async def test_move_onto_another(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    await centre.book(centre.people.charlie, 0, "15:00", "17:00")
    alice = await visit(centre.people.alice)
    answer = await alice.post(f"/reservations/{made.uid}/move", partial=True,
                              **fields(centre, start="15:00", to="17:00", version=made.version, back="grid"))
    assert answer.status_code == 409
    assert f'data-move="{made.uid}"' in answer.text


async def test_cancel_with_a_reason(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    answer = await visitor.post(f"/reservations/{made.uid}/cancel", version=made.version, reason="主播生病")
    page = await visitor.get(answer.headers["location"])
    assert "主播生病" in page.text
    assert "已取消" in page.text


async def test_a_long_reason_comes_back_with_its_field(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    answer = await visitor.post(f"/reservations/{made.uid}/cancel", version=made.version, reason="病" * 201)
    assert answer.status_code == 422
    assert "最多 200 个字" in answer.text
    assert "病" * 201 in answer.text


async def test_extend_end_and_no_show_go_with_the_hour(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    alice, dora = await visit(centre.people.alice), await visit(centre.people.dora)
    assert "/end" not in (await alice.get(f"/reservations/{made.uid}")).text
    with clock.frozen_at(centre.at("15:10", "2026-11-24")):
        page = (await alice.get(f"/reservations/{made.uid}")).text
        assert "现在结束" in page
        assert "取消预约" not in page
        assert "标记未到场" not in page
        assert "标记未到场" in (await dora.get(f"/reservations/{made.uid}")).text
        assert (await alice.post(f"/reservations/{made.uid}/extend", minutes=15, version=made.version)).status_code == 303
        assert (await alice.post(f"/reservations/{made.uid}/no-show", version=2)).status_code == 403
        assert (await alice.post(f"/reservations/{made.uid}/end", version=2)).status_code == 303
    assert (await queries.reservation(centre.people.alice, made.uid)).state == "finished"


def undo_in(text: str) -> tuple[str, dict[str, str]]:
    """Return action and fields of the undo that a page or toast offers."""
    form = text.rsplit('class="note ok done"', maxsplit=1)[-1].split("<form", 1)[1].split("</form>", maxsplit=1)[0]
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    fields.pop("_token")
    if "from" in fields:
        fields["start"] = fields.pop("from")
    return form.split('action="')[1].split('"')[0], fields


async def undone(visitor: Any, answer: Any, *, partial: bool = False) -> Any:
    """Press undo on the page to which a form led, or on the toast of the schedule."""
    page = answer if partial else await visitor.get(answer.headers["location"])
    action, fields = undo_in(page.text)
    return await visitor.post(action, partial=partial, **fields)


async def test_undo_of_a_booking(centre: Centre, visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    answer = await visitor.post("/reservations/new", **fields(centre))
    assert (await undone(visitor, answer)).status_code == 303
    assert (await queries.reservation(centre.people.alice, uid_in(answer.headers["location"]))).state == "cancelled"


async def test_undo_of_a_move_by_the_plain_form(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, ends="12:00")
    visitor = await visit(centre.people.alice)
    moved = await visitor.post(f"/reservations/{made.uid}/move", **fields(
        centre, space=centre.rooms[1].uid, start="14:00", to="16:00", title="晚场", version=made.version))
    assert (await undone(visitor, moved)).status_code == 303
    back = await queries.reservation(centre.people.alice, made.uid)
    assert (back.unit_id, back.span, back.title) == (made.unit_id, made.span, made.title)


async def test_undo_of_a_cancellation(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    answer = await visitor.post(f"/reservations/{made.uid}/cancel", version=made.version, reason="弄错了")
    back = await undone(visitor, answer)
    assert "已恢复 1 号间" in (await visitor.get(back.headers["location"])).text
    assert (await queries.reservation(centre.people.alice, made.uid)).state == "confirmed"


async def test_a_restored_booking_has_its_live_session_again(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    await follow(made.id)
    answer = await visitor.post(f"/reservations/{made.uid}/cancel", version=made.version)
    await follow(made.id)
    assert await database.fetchval("SELECT state FROM live_sessions") == "cancelled"
    await undone(visitor, answer)
    assert await follow(made.id) == "planned"
    assert tuple(await database.fetchrow("SELECT state, ended_at FROM live_sessions")) == ("planned", None)


async def test_undo_of_an_extension_and_of_a_no_show(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    alice, dora = await visit(centre.people.alice), await visit(centre.people.dora)
    with clock.frozen_at(centre.at("15:10", "2026-11-24")):
        longer = await alice.post(f"/reservations/{made.uid}/extend", minutes=15, version=made.version)
        await undone(alice, longer)
        assert (await queries.reservation(centre.people.alice, made.uid)).span == made.span
        missed = await dora.post(f"/reservations/{made.uid}/no-show", version=3)
        await undone(dora, missed)
        assert (await queries.reservation(centre.people.alice, made.uid)).state == "confirmed"
        ended = await alice.post(f"/reservations/{made.uid}/end", version=5)
        page = (await alice.get(ended.headers["location"])).text
        assert "已结束" in page
        assert "撤销" not in page


@pytest.mark.parametrize(("deed", "fields", "word"), [
    ("move", {"date": DAY, "start": "13:00", "to": "15:00"}, "撤销改动"), ("cancel", {}, "撤销取消")])
async def test_an_undo_names_what_it_takes_back(centre: Centre, visit: Any, deed: str, fields: dict[str, str], word: str) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    assert ">撤销预约<" in (await visitor.get(f"/reservations/{made.uid}?done=booked")).text
    named = fields and {"space": str(centre.rooms[0].uid), "title": "铁棍山药专场", **fields}
    toast = await visitor.post(f"/reservations/{made.uid}/{deed}", partial=True, version=made.version, **named)
    assert toast.status_code == 200
    assert f">{word}<" in toast.text
    assert "撤销预约" not in toast.text


async def test_a_booking_without_title_says_its_room_once(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, title="")
    page = (await (await visit(centre.people.alice)).get(f"/reservations/{made.uid}")).text
    head = page[page.index("<h1>"):page.index("</p></div></div>", page.index("<h1>"))]
    assert head.count("1 号间") == 1
    titled = await centre.book(centre.people.alice, 1)
    assert "2 号间 · " in (await (await visit(centre.people.alice)).get(f"/reservations/{titled.uid}")).text


async def test_the_way_to_the_key_leads_to_its_field(people: People, visit: Any) -> None:
    room = await make_room(people)
    alice = await visit(people.alice)
    page = (await alice.get(f"/reservations/{room.booking.uid}")).text
    assert f'href="/live-sessions/{room.session}#key-text">贴推流码' in page
    answer = await alice.client.get(f"/reservations/{room.booking.uid}/key")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/live-sessions/{room.session}#key-text")
    assert 'id="key-text"' in (await alice.get(f"/live-sessions/{room.session}")).text
    dora = await visit(people.dora)
    assert "#key-text" not in (await dora.get(f"/reservations/{room.booking.uid}")).text


async def test_before_there_is_a_session_the_way_to_the_key_leads_to_the_booking(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    answer = await (await visit(centre.people.alice)).client.get(f"/reservations/{made.uid}/key")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/reservations/{made.uid}")
    assert (await (await visit(centre.people.charlie)).client.get(f"/reservations/{made.uid}/key")).status_code == 404


async def test_an_undo_that_came_too_late(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    visitor = await visit(centre.people.alice)
    answer = await visitor.post(f"/reservations/{made.uid}/cancel", partial=True, version=made.version)
    await centre.book(centre.people.charlie)
    late = await undone(visitor, answer, partial=True)
    assert late.status_code == 409
    assert 'class="toast"' in late.text
    assert "12:15 已被占用" in late.text
    plain = await visitor.post(f"/reservations/{made.uid}/restore")
    assert plain.status_code == 409
    assert 'id="refused"' in plain.text
    with clock.frozen_at(centre.at("14:31", "2026-11-24")):
        assert "撤销" not in (await visitor.get(f"/reservations/{made.uid}?done=cancelled")).text


async def test_a_booking_in_a_closure_says_so_and_what_would_work(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    span = Span(centre.at("09:00"), centre.at("13:00"))
    await calendars.close(centre.people.dora, Extent((centre.rooms[0].id,)), span, reason="排风检修")
    page = (await (await visit(centre.people.alice)).get(f"/reservations/{made.uid}")).text
    assert "排风检修" in page.split('id="closed"')[1].split("</div>")[0]
    assert f'value="{centre.rooms[1].uid} {DAY} 10:00 12:00"' in page


async def test_staff_check_in_by_a_tap(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    dora = await visit(centre.people.dora)
    assert "14:45 起可签到" in (await dora.get(f"/reservations/{made.uid}")).text
    assert (await dora.post(f"/reservations/{made.uid}/check-in", version=made.version)).status_code == 409
    with clock.frozen_at(centre.at("14:50", "2026-11-24")):
        assert (await dora.post(f"/reservations/{made.uid}/check-in", version=made.version)).status_code == 303
    assert (await queries.reservation(centre.people.alice, made.uid)).state == "checked_in"


async def test_only_its_people_see_the_code(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    code = await queries.check_in_code(centre.people.alice, made.uid)
    assert f">{code}<" in (await (await visit(centre.people.bob)).get(f"/reservations/{made.uid}")).text
    assert f">{code}<" not in (await (await visit(centre.people.aud)).get(f"/reservations/{made.uid}")).text
    assert (await (await visit(centre.people.charlie)).get(f"/reservations/{made.uid}")).status_code == 404


async def test_history(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    changes = service.Changes(starts_at=centre.at("14:00"), ends_at=centre.at("16:00"))
    await service.move(centre.people.alice, made.uid, changes, version=made.version)
    page = await (await visit(centre.people.alice)).get(f"/reservations/{made.uid}")
    assert re.search("改期：.*14:00–16:00", page.text)


async def test_list_finds_by_number_phone_and_name(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    await centre.book(centre.people.charlie, 1, title="怀菊花茶秋季场")
    dora = await visit(centre.people.dora)
    for text in (made.number, "13800000001", "铁棍", "shanyao", "Alice"):
        page = await dora.get(f"/reservations?q={text}")
        assert "铁棍山药专场" in page.text, text
        assert "怀菊花茶秋季场" not in page.text, text


async def test_list_shows_ones_own_only(centre: Centre, visit: Any) -> None:
    await centre.book(centre.people.charlie, title="怀菊花茶秋季场")
    page = await (await visit(centre.people.alice)).get("/reservations?when=all")
    assert "怀菊花茶秋季场" not in page.text
    assert "还没有预约" in page.text or "没有符合的预约" in page.text


async def test_list_goes_on(centre: Centre, visit: Any) -> None:
    for number in range(32):
        day, hour = 26 + number // 10, 8 + number % 10
        await centre.book(centre.people.dora, number % 2, f"{hour:02}:15", f"{hour:02}:45", f"场次 {number}", f"2026-11-{day}")
    dora = await visit(centre.people.dora)
    page = await dora.get("/reservations")
    assert page.text.count("场次 ") == 60
    more = page.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert (await dora.get(more)).text.count("场次 ") == 4


async def test_list_with_odd_filters(centre: Centre, visit: Any) -> None:
    dora = await visit(centre.people.dora)
    for query in ("state=sleeping", "when=never", "after=garbage", "q=%25_%5C", "q=" + "x" * 5000):
        assert (await dora.get(f"/reservations?{query}")).status_code == 200


async def test_the_session_too_says_where_the_code_is_typed_and_from_when(people: People, visit: Any) -> None:
    room = await make_room(people)
    alice = await visit(people.alice)
    opens = room.booking.blocked.starts_at
    for moment, said in ((opens - timedelta(minutes=1), "起在房间平板上输入"), (opens, "现在就在房间平板上输入")):
        with clock.frozen_at(moment):
            for path in (f"/live-sessions/{room.session}", f"/reservations/{room.booking.uid}"):
                assert said in (await alice.get(path)).text
