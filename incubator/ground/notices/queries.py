"""A person's own notices."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from incubator.ground import database
from incubator.ground.jsons import loads


class Notice(msgspec.Struct, frozen=True):
    """One notice; `read_at` None means unread."""

    uid: UUID
    msgid: str
    params: dict[str, Any]
    link: str
    created_at: datetime
    read_at: datetime | None


async def unread_count(person_id: int) -> int:
    """Return how many notices the person has not read."""
    return int(await database.fetchval("SELECT count(*) FROM notices WHERE person = $1 AND read_at IS NULL", person_id))


async def latest(person_id: int, limit: int = 50) -> list[Notice]:
    """Return the newest notices of a person, newest first."""
    rows = await database.fetch(
        "SELECT uid, msgid, params, link, created_at, read_at FROM notices WHERE person = $1 ORDER BY id DESC LIMIT $2",
        person_id, limit,
    )
    return [Notice(r["uid"], r["msgid"], loads(r["params"]), r["link"], r["created_at"], r["read_at"]) for r in rows]
