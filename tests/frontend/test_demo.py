"""The demo is a believable centre, made in time by the verbs themselves."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio

from tests.conftest import clone


@pytest_asyncio.fixture(scope="module")
async def centre(template: str, tmp_path_factory: Any) -> AsyncIterator[asyncpg.Connection]:
    """A database of its own, filled by `kaibo demo`."""
    dsn = await clone(template, "kaibo_demo")
    data: Path = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "DATABASE_URL": dsn, "KAIBO_DATA": str(data), "REDIS_URL": f"unix://{data}/none.sock"}
    subprocess.run([sys.executable, "-m", "frontend", "demo"], env=environment, check=True, timeout=110)
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_it_works(centre: asyncpg.Connection) -> None:
    rows = await centre.fetch("SELECT kind, count(*) AS n FROM units WHERE kind <> 'person' GROUP BY kind")
    assert {row["kind"]: row["n"] for row in rows} == {"live_room": 6, "desk": 24, "training_room": 2, "meeting_room": 2}
    assert await centre.fetchval("SELECT count(*) FROM merchants") == 12
    assert await centre.fetchval("SELECT count(*) FROM accounts") == 10
    assert await centre.fetchval("SELECT is_demo FROM installation")


async def test_canvases_are_as_the_shops_sell(centre: asyncpg.Connection) -> None:
    rows = await centre.fetch("SELECT r.canvas_width AS w FROM rigs r JOIN units u ON u.id = r.unit ORDER BY u.code")
    assert [row["w"] for row in rows] == [1080] * 4 + [1920] * 2


async def test_two_weeks_back_and_two_ahead_are_booked(centre: asyncpg.Connection) -> None:
    first, last = await centre.fetchrow("SELECT min(starts_at), max(starts_at) FROM reservations")
    now = datetime.now(UTC)
    assert first < now - timedelta(days=12)
    assert last > now + timedelta(days=12)
    states = {row["state"] for row in await centre.fetch("SELECT DISTINCT state FROM reservations")}
    assert {"confirmed", "finished", "cancelled", "no_show"} <= states


async def test_prime_time_is_free_enough_to_try(centre: asyncpg.Connection) -> None:
    booked = await centre.fetchval(
        "SELECT count(*) FROM reservations WHERE state = 'confirmed' AND starts_at > now() + interval '1 day'"
        " AND extract(hour FROM starts_at AT TIME ZONE 'Asia/Shanghai') >= 19")
    assert 0 < booked < 13 * 6


async def test_live_sessions_are_planned_and_nobody_was_told(centre: asyncpg.Connection) -> None:
    assert await centre.fetchval("SELECT count(*) FROM live_sessions") > 50
    assert await centre.fetchval("SELECT count(*) FROM notices") == 0
    assert await centre.fetchval("SELECT count(*) FROM facts WHERE relayed_at IS NULL") == 0


async def test_credit_codes_are_sound_and_everything_is_audited(centre: asyncpg.Connection) -> None:
    assert await centre.fetchval("SELECT count(*) FROM merchants WHERE credit_code IS NULL") == 1
    assert await centre.fetchval("SELECT count(*) FROM audit_entries WHERE verb = 'reserve'") >= await centre.fetchval(
        "SELECT count(*) FROM reservations")
