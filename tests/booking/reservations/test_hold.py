"""Hold and confirm: one hold per page, five minutes, then it is anybody's."""

from datetime import timedelta

import pytest

from booking.reservations import jobs, queries, rules, service
from booking.reservations.refusals import (
    HoldExpired,
    SlotTaken,
    TooManyHolds,
    WrongState,
)
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound
from tests.booking.conftest import NOW, Rooms, at, booked, wish
from tests.people import People

LATER = timedelta(minutes=6)


async def test_hold_and_confirm(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert (held.state, held.number, held.hold_until) == ("held", None, NOW + timedelta(minutes=5))
    assert await database.fetchval("SELECT count(*) FROM audit_entries WHERE thing = 'reservation'") == 0
    with pytest.raises(SlotTaken):
        await booked(people.charlie, rooms.one, at(15))
    made = await service.confirm(people.alice, held.uid, title="专场")
    assert (made.state, made.title, made.hold_until) == ("confirmed", "专场", None)
    assert made.number is not None
    assert len(await queries.check_in_code(people.alice, made.uid)) == 4
    with pytest.raises(WrongState):
        await service.confirm(people.alice, held.uid)


async def test_a_page_has_one_hold(people: People, rooms: Rooms) -> None:
    first = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    await service.reserve(people.alice, wish(rooms.one, at(15, 30)), hold=True, page_key="a")
    other = await service.reserve(people.alice, wish(rooms.two, at(15)), hold=True, page_key="b")
    assert (await queries.reservation(people.alice, first.uid)).state == "expired"
    assert (await queries.reservation(people.alice, other.uid)).state == "held"
    made = await service.reserve(people.alice, wish(rooms.one, at(15, 30)), page_key="a")
    assert made.state == "confirmed"


async def test_a_hold_needs_its_page(people: People, rooms: Rooms) -> None:
    with pytest.raises(Invalid):
        await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True)
    for key in ("x" * 101, "a\x00"):
        with pytest.raises(Invalid):
            await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key=key)


async def test_a_key_that_cannot_be_finds_no_hold(people: People, rooms: Rooms) -> None:
    await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a" * 100)
    assert len(await queries.held_by(people.alice, "a" * 100)) == 1
    for key in (None, "a" * 101, "a\x00"):
        assert await queries.held_by(people.alice, key) == []


async def test_a_person_keeps_few_slots_and_the_desk_more(
        people: People, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another page is another hold, so without a bound one person could keep the whole day."""
    monkeypatch.setattr(rules, "MOST_HOLDS", 3)
    monkeypatch.setattr(rules, "MOST_HOLDS_OF_STAFF", 10)
    hours = [at(8 + 2 * hour, day=day) for day in (1, 2) for hour in range(6)]
    for actor, most in ((people.alice, 3), (people.dora, 10)):
        unit = rooms.one if actor is people.alice else rooms.meeting
        for number in range(most):
            await service.reserve(actor, wish(unit, hours[number], 1), hold=True, page_key=f"page {number}")
        with pytest.raises(TooManyHolds) as refusal:
            await service.reserve(actor, wish(unit, hours[most], 1), hold=True, page_key="one more")
        assert refusal.value.params["most"] == most
        await service.reserve(actor, wish(unit, hours[most], 1), hold=True, page_key="page 0")
    await service.reserve(people.bob, wish(rooms.two, at(15), 1), hold=True, page_key="his own")
    await service.reserve(people.alice, wish(rooms.two, at(18), 1))
    with clock.frozen_at(NOW + LATER):
        await service.reserve(people.alice, wish(rooms.one, at(15), 1), hold=True, page_key="later")


async def test_a_run_out_hold(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    with clock.frozen_at(NOW + LATER):
        with pytest.raises(HoldExpired):
            await service.confirm(people.alice, held.uid)
        made = await booked(people.charlie, rooms.one, at(15))  # the next writer releases it
        assert made.state == "confirmed"
        assert (await queries.reservation(people.alice, held.uid)).state == "expired"
        with pytest.raises(HoldExpired):
            await service.confirm(people.alice, held.uid)


async def test_holds_are_released_and_deleted_by_job(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert await jobs.release_holds({}) == "released count=0 deleted=0"
    with clock.frozen_at(NOW + LATER):
        assert await jobs.release_holds({}) == "released count=1 deleted=0"
        assert (await queries.reservation(people.alice, held.uid)).state == "expired"
    with clock.frozen_at(NOW + timedelta(days=2)):
        assert await jobs.release_holds({}) == "released count=0 deleted=1"
        assert await queries.facts(held.id) is None


async def test_somebody_elses_hold(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    with pytest.raises(Forbidden):
        await service.confirm(people.bob, held.uid)
    with pytest.raises(NotFound):
        await service.confirm(people.charlie, held.uid)


async def test_a_page_gives_its_hold_back_and_no_booking(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert await service.release(people.bob, "a") == []
    assert await service.release(people.alice, "a") == [held.id]
    assert await service.release(people.alice, "a") == []
    again = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    await service.confirm(people.alice, again.uid)
    assert await service.release(people.alice, "a") == []
    assert (await queries.reservation(people.alice, again.uid)).state == "confirmed"
