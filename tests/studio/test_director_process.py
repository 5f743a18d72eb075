"""A director that is killed is followed by the next at once on the same machine; one that is asked to end gives its rigs back."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

import pytest

from incubator.ground import database
from incubator.ground.servers import ValkeyServer
from tests.conftest import Scratch
from tests.studio.conftest import Studio

RUN = """
import asyncio
from frontend import director_process
from incubator.ground.settings import load
asyncio.run(director_process.direct(load()))
"""


async def start(scratch: Scratch, valkey: ValkeyServer, data: Path) -> Process:
    environment = {**os.environ, "DATABASE_URL": scratch.dsn, "REDIS_URL": valkey.url, "KAIBO_DATA": str(data),
                   "KAIBO_SECRETS_KEY": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment, stdout=DEVNULL, stderr=DEVNULL)


@pytest.mark.slow
async def test_it_works(studio: Studio, scratch: Scratch, valkey: ValkeyServer) -> None:
    first = await start(scratch, valkey, studio.data)
    try:
        await studio.shows(lambda s: s.link.is_online and s.fence == 1, 60)
        assert await database.fetchval("SELECT count(*) FROM heartbeats WHERE kind = 'director'") == 1
        first.kill()
        await first.wait()
        # its lease runs on for longer than anybody waits here, and its owner certainly ended
        await database.execute("UPDATE rig_leases SET expires_at = now() + interval '5 minutes'")
        second = await start(scratch, valkey, studio.data)
        try:
            await studio.shows(lambda s: s.link.is_online and s.fence == 2, 60)
            second.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(second.wait(), 30) == 0
        finally:
            if second.returncode is None:
                second.kill()
        assert await database.fetchval("SELECT owner FROM rig_leases") == ""
    finally:
        if first.returncode is None:
            first.kill()
