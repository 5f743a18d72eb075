"""A database that is frozen keeps nobody waiting, whether or not the gate asks it who they are."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from frontend import auth
from frontend.app import build
from frontend.composition import House
from incubator.ground import database
from incubator.ground.servers import PostgresServer
from incubator.ground.settings import load
from tests.frontend.conftest import ORIGIN
from tests.incubator.ground.test_frozen_server import PATIENCE_S, server, whole

__all__ = ["server"]
SAID = {"login": "13800000001", "password": "a good long password"}


@pytest.mark.parametrize(("path", "how"), [("/api/v1/sign-in", "json"), ("/sign-in", "data")])
async def test_signing_in_is_refused_in_time(server: PostgresServer, redis: Any, tmp_path: Path, path: str, how: str,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs in has no cookie yet, so that the gate asks the database nothing: the verb itself must give up."""
    monkeypatch.setattr(auth, "PATIENCE_S", 0.3)
    app: Any = build(House(load({"KAIBO_DATA": str(tmp_path)}), redis, is_demo=True))
    whole(server, signal.SIGSTOP)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})
    said: dict[str, Any] = {how: SAID}
    async with asyncio.timeout(PATIENCE_S), client:
        for _ in range(3):  # more often than there are connections
            assert (await client.post(path, **said)).status_code == 503


@pytest.mark.parametrize("frozen_at", ["begin", "statement", "savepoint", "commit"])
async def test_a_transaction_gives_up_wherever_it_stands(server: PostgresServer, frozen_at: str) -> None:
    await database.execute("CREATE TABLE lines (n integer)")

    def freeze(place: str) -> None:
        if place == frozen_at:
            whole(server, signal.SIGSTOP)

    async def write() -> None:
        database.wait_at_most(0.3)
        freeze("begin")
        async with database.transaction():
            freeze("statement")
            await database.execute("INSERT INTO lines VALUES (1)")
            freeze("savepoint")
            async with database.transaction():
                await database.execute("INSERT INTO lines VALUES (2)")
            freeze("commit")

    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.create_task(write())
    whole(server, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        if frozen_at != "commit":  # what is frozen there may stand or not
            assert await database.fetchval("SELECT count(*) FROM lines") == 0
        assert await database.fetchval("SELECT 1") == 1
