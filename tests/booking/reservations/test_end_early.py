"""End early: room and quota get the rest back."""

from datetime import timedelta

import pytest

from booking.policies.queries import quota_of
from booking.reservations import service
from booking.reservations.refusals import (
    NotBegun,
    WrongState,
)
from incubator.ground import clock
from tests.booking.conftest import Rooms, at, booked
from tests.people import People

LATER = timedelta(minutes=6)


async def test_end_early(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    with pytest.raises(NotBegun):
        await service.end_early(people.alice, made.uid)
    with clock.frozen_at(at(16) - timedelta(seconds=20)):
        ended = await service.end_early(people.alice, made.uid)
        assert (ended.state, ended.ends_at, ended.blocked.ends_at) == ("finished", at(16), at(16, 15))
        assert (await quota_of(people.sunrise_id, people.site.id, at(15), clock.now())).used_min == 60
        await booked(people.charlie, rooms.one, at(16, 30))
        with pytest.raises(WrongState):
            await service.end_early(people.alice, made.uid)
