"""Extend: later by whole steps, while free."""

from datetime import timedelta

import pytest

from booking.reservations import queries, service
from booking.reservations.refusals import (
    OutsideHours,
    SlotTaken,
)
from incubator.ground import clock
from incubator.ground.errors import Invalid
from tests.booking.conftest import Rooms, at, booked
from tests.people import People

LATER = timedelta(minutes=6)


async def test_extend(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await booked(people.charlie, rooms.one, at(18))
    assert await queries.extension_room(made) == 30
    with clock.frozen_at(at(16, 50)):
        longer = await service.extend(people.alice, made.uid, 30)
        assert (longer.ends_at, longer.version) == (at(17, 30), 2)
        assert await queries.extension_room(longer) == 0
        with pytest.raises(SlotTaken):
            await service.extend(people.alice, made.uid, 15)
        for minutes in (0, -15, 7, 100_000):
            with pytest.raises(Invalid):
                await service.extend(people.alice, made.uid, minutes)


async def test_extend_past_closing(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(20))
    with pytest.raises(OutsideHours):
        await service.extend(people.alice, made.uid, 15)
