"""A merchant that leaves: not while something is booked, and then without rights from the next request on."""

import pytest

from booking.reservations import leaving, queries, service
from booking.reservations.leaving import StillBooked
from booking.reservations.refusals import MerchantPaused
from frontend.composition import answer_questions
from incubator.accounts import queries as accounts
from incubator.ground import clock
from incubator.ground.errors import Forbidden, NotFound
from incubator.ground.rights import Actor, Role
from incubator.merchants import questions, service as merchants
from tests.booking.conftest import Rooms, at, booked, wish
from tests.people import People


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "may_leave", [])
    answer_questions()


async def now(actor: Actor) -> Actor:
    found = await accounts.actor_of(actor.person_id or 0)
    assert found is not None
    return found


def test_the_house_asks_booking(asked: None) -> None:
    assert questions.may_leave == [leaving.refuse_while_booked]


async def test_not_while_something_is_booked(people: People, rooms: Rooms) -> None:
    first, second = await booked(people.alice, rooms.one, at(15)), await booked(people.alice, rooms.two, at(15, day=1))
    await booked(people.charlie, rooms.one, at(19))
    with pytest.raises(StillBooked) as refusal:
        await merchants.set_status(people.mia, people.sunrise_id, 1, "left", "moved away")
    assert refusal.value.params["bookings"] == [first.number, second.number]
    assert (await now(people.alice)).belongs_to(people.sunrise_id)
    with clock.frozen_at(at(16)), pytest.raises(StillBooked):
        await merchants.set_status(people.mia, people.sunrise_id, 1, "left", "moved away")
    await service.cancel(people.alice, second.uid)
    with clock.frozen_at(at(17)):
        await merchants.set_status(people.mia, people.sunrise_id, 1, "left", "moved away")


async def test_its_people_have_no_rights_through_it(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.bob, wish(rooms.one, at(19)), hold=True, page_key="a")
    await merchants.set_status(people.mia, people.sunrise_id, 1, "left", "moved away")
    alice, bob = await now(people.alice), await now(people.bob)
    assert alice.merchant_ids == bob.merchant_ids == frozenset()
    assert alice.merchant_id is None
    with pytest.raises((Forbidden, NotFound)):
        await service.reserve(alice, wish(rooms.two, at(15), merchant_id=people.sunrise_id))
    with pytest.raises(MerchantPaused):
        await service.confirm(people.bob, held.uid)
    with pytest.raises(merchants.MerchantLeft):
        await merchants.add_member(people.dora, people.sunrise_id, "13800000003", [Role.MEMBER])
    await merchants.set_status(people.mia, people.sunrise_id, 2, "active", "came back")
    assert (await now(people.alice)).belongs_to(people.sunrise_id, Role.OWNER)


async def test_a_paused_one_keeps_what_it_has_booked(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await merchants.set_status(people.mia, people.sunrise_id, 1, "paused", "licence expired")
    assert (await queries.reservation(await now(people.bob), made.uid)).state == "confirmed"
