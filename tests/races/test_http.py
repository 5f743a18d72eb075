"""Fifty clients over HTTP against two web processes: one winner each, everybody else told why, nothing breaks."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from booking.policies import service as policies
from booking.units.queries import UnitFacts
from incubator.accounts import service as accounts
from incubator.ground import clock, database, secrets
from incubator.ground.rights import Actor
from incubator.ground.servers import start_valkey
from incubator.sites import queries as sites
from tests.booking.conftest import HOUSE
from tests.conftest import clone
from tests.journeys.conftest import free_port
from tests.races import harness
from tests.races.harness import Field

HOME = Path(__file__).parents[2]
PROCESSES, CLIENTS, ROUNDS = 2, 50, 2
PATIENCE_S = 60.0
PATH = "/api/v1/reservations"


@dataclass(frozen=True)
class Request:
    """One request of a storm, and whose token goes with it."""

    who: Actor
    path: str
    body: dict[str, Any]
    method: str = "POST"
    key: str = ""


@dataclass
class Storm:
    """Two web processes on one committed database, and the connections of fifty clients."""

    field: Field
    clients: list[httpx.AsyncClient]
    tokens: dict[int, str]
    days: Iterator[int]

    def start(self, hour: int = 10) -> datetime:
        """Return a time of a day on which no other race takes place."""
        return self.field.start(next(self.days), hour)

    async def send(self, requests: list[Request]) -> list[httpx.Response]:
        """Send all at once, in turn to each process; return the answers in the same order."""
        return await asyncio.gather(*[self.one(request, number) for number, request in enumerate(requests)])

    async def one(self, request: Request, number: int = 0) -> httpx.Response:
        """Send one request."""
        headers = {"authorization": f"Bearer {self.tokens[request.who.person_id or 0]}"}
        headers |= {"idempotency-key": request.key} if request.key else {}
        client = self.clients[number % len(self.clients)]
        return await client.request(request.method, request.path, json=request.body, headers=headers)

    async def made(self, who: Actor, unit: UnitFacts, start: datetime, hours: float = 2, **more: object) -> dict[str, Any]:
        """Return a reservation that was made without rivals."""
        answer = await self.one(Request(who, PATH, wish(unit, start, hours, **more)))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


def wish(unit: UnitFacts, start: datetime, hours: float = 2, **more: object) -> dict[str, Any]:
    """Return the body of a booking."""
    times = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=hours)).isoformat()}
    return {"space_id": str(unit.uid), **times, **more}


def told(answers: list[httpx.Response]) -> Counter[str]:
    """Return how often each outcome was told: `won`, or the code of the refusal; nothing else may come."""
    assert {answer.status_code for answer in answers} <= {200, 201, 409}, Counter(answer.status_code for answer in answers)
    return Counter("won" if answer.is_success else answer.json()["code"] for answer in answers)


def _start(dsn: str, valkey: str, folder: Path, number: int) -> tuple[str, subprocess.Popen[bytes]]:
    port = free_port()
    environ = os.environ | {"DATABASE_URL": dsn, "REDIS_URL": valkey, "KAIBO_DATA": str(folder), "HOST": "127.0.0.1",
                            "PORT": str(port), "KAIBO_DEMO": "0"}
    with (folder / f"web{number}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "frontend", "web"], cwd=HOME, env=environ, stdout=log, stderr=log)
    return f"http://127.0.0.1:{port}", process


async def _wait_for(client: httpx.AsyncClient, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            if (await client.get("/health")).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        await asyncio.sleep(0.1)
    raise AssertionError(log.read_text()[-3000:])


@pytest_asyncio.fixture(scope="module")
async def storm(pool: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Storm]:
    """Start everything once; afterwards nothing may overlap and no deadlock may have happened."""
    folder = tmp_path_factory.mktemp("storm")
    dsn = await clone(template, f"kaibo_storm_{os.getpid()}")
    await _use(dsn)
    secrets.use(secrets.Keyring(b"0" * 32))
    clock.set_offset(0)
    field = await harness.make_field()
    people = field.people
    tokens = {who.person_id or 0: await accounts.create_token(HOUSE, who.person_id or 0, "race")
              for who in (people.alice, people.charlie, people.dora)}
    valkey = start_valkey(folder / "valkey")
    started = [_start(dsn, valkey.url, folder, number) for number in range(PROCESSES)]
    try:
        async with AsyncExitStack() as stack:
            limits = httpx.Limits(max_connections=CLIENTS // PROCESSES)
            clients = [await stack.enter_async_context(httpx.AsyncClient(base_url=address, limits=limits, timeout=30))
                       for address, _ in started]
            for number, client in enumerate(clients):
                await _wait_for(client, folder / f"web{number}.log")
            yield Storm(field, clients, tokens, itertools.count())
        assert await harness.overlaps() == 0
        assert await harness.deadlocks() == 0
        for number in range(PROCESSES):
            assert "Traceback" not in (folder / f"web{number}.log").read_text()
    finally:
        for _, process in started:
            process.terminate()
        for _, process in started:
            process.wait(10)
        valkey.stop()
        await _use(pool)


async def _use(dsn: str) -> None:
    await database.close_pool()
    database.configure(dsn)
    sites.forget()
    await database.open_pool(max_size=6)


async def test_the_same_slot(storm: Storm) -> None:
    people, room = storm.field.people, storm.field.rooms.one
    for _ in range(ROUNDS):
        body = wish(room, storm.start())
        outcome = told(await storm.send([Request((people.dora, people.alice)[n % 2], PATH, body) for n in range(CLIENTS)]))
        assert outcome == {"won": 1, "slot-taken": CLIENTS - 1}


async def test_overlapping_slots(storm: Storm) -> None:
    for _ in range(ROUNDS):
        start = storm.start()
        bodies = [wish(storm.field.rooms.one, start + timedelta(minutes=15 * (number % 8))) for number in range(CLIENTS)]
        outcome = told(await storm.send([Request(storm.field.people.dora, PATH, body) for body in bodies]))
        assert outcome == {"won": 1, "slot-taken": CLIENTS - 1}


async def test_moves_to_one_place(storm: Storm) -> None:
    dora, rooms = storm.field.people.dora, storm.field.rooms
    for _ in range(ROUNDS):
        start = storm.start(8)
        made = [await storm.made(dora, room, start + timedelta(hours=hour), 1)
                for room in (rooms.one, rooms.two) for hour in (0, 2, 4)]
        there = {"version": 1, **wish(rooms.meeting, start + timedelta(hours=10), 1)}
        outcome = told(await storm.send([
            Request(dora, f"{PATH}/{made[number % len(made)]['id']}", there, "PATCH") for number in range(CLIENTS)]))
        assert outcome.pop("won") == 1
        assert set(outcome) == {"slot-taken", "stale"}


async def test_extend_against_reserve(storm: Storm) -> None:
    dora, room = storm.field.people.dora, storm.field.rooms.meeting
    for _ in range(ROUNDS):
        start = storm.start()
        made = await storm.made(dora, room, start)
        longer = Request(dora, f"{PATH}/{made['id']}/extend", {"minutes": 30, "version": 1})
        after = Request(dora, PATH, wish(room, start + timedelta(hours=2)))
        outcome = told(await storm.send([(longer, after)[number // 2 % 2] for number in range(CLIENTS)]))
        assert outcome.pop("won") == 1
        assert set(outcome) <= {"slot-taken", "stale"}


async def test_a_hold_running_out_against_its_confirmation(storm: Storm) -> None:
    """Whoever held it or whoever comes; both may just miss the moment, but then the next one gets it."""
    people, room = storm.field.people, storm.field.rooms.meeting
    for number in range(ROUNDS * 2):
        start = storm.start()
        held = await storm.made(people.alice, room, start, hold=True, page_key=str(number))
        await database.execute("UPDATE reservations SET hold_until = $2 WHERE uid = $1", held["id"],
                               clock.now() + timedelta(milliseconds=20 + 40 * (number % 4)))
        confirm, rival = Request(people.alice, f"{PATH}/{held['id']}/confirm", {}), Request(people.dora, PATH, wish(room, start))
        answers = await storm.send([confirm if place % 5 == 0 else rival for place in range(CLIENTS)])
        outcome = told(answers)
        assert outcome.pop("won", 0) <= 1
        assert set(outcome) <= {"slot-taken", "hold-expired", "wrong-state"}
        last = await storm.one(rival)
        assert any(answer.is_success for answer in answers) != last.is_success


async def test_the_quota_across_rooms(storm: Storm) -> None:
    """Fifty slots that do not touch, of one merchant in one week, and enough left for one."""
    people, rooms = storm.field.people, storm.field.rooms
    await policies.set_quota(HOUSE, people.site.id, 120)
    try:
        for weeks in range(4, 4 + ROUNDS):
            monday = people.site.week(clock.now() + timedelta(weeks=weeks)).starts_at
            slots = [(room, monday + timedelta(days=day, hours=8, minutes=150 * slot))
                     for day in range(7) for slot in range(5) for room in (rooms.one, rooms.two)][:CLIENTS]
            outcome = told(await storm.send([Request(people.charlie, PATH, wish(*each)) for each in slots]))
            assert outcome == {"won": 1, "over-quota": CLIENTS - 1}
    finally:
        await policies.set_quota(HOUSE, people.site.id, 600)


async def test_one_key_many_times(storm: Storm) -> None:
    """A program that repeats itself gets one reservation and the same answer each time."""
    for number in range(ROUNDS):
        request = Request(storm.field.people.dora, PATH, wish(storm.field.rooms.two, storm.start()), key=f"key {number}")
        answers = await storm.send([request] * CLIENTS)
        assert told(answers) == {"won": CLIENTS}
        assert len({answer.content for answer in answers}) == 1
