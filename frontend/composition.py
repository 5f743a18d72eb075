"""Puts a process together: database, secrets, clock and Redis; every entry point uses it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from booking.reservations import questions
from booking.reservations.leaving import refuse_while_booked
from frontend import logs
from incubator.ground import database, secrets
from incubator.ground.settings import Settings, refuse_public_demo
from incubator.merchants import questions as merchant_questions
from incubator.sites.service import CLOCK_CHANNEL, load_clock
from studio.live_sessions.preparation import cut_off_of

# Connecting raises a bare OSError when the server is away; redis-py retries it only when told to. A server that is there and
# refuses (its disk is full, it still loads, it became a replica) is as good as away.
AWAY = (RedisError, OSError)
GOODBYE_S = 1.0


class House(msgspec.Struct, frozen=True):
    """What a running process holds."""

    settings: Settings
    redis: Any
    is_demo: bool


def connect_redis(url: str, *, tries: int = 3) -> Redis:
    """Return a client that survives a restart of the server; it connects at the first use."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), tries, supported_errors=AWAY)  # type: ignore[arg-type]  # any error
    client: Redis = Redis.from_url(url, retry=retry, retry_on_error=list(AWAY), socket_connect_timeout=2)
    return client


def answer_questions() -> None:
    """Let the floors above answer what a lower one asks; docs/tour.md lists the questions."""
    merchant_questions.may_leave[:] = [refuse_while_booked]
    questions.cut_offs[:] = [cut_off_of]


@asynccontextmanager
async def open_house(settings: Settings, *, connections: int = 10, is_brief: bool = False) -> AsyncIterator[House]:
    """Open database, secrets, clock and Redis for one process, and close them at the end.

    `is_brief`: it does one thing and ends, so the clock is read once; who leaves while still connecting to hear of it anew
    stands in the server's log as FATAL.
    """
    logs.configure(as_json=settings.log_json)
    answer_questions()
    secrets.use(secrets.keyring(settings.data, settings.secrets_key))
    if settings.database_url:
        database.configure(settings.database_url)
    await database.open_pool(max_size=connections)
    redis = connect_redis(settings.redis_url or "redis://127.0.0.1:6379")
    follower = None
    try:
        is_demo = await load_clock()
        if is_demo and not is_brief:
            refuse_public_demo(settings)
        follower = asyncio.create_task(_follow_clock()) if is_demo and not is_brief else None
        yield House(settings, redis, is_demo)
    finally:
        if follower is not None:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
        await redis.aclose()
        await database.close_pool()


async def _follow_clock() -> None:
    """Read the clock's offset again whenever it is shifted; after an outage, listen anew."""
    while True:
        try:
            await _hear_clock()
        except database.LOST:
            await asyncio.sleep(1)


async def _hear_clock() -> None:
    """Read the clock's offset whenever it is shifted, until the connection is lost."""
    heard = asyncio.Event()
    connection = await database.connect()
    try:
        await connection.add_listener(CLOCK_CHANNEL, lambda *_: heard.set())
        connection.add_termination_listener(lambda *_: heard.set())
        while not connection.is_closed():
            await load_clock()
            await heard.wait()
            heard.clear()
    finally:
        await connection.close(timeout=GOODBYE_S)  # one that is only dropped stands in the server's log as FATAL
