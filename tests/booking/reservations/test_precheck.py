"""What a check offers instead: only what would pass."""

from datetime import timedelta

import msgspec
import pytest

from booking.offers import queries as offers
from booking.reservations import service
from booking.reservations.planning import for_whom
from booking.reservations.precheck import precheck
from incubator.ground.errors import Forbidden
from incubator.ground.values import Span
from tests.booking.conftest import Rooms, at, booked, wish
from tests.people import People


async def test_precheck_offers_only_what_would_pass(people: People, rooms: Rooms) -> None:
    far = await precheck(people.alice, wish(rooms.one, at(15) + timedelta(days=90)))
    assert [finding.code for finding in far.findings if not finding.is_ok] == ["too-far-ahead"]
    assert far.alternatives == ()
    await booked(people.charlie, rooms.one, at(20))
    taken = await precheck(people.alice, wish(rooms.one, at(20)))
    assert taken.alternatives
    assert {one.change for one in taken.alternatives} <= {"shifted", "other_space", "shorter"}
    await booked(people.alice, rooms.one, at(12), 7)
    short = await precheck(people.alice, wish(rooms.two, at(12), 5))
    assert [finding.code for finding in short.findings if not finding.is_ok] == ["over-quota"]
    assert [one.change for one in short.alternatives] == ["shorter"]


@pytest.mark.parametrize("acts_for_it", [True, False])
async def test_for_whom_is_the_same_for_check_and_verb(people: People, rooms: Rooms, acts_for_it: bool) -> None:
    merchant_id = people.sunrise_id if acts_for_it else None
    alice = msgspec.structs.replace(people.alice, merchant_id=merchant_id)
    clerk = msgspec.structs.replace(people.dora, merchant_id=merchant_id, grants=(*people.dora.grants, *people.alice.grants))
    for actor, unit, whom in ((alice, rooms.one, people.sunrise_id), (clerk, rooms.two, None)):
        nobody_named = wish(unit, at(15))
        assert ((await precheck(actor, nobody_named)).quota is None) == (whom is None)
        assert (await service.reserve(actor, nobody_named)).merchant_id == whom
        assert for_whom(actor, people.site.id, people.other_id) == people.other_id


async def test_whoever_belongs_to_two_merchants_names_one(people: People, rooms: Rooms) -> None:
    of_both = msgspec.structs.replace(people.alice, merchant_id=None, grants=(*people.alice.grants, *people.charlie.grants))
    for ask in (precheck, service.reserve):
        with pytest.raises(Forbidden):
            await ask(of_both, wish(rooms.one, at(15)))


async def test_alternatives_stay_within_the_days_that_are_open(people: People, rooms: Rooms) -> None:
    last = at(19) + timedelta(days=rooms.one.ahead_days)
    await booked(people.charlie, rooms.one, last)
    found = await offers.alternatives_to(people.site, rooms.one, Span(last, last + timedelta(hours=2)))
    assert found
    assert {people.site.local_date(one.starts_at) for one in found} == {people.site.local_date(last)}
    beyond = Span(last + timedelta(days=1), last + timedelta(days=1, hours=2))
    assert await offers.alternatives_to(people.site, rooms.one, beyond) == []
