"""(a) One reservation: the verb, over HTTP, its statements bare, and an empty Litestar handler; interleaved."""

import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from time import perf_counter

import asyncpg

from booking.reservations import service
from booking.reservations.service import Wish
from booking.units.queries import UnitFacts
from frontend.composition import open_house
from incubator.accounts import queries as people, service as accounts
from incubator.ground import database
from incubator.ground.rights import Actor
from incubator.ground.settings import load
from tests.bench import centre as centres, report
from tests.bench.centre import Centre
from tests.bench.replay import recording, replay
from tests.bench.stack import free_port, stack, wait_for
from tests.bench.wire import Client

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "200"))
WARM_UP = 20
FIRST_MADE = 5_000_001
TITLE = "怀山药专场"
WAYS = ("verb", "HTTP", "bare", "ping")
Way = Callable[[int], Awaitable[float]]


async def measure() -> None:
    """Print the report."""
    with report.part(f"(a) reservation, {ROUNDS} interleaved rounds, 20,000 reservations in the database"), stack() as made:
        os.environ.update(made.environ)
        async with open_house(load(), connections=4):
            centre = await centres.make()
            await centres.fill(centre, 20_000)
            # ids of this range mean reservations and nothing else, so that the replay can tell them apart
            await database.execute(f"ALTER TABLE reservations ALTER COLUMN id RESTART WITH {FIRST_MADE}")
            token = await accounts.create_token(centres.HOUSE, centre.owners[0], "bench")
            ping_port = free_port()
            made.start("frontend", "web")
            made.start("tests.bench.ping", str(ping_port))
            wait_for(f"{made.address}/api/openapi.json")
            wait_for(f"http://127.0.0.1:{ping_port}/ping")
            async with Client(made.port) as web, Client(ping_port) as ping:
                await _compare(centre, web, ping, token)


def _slot(centre: Centre, number: int) -> datetime:
    """Return a start that nobody else has: beyond the filled days, another day each."""
    return centre.site.day(centre.today + timedelta(days=200 + number)).starts_at + timedelta(hours=14)


async def _compare(centre: Centre, web: Client, ping: Client, token: str) -> None:
    actor = await people.actor_of(centre.owners[0])
    assert actor is not None
    bare = await asyncpg.connect(**database.DB.config)
    ways = dict(zip(WAYS, (_verb(centre, actor, centre.rooms[0]), await _http(centre, web, centre.rooms[1], token),
                           await _bare(centre, actor, centre.rooms[2], bare), _ping(ping)), strict=True))
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(WARM_UP + ROUNDS):
        for turn in range(len(WAYS)):
            name = WAYS[(turn + number) % len(WAYS)]
            took = await ways[name](number)
            if number >= WARM_UP:
                times[name].append(took)
    await bare.close()
    await _check(3 * (WARM_UP + ROUNDS) + 1)
    _print(times)


def _verb(centre: Centre, actor: Actor, room: UnitFacts) -> Way:
    async def once(number: int) -> float:
        start = _slot(centre, number)
        began = perf_counter()
        await service.reserve(actor, Wish(room.uid, start, start + timedelta(hours=2), TITLE, centre.merchants[0]))
        return 1000 * (perf_counter() - began)

    return once


async def _http(centre: Centre, web: Client, room: UnitFacts, token: str) -> Way:
    merchant = str(await database.fetchval("SELECT uid FROM merchants WHERE id = $1", centre.merchants[0]))

    async def once(number: int) -> float:
        start = _slot(centre, number)
        body = {"space_id": str(room.uid), "starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat(),
                "title": TITLE, "merchant_id": merchant}
        took, status, answer = await web.post("/api/v1/reservations", body, {"authorization": f"Bearer {token}"})
        assert status == 201, answer
        return took

    return once


async def _bare(centre: Centre, actor: Actor, room: UnitFacts, bare: asyncpg.Connection) -> Way:
    """Record one call, far behind all the others, and return its replay."""
    start = _slot(centre, -1)
    with recording() as recorded:
        await service.reserve(actor, Wish(room.uid, start, start + timedelta(hours=2), TITLE, centre.merchants[0]))
    inside = sum(one.is_inside for one in recorded.statements)
    print(f"  one reservation is {len(recorded.statements)} statements, {inside} of them in its transaction")

    async def once(number: int) -> float:
        began = perf_counter()
        await replay(bare, recorded, timedelta(days=number + 1), start)
        return 1000 * (perf_counter() - began)

    return once


def _ping(ping: Client) -> Way:
    async def once(_number: int) -> float:
        took, status, body = await ping.get("/ping")
        assert (status, json.loads(body)) == (200, {"ok": True})
        return took

    return once


async def _check(expected: int) -> None:
    """Make sure that all ways did the same work."""
    for table, condition in (("reservations", "id >= $1"), ("allocations", "reservation >= $1 AND holds"),
                             ("audit_entries", "thing = 'reservation' AND thing_id >= $1")):
        found = await database.fetchval(f"SELECT count(*) FROM {table} WHERE {condition}", FIRST_MADE)
        assert found == expected, f"{table}: {found} rows instead of {expected}"


def _print(times: dict[str, list[float]]) -> None:
    report.line("verb reserve", times["verb"])
    report.line("POST /api/v1/reservations", times["HTTP"])
    report.line("the same statements through bare asyncpg", times["bare"])
    report.line("bare Litestar ping", times["ping"])
    rate = {name: report.per_second(values) for name, values in times.items()}
    half = {name: report.percentile(values, 0.5) for name, values in times.items()}
    report.verdict("verb p50", half["verb"], 5, "ms")
    report.verdict("verb rate / bare rate", rate["verb"] / rate["bare"], 0.5, "", at_most=False)
    report.verdict("HTTP rate / bare rate", rate["HTTP"] / rate["bare"], 0.25, "", at_most=False)
    report.verdict("HTTP p50", half["HTTP"], 5, "ms")
    print(f"  medians: bare 1, verb {half['verb'] / half['bare']:.2f}, HTTP {half['HTTP'] / half['bare']:.2f},"
          f" ping {half['ping'] / half['bare']:.2f}")
