"""Facts and jobs are rows: published, planned, moved and retried in the transaction of the verb that wants them."""

from datetime import datetime
from typing import Any

from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Conflict, Forbidden, NotFound
from incubator.ground.jsons import dumps
from incubator.ground.rights import Actor, Role


class JobNotFailed(Conflict):
    """Only a failed job can be retried by hand."""

    code = "job-not-failed"
    msgid = N_("This job has not failed, so there is nothing to retry.")


async def publish(kind: str, payload: dict[str, Any], request_id: str = "") -> None:
    """Write a fact into the outbox; inside the transaction of the deed, so both happen or neither.

    `payload` holds ids only: a handler reads what is true when it runs.
    """
    await database.execute(
        "INSERT INTO facts (kind, payload, request_id, created_at) VALUES ($1, $2, $3, $4)",
        kind, dumps(payload), request_id, clock.now(),
    )


async def plan(handler: str, key: str, run_at: datetime, args: dict[str, Any] | None = None, request_id: str = "") -> None:
    """Plan a keyed job, or move and revive the one that has this key; `run_at` is business time.

    A round in progress is not disturbed: its end does not mark the newly planned round as done.
    """
    await database.execute(
        "INSERT INTO jobs (handler, key, args, run_at, request_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (key) DO UPDATE SET handler = excluded.handler, args = excluded.args, run_at = excluded.run_at,"
        " request_id = excluded.request_id, state = 'waiting', round = jobs.round + 1, attempts = 0, sent_at = NULL,"
        " claimed_until = NULL, error = '', result = ''",
        handler, key, dumps(args or {}), run_at, request_id, clock.now(),
    )


async def unplan(key: str) -> bool:
    """Cancel the waiting job with this key, and return whether there was one."""
    return bool(await database.execute(
        "UPDATE jobs SET state = 'cancelled', round = round + 1, finished_at = $2 WHERE key = $1 AND state = 'waiting'",
        key, clock.now(),
    ))


def can_see_jobs(actor: Actor) -> bool:
    """May this actor look at the queue?"""
    return actor.has(Role.OPERATOR, Role.ADMIN, Role.AUDITOR)


def can_retry(actor: Actor) -> bool:
    """May this actor have a failed job run again?"""
    return actor.has(Role.OPERATOR, Role.ADMIN)


async def retry(actor: Actor, job_id: int) -> None:
    """Run a failed job again, with all its tries.

    Raises:
        Forbidden: only studio operators and administrators may.
        NotFound: no such job.
        JobNotFailed: it is waiting, running, done or cancelled.
    """
    if not can_retry(actor):
        raise Forbidden()
    async with database.transaction():
        state = await database.fetchval("SELECT state FROM jobs WHERE id = $1 FOR NO KEY UPDATE", job_id)
        if state is None:
            raise NotFound()
        if state != "failed":
            raise JobNotFailed()
        await database.execute(
            "UPDATE jobs SET state = 'waiting', round = round + 1, attempts = 0, sent_at = NULL, run_at = $2 WHERE id = $1",
            job_id, clock.now(),
        )
        await record(actor, "retry", "job", job_id)
