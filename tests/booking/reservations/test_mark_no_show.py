"""No-show: staff note it, the rest of the time is free, the quota stays used."""

from datetime import timedelta

import pytest

from booking.policies.queries import quota_of
from booking.reservations import service
from booking.reservations.refusals import (
    NotYet,
)
from incubator.ground import clock
from tests.booking.conftest import Rooms, at, booked
from tests.people import People

LATER = timedelta(minutes=6)


async def test_no_show(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(NotYet):
        await service.mark_no_show(people.dora, made.uid)
    with clock.frozen_at(at(15, 30)):
        assert (await service.mark_no_show(people.dora, made.uid)).state == "no_show"
        await booked(people.charlie, rooms.one, at(15, 45))
        assert (await quota_of(people.sunrise_id, people.site.id, at(15), clock.now())).used_min == 120
