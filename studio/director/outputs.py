"""Starting and stopping what goes out: verified before, followed by events, stopped until it has stopped."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime

import msgspec
import structlog

from incubator.ground import clock, database
from incubator.ground.values import new_uid
from studio.destinations.service import mark_of
from studio.director import fencing, leases, rows
from studio.director.held import NOBODY, Held
from studio.director.journal import SpanStarted, SpanStopped, Stuck
from studio.director.loops import end
from studio.director.wire import RUNNING, STILL, OutputPhase, Sender
from studio.obs.errors import NotSent, ObsError, ObsRefused, OutputRunning, OutputUnsettled
from studio.obs.outputs import STOP_S, stop_until_stopped
from studio.obs.port import Destination, OutputChanged, OutputKind, OutputState
from studio.rigs.rules import Cleanliness

log = structlog.get_logger()
SPAN_KINDS = {OutputKind.STREAM: "stream", OutputKind.VIRTUAL_CAMERA: "client", OutputKind.RECORD: "record"}
LEASE_PATIENCE_S = 1.5
STUCK_STOP_S = 1.0  # so long a recording that would not end before is asked once more, in time for an answer to the tap


class NotStarted(Exception):
    """A start was refused before OBS was asked; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RecordingStuck(OutputUnsettled):
    """OBS does not end a recording (one that was paused and stopped in its first moment): only its restart helps."""


class Unseen(msgspec.Struct, frozen=True):
    """A time in which nobody saw what OBS does: why, and from when on."""

    why: str
    since: datetime


class Asked(msgspec.Struct, frozen=True):
    """Why an output was last asked to stop, and when, by the loop's clock: the reason of a span that ends by it."""

    reason: str
    at: float


class Outputs:
    """The outputs of one rig; one lock, so that two starts never cross (both would die in OBS)."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._lock = asyncio.Lock()
        self._spans: dict[OutputKind, SpanStarted] = {}
        self._reasons: dict[OutputKind, Asked] = {}
        self._stopping: Counter[OutputKind] = Counter()
        former = held.lease.former_until
        self._unseen: Unseen | None = None if former is None else Unseen("director_gone", former)
        self._guarding: asyncio.Task[None] | None = None
        self._alarmed = False  # about the unknown stream that still runs

    def sending_kind(self) -> OutputKind | None:
        """Return which output shows to viewers in this session, None in one that only records."""
        plan = self._held.plan
        kinds = {"stream": OutputKind.STREAM, "client": OutputKind.VIRTUAL_CAMERA}
        return kinds.get(plan.output) if plan is not None else None

    async def start(self, kind: OutputKind, sender: Sender) -> None:
        """Ask an output to start, after everything was seen to be right; that it is live is told by events.

        1. The session is on, the room is not closed, the database says that the rig is ours, our fence stands in OBS.
        2. A stream goes only where this session's key leads: read back and compared once more.

        Raises:
            NotStarted: something is not right; OBS was not asked.
            ObsError: as the link's verbs.
        """
        held = self._held
        async with self._lock:
            if held.mirror.outputs[kind].phase not in STILL:
                raise NotStarted("already_running")
            if held.mirror.outputs[kind].phase is OutputPhase.ABSENT:
                raise NotStarted("no_such_output")
            await self._check(kind)
            held.asked[kind] = sender
            held.mirror.set_phase(kind, OutputPhase.ASKED, clock.now())
            held.changed.set()
            try:
                await held.link.start_output(kind)
            except OutputRunning:
                log.info("output ran already", rig=held.rig_id, kind=kind)
            except (ObsRefused, NotSent):
                self._take_back(kind)
                raise
            held.ran("start", sender, output=SPAN_KINDS[kind])

    def _take_back(self, kind: OutputKind) -> None:
        """Forget a start that certainly did not happen, so that nobody waits for it."""
        held = self._held
        held.asked.pop(kind, None)
        if held.mirror.outputs[kind].phase is OutputPhase.ASKED:
            held.mirror.set_phase(kind, OutputPhase.STOPPED, clock.now())
            held.changed.set()

    async def _check(self, kind: OutputKind) -> None:
        held = self._held
        plan = held.plan
        if plan is None or held.is_over(clock.now()):
            raise NotStarted("session_over")
        if held.wanted.rig.cleanliness == Cleanliness.UNCLEAN:
            raise NotStarted("unclean")
        if not await self._is_ours():
            raise NotStarted("database_away" if held.database_away else "not_owner")
        try:
            await fencing.check(held)
        except fencing.FenceLost as error:
            raise NotStarted("not_owner") from error
        if kind is OutputKind.STREAM:
            if plan.mark is None or held.armed_mark is None:
                raise NotStarted("waiting_for_key")
            if plan.mark != held.armed_mark or await self.mark_in_obs() != plan.mark:
                held.proven_mark = None
                held.due.set()
                raise NotStarted("key_not_armed")

    async def _is_ours(self) -> bool:
        held = self._held
        try:
            return await asyncio.wait_for(leases.holds(held.lease, held.owner), LEASE_PATIENCE_S)
        except (*database.LOST, TimeoutError) as error:
            log.warning("start refused without database", rig=held.rig_id, why=type(error).__name__)
            held.database_away = True
            return False

    async def mark_in_obs(self) -> str:
        """Return the fingerprint of where OBS would stream to; "" when nothing is left there, "other" when it is not ours."""
        return mark_of_destination(await self._held.link.read_destination())

    async def stop(self, kind: OutputKind, sender: Sender, reason: str, *, urgent: bool = False) -> None:
        """Stop an output until OBS says STOPPED; nothing to do for one that is known to be at rest.

        Raises:
            RecordingStuck: OBS does not end the recording.
            ObsError: the link was lost, or it would not stop in time.
        """
        held = self._held
        if held.is_at_rest(kind):
            return
        was_running = not held.mirror.is_still(kind)
        self._reasons[kind] = Asked(reason, asyncio.get_running_loop().time())
        self._stopping[kind] += 1
        try:
            path = await self._stop_until_stopped(kind, urgent)
        finally:
            self._stopping[kind] -= 1
        if held.mirror.outputs[kind].phase not in STILL:
            held.mirror.set_phase(kind, OutputPhase.STOPPED, clock.now(), path)
            self._span(kind, OutputPhase.STOPPED)
        held.asked.pop(kind, None)
        held.changed.set()
        if was_running:
            held.ran("stop", sender, output=SPAN_KINDS[kind], reason=reason)

    async def _stop_until_stopped(self, kind: OutputKind, urgent: bool) -> str | None:
        held = self._held
        is_stuck = held.mirror.outputs[kind].phase is OutputPhase.STUCK
        try:
            return await stop_until_stopped(held.link, kind, deadline_s=STUCK_STOP_S if is_stuck else STOP_S, urgent=urgent)
        except OutputUnsettled as error:
            if kind is not OutputKind.RECORD or held.mirror.is_still(kind):
                raise
            if held.mirror.set_phase(kind, OutputPhase.STUCK, clock.now()):
                held.ran("stuck", output=SPAN_KINDS[kind])
                held.journal(Stuck(held.rig_id, self._spans[kind].uid if kind in self._spans else new_uid()))
                held.changed.set()
            raise RecordingStuck(str(error)) from error

    async def stop_all(self, reason: str) -> None:
        """Stop every output until STOPPED, the stream first; what is running is read once more before.

        A recording that OBS cannot end is left: what sends is stopped, and the key must be wiped all the same.

        Raises:
            ObsError: the link was lost, or one would not stop in time.
        """
        self._held.mirror.load_outputs(await self._held.link.read_outputs(), clock.now())
        for kind in (OutputKind.STREAM, OutputKind.VIRTUAL_CAMERA, OutputKind.RECORD):
            if self._held.mirror.outputs[kind].phase is not OutputPhase.ABSENT:
                with suppress(RecordingStuck):
                    await self.stop(kind, NOBODY, reason, urgent=True)

    def heard(self, event: OutputChanged, before: OutputPhase) -> None:
        """Follow an output's event: spans from STARTED to STOPPED, and a stream that nobody here asked for is looked at."""
        held = self._held
        phase = held.mirror.outputs[event.kind].phase
        self._span(event.kind, phase)
        if phase is OutputPhase.REFUSED and before is not OutputPhase.REFUSED:
            held.ran("refused", held.asked.pop(event.kind, NOBODY), output=SPAN_KINDS[event.kind])
        if phase is OutputPhase.RECONNECTING and before is not phase:
            held.ran("reconnecting", output=SPAN_KINDS[event.kind])
        elif phase is OutputPhase.LIVE and before is OutputPhase.RECONNECTING:
            held.ran("reconnected", output=SPAN_KINDS[event.kind])
        is_beginning = event.state in {OutputState.STARTING, OutputState.STARTED}
        if event.kind is OutputKind.STREAM and is_beginning and OutputKind.STREAM not in held.asked:
            self.guard()
        if phase in STILL:
            held.asked.pop(event.kind, None)
            self._alarmed = self._alarmed and event.kind is not OutputKind.STREAM

    def _span(self, kind: OutputKind, phase: OutputPhase) -> None:
        held = self._held
        if phase is OutputPhase.LIVE and kind not in self._spans:
            if not self._stopping[kind]:
                self._reasons.pop(kind, None)  # it was of something before
            span = SpanStarted(new_uid(), held.rig_id, held.session_now(), SPAN_KINDS[kind],
                               held.mirror.began(kind) or clock.now())
            self._spans[kind] = span
            held.journal(span)
        elif phase in STILL and kind in self._spans:
            self._end(kind)

    def _end(self, kind: OutputKind) -> None:
        span = self._spans.pop(kind)
        output = self._held.mirror.outputs[kind]
        asked = self._reasons.pop(kind, None)
        said, stopped_at = asked.reason if asked is not None else "", output.since or clock.now()
        if self._unseen is not None:
            said, stopped_at = said or self._unseen.why, max(self._unseen.since, span.started_at)
            self._tell_unseen(span, stopped_at)
        path = output.path if kind is OutputKind.RECORD else ""
        written = self._held.mirror.record_bytes if kind is OutputKind.RECORD else 0
        self._held.journal(SpanStopped(span.uid, span.rig, span.session, span.kind, span.started_at, stopped_at,
                                       said or "stopped_at_the_computer", path, written))

    def _tell_unseen(self, span: SpanStarted, at: datetime) -> None:
        """Write into the log that something ended while nobody saw it, at the last moment at which it was known to run."""
        is_obs = self._unseen is not None and self._unseen.why == "obs_gone"
        self._held.ran("obs_gone" if is_obs else "director_gone", session=span.session, at=at, output=span.kind)

    def lost(self, since: datetime) -> None:
        """Remember that OBS is out of sight since then: what has ended when it is back did so unseen."""
        if self._unseen is None:
            self._unseen = Unseen("obs_gone", since)

    def seen(self) -> None:
        """Take it that everything is in sight again: spans have been settled by a re-read."""
        self._unseen = None

    async def settle_spans(self) -> None:
        """After a re-read: spans follow what OBS says; those that a former owner saw begin are carried on or ended.

        Raises:
            database.LOST: the former owner's spans could not be read; called again later.
        """
        known = {span.uid for span in self._spans.values()}
        for row in await rows.open_spans(self._held.rig_id):
            kind = next(kind for kind, name in SPAN_KINDS.items() if name == row.kind)
            if row.uid in known or kind in self._spans:
                continue
            self._spans[kind] = SpanStarted(row.uid, self._held.rig_id, row.session, row.kind, row.started_at)
        self.follow_mirror()

    def follow_mirror(self) -> None:
        """Let spans begin and end as the last re-read says, for changes whose events nobody heard."""
        for kind in OutputKind:
            phase = self._held.mirror.outputs[kind].phase
            if phase in RUNNING:
                self._forget_reason(kind, phase)
                self._span(kind, OutputPhase.LIVE)
            elif phase in STILL:
                self._span(kind, phase)

    def _forget_reason(self, kind: OutputKind, phase: OutputPhase) -> None:
        """Forget why a running output was asked to stop, when that had no effect: whatever ends it later is something else."""
        asked = self._reasons.get(kind)
        is_ending = self._stopping[kind] or phase in {OutputPhase.STOPPING, OutputPhase.STUCK}
        if asked is not None and not is_ending and asyncio.get_running_loop().time() - asked.at > STOP_S:
            del self._reasons[kind]

    def guard(self, said: str = "started_at_the_computer") -> None:
        """Look at a stream that nobody here asked for: only this session's key may be on air. `said` goes into the log."""
        if self._guarding is None or self._guarding.done():
            self._guarding = asyncio.create_task(self._guard(said))

    async def _guard(self, said: str) -> None:
        held = self._held
        try:
            mark = await self.mark_in_obs()
            if self._may_stay(mark):
                held.asked[OutputKind.STREAM] = NOBODY
                held.ran(said, output="stream")
                return
        except ObsError as error:
            log.warning("stream at the computer cannot be read, so it is stopped", rig=held.rig_id, why=type(error).__name__)
        if not self._alarmed:
            self._alarmed = True
            held.alarm("unknown_stream")
        log.warning("a stream with another key was started at the computer", rig=held.rig_id)
        try:
            await self.stop(OutputKind.STREAM, NOBODY, "unknown_key", urgent=True)
        except ObsError as error:
            log.warning("unknown stream not stopped yet", rig=held.rig_id, why=type(error).__name__)
            held.due.set()

    def _may_stay(self, mark: str) -> bool:
        held = self._held
        plan = held.plan
        return (plan is not None and plan.output == "stream" and not held.is_over(clock.now())
                and held.armed_mark is not None and mark == held.armed_mark)

    async def close(self) -> None:
        """End what still looks at a stream."""
        if self._guarding is not None:
            await end([self._guarding])


def mark_of_destination(found: Destination) -> str:
    """Return a destination's fingerprint; "" for an empty one, "other" where fields are set that no key of ours uses."""
    if found.empty:
        return ""
    if found.use_auth or found.username or found.password:
        return "other"
    return mark_of(found.server, found.key)
