"""Two directors on two hosts: a paused one loses its rig after the wait, and when it goes on it starts nothing and lets go."""

import os
import signal
import sys
import time
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from incubator.ground import database
from incubator.ground.jsons import loads
from incubator.ground.servers import ValkeyServer
from studio.director import wire
from studio.director.wire import CommandBody, OutputPhase, Sender, StartRecord
from studio.rigs import service as rigs
from tests.conftest import Scratch
from tests.obs_faults import PASSWORD, FaultServer
from tests.studio.conftest import HOUSE, Studio, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
RUN = """
import asyncio, socket, sys
from datetime import timedelta
socket.gethostname = lambda: sys.argv[1]  # a pid of another host says nothing here
from frontend import director_process
from incubator.ground.settings import load
from studio.director import director, leases
leases.TTL, leases.FOREIGN_WAIT = timedelta(seconds=float(sys.argv[2])), timedelta(seconds=float(sys.argv[3]))
leases.RENEW_EVERY_S = director.BEAT_EVERY_S = 1.0
asyncio.run(director_process.direct(load()))
"""
LIFE_S, WAIT_S = 6.0, 7.0  # as in the product longer than a healthy owner is ever held up, and the wait longer than the life
SECRETS_KEY = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="


@pytest.fixture
def obs() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


async def start(host: str, scratch: Scratch, valkey: ValkeyServer, data: Path) -> Process:
    environment = {**os.environ, "DATABASE_URL": scratch.dsn, "REDIS_URL": valkey.url, "KAIBO_DATA": str(data / host),
                   "KAIBO_SECRETS_KEY": SECRETS_KEY}
    (data / host).mkdir()
    return await create_subprocess_exec(sys.executable, "-c", RUN, host, str(LIFE_S), str(WAIT_S), env=environment, stdout=DEVNULL, stderr=DEVNULL)


async def rigs_of(process: Process) -> list[int] | None:
    """Return which rigs a director says it has; None before its first beat."""
    row = await database.fetchrow("SELECT detail FROM heartbeats WHERE kind = 'director' AND pid = $1", process.pid)
    return None if row is None else loads(row["detail"])["rigs"]


async def test_it_works(studio: Studio, scratch: Scratch, valkey: ValkeyServer, obs: FaultServer) -> None:
    await rigs.update(HOUSE, studio.rig.uid, rigs.SetUp(address=f"ws://127.0.0.1:{obs.port}", password=PASSWORD),
                      version=studio.rig.version)
    session = await studio.prepare(await studio.book())
    first = await start("east", scratch, valkey, studio.data)
    second = None
    try:
        await studio.shows(lambda s: s.link.is_online and s.fence == 1 and s.plan.session == session.id, 40)
        second = await start("west", scratch, valkey, studio.data)
        await until(lambda: _is_without_rigs(second), 40, "the second one runs and has nothing to do")
        first.send_signal(signal.SIGSTOP)
        paused = time.monotonic()
        await studio.shows(lambda s: s.fence == 2 and s.link.is_online and s.plan.session == session.id, LIFE_S + WAIT_S + 40)
        took_s = time.monotonic() - paused
        print(f"taken over {took_s:.1f} s after the owner was paused")
        assert took_s > WAIT_S, "the paused owner's lease still ran"
        await no_start_by(first, studio, session.id, obs)
        await until(lambda: _has_rig(second, studio.rig.id), 30, "the new owner says so with its next beat")
    finally:
        for process in (first, second):
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                await process.wait()


async def no_start_by(first: Process, studio: Studio, session: int, obs: FaultServer) -> None:
    """Wake the old owner with a start waiting on its own list: it refuses or never takes it, and gives the rig up."""
    body = CommandBody(uuid4(), studio.rig.id, session, Sender(), "test", StartRecord())
    await studio.redis.set(wire.command_key(body.id), wire.encode(body), ex=30)
    await studio.redis.rpush(wire.command_list(studio.rig.id, 1), wire.list_entry(body.id, "test"))
    first.send_signal(signal.SIGCONT)
    await until(lambda: _is_without_rigs(first), 30, "the old owner lets go")
    shown = await studio.shows(lambda s: s.fence == 2)
    assert shown.record.phase == OutputPhase.STOPPED
    assert not obs.machine.record.active
    assert "StartRecord" not in obs.seen


async def _has_rig(process: Process, rig_id: int) -> bool:
    return await rigs_of(process) == [rig_id]


async def _is_without_rigs(process: Process) -> bool:
    return await rigs_of(process) == []
