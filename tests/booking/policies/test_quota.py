"""The sum of a week counts what has a quota, and nothing else."""

import pytest

from booking.policies import queries
from booking.policies.rules import QUOTA_KINDS
from incubator.ground import clock, database
from tests.booking.conftest import Rooms, at, booked
from tests.people import People


async def used(people: People) -> int:
    """Return the minutes that the merchant uses this week."""
    week, sum_of = people.site.week(at(15)), queries.used_sql("$1", "$2", "$3", "$4", "$5")
    found: int = await database.fetchval(sum_of, people.sunrise_id, week.starts_at, week.ends_at, clock.now(), [])
    return found


async def test_the_sum_follows_the_kinds(people: People, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    await booked(people.alice, rooms.one, at(15))
    await booked(people.alice, rooms.meeting, at(18), 1)
    assert await used(people) == 120
    monkeypatch.setattr(queries, "QUOTA_KINDS", QUOTA_KINDS | {"meeting_room"})
    assert await used(people) == 180
