"""Live topics of days: who has a schedule open is told that a day changed, never what; the page fetches its lanes again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
from litestar import Litestar, Response, get
from litestar.params import FromPath
from litestar.response import Stream

from booking.calendars.queries import closure
from booking.reservations import queries as reservations
from frontend.auth import signed_in, who
from frontend.composition import AWAY
from frontend.feeds_rights import may_stay
from frontend.views import AnyRequest
from incubator.ground.errors import NotFound
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import Registry
from incubator.sites.queries import first_site, site

log = structlog.get_logger()
CHANNEL = "days"
EVERY_DAY = "*"
KEEP_S = 90 * 86400
BEAT_S = 20
LONGEST_MS = 16
SLACK_MS = 2000
FACTS = ("ReservationConfirmed", "ReservationMoved", "ReservationCancelled", "ReservationEnded", "ReservationCheckedIn")
CLOSURE_FACTS = ("RoomsClosed", "ClosureLifted")
MOST_DAYS = 62  # a closure of more days tells every open day
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Topic(msgspec.Struct, frozen=True):
    """Which days changed, and when by this machine's clock in milliseconds; `*` means perhaps any."""

    days: tuple[str, ...]
    version: int


def since_ms() -> int:
    """Return the version that a page rendered now has surely seen; a little early, as machines' clocks differ."""
    return int(time.time() * 1000) - SLACK_MS


async def announce(redis: Any, reservation_id: int) -> Outcome:
    """Tell open pages on which days a reservation lies now and lay before.

    Where it lay before is kept in Redis; where that is not known (any more), every open day looks again.
    """
    facts = await reservations.facts(reservation_id)
    if facts is None:
        return await tell(redis, {EVERY_DAY})
    place = await site(facts.site_id)
    now = {str(place.local_date(facts.blocked.starts_at)), str(place.local_date(facts.blocked.ends_at))}
    key = f"days_of:{reservation_id}"
    before = await redis.getset(key, " ".join(sorted(now)))
    await redis.expire(key, KEEP_S)
    is_first = facts.version == 1
    former = set(before.decode().split()) if before else set() if is_first else {EVERY_DAY}
    return await tell(redis, now | former)


async def announce_closure(redis: Any, uid: UUID) -> Outcome:
    """Tell open pages of the days on which rooms were closed, or opened again."""
    found = await closure(uid)
    if found is None or found.span.length > timedelta(days=MOST_DAYS):
        return await tell(redis, {EVERY_DAY})
    place = await first_site()
    first, last = place.local_date(found.span.starts_at), place.local_date(found.span.ends_at)
    return await tell(redis, {str(first + timedelta(days=number)) for number in range((last - first).days + 1)})


async def tell(redis: Any, days: set[str]) -> Outcome:
    """Send one topic, and keep when each day changed last for pages that connect a moment later."""
    topic = Topic(tuple(sorted(days)), int(time.time() * 1000))
    for day in days:
        await redis.set(f"days:last:{day}", topic.version, ex=KEEP_S)
    await redis.publish(CHANNEL, msgspec.json.encode(topic))
    return outcome("announced_every_day") if EVERY_DAY in days else outcome("announced", count=len(days))


async def announce_quietly(redis: Any, *reservation_ids: int) -> None:
    """Announce from a request itself, once it is committed; with Redis away nobody is told, and booking works."""
    with suppress(*AWAY):
        for reservation_id in reservation_ids:
            await announce(redis, reservation_id)


async def announce_closure_quietly(redis: Any, uid: UUID) -> None:
    """Announce a closure from a page's own request, as `announce_quietly` does for reservations."""
    with suppress(*AWAY):
        await announce_closure(redis, uid)


async def _on_fact(args: dict[str, Any], *, redis: Any) -> Outcome:
    return await announce(redis, int(args["reservation"]))


async def _on_closure(args: dict[str, Any], *, redis: Any) -> Outcome:
    return await announce_closure(redis, UUID(args["closure"]))


def register(registry: Registry, redis: Any) -> None:
    """Announce after each fact of a reservation or closure."""
    for fact in FACTS:
        registry.on(fact, f"announce_{fact}", partial(_on_fact, redis=redis))
    for fact in CLOSURE_FACTS:
        registry.on(fact, f"announce_{fact}", partial(_on_closure, redis=redis))


class Hub:
    """The process's one subscription; every open page has a queue of its own."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.is_live = False
        self._was_away = False
        self._listeners: set[asyncio.Queue[Topic | None]] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self) -> asyncio.Queue[Topic | None]:
        """Return a new page's queue; None in it says that live updates began or paused."""
        queue: asyncio.Queue[Topic | None] = asyncio.Queue(maxsize=100)
        self._listeners.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        return queue

    def leave(self, queue: asyncio.Queue[Topic | None]) -> None:
        """Forget a page that closed; the last one ends the subscription."""
        self._listeners.discard(queue)
        if not self._listeners and self._task is not None:
            self._task.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                async with self.redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    self._turn(True)
                    while True:
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=BEAT_S)
                        if message is not None:
                            self._send(msgspec.json.decode(message["data"], type=Topic))
            except AWAY as error:
                log.warning("live updates of days pause", why=str(error))
                self._turn(False)
                await asyncio.sleep(1)

    def _turn(self, is_live: bool) -> None:
        if is_live and self._was_away:
            self._send(Topic((EVERY_DAY,), int(time.time() * 1000)))  # what was missed while away
        self._was_away = not is_live
        self.is_live = is_live
        self._send(None)

    def _send(self, topic: Topic | None) -> None:
        for queue in self._listeners:
            with suppress(asyncio.QueueFull):  # a page that reads nothing is gone, or looks again when it is back
                queue.put_nowait(topic)


def hub_of(app: Litestar) -> Hub:
    """Return the process's hub, made at the first use."""
    found: Hub | None = getattr(app.state, "day_hub", None)
    if found is None:
        found = app.state.day_hub = Hub(app.state.redis)
    return found


def event(name: str, data: object = "") -> bytes:
    """Return one event as it goes over the line."""
    return f"event: {name}\ndata: {data}\n\n".encode()


async def events(hub: Hub, day: str, since: int, may_stay: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """Yield what an open page is told, until it closes, or `may_stay` says no; it is asked every 20 s, however much happens."""
    queue = hub.join()
    try:
        yield b"retry: 2000\n\n"
        if await _missed(hub.redis, day, since):
            yield event("change", int(time.time() * 1000))
        if hub.is_live:
            yield event("live")
        while True:
            look_at = time.monotonic() + BEAT_S
            while (left_s := look_at - time.monotonic()) > 0:
                try:
                    topic = await asyncio.wait_for(queue.get(), left_s)
                except TimeoutError:
                    break
                if topic is None:
                    yield event("live" if hub.is_live else "paused")
                elif day in topic.days or EVERY_DAY in topic.days:
                    yield event("change", topic.version)
            if not await may_stay():
                return
            yield b": still here\n\n"
    finally:
        hub.leave(queue)


async def _missed(redis: Any, day: str, since: int) -> bool:
    """Tell whether the day changed between the page's reading and now."""
    try:
        last = await redis.mget(f"days:last:{day}", f"days:last:{EVERY_DAY}")
    except AWAY:
        return False
    return any(int(value) > since for value in last if value)


@get("/days/{day:str}/changes", include_in_schema=False)
async def day_changes(request: AnyRequest, day: FromPath[str]) -> Response[Any]:
    """Keep a line open that tells when this day changed."""
    signed_in(request)
    asked = request.query_params.get("since", "")
    since = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < LONGEST_MS else since_ms()
    try:
        on = date.fromisoformat(day)
    except ValueError as error:
        raise NotFound() from error
    told = events(hub_of(request.app), str(on), since, partial(may_stay, who(request)))
    return Stream(told, media_type="text/event-stream", headers=HEADERS)


HANDLERS = (day_changes,)
