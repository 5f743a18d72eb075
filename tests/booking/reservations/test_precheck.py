"""What a check offers instead: only what would pass."""

from datetime import timedelta

from booking.offers import queries as offers
from booking.reservations.precheck import precheck
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


async def test_alternatives_stay_within_the_days_that_are_open(people: People, rooms: Rooms) -> None:
    last = at(19) + timedelta(days=rooms.one.ahead_days)
    await booked(people.charlie, rooms.one, last)
    found = await offers.alternatives_to(people.site, rooms.one, Span(last, last + timedelta(hours=2)))
    assert found
    assert {people.site.local_date(one.starts_at) for one in found} == {people.site.local_date(last)}
    beyond = Span(last + timedelta(days=1), last + timedelta(days=1, hours=2))
    assert await offers.alternatives_to(people.site, rooms.one, beyond) == []
