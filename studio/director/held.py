"""One rig in the hands of this director: what is wanted, what OBS says, what is in force; no behaviour beyond simple answers."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import structlog

from incubator.ground import clock
from incubator.ground.values import new_uid
from studio.director.journal import Alarmed, Closed, Entry, RanAt
from studio.director.leases import Lease
from studio.director.mirror import Mirror
from studio.director.rows import Plan, Wanted
from studio.director.wire import PanicNow, Sender
from studio.obs.errors import LinkLost
from studio.obs.keeper import LinkKeeper
from studio.obs.outputs import UNSEEN_S
from studio.obs.port import ObsLink, OutputKind

log = structlog.get_logger()
NOBODY = Sender()


class Taken(msgspec.Struct, frozen=True):
    """A picture that lies in Redis: of which scene, for which session alone, its version, and until when by the loop's clock."""

    scene: str
    session: int
    version: int
    until: float


class Held:
    """The state that the parts of an owner share; one event loop, so plain attributes suffice."""

    def __init__(self, lease: Lease, owner: str, wanted: Wanted, keeper: LinkKeeper, journal: Callable[[Entry], None]) -> None:
        self.lease = lease
        self.owner = owner
        self.wanted = wanted
        self.keeper = keeper
        self.journal = journal
        self.mirror = Mirror()
        self.is_claimed = False  # our fence stands in this OBS, and everything was read since the link came
        self.claimed_at = 0.0  # by the loop's clock
        self.is_dropped = False
        self.database_away = False
        self.proven_mark: str | None = None  # read back from OBS in this epoch
        self.armed_mark: str | None = wanted.rig.armed_mark
        self.armed_session: int | None = wanted.rig.armed_session
        self.emptied: set[tuple[int, int]] = set()  # session and plan version, emptied by us
        self.report: tuple[str, str, dict[str, Any]] = ("idle", "", {})
        self.panic = PanicNow()
        self.panic_before: dict[str, Any] | None = None
        self.asked: dict[OutputKind, Sender] = {}  # outputs that we asked to start, and for whom
        self.scene_asked: tuple[str, Sender, datetime] | None = None
        self.pictures: dict[int, Taken] = {}  # by the scene's place
        self.watched = False
        self.busy_until = 0.0
        self.changed = asyncio.Event()  # publish soon
        self.due = asyncio.Event()  # reconcile soon
        self.refresh = asyncio.Event()  # read the rows soon

    @property
    def rig_id(self) -> int:
        """Return the rig's inner id."""
        return self.lease.rig

    @property
    def is_online(self) -> bool:
        """Tell whether OBS may be relied upon: link up, everything read, our fence in it."""
        return self.is_claimed and self.keeper.online

    @property
    def link(self) -> ObsLink:
        """Return the present link.

        Raises:
            LinkLost: there is none.
        """
        if self.keeper.link is None or not self.is_claimed:
            raise LinkLost("no link to OBS", sent=False)
        return self.keeper.link

    @property
    def plan(self) -> Plan | None:
        """Return the plan that is in force: one whose session this director has not emptied yet."""
        plan = self.wanted.plan
        if plan is None or self.wanted.closed or (plan.session, plan.version) in self.emptied:
            return None
        return plan

    def is_at_rest(self, kind: OutputKind) -> bool:
        """Tell whether an output certainly neither runs nor is about to: one may have begun just before our link did."""
        has_heard_long = asyncio.get_running_loop().time() - self.claimed_at > UNSEEN_S
        return self.is_online and has_heard_long and self.mirror.is_still(kind)

    def is_over(self, now: datetime) -> bool:
        """Tell whether the session's cut-off has come, by our own clock."""
        plan = self.plan
        return plan is not None and plan.cut_off_at <= now

    def session_now(self) -> int | None:
        """Return the session to which what happens now belongs."""
        return self.plan.session if self.plan is not None else None

    def audience(self) -> int:
        """Return the session whose pages alone may hear and see the room; 0: nobody, between sessions or after the cut-off."""
        return 0 if self.is_over(clock.now()) else self.session_now() or 0

    def pictures_at(self) -> tuple[int, ...]:
        """Return the version of each scene's picture, 0 where none lies ready for whoever looks now: nobody asks for it."""
        now, session = asyncio.get_running_loop().time(), self.audience()
        found = [(scene, self.pictures.get(index)) for index, scene in enumerate(self.mirror.scenes)]
        return tuple(
            one.version if one is not None and (one.scene, one.session) == (scene, session) and now < one.until else 0
            for scene, one in found)

    def ran(self, what: str, sender: Sender = NOBODY, session: int | None = None, at: datetime | None = None,
            **detail: Any) -> None:
        """Write a line of the as-run log; `at` None: now."""
        self.journal(RanAt(new_uid(), self.rig_id, session or self.session_now(), at or clock.now(), what, detail,
                           sender.person, sender.device))

    def alarm(self, code: str) -> None:
        """Write that something happened at the computer, and have the operators told."""
        self.journal(Alarmed(new_uid(), self.rig_id, self.session_now(), clock.now(), code))

    def write_closed(self, session: int, plan_version: int) -> None:
        """Remember and write that the rig was emptied after a session."""
        self.emptied.add((session, plan_version))
        self.armed_mark = self.armed_session = self.proven_mark = None
        self.journal(Closed(self.rig_id, self.lease.fence, session, plan_version, clock.now()))

    def set_panic(self, panic: PanicNow) -> None:
        """Put another panic in force."""
        self.panic = panic
        self.changed.set()

    def note(self) -> dict[str, Any]:
        """Return what stands in OBS while we own it."""
        return {"rig": str(self.wanted.rig.uid), "fence": self.lease.fence}

    def drop(self, why: str) -> None:
        """Let go of the rig at once: somebody else owns it."""
        if not self.is_dropped:
            log.warning("rig dropped", rig=self.rig_id, fence=self.lease.fence, why=why)
        self.is_dropped = True
        self.changed.set()
        self.due.set()
        self.refresh.set()
