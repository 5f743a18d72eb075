"""Closures and hours: who may, what they hit, and that a booking under way notices them."""

import pytest

from booking.calendars import queries, service
from booking.calendars.rules import WeeklyHours
from booking.calendars.service import BookingsHit, Extent
from booking.reservations import planning
from booking.reservations.refusals import OutsideHours, RoomClosed
from booking.reservations.service import Changes, cancel, confirm, move, reserve
from booking.units import service as units
from booking.units.queries import UnitFacts
from booking.units.service import CodeTaken, NewUnit, UnitInUse
from incubator.ground import database
from incubator.ground.errors import Forbidden, Invalid, NotFound, Stale
from incubator.ground.values import Span
from tests.booking.conftest import ALL_DAY, HOUSE, Rooms, at, booked, wish
from tests.people import People


def only(unit: UnitFacts) -> Extent:
    """Return one room as what is closed."""
    return Extent((unit.id,))


async def test_close(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    closed = await service.close(people.olaf, only(rooms.one), Span(at(17), at(19)), reason="检修灯架", reason_en="repair")
    assert [hit.uid for hit in closed.hits] == [made.uid]  # its teardown reaches into the closure
    with pytest.raises(RoomClosed) as refusal:
        await booked(people.alice, rooms.one, at(18))
    assert refusal.value.params["reason"] == "检修灯架"
    await booked(people.charlie, rooms.two, at(18))
    assert await database.fetchval("SELECT count(*) FROM allocations WHERE holds") == 2


async def test_lift(people: People, rooms: Rooms) -> None:
    closed = await service.close(people.olaf, only(rooms.one), Span(at(13), at(19)), reason="检修")
    await service.lift(people.dora, closed.uid)
    await service.lift(people.dora, closed.uid)
    assert await database.fetchval("SELECT count(*) FROM audit_entries WHERE verb = 'lift'") == 1
    await booked(people.alice, rooms.one, at(15))


async def test_close_everything_on_a_calendar(people: People, rooms: Rooms) -> None:
    await service.close(people.dora, Extent(calendar_id=rooms.calendar_id), Span(at(0, day=2), at(0, day=3)), reason="停电")
    for room in (rooms.one, rooms.two, rooms.meeting):
        with pytest.raises(RoomClosed):
            await booked(people.alice, room, at(15, day=2))


async def test_close_several_rooms_at_once(people: People, rooms: Rooms) -> None:
    first, second = await booked(people.alice, rooms.two, at(15)), await booked(people.charlie, rooms.one, at(13))
    both = Extent((rooms.one.id, rooms.two.id))
    closed = await service.close(people.dora, both, Span(at(14), at(16)), reason="换灯")
    assert [hit.uid for hit in closed.hits] == [second.uid, first.uid]
    for room in (rooms.one, rooms.two):
        with pytest.raises(RoomClosed):
            await booked(people.dora, room, at(15, 30))
    await booked(people.alice, rooms.meeting, at(15))
    (found,) = await queries.coming_closures(people.site.id)
    assert (found.uid, set(found.unit_ids), found.is_whole) == (closed.uid, {rooms.one.id, rooms.two.id}, False)
    await service.lift(people.dora, closed.uid)
    assert await queries.coming_closures(people.site.id) == []


async def test_close_the_whole_site_with_rooms_to_come(people: People, rooms: Rooms) -> None:
    site_wide = Extent(site_id=people.site.id)
    closed = await service.close(people.dora, site_wide, Span(at(0, day=2), at(0, day=3)), reason="春节")
    late = await units.add_unit(people.mia, people.site.id, NewUnit("desk", "D1", "工位"))
    for room in (rooms.one, rooms.meeting, late):
        with pytest.raises(RoomClosed):
            await booked(people.alice, room, at(15, day=2))
    (found,) = await queries.coming_closures(people.site.id)
    assert found.is_whole
    assert late.id in found.unit_ids
    await service.lift(people.dora, closed.uid)
    await booked(people.alice, rooms.one, at(15, day=2))


async def test_bookings_that_were_not_seen(people: People, rooms: Rooms) -> None:
    seen, later = await booked(people.alice, rooms.one, at(13)), await booked(people.alice, rooms.one, at(17))
    with pytest.raises(BookingsHit) as refusal:
        await service.close(people.dora, only(rooms.one), Span(at(13), at(19)), reason="检修", seen=[seen.uid])
    assert refusal.value.params == {"count": 2}
    assert await database.fetchval("SELECT count(*) FROM calendar_exceptions") == 0
    closed = await service.close(people.dora, only(rooms.one), Span(at(13), at(19)), reason="检修", seen=[seen.uid, later.uid])
    assert len(closed.hits) == 2


async def test_what_no_longer_stands_is_not_hit(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(13))
    await cancel(people.alice, made.uid)
    await reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    closed = await service.close(people.dora, only(rooms.one), Span(at(13), at(19)), reason="检修", seen=[])
    assert closed.hits == ()


async def test_audit_and_fact(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    closed = await service.close(people.dora, only(rooms.one), Span(at(13), at(19)), reason="检修")
    row = await database.fetchrow("SELECT person, reason, after FROM audit_entries WHERE verb = 'close'")
    assert (row["person"], row["reason"]) == (people.dora.person_id, "检修")
    assert made.number in row["after"]
    assert str(closed.uid) in await database.fetchval("SELECT payload::text FROM facts WHERE kind = 'RoomsClosed'")


async def test_open_out_of_hours(people: People, rooms: Rooms) -> None:
    with pytest.raises(OutsideHours):
        await booked(people.alice, rooms.one, at(21))
    await service.close(people.dora, only(rooms.one), Span(at(22), at(24)), reason="", is_open=True)
    await booked(people.alice, rooms.one, at(21))


async def test_only_the_house_closes(people: People, rooms: Rooms) -> None:
    closed = await service.close(people.dora, only(rooms.one), Span(at(13), at(14)), reason="检修")
    for actor in (people.alice, people.aud):
        with pytest.raises(Forbidden):
            await service.close(actor, only(rooms.one), Span(at(13), at(14)), reason="检修")
        with pytest.raises(Forbidden):
            await service.lift(actor, closed.uid)


async def test_a_closure_that_says_nothing(people: People, rooms: Rooms) -> None:
    with pytest.raises(Invalid):
        await service.close(people.dora, only(rooms.one), Span(at(13), at(14)), reason=" ")
    with pytest.raises(Invalid):
        await service.close(people.dora, only(rooms.one), Span(at(14), at(13)), reason="检修")
    with pytest.raises(Invalid):
        await service.close(people.dora, Extent(), Span(at(13), at(14)), reason="检修")
    with pytest.raises(Invalid):
        await service.close(people.dora, only(rooms.one), Span(at(8), at(9)), reason="检修")
    with pytest.raises(Invalid):
        await service.close(people.dora, only(rooms.one), Span(at(13), at(14)), reason="检" * 201)
    with pytest.raises(NotFound):
        await service.close(people.dora, Extent((0,)), Span(at(13), at(14)), reason="检修")


async def test_a_closure_between_look_and_lock(people: People, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calendar was read before the lock; under the lock the unit's version tells that it must be read again."""
    usual = planning.with_host

    async def slow(*args: object) -> object:
        await service.close(people.dora, only(rooms.one), Span(at(13), at(19)), reason="检修")
        return await usual(*args)  # type: ignore[arg-type]  # the same arguments

    monkeypatch.setattr(planning, "with_host", slow)
    with pytest.raises(RoomClosed):
        await booked(people.alice, rooms.one, at(15))


async def test_a_closure_before_the_confirmation(people: People, rooms: Rooms) -> None:
    held = await reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    await service.close(people.dora, only(rooms.one), Span(at(13), at(19)), reason="检修")
    with pytest.raises(RoomClosed):
        await confirm(people.alice, held.uid)


async def test_set_hours(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await service.set_hours(people.mia, rooms.calendar_id, [WeeklyHours(0, 8 * 60, 16 * 60)])
    with pytest.raises(OutsideHours):
        await move(people.alice, made.uid, Changes(at(15, 15)), version=1)
    with pytest.raises(Forbidden):
        await service.set_hours(people.alice, rooms.calendar_id, ALL_DAY)
    with pytest.raises(Invalid):
        await service.set_hours(people.mia, rooms.calendar_id, [WeeklyHours(7, 0, 10)])


async def test_add_unit_refuses(people: People, rooms: Rooms) -> None:
    with pytest.raises(Forbidden):
        await units.add_unit(people.alice, people.site.id, NewUnit("desk", "D1", "工位"))
    with pytest.raises(CodeTaken):
        await units.add_unit(people.mia, people.site.id, NewUnit("desk", "L1", "工位"))
    with pytest.raises(Invalid) as refusal:
        await units.add_unit(people.mia, people.site.id, NewUnit("person", "", " ", step_min=1, max_use_min=5000))
    assert {error.field for error in refusal.value.errors} == {"kind", "code", "name", "step_min", "max_use_min"}


async def test_retire(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(UnitInUse):
        await units.retire(people.mia, rooms.one.id, version=1)
    with pytest.raises(Stale):
        await units.retire(people.mia, rooms.two.id, version=9)
    await units.retire(people.mia, rooms.two.id, version=1)
    with pytest.raises(NotFound):
        await move(people.alice, made.uid, Changes(unit_uid=rooms.two.uid), version=1)
    assert await units.unit_of_person(people.bob.person_id or 0, people.site.id) == await units.unit_of_person(
        people.bob.person_id or 0, people.site.id)
    assert HOUSE.is_house


async def test_the_same_form_twice_closes_once(people: People, rooms: Rooms) -> None:
    both, span = Extent((rooms.two.id, rooms.one.id)), Span(at(14), at(16))
    first = await service.close(people.dora, both, span, reason="换灯")
    again = await service.close(people.dora, Extent((rooms.one.id, rooms.two.id)), span, reason="换灯")
    assert again.uid == first.uid
    site = Extent(site_id=people.site.id)
    whole = await service.close(people.dora, site, span, reason="换灯")
    assert (await service.close(people.dora, site, span, reason="换灯")).uid == whole.uid
    other = [await service.close(people.dora, both, span, reason="停电"), await service.close(people.dora, only(rooms.one), span, reason="换灯")]
    assert len({first.uid, whole.uid, *(one.uid for one in other)}) == 4
    assert await database.fetchval("SELECT count(*) FROM audit_entries WHERE verb = 'close'") == 4
    await service.lift(people.dora, first.uid)
    assert (await service.close(people.dora, both, span, reason="换灯")).uid != first.uid
