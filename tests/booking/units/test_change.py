"""Change a unit's own data: with version and audit; bookings made before stay, later ones follow the new data."""

import pytest

from booking.calendars import service as calendars
from booking.calendars.service import Extent
from booking.reservations import queries
from booking.reservations.service import Changes, move
from booking.units import service
from booking.units.service import CodeTaken, UnitChanges
from incubator.ground import database
from incubator.ground.errors import Forbidden, Invalid, NotFound, Stale
from incubator.ground.jsons import loads
from incubator.ground.values import Span
from tests.booking.conftest import Rooms, at, booked
from tests.people import People


async def test_it_works(people: People, rooms: Rooms) -> None:
    new = UnitChanges(name="大直播间", name_en="Large room", capacity=8, setup_min=30, step_min=30)
    made = await service.change(people.mia, rooms.one.id, new, version=1)
    assert (made.name, made.name_en, made.capacity, made.setup_min, made.step_min) == ("大直播间", "Large room", 8, 30, 30)
    assert (made.version, made.code, made.teardown_min) == (2, "L1", 15)
    row = await database.fetchrow("SELECT person, before, after FROM audit_entries WHERE thing = 'unit' AND verb = 'change'")
    assert row["person"] == people.mia.person_id
    assert loads(row["before"])["setup_min"] == 15
    assert loads(row["after"])["setup_min"] == 30


async def test_bookings_made_before_keep_their_setup(people: People, rooms: Rooms) -> None:
    before = await booked(people.alice, rooms.one, at(15))
    await service.change(people.mia, rooms.one.id, UnitChanges(setup_min=60), version=1)
    assert (await queries.reservation(people.alice, before.uid)).blocked == Span(at(14, 45), at(17, 15))
    later = await booked(people.charlie, rooms.one, at(19))
    assert later.blocked.starts_at == at(18)
    moved = await move(people.alice, before.uid, Changes(at(14, 45), at(16, 45)), version=1)
    assert moved.blocked.starts_at == at(13, 45)


async def test_its_calendar(people: People, rooms: Rooms) -> None:
    free = await service.change(people.mia, rooms.one.id, UnitChanges(is_around_the_clock=True), version=1)
    assert free.calendar_id is None
    await booked(people.alice, rooms.one, at(23))
    back = await service.change(people.mia, rooms.one.id, UnitChanges(calendar_id=rooms.calendar_id), version=2)
    assert back.calendar_id == rooms.calendar_id
    with pytest.raises(NotFound):
        await service.change(people.mia, rooms.one.id, UnitChanges(calendar_id=0), version=3)


async def test_nothing_changed(people: People, rooms: Rooms) -> None:
    same = await service.change(people.mia, rooms.one.id, UnitChanges(name=rooms.one.name), version=1)
    assert same.version == 1
    assert not await database.fetchval("SELECT count(*) FROM audit_entries WHERE thing = 'unit' AND verb = 'change'")


async def test_who_may_not(people: People, rooms: Rooms) -> None:
    for actor in (people.alice, people.dora, people.olaf, people.aud):
        with pytest.raises(Forbidden):
            await service.change(actor, rooms.one.id, UnitChanges(capacity=8), version=1)


async def test_what_is_refused(people: People, rooms: Rooms) -> None:
    with pytest.raises(CodeTaken):
        await service.change(people.mia, rooms.one.id, UnitChanges(code="L2"), version=1)
    with pytest.raises(Invalid) as refusal:
        await service.change(people.mia, rooms.one.id, UnitChanges(
            code=" ", name="", step_min=1, setup_min=-5, max_use_min=20, capacity=0), version=1)
    assert {error.field for error in refusal.value.errors} == {
        "code", "name", "step_min", "setup_min", "min_use_min", "capacity"}
    assert await database.fetchval("SELECT version FROM units WHERE id = $1", rooms.one.id) == 1


async def test_which_there_is_not(people: People, rooms: Rooms) -> None:
    person = await service.unit_of_person(people.bob.person_id or 0, people.site.id)
    await service.retire(people.mia, rooms.two.id, version=1)
    for unit_id in (0, person, rooms.two.id):
        with pytest.raises(NotFound):
            await service.change(people.mia, unit_id, UnitChanges(capacity=8), version=2)


async def test_stale(people: People, rooms: Rooms) -> None:
    await calendars.close(people.dora, Extent((rooms.one.id,)), Span(at(13), at(14)), reason="检修")
    with pytest.raises(Stale):
        await service.change(people.mia, rooms.one.id, UnitChanges(capacity=8), version=1)
