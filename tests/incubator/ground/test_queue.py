"""Facts become jobs once, jobs run once, failures are retried and given up, nothing is lost with a worker."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.exceptions import RedisError

from incubator.ground import clock, database
from incubator.ground.errors import Forbidden
from incubator.ground.queue import queries, relay, service
from incubator.ground.queue.registry import Registry, TryLater
from incubator.ground.queue.runner import run_job
from tests.people import People


class Spy:
    """A handler that remembers what it was given and does as told."""

    def __init__(self, *deeds: Exception | str | None) -> None:
        self.deeds = list(deeds)
        self.seen: list[dict[str, Any]] = []

    async def __call__(self, args: dict[str, Any]) -> str | None:
        self.seen.append(args)
        deed = self.deeds.pop(0) if self.deeds else None
        if isinstance(deed, Exception):
            raise deed
        return deed


async def only_job() -> Any:
    return await database.fetchrow("SELECT * FROM jobs ORDER BY id DESC LIMIT 1")


async def test_a_fact_becomes_one_job_per_handler(db: None) -> None:
    registry = Registry()
    registry.on("Happened", "first", Spy())
    registry.on("Happened", "second", Spy())
    await service.publish("Happened", {"thing": 7})
    assert await relay.spread_facts(registry) == 1
    assert await relay.spread_facts(registry) == 0
    rows = await database.fetch("SELECT handler, args FROM jobs ORDER BY id")
    assert [(row["handler"], row["args"]) for row in rows] == [("first", '{"thing": 7}'), ("second", '{"thing": 7}')]


async def test_a_job_runs_once(db: None) -> None:
    spy, registry = Spy("well done"), Registry()
    registry.job("deed", spy)
    await service.plan("deed", "deed:1", clock.now(), {"thing": 1})
    job = await only_job()
    assert await run_job(registry, job["id"]) == "done"
    assert await run_job(registry, job["id"]) == "skipped"
    assert spy.seen == [{"thing": 1}]
    assert (await only_job())["result"] == "well done"


async def test_a_job_is_never_early(db: None) -> None:
    registry = Registry()
    registry.job("deed", Spy())
    await service.plan("deed", "deed:1", clock.now() + timedelta(minutes=1))
    assert await run_job(registry, (await only_job())["id"]) == "skipped"


class Bell:
    """Redis as the relay sees it: keeps what is to be run at once, and refuses a moment to wait for."""

    def __init__(self) -> None:
        self.rung: list[int] = []

    async def enqueue_job(self, _function: str, job_id: int, *, _job_id: str, _queue_name: str) -> None:
        self.rung.append(job_id)


@pytest.mark.parametrize("offset", [timedelta(hours=9), timedelta(hours=-9)])
async def test_a_shifted_clock_runs_jobs_when_business_time_says_so(db: None, offset: timedelta) -> None:
    bell, registry = Bell(), Registry()
    registry.job("deed", Spy())
    clock.set_offset(int(offset.total_seconds()))
    await service.plan("deed", "deed:1", clock.now() + timedelta(seconds=1))
    real_due = datetime.now(UTC) + timedelta(seconds=1)
    job_id = (await only_job())["id"]
    assert (await relay.send_due(bell), await run_job(registry, job_id)) == (0, "skipped")
    while not await relay.send_due(bell):
        assert datetime.now(UTC) < real_due + timedelta(seconds=30)
        await asyncio.sleep(0.02)
    assert datetime.now(UTC) >= real_due - timedelta(milliseconds=50)
    assert (bell.rung, await run_job(registry, job_id)) == ([job_id], "done")
    assert (await only_job())["lateness_ms"] < 60_000  # and not by nine hours


async def test_a_shift_of_the_clock_brings_what_waits(db: None) -> None:
    bell = Bell()
    await service.plan("deed", "deed:1", clock.now() + timedelta(hours=2))
    assert await relay.send_due(bell) == 0
    clock.set_offset(2 * 3600 + 1)
    assert await relay.send_due(bell) == 1


class Emptied(Bell):
    """Redis that goes away at the second wake-up, for a while, and comes back with nothing in it."""

    def __init__(self, away: int) -> None:
        super().__init__()
        self.away = away
        self.is_up = True

    async def ping(self) -> None:
        if not self.is_up:
            self.away -= 1
            self.is_up = self.away == 0
            raise RedisError("away")

    async def enqueue_job(self, _function: str, job_id: int, *, _job_id: str, _queue_name: str) -> None:
        if self.rung and self.away:
            self.rung, self.is_up = [], False
            raise RedisError("away")
        await super().enqueue_job(_function, job_id, _job_id=_job_id, _queue_name=_queue_name)


async def rings(bell: Bell, wanted: set[int]) -> None:
    """Let the relay work until Redis has these wake-ups."""
    stop = asyncio.Event()
    task = asyncio.create_task(relay.relay(Registry(), bell, stop))
    try:
        async with asyncio.timeout(20):
            while set(bell.rung) != wanted:
                await asyncio.sleep(0.02)
    finally:
        stop.set()
        await task


@pytest.mark.parametrize("away", [0, 1, 2])
async def test_after_redis_came_back_empty_what_is_due_is_sent_again(db: None, monkeypatch: pytest.MonkeyPatch, away: int) -> None:
    """Also what had been sent before the outage, and at a start, when nobody knows what became of it."""
    monkeypatch.setattr(relay, "RESEND_AFTER", timedelta(hours=1))
    for number in (1, 2):
        await service.plan("deed", f"deed:{number}", clock.now())
    await service.plan("deed", "deed:3", clock.now() + timedelta(hours=1))
    due = {row["id"] for row in await database.fetch("SELECT id FROM jobs WHERE key <> 'deed:3'")}
    former = Bell()
    assert (await relay.send_due(former), set(former.rung)) == (2, due)
    await rings(Emptied(away), due)


async def test_a_failure_is_retried_and_then_given_up(db: None) -> None:
    given_up: list[str] = []

    async def give_up(_args: dict[str, Any], why: str) -> None:
        given_up.append(why)

    registry = Registry()
    registry.job("deed", Spy(ValueError("one"), ValueError("two")), tries=2, first_wait_s=60, give_up=give_up)
    start = clock.now()
    await service.plan("deed", "deed:1", start)
    job_id = (await only_job())["id"]
    assert await run_job(registry, job_id) == "put-off"
    with clock.frozen_at(start + timedelta(seconds=59)):
        assert await run_job(registry, job_id) == "skipped"
    with clock.frozen_at(start + timedelta(seconds=75)):
        assert await run_job(registry, job_id) == "failed"
    assert given_up == ["ValueError: two"]
    assert (await only_job())["state"] == "failed"


async def test_waiting_for_the_world_is_not_a_fault(db: None) -> None:
    registry = Registry()
    registry.job("deed", Spy(TryLater(timedelta(seconds=0), "not ready"), "ready"), tries=9)
    await service.plan("deed", "deed:1", clock.now())
    job_id = (await only_job())["id"]
    assert await run_job(registry, job_id) == "put-off"
    assert await run_job(registry, job_id) == "done"


async def test_planning_again_moves_the_job(db: None) -> None:
    later = clock.now() + timedelta(hours=1)
    await service.plan("deed", "prepare:1", clock.now())
    await service.plan("deed", "prepare:1", later)
    assert await database.fetchval("SELECT count(*) FROM jobs") == 1
    assert (await only_job())["run_at"] == later


async def test_a_round_planned_meanwhile_survives_the_end_of_the_old_one(db: None) -> None:
    registry = Registry()

    async def moves_itself(_args: dict[str, Any]) -> None:
        await service.plan("deed", "deed:1", clock.now() + timedelta(hours=1))

    registry.job("deed", moves_itself)
    await service.plan("deed", "deed:1", clock.now())
    await run_job(registry, (await only_job())["id"])
    assert (await only_job())["state"] == "waiting"


async def test_a_cancelled_job_does_not_run(db: None) -> None:
    registry = Registry()
    registry.job("deed", Spy())
    await service.plan("deed", "deed:1", clock.now())
    assert await service.unplan("deed:1")
    assert await run_job(registry, (await only_job())["id"]) == "skipped"


async def test_the_sweep_gives_back_what_a_dead_worker_held(db: None) -> None:
    await service.plan("deed", "deed:1", clock.now())
    await database.execute("UPDATE jobs SET state = 'running', claimed_until = now() - interval '1 second'")
    assert await relay.sweep() == 1
    assert (await only_job())["state"] == "waiting"


async def test_recurring_work_is_planned_once_per_period(db: None) -> None:
    registry = Registry()
    registry.every(timedelta(minutes=1), "tick", Spy())
    await relay.plan_recurring(registry)
    await relay.plan_recurring(registry)
    assert await database.fetchval("SELECT count(*) FROM jobs") == 1
    await run_job(registry, (await only_job())["id"])
    await relay.plan_recurring(registry)
    assert (await only_job())["state"] == "done"
    with clock.frozen_at(clock.now() + timedelta(minutes=2)):
        await relay.plan_recurring(registry)
        assert (await only_job())["state"] == "waiting"


async def test_recurring_work_goes_on_when_the_clock_is_turned_back(db: None) -> None:
    registry = Registry()
    registry.every(timedelta(minutes=1), "tick", Spy())
    with clock.frozen_at(clock.now() + timedelta(hours=9)):
        await relay.plan_recurring(registry)
        await run_job(registry, (await only_job())["id"])
    await relay.plan_recurring(registry)
    assert (await only_job())["state"] == "waiting"


async def test_operators_see_and_retry_what_failed(people: People) -> None:
    registry = Registry()
    registry.job("deed", Spy(ValueError("broken")), tries=1)
    await service.plan("deed", "deed:1", clock.now())
    job_id = (await only_job())["id"]
    await run_job(registry, job_id)
    [row] = await queries.jobs("failed")
    assert row.error == "ValueError: broken"
    assert (await queries.state()).failed == 1
    await service.retry(people.olaf, job_id)
    assert await run_job(registry, job_id) == "done"


async def test_only_operators_retry(people: People) -> None:
    await service.plan("deed", "deed:1", clock.now())
    with pytest.raises(Forbidden):
        await service.retry(people.dora, (await only_job())["id"])


async def test_only_failed_jobs_are_retried(people: People) -> None:
    await service.plan("deed", "deed:1", clock.now())
    with pytest.raises(service.JobNotFailed):
        await service.retry(people.olaf, (await only_job())["id"])
