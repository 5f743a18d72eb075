"""Every part and the supervisor itself are killed again and again; nothing that was committed is lost."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis import Redis, RedisError

from tests.frontend.terminal import PARTS, Terminal, eventually

SEED = 20261124
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Writer:
    """Commits numbers, one per transaction, and keeps those that PostgreSQL acknowledged."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.acknowledged: set[int] = set()
        self.tried = 0

    async def write_for(self, duration_s: float) -> None:
        """Write until the time is over; reconnect whenever the server went away."""
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            with suppress(*AWAY):
                connection = await asyncpg.connect(self.dsn, timeout=5)
                try:
                    await connection.execute("CREATE TABLE IF NOT EXISTS soak (number int PRIMARY KEY)")
                    while time.monotonic() < deadline:
                        await self._write_one(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(0.05)

    async def _write_one(self, connection: asyncpg.Connection) -> None:
        self.tried += 1
        await connection.execute("INSERT INTO soak VALUES ($1)", self.tried, timeout=5)
        self.acknowledged.add(self.tried)
        await asyncio.sleep(0.002)

    async def _connected(self, deadline: float) -> asyncpg.Connection:
        while True:
            try:
                return await asyncpg.connect(self.dsn, timeout=5)
            except AWAY:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.05)

    async def found(self) -> set[int]:
        """Return what the table holds; a server that was killed last of all may still be starting up."""
        connection = await self._connected(time.monotonic() + 30)
        try:
            return {row["number"] for row in await connection.fetch("SELECT number FROM soak")}
        finally:
            await connection.close()


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Keep all supervisors of the test, and end whatever still runs."""
    started: list[Terminal] = []
    yield started
    for terminal in started:
        terminal.close()


def answers(url: str) -> bool:
    with suppress(RedisError, OSError), Redis.from_url(url) as client:
        return bool(client.ping())
    return False


@pytest.mark.timeout(0)
def test_nothing_committed_is_lost(tmp_path: Path, soak_s: float, terminals: list[Terminal]) -> None:
    chance = random.Random(SEED)
    deadline = time.monotonic() + soak_s
    terminals.append(Terminal(tmp_path / "data"))
    port = str(terminals[0].port)
    dsn, url = terminals[0].wait_for("postgresql://").split()[-2:]
    terminals[0].wait_for("Ready after")
    writer = Writer(dsn)
    kills = dict.fromkeys([*PARTS, "supervisor"], 0)
    while time.monotonic() < deadline:
        asyncio.run(writer.write_for(chance.uniform(0.2, 3.0)))
        victim = chance.choice([*PARTS, "postgres", "supervisor"])
        if victim == "supervisor":
            terminals[-1].process.kill()
            terminals[-1].close()
            terminals.append(Terminal(tmp_path / "data", PORT=port))
            terminals[-1].wait_for("Ready after", 30)
        elif victim in (pids := terminals[-1].pids()):
            with suppress(ProcessLookupError):
                os.kill(pids[victim], signal.SIGKILL)
        kills[victim] += 1
    print(f"seed {SEED}: {kills}, {len(writer.acknowledged)} rows acknowledged")
    assert eventually(lambda: set(terminals[-1].pids()) == set(PARTS), 30)
    assert eventually(lambda: answers(url), 30)
    assert writer.acknowledged <= asyncio.run(writer.found())
    assert writer.acknowledged
    assert len(psutil.Process(terminals[-1].process.pid).children()) == len(PARTS)
    assert terminals[-1].end() == 0
