"""Rivals released together on committed data, and what must hold afterwards; used by the short races and the long soak."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from booking.reservations import service, slots
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from incubator.accounts import queries as accounts
from incubator.ground import clock, database, secrets
from incubator.ground.errors import KaiboError
from incubator.sites import queries as sites
from tests.booking.conftest import Rooms, make_rooms
from tests.people import People, make_people

Attempt = Callable[[], Awaitable[object]]
OVERLAPS = """
SELECT count(*) FROM allocations a JOIN allocations b ON a.unit = b.unit AND a.id < b.id AND a.blocked && b.blocked
WHERE a.holds AND b.holds"""


@dataclass
class Outcome:
    """Who won, and how the others were refused."""

    won: list[ReservationFacts] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Outcome") -> Self:
        self.won += other.won
        self.refused += other.refused
        return self


@dataclass(frozen=True)
class Field:
    """Everybody and every room, committed."""

    people: People
    rooms: Rooms

    def start(self, number: int, hour: int = 10) -> datetime:
        """Return the time of the round with this number: another day each."""
        tomorrow = self.people.site.local_date(clock.now()) + timedelta(days=1 + number)
        return self.people.site.day(tomorrow).starts_at + timedelta(hours=hour)


async def make_field() -> Field:
    """Put people and rooms into the database at hand, and commit."""
    people = await make_people()
    return Field(people, await make_rooms(people.site))


async def rivals(*attempts: Attempt) -> Outcome:
    """Run the attempts at once; return who got a reservation and who was refused. Anything else is raised."""
    gate = asyncio.Event()

    async def one(attempt: Attempt) -> object:
        await gate.wait()
        return await attempt()

    tasks = [asyncio.create_task(one(attempt)) for attempt in attempts]
    await asyncio.sleep(0)
    gate.set()
    outcome = Outcome()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, KaiboError):
            outcome.refused.append(result.code)
        elif isinstance(result, BaseException):
            raise result
        elif isinstance(result, ReservationFacts):
            outcome.won.append(result)
    return outcome


async def overlaps() -> int:
    """Return how many pairs of standing allocations share a unit and an instant."""
    return int(await database.fetchval(OVERLAPS))


async def deadlocks() -> int:
    """Return how often the server had to break a deadlock in this database."""
    await database.execute("SELECT pg_stat_force_next_flush()")
    return int(await database.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


async def drop_constraint() -> None:
    """Take away what stands behind the lock; for controls in a scratch database only."""
    await database.script(f"ALTER TABLE allocations DROP CONSTRAINT {slots.CONSTRAINT}")


LOCK_WITHOUT_LOCKING = slots.LOCK.replace("FOR NO KEY UPDATE", "")


@dataclass(frozen=True)
class Task:
    """What one process does: the person reserves each of the wishes, as fast as it can, `clients` at a time."""

    dsn: str
    person_id: int
    wishes: Sequence[Wish]
    clients: int = 4


def in_processes(tasks: Sequence[Task]) -> Outcome:
    """Run the tasks in processes of their own, released together, and return the sum of what became of them."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier = manager.Barrier(len(tasks))
        with context.Pool(len(tasks)) as pool:
            outcome = Outcome()
            for each in pool.starmap(_process, [(task, barrier) for task in tasks]):
                outcome += each
            return outcome


def _process(task: Task, barrier: Any) -> Outcome:
    return asyncio.run(_work(task, barrier))


async def _work(task: Task, barrier: Any) -> Outcome:
    secrets.use(secrets.Keyring(b"0" * 32))
    database.configure(task.dsn)
    await database.open_pool(max_size=task.clients)
    sites.forget()
    actor = await accounts.actor_of(task.person_id)
    assert actor is not None
    await asyncio.to_thread(barrier.wait, 30)
    outcome = Outcome()
    for wish in task.wishes:
        outcome += await rivals(*[lambda wish=wish: service.reserve(actor, wish)] * task.clients)  # type: ignore[misc]  # bound at once
    await database.close_pool()
    return outcome
