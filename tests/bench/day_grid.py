"""(b) The day of 30 rooms as a whole page among 20,000 reservations: another day and another person each time."""

import asyncio
import itertools
import os
import time
from datetime import timedelta

from booking.reservations import service
from booking.reservations.service import Wish
from frontend.composition import open_house
from incubator.accounts import queries as people
from incubator.ground.settings import load
from tests.bench import centre as centres, report
from tests.bench.centre import Centre
from tests.bench.stack import free_port, stack, wait_for
from tests.bench.wire import Client

NUMBER = 20_000
ALONE = 150
CROWD = 400
CLIENTS = 8
FRESH = 5
AIM_ALONE, AIM_CROWD = 280, 580


class Readers:
    """Everybody in turn, each looking at another day."""

    def __init__(self, centre: Centre, cookies: list[str], days: int) -> None:
        self.centre = centre
        self.cookies = itertools.cycle(cookies)
        self.days = itertools.cycle(range(centres.FIRST_DAY, centres.FIRST_DAY + days))
        self.bytes: list[int] = []

    def ask(self) -> tuple[str, dict[str, str]]:
        """Return the next address and its headers."""
        day = self.centre.today + timedelta(days=next(self.days))
        return f"/days/{day}", {"cookie": f"kaibo={next(self.cookies)}", "accept-encoding": "gzip", "accept-language": "zh-CN"}

    async def read(self, client: Client) -> float:
        """Read one page whole, and return milliseconds."""
        took, status, body = await client.get(*self.ask())
        assert status == 200, body[:500]
        self.bytes.append(len(body))
        return took


async def measure() -> None:
    """Print the report."""
    with report.part("(b) day grid as a whole page, 30 rooms, 20,000 reservations"), stack() as made:
        os.environ.update(made.environ)
        async with open_house(load(), connections=3):
            centre = await centres.make()
            days = await centres.fill(centre, NUMBER)
            readers = Readers(centre, await centres.sign_everybody_in(centre), days)
            ping_port = free_port()
            pid = made.start("frontend", "web").pid
            made.start("tests.bench.ping", str(ping_port))
            wait_for(f"{made.address}/api/openapi.json")
            wait_for(f"http://127.0.0.1:{ping_port}/ping")
            async with Client(made.port) as web, Client(ping_port) as ping:
                await _fresh_ones(centre, web, days)
                alone, pings = await _alone(readers, web, ping)
        before = report.cpu_s(pid)
        crowd, rate = await _crowd(readers, made.port)
        cpu_ms = 1000 * (report.cpu_s(pid) - before) / len(crowd)
        _print(readers, alone, pings, crowd, rate)
        print(f"  one page costs the web process {cpu_ms:.1f} ms of a processor: at most {1000 / cpu_ms:.0f}/s on one")


async def _fresh_ones(centre: Centre, web: Client, days: int) -> None:
    """Make sure that what was booked just before is on the page that is asked for next."""
    actor = await people.actor_of(centre.staff[0])
    assert actor is not None
    for number in range(FRESH):
        day = centre.today + timedelta(days=centres.FIRST_DAY + days + 5 + number)
        start, title = centre.site.day(day).starts_at + timedelta(hours=9), f"刚刚订的 {number}"
        wish = Wish(centre.rooms[number].uid, start, start + timedelta(hours=2), title, centre.merchants[number])
        _, _, before = await web.get(f"/days/{day}", {"cookie": f"kaibo=bench-{centre.staff[0]}"})
        await service.reserve(actor, wish)
        _, _, after = await web.get(f"/days/{day}", {"cookie": f"kaibo=bench-{centre.staff[0]}"})
        assert title.encode() not in before
        assert title.encode() in after
    print(f"  a reservation made just before is on the page: {FRESH} of {FRESH}")


async def _alone(readers: Readers, web: Client, ping: Client) -> tuple[list[float], list[float]]:
    pages, pings = [], []
    for number in range(ALONE + 20):
        page, (took, _, _) = await readers.read(web), await ping.get("/ping")
        if number >= 20:
            pages.append(page)
            pings.append(took)
    return pages, pings


async def _crowd(readers: Readers, port: int) -> tuple[list[float], float]:
    times: list[float] = []
    left = iter(range(CROWD))

    async def one() -> None:
        async with Client(port) as client:
            times.extend([await readers.read(client) for _ in left])

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return times, len(times) / (time.perf_counter() - began)


def _print(readers: Readers, alone: list[float], pings: list[float], crowd: list[float], rate: float) -> None:
    report.line("day page, 1 client", alone, f"{min(readers.bytes)} to {max(readers.bytes)} bytes")
    report.line("bare Litestar ping, 1 client", pings)
    report.line(f"day page, {CLIENTS} clients", crowd, f"together {rate:.1f}/s")
    report.verdict("1 client", report.per_second(alone), AIM_ALONE, "pages/s", at_most=False)
    report.verdict(f"{CLIENTS} clients", rate, AIM_CROWD, "pages/s", at_most=False)
