"""The history of one thing or one merchant, for pages."""

from datetime import datetime
from typing import Any

import msgspec

from incubator.ground import database
from incubator.ground.jsons import loads


class Entry(msgspec.Struct, frozen=True):
    """One deed; `before` and `after` are None where the thing did not exist, `is_house`: no person and no tablet did it.

    `is_tablet`: a room's tablet did it, and `actor` is its label.
    """

    id: int
    at: datetime
    actor: str
    verb: str
    thing: str
    thing_id: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str
    actor_latin: str
    is_house: bool
    is_tablet: bool


ENTRIES = """
SELECT e.id, e.at, e.actor, e.verb, e.thing, e.thing_id, e.before, e.after, e.reason, coalesce(p.name_latin, '') AS actor_latin,
       e.person IS NULL AND e.device IS NULL AS is_house, e.person IS NULL AND e.device IS NOT NULL AS is_tablet
FROM audit_entries e LEFT JOIN people p ON p.id = e.person"""


def _entry(row: Any) -> Entry:
    return Entry(row["id"], row["at"], row["actor"], row["verb"], row["thing"], row["thing_id"],
                 loads(row["before"]), loads(row["after"]), row["reason"], row["actor_latin"], row["is_house"], row["is_tablet"])


async def history_of(thing: str, thing_id: int, limit: int = 50) -> list[Entry]:
    """Return the newest entries of one thing, newest first."""
    rows = await database.fetch(
        f"{ENTRIES} WHERE e.thing = $1 AND e.thing_id = $2 ORDER BY e.id DESC LIMIT $3", thing, thing_id, limit)
    return [_entry(row) for row in rows]


async def history_of_merchant(merchant_id: int, limit: int = 50) -> list[Entry]:
    """Return the newest entries of one merchant, whatever thing they concern, newest first by the time that they bear."""
    rows = await database.fetch(
        f"{ENTRIES} WHERE e.merchant = $1 ORDER BY e.at DESC, e.id DESC LIMIT $2", merchant_id, limit)
    return [_entry(row) for row in rows]
