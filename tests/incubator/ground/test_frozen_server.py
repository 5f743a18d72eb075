"""A PostgreSQL that is frozen answers nothing and closes nothing: whoever gave up on it must be free again at once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from incubator.ground import database
from incubator.ground.servers import PostgresServer, start_postgres

PATIENCE_S = 30.0


@pytest_asyncio.fixture
async def server(pool: str, tmp_path: Path) -> AsyncIterator[PostgresServer]:
    await database.close_pool()
    found = start_postgres(tmp_path / "pg", fast=True)
    config = database.DB.config
    database.configure(found.dsn)
    await database.open_pool(max_size=2)
    yield found
    whole(found, signal.SIGCONT)
    await database.close_pool()
    database.DB.config = config
    found.stop()
    await database.open_pool(max_size=6)


def whole(server: PostgresServer, number: signal.Signals) -> None:
    """Send a signal to the server and to each of its processes."""
    first = psutil.Process(server.pid)
    for process in (first, *first.children(recursive=True)):
        process.send_signal(number)


async def outside() -> None:
    await database.fetchval("SELECT 1")


async def inside() -> None:
    async with database.transaction():
        await database.fetchval("SELECT 1")


@pytest.mark.parametrize("work", [outside, inside])
async def test_a_query_that_was_given_up_lets_go(server: PostgresServer, work: object) -> None:
    assert callable(work)
    await asyncio.gather(work(), work())
    whole(server, signal.SIGSTOP)
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):  # more often than there are connections
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work(), 0.2)
    whole(server, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(work(), work(), work())


async def test_giving_up_in_the_middle_of_a_transaction_undoes_it(server: PostgresServer) -> None:
    await database.execute("CREATE TABLE lines (n integer)")

    async def write() -> None:
        async with database.transaction():
            await database.execute("INSERT INTO lines VALUES (1)")
            whole(server, signal.SIGSTOP)
            await database.execute("INSERT INTO lines VALUES (2)")

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(write(), 1)
    whole(server, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        assert await database.fetchval("SELECT count(*) FROM lines") == 0
