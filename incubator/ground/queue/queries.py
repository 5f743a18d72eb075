"""The queue as operators see it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from incubator.ground import clock, database
from incubator.ground.jsons import loads


class JobRow(msgspec.Struct, frozen=True):
    """One job; `late_s` is how long it waits beyond its time, 0 when not late."""

    id: int
    handler: str
    key: str | None
    args: dict[str, Any]
    run_at: datetime
    state: str
    attempts: int
    started_at: datetime | None
    finished_at: datetime | None
    lateness_ms: int | None
    result: str
    error: str
    late_s: int


class QueueState(msgspec.Struct, frozen=True):
    """How many jobs are in which condition, and the age of the oldest late one in seconds."""

    waiting: int
    late: int
    running: int
    failed: int
    done_today: int
    oldest_late_s: int
    facts_waiting: int


LATE_AFTER = timedelta(seconds=5)


async def state() -> QueueState:
    """Count the queue in one query."""
    now = clock.now()
    row = await database.fetchrow(
        """SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
                  count(*) FILTER (WHERE state = 'waiting' AND run_at < $1) AS late,
                  count(*) FILTER (WHERE state = 'running') AS running,
                  count(*) FILTER (WHERE state = 'failed') AS failed,
                  count(*) FILTER (WHERE state = 'done' AND finished_at > $2) AS done,
                  min(run_at) FILTER (WHERE state = 'waiting' AND run_at < $1) AS oldest,
                  (SELECT count(*) FROM facts WHERE relayed_at IS NULL) AS facts
           FROM jobs""",
        now - LATE_AFTER, now - timedelta(days=1),
    )
    oldest = int((now - row["oldest"]).total_seconds()) if row["oldest"] else 0
    return QueueState(row["waiting"], row["late"], row["running"], row["failed"], row["done"], oldest, row["facts"])


CONDITIONS = {
    "waiting": "state = 'waiting' AND run_at >= $1",
    "late": "state = 'waiting' AND run_at < $1",
    "running": "state = 'running' AND $1::timestamptz IS NOT NULL",
    "failed": "state = 'failed' AND $1::timestamptz IS NOT NULL",
    "done": "state = 'done' AND $1::timestamptz IS NOT NULL",
}


async def jobs(condition: str, limit: int = 100, before_id: int | None = None) -> list[JobRow]:
    """Return jobs in one condition (`waiting late running failed done`), the next due or the newest first.

    Raises:
        KeyError: another condition.
    """
    now = clock.now()
    order = "run_at, id" if condition in ("waiting", "late") else "id DESC"
    rows = await database.fetch(
        f"""SELECT id, handler, key, args, run_at, state, attempts, started_at, finished_at, lateness_ms, result, error
            FROM jobs WHERE {CONDITIONS[condition]} AND ($2::bigint IS NULL OR id < $2) ORDER BY {order} LIMIT $3""",
        now - LATE_AFTER, before_id, limit,
    )
    return [_row(row, now) for row in rows]


def _row(row: Any, now: datetime) -> JobRow:
    late = int((now - row["run_at"]).total_seconds()) if row["state"] == "waiting" else 0
    return JobRow(row["id"], row["handler"], row["key"], loads(row["args"]), row["run_at"], row["state"], row["attempts"],
                  row["started_at"], row["finished_at"], row["lateness_ms"], row["result"], row["error"], max(late, 0))
