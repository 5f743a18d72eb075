"""Booking: it works, and each refusal says why and what would work."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from booking.reservations import queries, service
from booking.reservations.refusals import (
    HostTaken,
    MerchantPaused,
    OutsideHours,
    OverQuota,
    Past,
    SetupOverlaps,
    SlotTaken,
    TooFarAhead,
)
from booking.units.queries import unit_id_of_person
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound
from incubator.ground.jsons import loads
from incubator.merchants import service as merchants
from tests.booking.conftest import HOUSE, NOW, Rooms, at, booked, wish
from tests.people import People


async def test_it_works(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), title="  铁棍\u202e山药专场\x00 ")
    assert made.state == "confirmed"
    assert made.number is not None
    assert made.number.startswith("R261123-0")
    assert made.title == "铁棍山药专场"
    assert made.merchant_id == people.sunrise_id
    assert await queries.facts(made.id) == made
    assert made.blocked.starts_at == at(14, 45)
    assert made.blocked.ends_at == at(17, 15)


async def test_it_leaves_audit_and_fact(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    entry = await database.fetchrow("SELECT verb, person, merchant, after FROM audit_entries WHERE thing = 'reservation'")
    assert (entry["verb"], entry["person"], entry["merchant"]) == ("reserve", people.alice.person_id, people.sunrise_id)
    assert loads(entry["after"])["number"] == made.number
    fact = await database.fetchrow("SELECT kind, payload FROM facts ORDER BY id DESC LIMIT 1")
    assert (fact["kind"], loads(fact["payload"])) == ("ReservationConfirmed", {"reservation": made.id})


async def test_numbers_differ(people: People, rooms: Rooms) -> None:
    made = [await booked(people.alice, room, at(15)) for room in (rooms.one, rooms.two)]
    assert made[0].number != made[1].number


async def test_a_taken_slot(people: People, rooms: Rooms) -> None:
    await booked(people.charlie, rooms.one, at(15))
    with pytest.raises(SlotTaken) as refusal:
        await booked(people.alice, rooms.one, at(16))
    choices = refusal.value.extra["alternatives"]
    assert [(c.name, c.starts_at, c.change) for c in choices][:2] == [
        ("2 号间", at(16), "other_space"), ("1 号间", at(17, 30), "shifted")]
    assert await database.fetchval("SELECT count(*) FROM reservations") == 1


async def test_setup_meets_teardown(people: People, rooms: Rooms) -> None:
    await booked(people.charlie, rooms.one, at(15))
    with pytest.raises(SetupOverlaps) as refusal:
        await booked(people.alice, rooms.one, at(17, 15))
    assert refusal.value.params["overlap"] == timedelta(minutes=15)


async def test_back_to_back(people: People, rooms: Rooms) -> None:
    await booked(people.charlie, rooms.meeting, at(15))
    await booked(people.alice, rooms.meeting, at(17))
    assert await database.fetchval("SELECT count(*) FROM allocations WHERE holds") == 2


async def test_the_past(people: People, rooms: Rooms) -> None:
    with pytest.raises(Past):
        await booked(people.alice, rooms.one, at(11, 45))


async def test_staff_give_out_the_running_step(people: People, rooms: Rooms) -> None:
    with clock.frozen_at(NOW + timedelta(minutes=7)):
        made = await booked(people.dora, rooms.one, at(12))
        assert made.merchant_id is None
        with pytest.raises(Past):
            await booked(people.alice, rooms.two, at(12))
        with pytest.raises(Past):
            await booked(people.dora, rooms.two, at(11, 45))


async def test_too_far_ahead(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.one, at(15, day=60))
    with pytest.raises(TooFarAhead) as refusal:
        await booked(people.alice, rooms.one, at(15, day=61))
    assert refusal.value.params["days"] == 60


async def test_outside_hours(people: People, rooms: Rooms) -> None:
    with pytest.raises(OutsideHours) as refusal:
        await booked(people.alice, rooms.one, at(21))
    assert refusal.value.params["opening"].ends_at == at(22)
    await booked(people.alice, rooms.one, at(20))


@pytest.mark.parametrize(("start", "end", "field"), [
    (at(15), at(15), "ends_at"), (at(17), at(15), "ends_at"), (at(15, 7), at(17), "starts_at"), (at(15), at(17, 1), "ends_at"),
    (at(15), at(15, 15), "ends_at"), (at(8, day=1), at(21, day=1), "ends_at"), (datetime(2026, 11, 23, 15), at(17), "starts_at"),  # noqa: DTZ001 -- without zone is the case
    (datetime(1, 1, 1, tzinfo=UTC), at(17), "starts_at"), (at(15), datetime(9999, 12, 31, tzinfo=UTC), "ends_at"),
])
async def test_times_that_are_none(people: People, rooms: Rooms, start: datetime, end: datetime, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.reserve(people.alice, service.Wish(rooms.one.uid, start, end))
    assert field in {error.field for error in refusal.value.errors}


async def test_all_wrong_fields_at_once(people: People, rooms: Rooms) -> None:
    with pytest.raises(Invalid) as refusal:
        await booked(people.alice, rooms.one, at(15, 7), 0.25, title="长" * 10_000)
    assert [error.field for error in refusal.value.errors] == ["title", "starts_at", "ends_at", "ends_at"]


async def test_an_unknown_space(people: People, rooms: Rooms) -> None:
    with pytest.raises(NotFound):
        await service.reserve(people.alice, service.Wish(uuid4(), at(15), at(17)))


async def test_somebody_elses_merchant(people: People, rooms: Rooms) -> None:
    with pytest.raises(NotFound):
        await booked(people.alice, rooms.one, at(15), merchant_id=people.other_id)


async def test_an_auditor_reads_only(people: People, rooms: Rooms) -> None:
    for merchant_id in (None, people.sunrise_id):
        with pytest.raises(Forbidden):
            await booked(people.aud, rooms.one, at(15), merchant_id=merchant_id)


async def test_a_paused_merchant(people: People, rooms: Rooms) -> None:
    await merchants.set_status(HOUSE, people.sunrise_id, 1, "paused", reason="test")
    with pytest.raises(MerchantPaused):
        await booked(people.alice, rooms.one, at(15))


async def test_the_quota(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.one, at(13), 5)
    await booked(people.alice, rooms.two, at(13, day=1), 4)
    with pytest.raises(OverQuota) as refusal:
        await booked(people.bob, rooms.two, at(13, day=6), 2)
    assert refusal.value.params["left"] == timedelta(hours=1)
    choice = refusal.value.extra["alternatives"][0]
    assert (choice.ends_at, choice.minutes) == (at(14, day=6), 60)
    await booked(people.bob, rooms.two, at(13, day=7), 2)
    await booked(people.bob, rooms.meeting, at(13, day=6), 2)
    await booked(people.dora, rooms.two, at(13, day=6), 2, merchant_id=people.sunrise_id)


async def test_a_host_in_two_rooms(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    assert await unit_id_of_person(people.bob.person_id or 0) is not None
    with pytest.raises(HostTaken) as refusal:
        await booked(people.alice, rooms.two, at(16), host_id=people.bob.person_id)
    assert refusal.value.params["name"] == "Bob"
    assert all(choice.starts_at >= at(17) or choice.ends_at <= at(15) for choice in refusal.value.extra["alternatives"])


async def test_a_stranger_as_host(people: People, rooms: Rooms) -> None:
    with pytest.raises(Invalid):
        await booked(people.alice, rooms.one, at(15), host_id=people.charlie.person_id)


async def test_staff_name_any_host(people: People, rooms: Rooms) -> None:
    made = await booked(people.dora, rooms.one, at(15), host_id=people.charlie.person_id)
    assert made.host_name == "Charlie"


async def test_the_constraint_stands_behind(people: People, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check under the lock, the database refuses, and the verb still says slot-taken."""
    async def nothing(*_args: object) -> list[object]:
        return []

    await booked(people.charlie, rooms.one, at(15))
    monkeypatch.setattr("booking.reservations.slots._in_the_way", nothing)
    with pytest.raises(SlotTaken) as refusal:
        await booked(people.alice, rooms.one, at(16))
    assert refusal.value.code == "slot-taken"
    assert refusal.value.extra["alternatives"]
    assert wish(rooms.one, at(16)).span.minutes == 120
