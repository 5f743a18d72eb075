"""Closing rooms by a form: listed first, closed then, lifted again; who may, and what the merchant sees."""

from typing import Any

import pytest

from booking.calendars import queries as calendars
from booking.reservations import queries
from frontend.pages import closures
from tests.frontend.pages.conftest import DAY, Centre


def fields(centre: Centre, **other: object) -> dict[str, object]:
    """Return a filled form."""
    usual = {"room": centre.rooms[0].uid, "from_date": DAY, "start": "09:00", "to_date": DAY, "to": "24:00", "reason": "排风检修"}
    return usual | other


async def test_it_works(centre: Centre, visit: Any) -> None:
    dora, alice = await visit(centre.people.dora), await visit(centre.people.alice)
    answer = await dora.post("/closures", **fields(centre, reason_en="Vent repair"))
    assert answer.status_code == 303
    page = (await dora.get(answer.headers["location"])).text
    assert "已停用 1 号间，明天 09:00–24:00。" in page
    assert "排风检修" in page
    (closed,) = await calendars.coming_closures(centre.people.site.id)
    assert closed.unit_ids == (centre.rooms[0].id,)
    assert "排风检修" in (await alice.get(f"/days/{DAY}")).text
    sheet = await alice.get(f"/days/{DAY}/sheet?space={centre.rooms[0].uid}&from=10:00&to=12:00", partial=True)
    assert "停用" in sheet.text
    assert "排风检修" in sheet.text
    wish = {"space": centre.rooms[0].uid, "date": DAY, "start": "10:00", "to": "12:00", "kind": "live_room"}
    refused = await alice.post("/reservations/new", partial=True, **wish)
    assert refused.status_code == 409
    assert "排风检修" in refused.text


async def test_bookings_in_the_way_are_shown_first_and_stay(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    dora = await visit(centre.people.dora)
    answer = await dora.post("/closures", **fields(centre))
    assert answer.status_code == 409
    assert f'href="/reservations/{made.uid}"' in answer.text
    assert 'value="排风检修"' in answer.text
    assert await calendars.coming_closures(centre.people.site.id) == []
    seen = answer.text.split('name="seen" value="')[1].split('"')[0]
    assert seen == str(made.uid)
    done = await dora.post("/closures", **fields(centre, seen=seen))
    assert done.status_code == 303
    assert "还有 1 个预约在这段时间内" in (await dora.get(done.headers["location"])).text
    assert (await queries.reservation(centre.people.alice, made.uid)).state == "confirmed"


async def test_the_check_lists_what_it_would_hit(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    dora = await visit(centre.people.dora)
    base = f"/closures/check?from_date={DAY}&from=09:00&to_date={DAY}&to=11:00"
    hit = await dora.get(f"{base}&room={centre.rooms[0].uid}&room={centre.rooms[1].uid}", partial=True)
    assert str(made.uid) in hit.text
    assert str(made.uid) in (await dora.get(f"{base}&room=site", partial=True)).text
    assert "这段时间内没有预约。" in (await dora.get(f"{base}&room={centre.rooms[1].uid}", partial=True)).text
    assert "先列出" in (await dora.get(base, partial=True)).text
    assert "先列出" in (await dora.get(f"{base}&room=site&to=8:99", partial=True)).text


async def test_the_whole_centre(centre: Centre, visit: Any) -> None:
    dora = await visit(centre.people.dora)
    answer = await dora.post("/closures", **fields(centre, room="site", to_date="2026-11-27", reason="春节"))
    assert answer.status_code == 303
    assert "整个中心" in (await dora.get("/closures")).text
    for room in (0, 2):
        week = await dora.get(f"/units/{centre.rooms[room].uid}/week/{DAY}")
        assert "春节" in week.text


async def test_lift_and_undo_both_ways(centre: Centre, visit: Any) -> None:
    dora = await visit(centre.people.dora)
    page = await dora.get((await dora.post("/closures", **fields(centre))).headers["location"])
    (closed,) = await calendars.coming_closures(centre.people.site.id)
    note = page.text.split("data-toast>")[1].split("</form>")[0]
    assert f'action="/closures/{closed.uid}/lift"' in note
    lifted = await dora.post(f"/closures/{closed.uid}/lift")
    assert lifted.status_code == 303
    assert await calendars.coming_closures(centre.people.site.id) == []
    note = (await dora.get(lifted.headers["location"])).text.split("data-toast>")[1].split("</form>")[0]
    assert 'action="/closures"' in note
    hidden = dict(part.split('" value="') for part in note.split('type="hidden" name="')[1:])
    again = {name: value.split('"')[0] for name, value in hidden.items() if name != "_token"}
    assert again["to"] == "24:00"
    again["start"] = again.pop("from")
    assert (await dora.post("/closures", **again)).status_code == 303
    (found,) = await calendars.coming_closures(centre.people.site.id)
    assert (found.span, found.reason) == (closed.span, closed.reason)


async def test_what_is_wrong_is_said_at_once(centre: Centre, visit: Any) -> None:
    dora = await visit(centre.people.dora)
    answer = await dora.post("/closures", **fields(centre, room="", from_date="soon", to="25:00"))
    assert answer.status_code == 422
    for text in ("至少选一个房间。", "选一天。", "选一个时间。"):
        assert text in answer.text
    assert (await dora.post("/closures", **fields(centre, reason=" "))).status_code == 422
    assert (await dora.post("/closures", **fields(centre, start="12:00", to="11:00"))).status_code == 422
    assert (await dora.post("/closures", **fields(centre, from_date="2026-11-20", to_date="2026-11-20"))).status_code == 422


async def test_only_the_desk_closes(centre: Centre, visit: Any) -> None:
    alice, aud = await visit(centre.people.alice), await visit(centre.people.aud)
    assert (await alice.get("/closures")).status_code == 403
    assert (await alice.post("/closures", **fields(centre))).status_code == 403
    page = await aud.get("/closures")
    assert page.status_code == 200
    assert 'id="close-form"' not in page.text
    assert (await aud.post("/closures", **fields(centre))).status_code == 403


async def test_staff_find_it(centre: Centre, visit: Any) -> None:
    dora, alice = await visit(centre.people.dora), await visit(centre.people.alice)
    for address in ("/", f"/days/{DAY}", f"/units/{centre.rooms[0].uid}/week/{DAY}"):
        assert 'href="/closures' in (await dora.get(address)).text
        assert 'href="/closures' not in (await alice.get(address)).text
    page = await dora.get(f"/closures?room={centre.rooms[1].uid}")
    assert f'value="{centre.rooms[1].uid}" checked' in page.text


async def test_a_kind_is_closed_whole(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice)
    dora = await visit(centre.people.dora)
    page = (await dora.get("/closures")).text
    assert 'value="kind:live_room"' in page
    assert 'value="kind:meeting_room"' not in page  # there is but one
    base = f"/closures/check?from_date={DAY}&from=09:00&to_date={DAY}&to=11:00"
    assert str(made.uid) in (await dora.get(f"{base}&room=kind:live_room", partial=True)).text
    answer = await dora.post("/closures", **fields(centre, room="kind:live_room", seen=made.uid))
    assert "已停用 全部直播间（2），" in (await dora.get(answer.headers["location"])).text
    (closed,) = await calendars.coming_closures(centre.people.site.id)
    assert set(closed.unit_ids) == {room.id for room in centre.rooms[:2]}


async def test_many_rooms_are_folded_until_one_is_chosen(centre: Centre, visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closures, "MANY", 1)
    dora = await visit(centre.people.dora)
    assert '<details class="more"><summary>逐个选' in (await dora.get("/closures")).text
    assert '<details class="more" open><summary>逐个选' in (await dora.get(f"/closures?room={centre.rooms[0].uid}")).text
