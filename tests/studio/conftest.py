"""A real Valkey, a committed database with one live room and its simulated rig, and a director that runs in the test's loop."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from incubator.ground import clock, database
from incubator.ground.rights import Actor, house
from incubator.ground.servers import ValkeyServer, start_valkey
from incubator.ground.values import new_uid
from studio.control import switchboard
from studio.control.switchboard import Switchboard
from studio.director import wire
from studio.director.director import Director
from studio.director.wire import RigSnapshot
from studio.live_sessions import preparation
from studio.live_sessions.queries import LiveSession, live_session
from studio.obs.machine import SimulatedMachine
from studio.rigs import service as rigs
from studio.rigs.queries import RigFacts
from tests.conftest import Scratch
from tests.people import People, make_people

HOUSE = house("test")
PATIENCE_S = 25.0  # a busy machine may hold up any process for seconds, and that must decide nothing


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    with tempfile.TemporaryDirectory(prefix="kaibo-test-") as folder:
        server = start_valkey(Path(folder) / "valkey")
        yield server
        server.stop()


def client(url: str) -> Redis:
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.02), 2, supported_errors=wire.AWAY)  # type: ignore[arg-type]  # as used
    found: Redis = Redis.from_url(url, retry=retry, retry_on_error=list(wire.AWAY))
    return found


@pytest_asyncio.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    found = client(valkey.url)
    await found.flushall()
    yield found
    await found.aclose()


async def until(true: Callable[[], Any], patience_s: float = PATIENCE_S, what: str = "") -> Any:
    """Wait until something is true, or fail saying what was not."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while True:
        found = true()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"did not become true within {patience_s} s: {what or true}"
        await asyncio.sleep(0.02)


@dataclass
class Studio:
    """A centre with one live room, its simulated rig, and directors at will."""

    people: People
    redis: Any  # typed for both kinds of client
    board: Switchboard
    unit: int
    rig: RigFacts
    data: Path
    running: list[tuple[Director, asyncio.Event, asyncio.Task[None]]] = field(default_factory=list)

    async def direct(self, **options: Any) -> Director:
        director = Director(self.redis, self.data, serial=len(self.running), **options)
        stop = asyncio.Event()
        self.running.append((director, stop, asyncio.create_task(director.run(stop))))
        return director

    async def owned(self, **options: Any) -> Director:
        director = await self.direct(**options)
        await until(lambda: self.rig.id in director.owners, what="rig taken")
        await until(lambda: director.owners[self.rig.id].held.is_online, what="rig online")
        return director

    async def end(self, director: Director) -> None:
        for entry in self.running:
            if entry[0] is director:
                entry[1].set()
                await entry[2]

    def machine(self, director: Director) -> SimulatedMachine:
        return director._links.machines[self.rig.id]

    async def book(self, *, starts_in_min: int = -5, length_min: int = 60, state: str = "checked_in", teardown_min: int = 10,
                   merchant: int | None = -1, unit: int | None = None) -> int:
        """Put a reservation on file as booking would, and let its session follow."""
        start = clock.now().replace(microsecond=0) + timedelta(minutes=starts_in_min)
        end = start + timedelta(minutes=length_min)
        merchant = self.people.sunrise_id if merchant == -1 else merchant
        checked_in = clock.now() if state == "checked_in" else None
        unit = unit or self.unit
        reservation: int = await database.fetchval(
            "INSERT INTO reservations (uid, number, state, site, unit, merchant, person, title, starts_at, ends_at,"
            " check_in_code, checked_in_at, checked_in_by, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, 'Yam', $8, $9, '4718', $10, $11, $12)"
            " RETURNING id", new_uid(), f"R{new_uid().hex[-8:]}", state, self.people.site.id, unit, merchant,
            self.people.alice.person_id, start, end, checked_in, self.people.alice.person_id if checked_in else None, clock.now())
        await database.execute(
            "INSERT INTO allocations (reservation, unit, blocked, holds) VALUES ($1, $2, tstzrange($3, $4), true)",
            reservation, unit, start, end + timedelta(minutes=teardown_min))
        await preparation.follow(reservation)
        return reservation

    async def session_of(self, reservation: int) -> LiveSession:
        uid: UUID = await database.fetchval("SELECT uid FROM live_sessions WHERE reservation = $1", reservation)
        return await live_session(self.people.dora, uid)

    async def prepare(self, reservation: int) -> LiveSession:
        session = await self.session_of(reservation)
        found = await preparation.booked(session.id)
        assert found is not None
        assert await preparation.write_plan(found)
        return session

    async def state(self, reservation: int, wanted: str, patience_s: float = PATIENCE_S) -> LiveSession:
        async def is_so() -> LiveSession | None:
            session = await self.session_of(reservation)
            return session if session.state == wanted else None

        found: LiveSession = await until(is_so, patience_s, f"session {wanted}")
        return found

    async def snapshot(self) -> RigSnapshot | None:
        body = await self.redis.get(wire.snapshot_key(self.rig.id))
        return None if body is None else wire.snapshot(body)

    async def shows(self, true: Callable[[RigSnapshot], Any], patience_s: float = PATIENCE_S) -> RigSnapshot:
        async def is_so() -> RigSnapshot | None:
            found = await self.snapshot()
            return found if found is not None and true(found) else None

        found: RigSnapshot = await until(is_so, patience_s, "snapshot")
        return found


async def live_room(site: int, code: str = "L1") -> int:
    unit: int = await database.fetchval(
        "INSERT INTO units (uid, site, kind, code, name, name_en) VALUES ($1, $2, 'live_room', $3, $4, $5) RETURNING id",
        new_uid(), site, code, f"{code} 号间", f"Room {code}")
    return unit


async def tablet(unit: int, site: int) -> Actor:
    device: int = await database.fetchval(
        "INSERT INTO devices (uid, site, unit, label, token_hash, last_seen_at) VALUES ($1, $2, $3, 'tablet', $4, now())"
        " RETURNING id", new_uid(), site, unit, new_uid().bytes)
    return Actor(None, "tablet", device_id=device, device_unit_id=unit)


@pytest_asyncio.fixture
async def studio(scratch: Scratch, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Studio]:
    monkeypatch.setattr(wire, "COMMAND_LIFE_S", PATIENCE_S)
    monkeypatch.setattr(switchboard, "DEADLINE_S", PATIENCE_S)
    people = await make_people()
    unit = await live_room(people.site.id)
    rig = await rigs.add(HOUSE, unit, rigs.SetUp(driver="simulated"))
    board = Switchboard(redis, "test")
    await board.start()
    found = Studio(people, redis, board, unit, rig, tmp_path)
    yield found
    for _, stop, task in found.running:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_S)
    await board.close()
