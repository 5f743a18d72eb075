"""Runs one job: claimed by a conditional update, tried with a deadline, finished, put off, or given up."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from incubator.ground import clock, database
from incubator.ground.jsons import loads
from incubator.ground.queue.registry import Registry, TryLater, Work

log = structlog.get_logger()
GRACE = timedelta(seconds=10)  # how long after its deadline a running job still belongs to the worker that claimed it


async def run_job(registry: Registry, job_id: int) -> str:
    """Run one due job and return what became of it (`skipped done put-off failed`).

    1. Claim it: only one worker's update finds it waiting and due; the others skip.
    2. Run the handler under its deadline; it reads what is true now and may be a repeat.
    3. Write the end only where the round is still the claimed one: a re-planned job keeps its new round.
    """
    job = await _claim(registry, job_id)
    if job is None:
        return "skipped"
    work = registry.handlers[job["handler"]]
    structlog.contextvars.bind_contextvars(job_id=job_id, request_id=job["request_id"])
    try:
        result = await asyncio.wait_for(work.run(loads(job["args"])), work.timeout_s)
    except TryLater as wish:
        return await _put_off(work, job, wish.delay, str(wish))
    except Exception as error:  # a handler may raise anything; it becomes a row for operators
        log.warning("job raised", handler=work.name, exc_info=True)
        return await _put_off(work, job, work.wait_after(job["attempts"]), f"{type(error).__name__}: {error}")
    finally:
        structlog.contextvars.unbind_contextvars("job_id", "request_id")
    await database.execute(
        "UPDATE jobs SET state = 'done', finished_at = $3, result = $4, error = '', claimed_until = NULL"
        " WHERE id = $1 AND round = $2 AND state = 'running'",
        job_id, job["round"], clock.now(), result or "",
    )
    return "done"


async def _claim(registry: Registry, job_id: int) -> Any:
    now = clock.now()
    handler = await database.fetchval("SELECT handler FROM jobs WHERE id = $1", job_id)
    if handler not in registry.handlers:
        return None
    lease = timedelta(seconds=registry.handlers[handler].timeout_s) + GRACE
    return await database.fetchrow(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = $2, claimed_until = now() + $3::interval,"
        " lateness_ms = (extract(epoch FROM $2 - run_at) * 1000)::bigint"
        " WHERE id = $1 AND state = 'waiting' AND run_at <= $2"
        " RETURNING id, handler, args, round, attempts, request_id",
        job_id, now, lease,
    )


async def _put_off(work: Work, job: Any, delay: timedelta, why: str) -> str:
    """Plan the next try, or give the job up and tell its give-up handler."""
    now = clock.now()
    if job["attempts"] < work.tries:
        await database.execute(
            "UPDATE jobs SET state = 'waiting', run_at = $3, error = $4, sent_at = NULL, claimed_until = NULL"
            " WHERE id = $1 AND round = $2 AND state = 'running'",
            job["id"], job["round"], now + delay, why[:2000],
        )
        return "put-off"
    given_up = await database.execute(
        "UPDATE jobs SET state = 'failed', finished_at = $3, error = $4, claimed_until = NULL"
        " WHERE id = $1 AND round = $2 AND state = 'running'",
        job["id"], job["round"], now, why[:2000],
    )
    if given_up and work.give_up is not None:
        await work.give_up(loads(job["args"]), why)
    return "failed"
