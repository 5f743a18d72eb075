"""Carries facts to jobs and due jobs to arq; holds nothing itself, so it may die and run twice at any moment."""

import asyncio
from datetime import timedelta

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from incubator.ground import clock, database
from incubator.ground.queue.outcomes import outcome
from incubator.ground.queue.registry import Registry

log = structlog.get_logger()
QUEUE_NAME = "kaibo:jobs"
PERIOD_S = 0.1
RESEND_AFTER = timedelta(seconds=15)


async def spread_facts(registry: Registry, limit: int = 200) -> int:
    """Turn waiting facts into one job per handler, and return how many facts were spread; repeats change nothing."""
    async with database.transaction():
        rows = await database.fetch(
            "SELECT id, kind, payload, request_id FROM facts WHERE relayed_at IS NULL ORDER BY id LIMIT $1"
            " FOR NO KEY UPDATE SKIP LOCKED", limit,
        )
        now = clock.now()
        for row in rows:
            for handler in registry.by_fact.get(row["kind"], ()):
                await database.execute(
                    "INSERT INTO jobs (handler, fact, args, run_at, request_id, created_at) VALUES ($1, $2, $3, $4, $5, $4)"
                    " ON CONFLICT ON CONSTRAINT job_once DO NOTHING",
                    handler, row["id"], row["payload"], now, row["request_id"],
                )
        await database.execute("UPDATE facts SET relayed_at = $2 WHERE id = ANY($1)", [row["id"] for row in rows], now)
    return len(rows)


async def plan_recurring(registry: Registry) -> None:
    """Plan each recurring handler whose last round is done; the key makes it one round in the whole installation.

    A last round that lies ahead is of a clock that was turned back since: it does not hold up the next.
    """
    now = clock.now()
    for name, period in registry.recurring.items():
        await database.execute(
            "INSERT INTO jobs (handler, key, run_at, created_at) VALUES ($1, $2, $3, $3)"
            " ON CONFLICT (key) DO UPDATE SET state = 'waiting', round = jobs.round + 1, attempts = 0, sent_at = NULL,"
            " run_at = $3 WHERE jobs.state IN ('done', 'failed', 'cancelled') AND jobs.run_at NOT BETWEEN $4 AND $3",
            name, f"every:{name}", now, now - period,
        )


async def sweep() -> int:
    """Give back jobs whose worker vanished, and return how many."""
    return await database.execute(
        "UPDATE jobs SET state = 'waiting', sent_at = NULL, claimed_until = NULL, error = $1"
        " WHERE state = 'running' AND claimed_until < now()", outcome("worker_vanished"))


async def send_due(redis: ArqRedis, limit: int = 200) -> int:
    """Hand due jobs to arq, and return how many; a lost wake-up is sent again after a while.

    A job is due by business time, and arq runs it at once: no moment ever becomes real time, so a shifted clock holds for
    jobs that were planned before the shift, too.
    """
    rows = await database.fetch(
        "UPDATE jobs SET sent_at = now() WHERE id IN ("
        "  SELECT id FROM jobs WHERE state = 'waiting' AND run_at <= $1 AND (sent_at IS NULL OR sent_at < now() - $3::interval)"
        "  ORDER BY run_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)"
        " RETURNING id, round, attempts, extract(epoch FROM sent_at) AS sent",
        clock.now(), limit, RESEND_AFTER,
    )
    for row in rows:
        # arq silently refuses an id that it knows: round, attempt and moment make each wake-up a new one
        wake_up = f"{row['id']}:{row['round']}:{row['attempts']}:{row['sent']}"
        await redis.enqueue_job("run_job", row["id"], _job_id=wake_up, _queue_name=QUEUE_NAME)
    return len(rows)


async def unsend() -> None:
    """Forget what was sent: after Redis came back empty, everything due is sent anew."""
    await database.execute("UPDATE jobs SET sent_at = NULL WHERE state = 'waiting' AND sent_at IS NOT NULL")


async def relay(registry: Registry, redis: ArqRedis, stop: asyncio.Event) -> None:
    """Spread facts and send due jobs until `stop`; outages of database or Redis are waited out."""
    was_away = True
    rounds = 0
    while not stop.is_set():
        busy = 0
        try:
            busy = await spread_facts(registry)
            if rounds % 20 == 0:
                await plan_recurring(registry)
                await sweep()
            if was_away:
                await redis.ping()
                await unsend()
                was_away = False
            busy += await send_due(redis)
        except (*database.LOST, RedisError) as error:
            log.warning("relay waits", why=f"{type(error).__name__}: {error}")
            was_away = True
            await asyncio.sleep(1)
        rounds += 1
        if not busy:
            await asyncio.sleep(PERIOD_S)
