"""Transactions nest as savepoints, busy verbs are tried twice, and nothing leaks."""

import asyncpg
import pytest

from incubator.ground import database
from incubator.ground.errors import Unavailable
from tests.conftest import Scratch


async def test_an_inner_failure_rolls_back_alone(db: None) -> None:
    await database.execute("CREATE TEMP TABLE t (n int PRIMARY KEY) ON COMMIT DROP")
    await database.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction():
            await database.execute("INSERT INTO t VALUES (2)")
            await database.execute("INSERT INTO t VALUES (1)")
    assert await database.fetchval("SELECT array_agg(n) FROM t") == [1]


async def test_a_failing_commit_gives_the_connection_back(scratch: Scratch) -> None:
    await database.execute("CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction():
            await database.execute("INSERT INTO t VALUES (1), (1)")
    assert not database.in_transaction()
    assert database.DB.pool is not None
    assert database.DB.pool.get_idle_size() == database.DB.pool.get_size()


async def test_a_busy_verb_is_tried_twice_then_refused() -> None:
    tries = []

    @database.retried
    async def verb() -> None:
        tries.append(1)
        raise asyncpg.LockNotAvailableError("waited 2 s")

    with pytest.raises(Unavailable):
        await verb()
    assert len(tries) == 2


async def test_a_lost_server_is_refused_at_once() -> None:
    tries = []

    @database.retried
    async def verb() -> None:
        tries.append(1)
        raise ConnectionRefusedError

    with pytest.raises(Unavailable):
        await verb()
    assert len(tries) == 1


async def test_a_connection_that_breaks_in_mid_exchange_is_a_lost_server() -> None:
    @database.retried
    async def verb() -> None:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    with pytest.raises(Unavailable):
        await verb()
