"""Move: room, times and title, by version."""

from datetime import timedelta

import pytest

from booking.reservations import queries, service
from booking.reservations.refusals import (
    HasBegun,
    OverQuota,
    SlotTaken,
)
from booking.reservations.service import Changes
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, NotFound, Stale
from tests.booking.conftest import Rooms, at, booked
from tests.people import People

LATER = timedelta(minutes=6)


async def test_move(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    moved = await service.move(people.bob, made.uid, Changes(at(16), at(19), rooms.two.uid, "新题"), version=1)
    assert (moved.unit_id, moved.starts_at, moved.ends_at) == (rooms.two.id, at(16), at(19))
    assert (moved.title, moved.version) == ("新题", 2)
    assert moved.number == made.number
    assert moved.blocked.starts_at == at(15, 45)
    await booked(people.charlie, rooms.one, at(15))
    assert await database.fetchval("SELECT count(*) FROM allocations WHERE reservation = $1 AND holds", made.id) == 2


async def test_move_over_itself(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    moved = await service.move(people.alice, made.uid, Changes(at(15, 30), at(17, 30)), version=1)
    assert moved.span.minutes == 120


async def test_only_the_title(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(16)):
        assert (await service.move(people.alice, made.uid, Changes(title="新题"), version=1)).title == "新题"


async def test_a_stale_move(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await service.move(people.dora, made.uid, Changes(title="别的"), version=1)
    with pytest.raises(Stale):
        await service.move(people.alice, made.uid, Changes(title="新题"), version=1)


async def test_move_onto_somebody(people: People, rooms: Rooms) -> None:
    await booked(people.charlie, rooms.two, at(15))
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(SlotTaken) as refusal:
        await service.move(people.alice, made.uid, Changes(unit_uid=rooms.two.uid), version=1)
    assert refusal.value.extra["alternatives"]
    assert (await queries.reservation(people.alice, made.uid)) == made


async def test_move_beyond_the_quota(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.two, at(8, day=7), 9)
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(OverQuota):
        await service.move(people.alice, made.uid, Changes(at(15, day=8), at(17, day=8)), version=1)


async def test_a_stranger_changes_nothing(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    for refused in (service.move(people.charlie, made.uid, Changes(title="x"), version=1),
                    service.extend(people.charlie, made.uid, 15), service.end_early(people.charlie, made.uid),
                    service.cancel(people.charlie, made.uid), service.mark_no_show(people.charlie, made.uid)):
        with pytest.raises(NotFound):
            await refused
    for refused in (service.move(people.aud, made.uid, Changes(title="x"), version=1), service.cancel(people.aud, made.uid),
                    service.extend(people.aud, made.uid, 15), service.mark_no_show(people.alice, made.uid)):
        with pytest.raises(Forbidden):
            await refused


async def test_what_has_begun_stays(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(16)):
        for changes in (Changes(at(16, 15)), Changes(unit_uid=rooms.two.uid), Changes(ends_at=at(16))):
            with pytest.raises(HasBegun):
                await service.move(people.alice, made.uid, changes, version=1)
        assert (await service.move(people.alice, made.uid, Changes(ends_at=at(16, 30)), version=1)).ends_at == at(16, 30)
