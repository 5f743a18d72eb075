"""The worker process: relays facts and due jobs through arq and runs them; dies and starts at any moment without loss."""

import asyncio
import signal
from typing import Any, cast

import structlog
from arq.connections import ArqRedis
from arq.worker import Worker, func

from frontend.composition import AWAY, House, open_house
from frontend.handlers import build_registry
from incubator.ground import database, heartbeats, jsons
from incubator.ground.queue.registry import Registry
from incubator.ground.queue.relay import QUEUE_NAME, relay
from incubator.ground.queue.runner import run_job
from incubator.ground.settings import Settings

log = structlog.get_logger()
MOST_AT_ONCE = 8
LONGEST_JOB_S = 150


def _arq_redis(house: House) -> ArqRedis:
    pool = house.redis.connection_pool
    return ArqRedis(connection_pool=pool, job_serializer=_serialize, job_deserializer=jsons.loads, default_queue_name=QUEUE_NAME)


def _serialize(value: Any) -> bytes:
    return jsons.dumps(value).encode()


def _worker(house: House, registry: Registry) -> Worker:
    async def run_one(_context: dict[Any, Any], job_id: int) -> None:
        await run_job(registry, job_id)

    return Worker(
        functions=[func(cast("Any", run_one), name="run_job", keep_result=0, max_tries=1, timeout=LONGEST_JOB_S)],
        redis_pool=_arq_redis(house), queue_name=QUEUE_NAME, poll_delay=0.05, max_jobs=MOST_AT_ONCE, keep_result=0,
        handle_signals=False, job_serializer=_serialize, job_deserializer=jsons.loads, log_results=False,
    )


async def _work(house: House, registry: Registry, stop: asyncio.Event) -> None:
    """Keep an arq worker running; when Redis stays away longer than its retries, begin anew."""
    while not stop.is_set():
        worker = _worker(house, registry)
        running = asyncio.create_task(worker.async_run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            running.cancel()
        try:
            await running
        except asyncio.CancelledError:
            return
        except AWAY as error:
            log.warning("worker waits for Redis", why=str(error))
            await asyncio.sleep(1)


async def _beat(stop: asyncio.Event) -> None:
    name = heartbeats.process_name("worker")
    while not stop.is_set():
        try:
            await heartbeats.beat("worker", name)
        except database.LOST as error:
            log.warning("worker waits for the database", why=str(error))
        try:
            await asyncio.wait_for(stop.wait(), 5)
        except TimeoutError:
            continue
    await heartbeats.leave(name)


async def work(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; jobs in progress are given back by the sweep of another worker."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings, connections=MOST_AT_ONCE + 4) as house:
        registry = build_registry(house.redis)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(relay(registry, _arq_redis(house), stop))
            tasks.create_task(_work(house, registry, stop))
            tasks.create_task(_beat(stop))
