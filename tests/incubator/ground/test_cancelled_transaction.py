"""A transaction that is cancelled at any moment gives its connection back, and never in the middle of a transaction."""

import asyncio

import asyncpg

from incubator.ground import database
from tests.conftest import Scratch


async def test_no_connection_is_leaked(scratch: Scratch) -> None:
    async def work() -> None:
        async with database.transaction():
            await database.fetchval("SELECT pg_sleep(0.0005)")

    for step in range(300):
        task = asyncio.create_task(work())
        await asyncio.sleep(step * 0.00001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert database.DB.pool is not None
    assert database.DB.pool.get_idle_size() == database.DB.pool.get_size()
    admin = await asyncpg.connect(scratch.dsn)
    left = await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()")
    await admin.close()
    assert left == 0
