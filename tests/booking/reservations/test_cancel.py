"""Cancel: before it begins, or a hold at any time."""

from datetime import timedelta

import pytest

from booking.policies.queries import quota_of
from booking.reservations import service
from booking.reservations.refusals import (
    HasBegun,
    WrongState,
)
from incubator.ground import clock
from incubator.ground.errors import Invalid
from incubator.ground.values import LONGEST_REASON
from tests.booking.conftest import NOW, Rooms, at, booked, wish
from tests.people import People

LATER = timedelta(minutes=6)


async def test_cancel(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    gone = await service.cancel(people.bob, made.uid, reason="主播病了")
    assert (gone.state, gone.reason, gone.closed_at) == ("cancelled", "主播病了", NOW)
    assert (await quota_of(people.sunrise_id, people.site.id, at(15), NOW)).used_min == 0
    await booked(people.charlie, rooms.one, at(15))
    with pytest.raises(WrongState):
        await service.cancel(people.alice, made.uid)


async def test_cancel_too_late(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(15)), pytest.raises(HasBegun):
        await service.cancel(people.alice, made.uid)


async def test_a_long_reason_is_refused_and_nothing_cancelled(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(Invalid) as refusal:
        await service.cancel(people.alice, made.uid, reason="病" * (LONGEST_REASON + 1))
    assert refusal.value.errors[0].field == "reason"
    assert (await service.cancel(people.alice, made.uid, reason="病" * LONGEST_REASON)).reason == "病" * LONGEST_REASON


async def test_cancel_a_hold(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert (await service.cancel(people.alice, held.uid)).state == "expired"
    await booked(people.charlie, rooms.one, at(15))
