"""What OBS last said, kept by events and corrected by re-reads; a request's answer never changes it."""

from datetime import datetime, timedelta

import msgspec

from studio.director.wire import RUNNING, STILL, InputNow, OutputNow, OutputPhase
from studio.obs.port import (
    Event,
    Facts,
    ListChanged,
    MuteChanged,
    OutputChanged,
    OutputKind,
    Outputs,
    OutputState,
    SceneChanged,
    SceneStarted,
    Snapshot,
    Stats,
    StudioModeChanged,
    VolumeChanged,
)

PHASES = {
    OutputState.STARTING: OutputPhase.STARTING,
    OutputState.STARTED: OutputPhase.LIVE,
    OutputState.PAUSED: OutputPhase.PAUSED,
    OutputState.RECONNECTING: OutputPhase.RECONNECTING,
    OutputState.STOPPING: OutputPhase.STOPPING,
    OutputState.STOPPED: OutputPhase.STOPPED,
}
BEGINNING = frozenset({OutputPhase.ASKED, OutputPhase.STARTING})
START_PATIENCE = timedelta(seconds=20)
LAGGING_PERCENT = 2.0


def phase_after(before: OutputPhase, state: OutputState) -> OutputPhase:
    """Return the phase that an event leads to: STOPPED while still beginning means that the server or encoder refused."""
    if state is OutputState.STOPPED and before in BEGINNING | {OutputPhase.REFUSED}:
        return OutputPhase.REFUSED
    return PHASES[state]


def phase_read(before: OutputNow, is_active: bool | None, now: datetime, *, is_paused: bool = False) -> OutputPhase:
    """Return the phase that a re-read leads to; None: this OBS has no such output.

    An output that is just beginning may read as inactive and go live a moment later, so only time makes that a refusal.
    """
    if is_active is None:
        return OutputPhase.ABSENT
    if is_active:
        return _phase_of_active(before.phase, is_paused)
    if before.phase in BEGINNING:
        is_late = before.since is not None and now - before.since > START_PATIENCE
        return OutputPhase.REFUSED if is_late else before.phase
    return before.phase if before.phase in STILL - {OutputPhase.ABSENT} else OutputPhase.STOPPED


def _phase_of_active(before: OutputPhase, is_paused: bool) -> OutputPhase:
    """Return how an active output runs: a pause can be read, reconnecting and stopping are known from events alone."""
    if before in {OutputPhase.STOPPING, OutputPhase.STUCK}:
        return before
    if is_paused:
        return OutputPhase.PAUSED
    return before if before is OutputPhase.RECONNECTING else OutputPhase.LIVE


class Rates(msgspec.Struct, frozen=True):
    """What the counters were at the last re-read, for rates."""

    at: datetime
    sent_bytes: int = 0
    skipped: int = 0
    total: int = 0
    written_bytes: int = 0


class Mirror:
    """One OBS as last heard; `epoch` counts the connections, `touched` every event."""

    def __init__(self) -> None:
        self.epoch = 0
        self.touched = 0
        self.facts: Facts | None = None
        self.scenes: tuple[str, ...] = ()
        self.program = ""
        self.inputs: dict[str, InputNow] = {}
        self.outputs: dict[OutputKind, OutputNow] = {kind: OutputNow() for kind in OutputKind}
        self.stats: Stats | None = None
        self.studio_mode = False
        self.kbit_s = 0
        self.dropped_percent = 0.0
        self.record_bytes_s = 0.0
        self.record_bytes = 0
        self.recorded = timedelta()  # of a paused recording: what is in its file
        self.render_lag_percent = 0.0
        self._rates: Rates | None = None

    @property
    def audio_inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs that have sound."""
        return tuple(self.inputs)

    @property
    def is_lagging(self) -> bool:
        """Tell whether this OBS skips frames, so that nothing may be asked of it that can wait."""
        return self.render_lag_percent > LAGGING_PERCENT

    @property
    def anything_runs(self) -> bool:
        """Tell whether an output is on its way or running."""
        return any(output.phase not in STILL for output in self.outputs.values())

    def is_still(self, kind: OutputKind) -> bool:
        """Tell whether the output is certainly not running."""
        return self.outputs[kind].phase in STILL

    def begin(self, facts: Facts) -> None:
        """Start a new epoch: another connection, about which nothing is known until `load`."""
        self.epoch += 1
        self.facts = facts
        self._rates = None

    def set_phase(self, kind: OutputKind, phase: OutputPhase, now: datetime, path: str | None = None) -> bool:
        """Change an output's phase, and return whether it is another one."""
        before = self.outputs[kind]
        since = self._since(before, phase, now)
        self.outputs[kind] = OutputNow(phase, since, before.path if path is None else path)
        return before.phase != phase

    def _since(self, before: OutputNow, phase: OutputPhase, now: datetime) -> datetime | None:
        """Return since when a phase lasts; a recording that goes on after a pause counts on from where it was."""
        if phase is before.phase:
            return before.since
        if phase is OutputPhase.PAUSED:
            self.recorded = now - before.since if before.phase is OutputPhase.LIVE and before.since else timedelta()
        is_resumed = before.phase is OutputPhase.PAUSED and phase is OutputPhase.LIVE
        return now - self.recorded if is_resumed else now

    def began(self, kind: OutputKind) -> datetime | None:
        """Return when a running output began, as far as it is known; the time before a pause is counted, not the pause."""
        output = self.outputs[kind]
        if output.phase is OutputPhase.PAUSED and output.since is not None:
            return output.since - self.recorded
        return output.since

    def load(self, read: Snapshot, now: datetime) -> None:
        """Take over what was read from OBS."""
        self.scenes = read.scenes
        self.program = read.program
        self.inputs = {
            one.name: InputNow(one.name, bool(one.muted), one.volume_db or 0.0) for one in read.inputs if one.audio
        }
        self.studio_mode = read.studio_mode
        self._count(read.stats, read.outputs, now)
        self.load_outputs(read.outputs, now)

    def load_outputs(self, read: Outputs, now: datetime) -> None:
        """Take over what was read of the outputs."""
        active = {
            OutputKind.STREAM: read.stream.active,
            OutputKind.RECORD: read.record.active,
            OutputKind.VIRTUAL_CAMERA: read.virtual_camera,
        }
        for kind, is_active in active.items():
            before = self.outputs[kind]
            is_record = kind is OutputKind.RECORD
            phase = phase_read(before, is_active, now, is_paused=is_record and read.record.paused)
            path = read.record.path if is_record else None
            since = now
            if phase is OutputPhase.LIVE and before.phase not in RUNNING:
                since = now - timedelta(milliseconds=self._ran_ms(kind, read))
            self.set_phase(kind, phase, since, path)
            if phase is OutputPhase.PAUSED:
                self.recorded = timedelta(milliseconds=read.record.duration_ms)

    @staticmethod
    def _ran_ms(kind: OutputKind, read: Outputs) -> int:
        if kind is OutputKind.STREAM:
            return read.stream.duration_ms
        return read.record.duration_ms if kind is OutputKind.RECORD else 0

    def _count(self, stats: Stats, outputs: Outputs, now: datetime) -> None:
        lag_before = (self.stats.render_skipped, self.stats.render_total) if self.stats else None
        self.stats = stats
        if outputs.record.active:
            self.record_bytes = outputs.record.written_bytes
        before = self._rates
        self._rates = Rates(now, outputs.stream.sent_bytes, outputs.stream.skipped_frames, outputs.stream.total_frames,
                            outputs.record.written_bytes)
        if before is None or (seconds := (now - before.at).total_seconds()) < 1:
            self._rates = before or self._rates
            return
        self.kbit_s = max(0, int((outputs.stream.sent_bytes - before.sent_bytes) * 8 / 1000 / seconds))
        frames = outputs.stream.total_frames - before.total
        dropped = max(0, outputs.stream.skipped_frames - before.skipped)
        self.dropped_percent = round(dropped * 100 / frames, 1) if frames > 0 else 0.0
        self.record_bytes_s = max(0.0, (outputs.record.written_bytes - before.written_bytes) / seconds)
        if lag_before and stats.render_total > lag_before[1]:
            self.render_lag_percent = (stats.render_skipped - lag_before[0]) * 100 / (stats.render_total - lag_before[1])

    def apply(self, event: Event, now: datetime) -> bool:
        """Take over an event, and return whether something is different now."""
        self.touched += 1
        match event:
            case SceneStarted(scene=scene) | SceneChanged(scene=scene):
                is_new, self.program = self.program != scene, scene
                return is_new
            case MuteChanged(input=name, muted=muted) if name in self.inputs:
                self.inputs[name] = msgspec.structs.replace(self.inputs[name], muted=muted)
            case VolumeChanged(input=name, volume_db=volume_db) if name in self.inputs:
                self.inputs[name] = msgspec.structs.replace(self.inputs[name], volume_db=volume_db)
            case OutputChanged(kind=kind, state=state, path=path):
                return self.set_phase(kind, phase_after(self.outputs[kind].phase, state), now, path)
            case StudioModeChanged(on=on):
                self.studio_mode = on
            case ListChanged():
                return False
        return True
