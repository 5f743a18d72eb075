"""How a process is put together and taken apart."""

import asyncio
from typing import Any

import pytest

from frontend import composition
from incubator.ground import database
from incubator.ground.settings import load


async def test_every_connection_is_closed_at_the_end(scratch: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("KAIBO_DATA", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", scratch.dsn)
    opened: list[Any] = []
    connect = database.connect

    async def remembered() -> Any:
        opened.append(await connect())
        return opened[-1]

    async def demo() -> bool:
        return True

    monkeypatch.setattr(database, "connect", remembered)
    monkeypatch.setattr(composition, "load_clock", demo)
    await database.close_pool()
    async with composition.open_house(load(), connections=2):
        async with asyncio.timeout(5):
            while not opened:
                await asyncio.sleep(0.01)
    assert all(one.is_closed() for one in opened)
