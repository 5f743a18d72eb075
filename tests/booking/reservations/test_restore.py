"""Restore: what was cancelled or marked as no-show a moment ago stands again, with its number, if its time is free."""

from datetime import timedelta

import pytest

from booking.calendars import service as calendars
from booking.calendars.service import Extent
from booking.checkin.service import check_in
from booking.policies.queries import quota_of
from booking.reservations import jobs, queries, service
from booking.reservations.refusals import OverQuota, Past, RoomClosed, SlotTaken, TooLate, WrongState
from booking.reservations.undoing import restore
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, NotFound, Stale
from incubator.ground.values import Span
from tests.booking.conftest import NOW, Rooms, at, booked
from tests.people import People


async def test_it_works(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    code = await queries.check_in_code(people.alice, made.uid)
    gone = await service.cancel(people.alice, made.uid, reason="弄错了")
    back = await restore(people.bob, made.uid, version=gone.version)
    assert (back.state, back.number, back.span, back.blocked) == ("confirmed", made.number, made.span, made.blocked)
    assert (back.reason, back.closed_at) == ("", None)
    assert await queries.check_in_code(people.alice, made.uid) == code
    assert (await quota_of(people.sunrise_id, people.site.id, at(15), NOW)).used_min == 120
    for room in (rooms.one, rooms.two):
        with pytest.raises(SlotTaken):  # the room, and the host in another room
            await booked(people.alice, room, at(15), host_id=people.bob.person_id)
    assert await database.fetchval("SELECT verb FROM audit_entries ORDER BY id DESC LIMIT 1") == "restore"
    assert await database.fetchval("SELECT kind FROM facts ORDER BY id DESC LIMIT 1") == "ReservationConfirmed"


async def test_people_are_told_of_both(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    args = {"reservation": made.id}
    assert await jobs.tell_confirmed(args) == "told count=1"
    await service.cancel(people.alice, made.uid)
    assert await jobs.tell_cancelled(args) == "told count=1"
    await restore(people.alice, made.uid)
    assert await jobs.tell_confirmed(args) == "told count=1"


async def test_a_no_show_that_came_after_all(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(15, 20)):
        await service.mark_no_show(people.dora, made.uid)
        with pytest.raises(Forbidden):
            await restore(people.alice, made.uid)
        assert (await restore(people.dora, made.uid)).state == "confirmed"
        assert (await quota_of(people.sunrise_id, people.site.id, at(15), clock.now())).used_min == 120


async def test_who_had_checked_in_checks_in_again(people: People, rooms: Rooms) -> None:
    """A check-in opens the room at its time; undone and moved elsewhere it must open nothing."""
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(made.blocked.starts_at):
        await check_in(people.dora, made.uid)
        await service.cancel(people.alice, made.uid)
        back = await restore(people.alice, made.uid)
        assert (back.state, back.checked_in_at) == ("confirmed", None)
        assert (await check_in(people.dora, made.uid)).state == "checked_in"


async def test_somebody_was_faster(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await service.cancel(people.alice, made.uid)
    await booked(people.charlie, rooms.one, at(16))
    with pytest.raises(SlotTaken) as refusal:
        await restore(people.alice, made.uid)
    assert refusal.value.extra["alternatives"]
    assert (await queries.reservation(people.alice, made.uid)).state == "cancelled"


async def test_the_week_was_used_up_meanwhile(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), 5)
    await service.cancel(people.alice, made.uid)
    await booked(people.alice, rooms.two, at(12), 6)
    with pytest.raises(OverQuota):
        await restore(people.alice, made.uid)


async def test_closed_meanwhile(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await service.cancel(people.alice, made.uid)
    await calendars.close(people.dora, Extent((rooms.one.id,)), Span(at(16), at(18)), reason="检修")
    with pytest.raises(RoomClosed):
        await restore(people.alice, made.uid)


async def test_too_late(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(12, 15))
    with pytest.raises(WrongState):
        await restore(people.alice, made.uid)
    with clock.frozen_at(at(12, 14)):
        await service.cancel(people.alice, made.uid)
    with clock.frozen_at(at(12, 15)), pytest.raises(Past):
        await restore(people.alice, made.uid)
    with clock.frozen_at(at(12, 14) + timedelta(minutes=10)), pytest.raises(TooLate):
        await restore(people.alice, made.uid)


async def test_whose_it_is_not(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    gone = await service.cancel(people.alice, made.uid)
    with pytest.raises(NotFound):
        await restore(people.charlie, made.uid)
    with pytest.raises(Forbidden):
        await restore(people.aud, made.uid)
    with pytest.raises(Stale):
        await restore(people.alice, made.uid, version=gone.version - 1)
