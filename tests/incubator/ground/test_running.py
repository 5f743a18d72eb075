"""Finding the servers that run already: a command in another terminal."""

from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from frontend.cli import main
from incubator.ground.servers import running, start_postgres, start_valkey


async def test_it_works(tmp_path: Path) -> None:
    postgres, valkey = start_postgres(tmp_path / "postgres", fast=True), start_valkey(tmp_path / "valkey")
    try:
        assert running(tmp_path) == (postgres.dsn, valkey.url)
        connection = await asyncpg.connect(postgres.dsn)
        assert await connection.fetchval("SELECT current_database()") == "kaibo"
        await connection.close()
        with Redis.from_url(valkey.url) as client:
            assert client.ping()
    finally:
        postgres.stop()
        valkey.stop()
    assert running(tmp_path) == (None, None)


def test_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KAIBO_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["token", "list", "--for", "owner@demo.kaibo.example"]) == 1
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "Traceback" not in said
