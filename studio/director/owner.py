"""The owner of one rig: keeps its link, follows events, corrects by re-reads, and runs the parts until the lease goes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from redis.asyncio import Redis

from incubator.ground import clock, database
from incubator.ground.errors import KaiboError
from studio.director import fencing, rows
from studio.director.commands import Commands
from studio.director.held import NOBODY, Held
from studio.director.journal import Entry
from studio.director.leases import Lease
from studio.director.links import MakeLink
from studio.director.loops import end, keep
from studio.director.outputs import Outputs
from studio.director.panic import Panics
from studio.director.pictures import Pictures
from studio.director.publish import Publisher
from studio.director.reconcile import Reconciler
from studio.director.wire import RUNNING
from studio.obs.errors import Kicked, LinkRefused, ObsError
from studio.obs.keeper import LinkKeeper, LinkStatus
from studio.obs.port import (
    Event,
    LinkDown,
    LinkState,
    ListChanged,
    Listing,
    Meters,
    ObsLink,
    OutputChanged,
    OutputKind,
    SceneChanged,
    SceneStarted,
)
from studio.rigs.queries import LinkFacts
from studio.rigs.service import set_canvas

log = structlog.get_logger()
SETTLE_S = 0.15  # after the last event of a burst
REREAD_S = 10.0
REFUSED_AGAIN_S = 10.0
LONGEST_WAIT_S = 5.0
OWN_SCENE_S = 3.0
FORGOTTEN_S = 60.0  # a link that was never heard says nothing of a last moment


class Owner:
    """One rig under one lease, from taking it over to letting it go."""

    def __init__(self, lease: Lease, owner: str, wanted: rows.Wanted, link: LinkFacts, make: MakeLink, redis: Redis,
                 journal: Callable[[Entry], None]) -> None:
        self._link_facts = link
        self._make = make
        self._keeper = LinkKeeper(self._make_link, longest_wait_s=LONGEST_WAIT_S)
        self.held = Held(lease, owner, wanted, self._keeper, journal)
        self._outputs = Outputs(self.held)
        self.panics = Panics(self.held, self._outputs)
        self._commands = Commands(self.held, redis, self._outputs, self.panics)
        self.publisher = Publisher(self.held, redis)
        self._pictures = Pictures(self.held, redis)
        self.reconciler = Reconciler(self.held, self._outputs)
        self._touched = asyncio.Event()
        self._came_online = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper.listen(self._hear)
        self._keeper.watch(self._status)

    def _make_link(self) -> ObsLink:
        rig = self.held.wanted.rig
        return self._make(rig.id, self._link_facts, rig.is_portrait)

    def start(self) -> None:
        """Begin; the parts run side by side and one that fails is begun anew."""
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "commands": self._commands.listen_for_ever, "panic list": self._commands.listen_for_panic_for_ever,
            "panic": self.panics.stay_for_ever, "publish": self.publisher.publish_for_ever,
            "pictures": self._pictures.grab_for_ever, "rows": self.reconciler.refresh_for_ever,
            "plan": self.reconciler.act_for_ever, "reread": self._reread_for_ever, "sync": self._sync_for_ever,
        }
        self._keeper.start()
        self._tasks = [asyncio.create_task(keep(name, loop, lambda: not self.held.is_dropped)) for name, loop in loops.items()]

    async def stop(self) -> None:
        """Let go: close the connections and touch nothing in OBS; the stream goes on."""
        self.held.drop("stopped")
        await end(self._tasks)
        await self._commands.close()
        await self._outputs.close()
        await self._keeper.stop()
        await self.publisher.leave()

    def poke(self) -> None:
        """Read the rows now."""
        self.held.refresh.set()

    async def relink(self, facts: LinkFacts) -> None:
        """Connect anew when address or password changed, or a person may have mended what OBS refused."""
        is_same = (facts.driver, facts.address, facts.password) == (
            self._link_facts.driver, self._link_facts.address, self._link_facts.password)
        self._link_facts = facts
        if not is_same:
            await self._keeper.stop()
            self._keeper.start()
        elif self._keeper.status.state is LinkState.REFUSED:
            self._keeper.allow()

    # the link

    def _status(self, status: LinkStatus) -> None:
        held = self.held
        if status.state is LinkState.ONLINE:
            self._came_online.set()
        else:
            if held.is_claimed:
                self._outputs.lost(clock.now())
            held.is_claimed = False
        if status.state is LinkState.REFUSED:
            asyncio.get_running_loop().call_later(REFUSED_AGAIN_S, self._try_password_again)
        held.changed.set()
        held.due.set()

    def _try_password_again(self) -> None:
        """A wrong password may be mended at the computer; being thrown out needs a person's word here."""
        status = self._keeper.status
        if status.state is LinkState.REFUSED and not self.held.is_dropped and status.code != Kicked.code:
            self._keeper.allow()

    async def _sync_for_ever(self) -> None:
        """After each connection: our fence into OBS, then everything that was read, then what follows from it."""
        while not self.held.is_dropped:
            await self._came_online.wait()
            self._came_online.clear()
            link = self._keeper.link
            if link is None or self._keeper.facts is None:
                continue
            try:
                await self._sync(link)
            except fencing.FenceLost as error:
                self.held.drop(str(error))
            except ObsError as error:
                log.warning("not synchronised", rig=self.held.rig_id, why=f"{type(error).__name__}: {error}")
                if link.alive:
                    await asyncio.sleep(1)
                    self._came_online.set()

    async def _sync(self, link: ObsLink) -> None:
        held = self.held
        assert self._keeper.facts is not None
        await fencing.claim(held, link)
        held.mirror.begin(self._keeper.facts)
        held.mirror.load(await link.read_snapshot(), clock.now())
        held.proven_mark = None
        held.pictures.clear()
        held.is_claimed = True
        held.claimed_at = asyncio.get_running_loop().time()
        held.changed.set()
        held.due.set()
        await self._settle()
        if held.is_claimed:
            self._outputs.seen()
        stream = held.mirror.outputs[OutputKind.STREAM]
        if stream.phase in RUNNING and OutputKind.STREAM not in held.asked:
            self._outputs.guard("found_running")
        self.panics.again()

    async def _settle(self) -> None:
        """What needs the database once per connection; without it the show goes on."""
        held = self.held
        try:
            await asyncio.wait_for(self._outputs.settle_spans(), 3)
            await asyncio.wait_for(self.panics.adopt(), 3)
            facts = self._keeper.facts
            if facts is not None:
                await asyncio.wait_for(set_canvas(held.rig_id, facts.canvas_width, facts.canvas_height), 3)
        except (*database.LOST, *database.BUSY, TimeoutError, KaiboError) as error:
            log.warning("spans of a former owner not read", rig=held.rig_id, why=type(error).__name__)
            self._outputs.follow_mirror()

    def _hear(self, event: Event) -> None:
        held = self.held
        if isinstance(event, Meters):
            self.publisher.levels(event)
            return
        if isinstance(event, LinkDown):
            held.is_claimed = False
            self._outputs.lost(self._last_heard_at())
            held.ran("link_lost", reason=event.reason)
            return
        before = held.mirror.outputs[event.kind].phase if isinstance(event, OutputChanged) else None
        program = held.mirror.program
        if held.mirror.apply(event, clock.now()):
            held.changed.set()
        if isinstance(event, OutputChanged) and before is not None:
            self._outputs.heard(event, before)
        elif isinstance(event, SceneStarted | SceneChanged) and held.mirror.program != program:
            self._log_scene(held.mirror.program)
        elif event == ListChanged(Listing.EVERYTHING):
            self.reconciler.doubt()
        self._touched.set()

    def _last_heard_at(self) -> datetime:
        link = self._keeper.link
        heard_s = link.last_heard_s if link is not None else 0.0
        return clock.now() - timedelta(seconds=heard_s if heard_s < FORGOTTEN_S else 0.0)

    def _log_scene(self, scene: str) -> None:
        """Write which scene came, and for whom if somebody here asked for it just now."""
        held = self.held
        sender = NOBODY
        if held.scene_asked is not None and held.scene_asked[0] == scene:
            asked_s = (clock.now() - held.scene_asked[2]).total_seconds()
            sender = held.scene_asked[1] if asked_s < OWN_SCENE_S else NOBODY
            held.scene_asked = None
        held.ran("scene", sender, scene=scene)

    async def _reread_for_ever(self) -> None:
        """Read everything again 150 ms after the last event of a burst, and every ten seconds: events lie, in rare orders."""
        held = self.held
        while not held.is_dropped:
            try:
                await asyncio.wait_for(self._touched.wait(), REREAD_S)
                await self._until_quiet()
            except TimeoutError:
                pass
            if held.is_online:
                await self._reread()

    async def _until_quiet(self) -> None:
        for _ in range(20):  # three seconds of unbroken events are read through all the same
            self._touched.clear()
            try:
                await asyncio.wait_for(self._touched.wait(), SETTLE_S)
            except TimeoutError:
                return

    async def _reread(self) -> None:
        held = self.held
        touched = held.mirror.touched
        try:
            read = await held.link.read_snapshot()
        except ObsError as error:
            log.info("not read again", rig=held.rig_id, why=type(error).__name__)
            return
        if held.mirror.touched != touched:
            self._touched.set()  # something happened while it was read: once more
            return
        held.mirror.load(read, clock.now())
        self._outputs.follow_mirror()
        held.changed.set()

    async def panic_row(self, call: UUID) -> None:
        """Carry out a panic that came by the database."""
        log.info("panic by the database", rig=self.held.rig_id, call=str(call))
        await self.panics.read_rows()


def code_of(error: Exception) -> str:
    """Return what a connection test calls an error."""
    return error.code if isinstance(error, LinkRefused) else "unreachable"
