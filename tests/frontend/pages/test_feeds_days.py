"""Open schedules are told which day changed, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio

from booking.calendars import service as calendars
from booking.calendars.service import Extent
from booking.reservations import service
from frontend import feeds_days
from frontend.composition import connect_redis
from frontend.feeds_days import CHANNEL, Hub, Topic, announce, events
from incubator.ground.queue.registry import Registry
from incubator.ground.values import Span
from tests.frontend.pages.conftest import DAY, Centre, in_days


async def stays() -> bool:
    """Say that whoever listens may go on."""
    return True


@pytest_asyncio.fixture
async def heard(redis: Any) -> AsyncIterator[list[Topic]]:
    """Everything that goes over the channel."""
    found: list[Topic] = []
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)

        async def listen() -> None:
            async for message in pubsub.listen():
                found.extend(msgspec.json.decode(message["data"], type=Topic) for _ in range(message["type"] == "message"))

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        yield found
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_works(centre: Centre, redis: Any, heard: list[Topic]) -> None:
    made = await centre.book(centre.people.alice)
    await announce(redis, made.id)
    await asyncio.sleep(0.05)
    assert [topic.days for topic in heard] == [(DAY,)]


async def test_a_move_tells_both_days(centre: Centre, redis: Any, heard: list[Topic]) -> None:
    made = await centre.book(centre.people.alice)
    await announce(redis, made.id)
    other = in_days(4)
    changes = service.Changes(starts_at=centre.at("10:00", other), ends_at=centre.at("12:00", other))
    await service.move(centre.people.alice, made.uid, changes, version=made.version)
    await announce(redis, made.id)
    await asyncio.sleep(0.05)
    assert heard[-1].days == (DAY, other)


async def test_where_it_lay_before_is_not_known(centre: Centre, redis: Any, heard: list[Topic]) -> None:
    made = await centre.book(centre.people.alice)
    await service.move(centre.people.alice, made.uid, service.Changes(title="neu"), version=made.version)
    await announce(redis, made.id)
    await asyncio.sleep(0.05)
    assert "*" in heard[-1].days


async def test_an_open_page_hears_its_day_only(centre: Centre, redis: Any) -> None:
    hub = Hub(redis)
    line = events(hub, DAY, feeds_days.since_ms() + 60_000, stays)
    assert (await anext(line)).startswith(b"retry")
    assert b"event: live" in await anext(line)
    await feeds_days.tell(redis, {in_days(9)})
    await feeds_days.tell(redis, {DAY})
    told = await anext(line)
    assert told.startswith(b"event: change\ndata: ")
    assert told.split(b"data: ")[1].strip().isdigit()
    await line.aclose()


async def test_what_was_missed_between_reading_and_listening(centre: Centre, redis: Any) -> None:
    since = feeds_days.since_ms()
    await feeds_days.tell(redis, {DAY})
    line = events(Hub(redis), DAY, since, stays)
    await anext(line)
    assert b"event: change" in await anext(line)
    await line.aclose()


async def test_a_hold_of_a_program_is_announced(centre: Centre, heard: list[Topic], visit: Any) -> None:
    program = (await visit(centre.people.alice)).client
    other = in_days(4)

    def wish(day: str) -> dict[str, object]:
        return {"space_id": str(centre.rooms[0].uid), "starts_at": centre.at("10:00", day).isoformat(), "hold": True,
                "ends_at": centre.at("12:00", day).isoformat(), "page_key": "k"}

    await program.post("/api/v1/reservations", json=wish(DAY), headers={"Idempotency-Key": "x"})
    held = (await program.post("/api/v1/reservations", json=wish(other))).json()
    gone = await program.post(f"/api/v1/reservations/{held['id']}/cancel")
    assert gone.status_code == 200
    await asyncio.sleep(0.05)
    days = [set(topic.days) - {"*"} for topic in heard]
    assert days == [{DAY}, {DAY}, {other}, {other}]  # the second hold takes the place of the first


async def test_a_hold_that_moves_to_another_day_is_announced_on_both(centre: Centre, heard: list[Topic], visit: Any) -> None:
    visitor = await visit(centre.people.alice)
    sheet = {"space": centre.rooms[0].uid, "start": "10:00", "to": "12:00", "kind": "live_room", "page_key": "k"}
    for day in (DAY, in_days(4)):
        assert (await visitor.post("/reservations/hold", date=day, **sheet)).status_code == 200
    await visitor.post("/reservations/new", date=in_days(5), **sheet)
    await asyncio.sleep(0.05)
    days = [set(topic.days) - {"*"} for topic in heard]
    assert days == [{DAY}, {DAY}, {in_days(4)}, {in_days(4)}, {in_days(5)}]


async def test_a_closure_tells_its_days(centre: Centre, redis: Any, heard: list[Topic]) -> None:
    extent = Extent((centre.rooms[0].id,))
    closed = await calendars.close(centre.people.dora, extent, Span(centre.at("20:00"), centre.at("09:00", in_days(2))), reason="检修")
    await feeds_days.announce_closure(redis, closed.uid)
    await calendars.lift(centre.people.dora, closed.uid)
    await feeds_days.announce_closure(redis, closed.uid)
    long = await calendars.close(centre.people.dora, extent, Span(centre.at("20:00"), centre.at("09:00", in_days(90))), reason="检修")
    await feeds_days.announce_closure(redis, long.uid)
    await asyncio.sleep(0.05)
    assert [topic.days for topic in heard] == [(DAY, in_days(2)), (DAY, in_days(2)), ("*",)]


async def test_with_redis_away_booking_goes_on(centre: Centre) -> None:
    made = await centre.book(centre.people.alice)
    nobody = connect_redis("redis://127.0.0.1:1", tries=0)
    await feeds_days.announce_quietly(nobody, made.id)
    line = events(Hub(nobody), DAY, 0, stays)
    await anext(line)
    assert b"event: paused" in await anext(line)
    await line.aclose()
    await nobody.aclose()


def test_every_fact_is_announced(redis: Any) -> None:
    registry = Registry()
    feeds_days.register(registry, redis)
    assert set(registry.by_fact) == {
        "ReservationConfirmed", "ReservationMoved", "ReservationCancelled", "ReservationEnded", "ReservationCheckedIn", "RoomsClosed",
        "ClosureLifted"}
