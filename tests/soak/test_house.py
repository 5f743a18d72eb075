"""The whole product under load while its parts are killed one after another: nothing accepted is lost, nothing is done twice."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest

from tests.frontend.terminal import PARTS, Terminal, eventually

SEED = 410882
CLIENTS = 6
ZONE = ZoneInfo("Asia/Shanghai")
STAFF = {"login": "staff@demo.kaibo.example", "password": "kaibo-demo"}
PATIENCE_S = 30  # until the product is healthy again after a kill, on two busy cores
REFUSALS = {409, 429, 503}  # somebody was faster, too many, or a part is away just now


class Accepted:
    """What the product answered: numbers that it gave out, what it cancelled, and every status."""

    def __init__(self) -> None:
        self.booked: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []

    def note(self, answer: httpx.Response) -> None:
        """Count an answer; anything that is neither done nor a clear refusal is a fault."""
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 400 and answer.status_code not in REFUSALS:
            self.faults.append(f"{answer.status_code} {answer.text[:200]}")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The real product with demo data."""
    started = Terminal(tmp_path / "data", ("-m", "frontend"))
    yield started
    started.close()


def browser(port: int) -> httpx.AsyncClient:
    """Return a client that sends what a browser sends."""
    base = f"http://127.0.0.1:{port}"
    return httpx.AsyncClient(base_url=base, headers={"origin": base}, timeout=15)


async def sign_in(client: httpx.AsyncClient) -> None:
    """Sign in, waiting for the product where it is away."""
    while True:
        with suppress(httpx.HTTPError):
            answer = await client.post("/api/v1/sign-in", json=STAFF)
            if answer.status_code == 200:
                return
        await asyncio.sleep(0.5)


async def book(client: httpx.AsyncClient, chance: random.Random, spaces: list[str], accepted: Accepted) -> httpx.Response | None:
    """Try to book something somewhere in the coming weeks; a lost answer is asked for again with the same key."""
    day = (datetime.now(ZONE) + timedelta(days=chance.randint(2, 50))).date()
    start = datetime(day.year, day.month, day.day, chance.randint(8, 19), chance.choice((0, 15, 30, 45)), tzinfo=ZONE)
    wish = {"space_id": chance.choice(spaces), "starts_at": start.isoformat(), "title": "soak",
            "ends_at": (start + timedelta(minutes=chance.choice((30, 60, 120)))).isoformat()}
    key = str(uuid4())
    for _ in range(60):
        with suppress(httpx.HTTPError):
            answer = await client.post("/api/v1/reservations", json=wish, headers={"idempotency-key": key})
            if answer.status_code != 503:
                accepted.note(answer)
                return answer
        await asyncio.sleep(0.5)
    return None


async def visit(port: int, seed: int, spaces: list[str], accepted: Accepted, stop: asyncio.Event) -> None:
    """One member of staff who books, and now and then cancels, until `stop`."""
    chance = random.Random(seed)
    async with browser(port) as client:
        await sign_in(client)
        while not stop.is_set():
            await asyncio.sleep(chance.uniform(0.3, 0.9))
            answer = await book(client, chance, spaces, accepted)
            if answer is not None and answer.status_code == 201:
                made = answer.json()
                accepted.booked[made["number"]] = made["id"]
                if chance.random() < 0.2:
                    await cancel(client, made, accepted)


async def cancel(client: httpx.AsyncClient, made: dict[str, Any], accepted: Accepted) -> None:
    """Cancel; only an acknowledged one must be cancelled in the end."""
    with suppress(httpx.HTTPError):
        answer = await client.post(f"/api/v1/reservations/{made['id']}/cancel", json={"reason": "soak"})
        accepted.note(answer)
        if answer.status_code == 200:
            accepted.cancelled.add(made["number"])


async def is_well(client: httpx.AsyncClient) -> bool:
    """Tell whether everything is up and nothing waits."""
    with suppress(httpx.HTTPError):
        health = (await client.get("/health")).json()
        return bool(health["ok"] and not health["degraded"])
    return False


async def until_well(client: httpx.AsyncClient) -> None:
    """Wait for health, at most as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not await is_well(client):
        await asyncio.sleep(0.2)


async def kill_in_turn(terminal: Terminal, duration_s: float) -> tuple[Counter[str], float]:
    """Kill one part after another until the time is over; return how often, and the longest way back to health in seconds."""
    chance = random.Random(SEED)
    kills: Counter[str] = Counter()
    longest = 0.0
    deadline = time.monotonic() + duration_s
    async with browser(terminal.port) as client:
        while time.monotonic() < deadline:
            for victim in chance.sample(PARTS, len(PARTS)):
                await asyncio.sleep(chance.uniform(1.0, 3.0))
                with suppress(ProcessLookupError, KeyError):
                    os.kill(terminal.pids()[victim], signal.SIGKILL)
                    kills[victim] += 1
                began = time.monotonic()
                await asyncio.sleep(0.3)
                await until_well(client)
                longest = max(longest, time.monotonic() - began)
    return kills, longest


async def load_and_kill(terminal: Terminal, duration_s: float) -> tuple[Accepted, Counter[str], float]:
    """Book with several clients while parts are killed."""
    accepted, stop = Accepted(), asyncio.Event()
    async with browser(terminal.port) as client:
        await sign_in(client)
        found = (await client.get("/api/v1/spaces")).json()["items"]
    spaces = [space["id"] for space in found]
    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(visit(terminal.port, SEED + number, spaces, accepted, stop))
        kills, longest = await kill_in_turn(terminal, duration_s)
        stop.set()
    return accepted, kills, longest


async def booked_without_valkey(terminal: Terminal, accepted: Accepted) -> int:
    """Kill Valkey and book at once; return the status."""
    async with browser(terminal.port) as client:
        await sign_in(client)
        spaces = [space["id"] for space in (await client.get("/api/v1/spaces?kind=desk")).json()["items"]]
        assert eventually(lambda: "valkey" in terminal.pids())
        os.kill(terminal.pids()["valkey"], signal.SIGKILL)
        answer = await book(client, random.Random(1), spaces, accepted)
        if answer is None:
            return 0
        if answer.status_code == 201:
            accepted.booked[answer.json()["number"]] = answer.json()["id"]
        return answer.status_code


async def drained(dsn: str) -> bool:
    """Tell whether every fact was spread and every due job ran."""
    with suppress(OSError, asyncpg.PostgresError):
        connection = await asyncpg.connect(dsn)
        left = await connection.fetchval(
            "SELECT (SELECT count(*) FROM facts WHERE relayed_at IS NULL)"
            " + (SELECT count(*) FROM jobs WHERE fact IS NOT NULL AND state IN ('waiting', 'running'))")
        await connection.close()
        return bool(left == 0)
    return False


LOST = {
    "bookings": "SELECT n FROM unnest($1::text[]) AS t (n) WHERE $2::text[] IS NOT NULL"
                " AND NOT EXISTS (SELECT 1 FROM reservations WHERE number = n)",
    "cancellations": "SELECT number FROM reservations WHERE number = ANY($2) AND state <> 'cancelled' AND $1::text[] IS NOT NULL",
    "audit": "SELECT r.number FROM reservations r WHERE r.number = ANY($1) AND $2::text[] IS NOT NULL AND 1 <> ("
             "SELECT count(*) FROM audit_entries a WHERE a.thing = 'reservation' AND a.thing_id = r.id AND a.verb = 'reserve')",
    "facts": "SELECT r.number FROM reservations r WHERE r.number = ANY($1) AND $2::text[] IS NOT NULL AND 1 <> ("
             "SELECT count(*) FROM facts f WHERE f.kind = 'ReservationConfirmed' AND (f.payload->>'reservation')::bigint = r.id)",
    "live sessions": "SELECT r.number FROM reservations r JOIN units u ON u.id = r.unit WHERE r.number = ANY($1)"
                     " AND NOT r.number = ANY($2) AND u.kind = 'live_room'"
                     " AND NOT EXISTS (SELECT 1 FROM live_sessions s WHERE s.reservation = r.id)",
}
DOUBLED = {
    "allocations": "SELECT a.id FROM allocations a JOIN allocations b ON a.unit = b.unit AND a.id < b.id"
                   " AND a.blocked && b.blocked WHERE a.holds AND b.holds",
    "notices": "SELECT person FROM notices GROUP BY person, msgid, params HAVING count(*) > 1",
    "titles": "SELECT unit, starts_at FROM reservations WHERE title = 'soak' AND state = 'confirmed'"
              " GROUP BY unit, starts_at HAVING count(*) > 1",
    "failed jobs": "SELECT id FROM jobs WHERE state = 'failed'",
}


async def wrongs(dsn: str, accepted: Accepted) -> dict[str, list[Any]]:
    """Return everything that was lost or doubled; empty when all is well."""
    connection = await asyncpg.connect(dsn)
    found: dict[str, list[Any]] = {}
    try:
        for name, sql in LOST.items():
            found[name] = await connection.fetch(sql, list(accepted.booked), list(accepted.cancelled))
        for name, sql in DOUBLED.items():
            found[f"doubled {name}"] = await connection.fetch(sql)
    finally:
        await connection.close()
    return {name: [tuple(row) for row in rows] for name, rows in found.items() if rows}


@pytest.mark.timeout(0)
def test_nothing_accepted_is_lost_or_doubled(terminal: Terminal, soak_s: float) -> None:
    dsn = terminal.wait_for("Ready after", 180) and f"postgresql://kaibo@/kaibo?host={sockets(terminal)}"
    accepted, kills, longest = asyncio.run(load_and_kill(terminal, soak_s))
    without_valkey = asyncio.run(booked_without_valkey(terminal, accepted))
    assert eventually(lambda: asyncio.run(drained(dsn)), 240)
    print(json.dumps({"seed": SEED, "kills": kills, "longest_s": round(longest, 1), "statuses": accepted.statuses}))
    assert asyncio.run(wrongs(dsn, accepted)) == {}
    assert accepted.faults == []
    assert without_valkey in {201, 409}
    assert len(accepted.booked) > 20
    assert set(kills) == set(PARTS)
    assert longest < PATIENCE_S
    assert terminal.end() == 0


def sockets(terminal: Terminal) -> str:
    """Return the folder of PostgreSQL's socket, as the server itself names it."""
    lines = (terminal.data / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()
    return lines[4]
