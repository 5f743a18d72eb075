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


KINDS = """
SELECT u.kind, count(*) FILTER (WHERE r.ends_at < now()) AS past, count(*) FILTER (WHERE r.starts_at > now()) AS coming,
       count(*) FILTER (WHERE r.state IN ('finished', 'no_show')) AS settled, count(DISTINCT r.merchant) AS merchants
FROM reservations r JOIN units u ON u.id = r.unit GROUP BY u.kind"""


async def test_every_kind_of_place_is_used_before_and_after_today(centre: asyncpg.Connection) -> None:
    found = {row["kind"]: row for row in await centre.fetch(KINDS)}
    assert set(found) == {"live_room", "desk", "training_room", "meeting_room"}
    assert all(row["past"] and row["coming"] and row["settled"] for row in found.values())
    assert (found["training_room"]["past"], found["training_room"]["coming"]) == (1, 1)
    assert found["desk"]["merchants"] >= 6
    assert 60 < found["desk"]["past"] + found["desk"]["coming"] < 200


async def test_desks_are_had_by_the_half_day_or_day(centre: asyncpg.Connection) -> None:
    rows = await centre.fetch("SELECT DISTINCT r.title, extract(epoch FROM r.ends_at - r.starts_at) / 3600 AS hours"
                              " FROM reservations r JOIN units u ON u.id = r.unit WHERE u.kind = 'desk' AND r.state = 'confirmed'")
    assert {float(row["hours"]) for row in rows} == {3.5, 4.5, 9.0}
    waiting = await centre.fetchval("SELECT count(*) FROM reservations WHERE state = 'confirmed' AND ends_at < now()")
    assert waiting == 0, "what is past took its course"


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
