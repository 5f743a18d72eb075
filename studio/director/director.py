"""The director: takes leases on rigs, runs an owner for each, hears pokes and panics, tests connections, beats."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis

from incubator.ground import database, heartbeats
from incubator.ground.errors import KaiboError
from studio.director import leases, rows, wire
from studio.director.journal import Journal
from studio.director.leases import Lease
from studio.director.links import Links, MakeLink
from studio.director.loops import end, keep
from studio.director.owner import Owner, code_of
from studio.director.wire import Answer, Found, Outcome
from studio.obs.errors import ObsError
from studio.obs.port import ObsLink
from studio.rigs.queries import link_of
from studio.rigs.service import POKE_CHANNEL

log = structlog.get_logger()
PATIENCE_S = 4.0
BEAT_EVERY_S = 5.0
OUT_OF_REACH = (*database.LOST, *database.BUSY, TimeoutError, KaiboError)
ALL_AT_ONCE = 200


class Director:
    """One process's part of the rooms; `zones` empty: all. `data` is where the journal's file lies."""

    def __init__(self, redis: Redis, data: Path, zones: Collection[str] = (), *, make: MakeLink | None = None,
                 serial: int = 0) -> None:
        self.name = leases.owner_name(serial)
        self._beat_name = heartbeats.process_name("director")
        self._redis: Any = redis  # typed for both kinds of client
        self._zones = tuple(zones)
        self._links = Links()
        self._make = make or self._links.make
        self.owners: dict[int, Owner] = {}
        self.journal = Journal(data, rows.write_closed, rows.tell_alarmed)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then let go of everything so that another director need not wait."""
        loops: tuple[Callable[[], Any], ...] = (
            self._lease_for_ever, self._hear_for_ever, self._test_for_ever, self._beat_for_ever, self.journal.run)
        tasks = [asyncio.create_task(keep(loop.__name__, loop, lambda: not stop.is_set())) for loop in loops]
        try:
            await stop.wait()
        finally:
            await end((*tasks, *self._tasks))
            await self._leave()

    async def _leave(self) -> None:
        held = [owner.held.lease for owner in self.owners.values()]
        await asyncio.gather(*(owner.stop() for owner in self.owners.values()))
        self.owners.clear()
        try:
            await asyncio.wait_for(self.journal.flush(), PATIENCE_S)
            await asyncio.wait_for(leases.release(self.name, held), PATIENCE_S)
            await asyncio.wait_for(heartbeats.leave(self._beat_name), PATIENCE_S)
        except OUT_OF_REACH as error:
            log.warning("leases not released", why=type(error).__name__)
        self.journal.close()

    # leases

    async def _lease_for_ever(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._renew(), PATIENCE_S)
                await asyncio.wait_for(self._take(), PATIENCE_S)
            except OUT_OF_REACH as error:
                log.warning("leases wait for the database", why=type(error).__name__)
            await asyncio.sleep(leases.RENEW_EVERY_S)

    async def _renew(self) -> None:
        held = [owner.held.lease for owner in self.owners.values()]
        lost = await leases.renew(self.name, held) if held else set()
        for rig_id, owner in list(self.owners.items()):
            if rig_id in lost:
                owner.held.drop("the lease is another's, or the rig is out of use")
            if owner.held.is_dropped:
                del self.owners[rig_id]
                self._start(self._let_go(owner))

    async def _let_go(self, owner: Owner) -> None:
        await owner.stop()
        await leases.release(self.name, [owner.held.lease])

    async def _take(self) -> None:
        for lease in await leases.take_free(self.name, self._zones, self.owners, ALL_AT_ONCE):
            await self._own(lease)

    async def _own(self, lease: Lease) -> None:
        found = await rows.wanted(lease.rig)
        if found is None:
            return
        owner = Owner(lease, self.name, found, await link_of(lease.rig), self._make, self._redis, self.journal.add)
        self.owners[lease.rig] = owner
        owner.start()
        self._start(owner.panics.read_rows())
        log.info("rig taken", rig=lease.rig, fence=lease.fence)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Any) -> None:
        try:
            await work
        except OUT_OF_REACH as error:
            log.warning("left for the next wake-up", why=type(error).__name__)

    # what the database says

    async def _hear_for_ever(self) -> None:
        """Hear pokes and panics; after an outage, look at everything once, since what was said meanwhile is lost."""
        while True:
            try:
                connection = await database.connect()
            except OUT_OF_REACH:
                await asyncio.sleep(1)
                continue
            gone = asyncio.Event()
            try:
                connection.add_termination_listener(lambda *_, gone=gone: gone.set())
                await connection.add_listener(POKE_CHANNEL, lambda *said: self._poked(said[3]))
                await connection.add_listener(wire.PANIC_CHANNEL, lambda *said: self._panicked(said[3]))
                self._look_at_everything()
                await gone.wait()
            except OUT_OF_REACH:
                await asyncio.sleep(1)
            finally:
                with suppress(*OUT_OF_REACH):
                    await connection.close(timeout=1)

    def _look_at_everything(self) -> None:
        for rig_id in list(self.owners):
            self._poked(str(rig_id))
            self._start(self.owners[rig_id].panics.read_rows())

    def _poked(self, said: str) -> None:
        owner = self.owners.get(int(said))
        if owner is None:
            self._start(self._take())
            return
        owner.poke()
        self._start(self._relink(owner))

    async def _relink(self, owner: Owner) -> None:
        await owner.relink(await link_of(owner.held.rig_id))

    def _panicked(self, said: str) -> None:
        rig_id, _, call = said.partition(" ")
        owner = self.owners.get(int(rig_id))
        if owner is not None:
            self._start(owner.panic_row(UUID(call)))

    # connection tests

    async def _test_for_ever(self) -> None:
        """Take connection tests of our zones, one at a time."""
        while True:
            try:
                zones = self._zones or await database_zones()
                found = await self._redis.blpop([wire.probe_list(zone) for zone in zones], timeout=2)
                if found is not None:
                    await self._test(wire.probe(found[1]))
            except msgspec.DecodeError:
                log.warning("unreadable connection test")
            except (*wire.AWAY, *OUT_OF_REACH) as error:
                log.warning("connection tests wait", why=type(error).__name__)
                await asyncio.sleep(1)

    async def _test(self, body: wire.ProbeBody) -> None:
        found = await rows.wanted(body.rig)
        if found is None:
            return
        link = self._make(body.rig, await link_of(body.rig), found.rig.is_portrait)
        try:
            answer = Answer(body.id, Outcome.DONE, detail=msgspec.to_builtins(await look(link)))
        except ObsError as error:
            answer = Answer(body.id, Outcome.REFUSED, code_of(error), {"reason": str(error)})
        finally:
            await link.close()
        await self._redis.publish(wire.answers_channel(body.answer_to), wire.encode(answer))
        owner = self.owners.get(body.rig)
        if owner is not None and answer.outcome == Outcome.DONE:
            await owner.relink(await link_of(body.rig))

    # the beat

    async def _beat_for_ever(self) -> None:
        while True:
            detail = {
                "rigs": sorted(self.owners), "online": sum(owner.held.is_online for owner in self.owners.values()),
                "journal_waiting": self.journal.waiting,
            }
            try:
                await asyncio.wait_for(heartbeats.beat("director", self._beat_name, detail), PATIENCE_S)
            except OUT_OF_REACH as error:
                log.warning("beat not written", why=type(error).__name__)
            await asyncio.sleep(BEAT_EVERY_S)


async def look(link: ObsLink) -> Found:
    """Connect and return what is there.

    Raises:
        ObsError: no connection came about.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    facts = await link.connect()
    read = await link.read_snapshot()
    return Found(
        facts.obs_version, facts.websocket_version, facts.canvas_width, facts.canvas_height, facts.fps, read.scenes,
        tuple(one.name for one in read.audio_inputs), read.outputs.virtual_camera is not None, facts.can_be_aborted,
        int((loop.time() - began) * 1000))


async def database_zones() -> list[str]:
    """Return the zones that rigs are in, for a director that serves all of them."""
    found = await database.fetch("SELECT DISTINCT zone FROM rigs")
    return sorted({row["zone"] for row in found} | {""})
