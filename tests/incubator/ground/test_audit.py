"""The audit takes entries and gives none back."""

import asyncpg
import pytest

from incubator.ground import database
from incubator.ground.audit import queries, service
from tests.people import HOUSE, People


async def test_it_works(people: People) -> None:
    await service.record(people.alice, "move", "reservation", 7, before={"unit": 1}, after={"unit": 2}, reason="larger room")
    [entry] = await queries.history_of("reservation", 7)
    assert (entry.actor, entry.verb, entry.before, entry.after) == ("Alice", "move", {"unit": 1}, {"unit": 2})


@pytest.mark.parametrize("deed", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"])
async def test_nothing_is_changed_or_deleted(db: None, deed: str) -> None:
    await service.record(HOUSE, "test", "thing", 1)
    with pytest.raises(asyncpg.RestrictViolationError):
        async with database.transaction():
            await database.execute(deed)


async def test_whole_minutes_are_sealed_once(db: None) -> None:
    await database.execute("INSERT INTO audit_entries (at, actor, verb, thing, thing_id) VALUES"
                           " (now() - interval '1 hour', 'a', 'v', 't', 1), (now() - interval '2 hours', 'a', 'v', 't', 2)")
    assert await service.seal_minutes() == 2
    assert await service.seal_minutes() == 0
    digests = [row["digest"] for row in await database.fetch("SELECT digest FROM audit_seals ORDER BY minute")]
    assert len(set(digests)) == 2
