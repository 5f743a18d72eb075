"""Which processes are alive: each writes its beat, health and operators read them."""

import os
import socket
from datetime import datetime, timedelta
from typing import Any

import msgspec

from incubator.ground import database
from incubator.ground.jsons import dumps, loads

STALE_AFTER = timedelta(seconds=15)


class Process(msgspec.Struct, frozen=True):
    """One process as it last described itself; `age_s` is the age of that word."""

    name: str
    kind: str
    pid: int
    started_at: datetime
    age_s: float
    detail: dict[str, Any]

    @property
    def is_alive(self) -> bool:
        """Tell whether the last beat is fresh."""
        return self.age_s < STALE_AFTER.total_seconds()


def process_name(kind: str) -> str:
    """Return a name that no other process of the installation has."""
    return f"{kind}:{socket.gethostname()}:{os.getpid()}"


async def beat(kind: str, name: str, detail: dict[str, Any] | None = None) -> None:
    """Say that this process is alive, by the database's clock."""
    await database.execute(
        "INSERT INTO heartbeats (name, kind, pid, detail) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (name) DO UPDATE SET beat_at = now(), detail = excluded.detail",
        name, kind, os.getpid(), dumps(detail or {}),
    )


async def leave(name: str) -> None:
    """Say good-bye at a clean stop, and forget processes that fell silent a day ago."""
    await database.execute("DELETE FROM heartbeats WHERE name = $1 OR beat_at < now() - interval '1 day'", name)


async def processes() -> list[Process]:
    """Return every process that beat within the last ten minutes."""
    rows = await database.fetch(
        "SELECT name, kind, pid, started_at, extract(epoch FROM now() - beat_at)::float8 AS age_s, detail FROM heartbeats"
        " WHERE beat_at > now() - interval '10 minutes' ORDER BY kind, started_at"
    )
    return [Process(r["name"], r["kind"], r["pid"], r["started_at"], r["age_s"], loads(r["detail"])) for r in rows]
