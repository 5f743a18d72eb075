"""The border between the director and one OBS: what can be asked, what comes back, what OBS tells by itself."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec


class LinkState(StrEnum):
    """How far a link is; only `online` means that everything has been read since the last loss."""

    DOWN = "down"
    CONNECTING = "connecting"
    SYNCING = "syncing"
    ONLINE = "online"
    REFUSED = "refused"
    STALLED = "stalled"


class OutputKind(StrEnum):
    """The three ways out of OBS that the house uses."""

    STREAM = "stream"
    RECORD = "record"
    VIRTUAL_CAMERA = "virtual_camera"


class OutputState(StrEnum):
    """What OBS last said about an output; a request's answer never changes it."""

    STOPPED = "stopped"
    STARTING = "starting"
    STARTED = "started"
    PAUSED = "paused"  # recordings only, by hand at the room's computer: runs, and writes nothing
    STOPPING = "stopping"
    RECONNECTING = "reconnecting"


class Listing(StrEnum):
    """Lists that can become different under our feet."""

    SCENES = "scenes"
    INPUTS = "inputs"
    EVERYTHING = "everything"


class Facts(msgspec.Struct, frozen=True):
    """What an OBS is, read once per connection; sizes in pixels."""

    obs_version: str
    websocket_version: str
    requests: frozenset[str]
    canvas_width: int
    canvas_height: int
    fps: float

    def can(self, request: str) -> bool:
        """Does this OBS know the request? Versions say little: distributions leave parts out."""
        return request in self.requests

    @property
    def portrait(self) -> bool:
        """Is the canvas higher than wide, as most shops sell?"""
        return self.canvas_height > self.canvas_width

    @property
    def can_be_aborted(self) -> bool:
        """Does obs-websocket below 5.2 run here, which one unauthenticated message aborts? Unknown ones: no."""
        numbers = tuple(int(part) for part in self.websocket_version.split(".")[:2] if part.isdecimal())
        return len(numbers) == 2 and numbers < (5, 2)


class Input(msgspec.Struct, frozen=True):
    """One input; without sound `muted` and `volume_db` are None."""

    name: str
    kind: str
    muted: bool | None = None
    volume_db: float | None = None

    @property
    def audio(self) -> bool:
        """Has it sound?"""
        return self.muted is not None


class StreamStatus(msgspec.Struct, frozen=True):
    """The stream output as OBS counts it; frames since its start."""

    active: bool
    reconnecting: bool = False
    duration_ms: int = 0
    sent_bytes: int = 0
    skipped_frames: int = 0
    total_frames: int = 0


class RecordStatus(msgspec.Struct, frozen=True):
    """The recording; `path` is the file last named by OBS, None before the first of this connection."""

    active: bool
    paused: bool = False  # still active: the file is open and nothing goes into it
    duration_ms: int = 0
    written_bytes: int = 0
    path: str | None = None


class Outputs(msgspec.Struct, frozen=True):
    """All outputs at one moment; `virtual_camera` is None where this OBS has none."""

    stream: StreamStatus
    record: RecordStatus
    virtual_camera: bool | None = None


class Stats(msgspec.Struct, frozen=True):
    """How the machine is doing; cpu in percent, frames since OBS started."""

    fps: float
    cpu_percent: float
    disk_free_mb: float
    render_skipped: int
    render_total: int


class Snapshot(msgspec.Struct, frozen=True):
    """Everything the director knows about an OBS, read in one go; scenes in the order that OBS's own list shows."""

    scenes: tuple[str, ...]
    program: str
    inputs: tuple[Input, ...]
    outputs: Outputs
    stats: Stats
    studio_mode: bool

    @property
    def audio_inputs(self) -> tuple[Input, ...]:
        """The inputs that have sound."""
        return tuple(one for one in self.inputs if one.audio)


class Picture(msgspec.Struct, frozen=True):
    """A picture of a scene (not of the program: OBS renders the source again)."""

    data: bytes
    content_type: str


class Destination(msgspec.Struct, frozen=True):
    """Where a stream goes; every field is written each time, because OBS merges with what was there before."""

    server: str = ""
    key: str = ""
    use_auth: bool = False
    username: str = ""
    password: str = ""

    @property
    def empty(self) -> bool:
        """Is nothing left of any merchant?"""
        return not (self.server or self.key or self.use_auth or self.username or self.password)

    def __repr__(self) -> str:
        """Say nothing that may not stand in a log."""
        return "Destination(empty)" if self.empty else "Destination(***)"

    __str__ = __repr__


class Step(msgspec.Struct, frozen=True):
    """One request of a batch, in the protocol's own words."""

    request: str
    data: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Name the request only: its data may hold a key."""
        return f"Step({self.request})"


class StepResult(msgspec.Struct, frozen=True):
    """What became of one step: code 100 is success; `data` is OBS's answer."""

    request: str
    code: int
    comment: str = ""
    data: dict[str, Any] = {}

    @property
    def done(self) -> bool:
        """Did OBS carry it out?"""
        return self.code == 100

    def __repr__(self) -> str:
        """Leave the data out: it may hold a key."""
        return f"StepResult({self.request}, {self.code})"


class SceneStarted(msgspec.Struct, frozen=True, tag=True):
    """A change to this scene has begun: from here on it is what viewers begin to see."""

    scene: str


class SceneChanged(msgspec.Struct, frozen=True, tag=True):
    """The change is over; with a fade this comes as late as the fade is long."""

    scene: str


class MuteChanged(msgspec.Struct, frozen=True, tag=True):
    """An input was muted or opened, by whomever."""

    input: str
    muted: bool


class VolumeChanged(msgspec.Struct, frozen=True, tag=True):
    """A fader moved; -100..26 dB."""

    input: str
    volume_db: float


class OutputChanged(msgspec.Struct, frozen=True, tag=True):
    """An output changed its state; `path` is set by recordings only."""

    kind: OutputKind
    state: OutputState
    path: str | None = None


class ListChanged(msgspec.Struct, frozen=True, tag=True):
    """A list has other members, names or another order: read the snapshot again."""

    what: Listing


class StudioModeChanged(msgspec.Struct, frozen=True, tag=True):
    """Somebody at the room's computer turned the studio mode on or off."""

    on: bool


class Level(msgspec.Struct, frozen=True):
    """How loud one input is, loudest channel, in dB below full scale; silence is -100."""

    input: str
    magnitude_db: float
    peak_db: float


class Meters(msgspec.Struct, frozen=True, tag=True):
    """Levels of all active inputs, twenty times a second."""

    levels: tuple[Level, ...]


class LinkDown(msgspec.Struct, frozen=True, tag=True):
    """The link is gone, told once per connection; `stalled`: OBS hangs; with a `code` OBS refused us and no retry may follow."""

    reason: str
    stalled: bool = False
    code: str = ""

    @property
    def refused(self) -> bool:
        """Does OBS not want us?"""
        return bool(self.code)


Event = (
    SceneStarted | SceneChanged | MuteChanged | VolumeChanged | OutputChanged
    | ListChanged | StudioModeChanged | Meters | LinkDown
)
Listener = Callable[[Event], None]


class ObsLink(Protocol):
    """One OBS behind one link, from connect to loss; a lost link is not used again, `LinkKeeper` makes a new one.

    All verbs raise `LinkLost` (see its `sent`), `AnswerTimeout` (outcome unknown), `NotSent`/`Dropped` (never left) and
    `ObsRefused` (with OBS's code) from studio.obs.errors. An answer is not a result: outputs tell theirs by
    `OutputChanged`. Listeners are called in the event loop, in the order in which OBS spoke, and must not block.
    """

    async def connect(self) -> Facts:
        """Open the link. Raises: Unreachable, WrongPassword, WrongVersion, Kicked."""
        ...

    async def close(self) -> None:
        """End the link without a `LinkDown` event; may be called in any state and more than once."""
        ...

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call the listener with each event; the answer stops that."""
        ...

    @property
    def alive(self) -> bool:
        """Is the link open?"""
        ...

    @property
    def last_heard_s(self) -> float:
        """Seconds since OBS last said anything: the age of what we know."""
        ...

    def output_state(self, kind: OutputKind) -> OutputState | None:
        """Return what OBS last said about an output on this link; None when it has said nothing yet."""
        ...

    async def read_snapshot(self) -> Snapshot:
        """Read everything."""
        ...

    async def read_outputs(self) -> Outputs:
        """Read the outputs only."""
        ...

    async def switch_scene(self, scene: str) -> None:
        """Take a scene. Raises: NotFoundInObs."""
        ...

    async def set_mute(self, name: str, muted: bool) -> None:
        """Mute or open an input. Raises: NotFoundInObs, InvalidState without sound."""
        ...

    async def set_volume_db(self, name: str, volume_db: float) -> None:
        """Move a fader, -100..26 dB; of several waiting moves of one fader only the last is sent. Raises: OutOfRange."""
        ...

    async def start_output(self, kind: OutputKind) -> None:
        """Ask an output to start.

        Raises: OutputRunning, also without asking while it is starting or stopping; OutputMissing, with OBS's own words,
        where there is none (a virtual camera without its driver).
        """
        ...

    async def stop_output(self, kind: OutputKind, *, urgent: bool = False) -> None:
        """Ask an output to stop, past all that waits when urgent. Raises: OutputNotRunning, OutputMissing."""
        ...

    async def stand_by(self, scene: str | None, mute: Sequence[str]) -> tuple[StepResult, ...]:
        """Panic: take the scene and mute the inputs in one serial batch, at once; waiting requests are dropped.

        Without a scene to take (None) it only mutes. A step that OBS refuses does not stop the others: look at each result.
        """
        ...

    async def write_destination(self, destination: Destination) -> None:
        """Write all fields of the stream's destination. Raises: OutputRunning while the stream is not STOPPED."""
        ...

    async def read_destination(self) -> Destination:
        """Read back what OBS would stream to."""
        ...

    async def wipe_destination(self) -> None:
        """Overwrite every field of the destination with nothing. Raises: OutputRunning."""
        ...

    async def screenshot(self, scene: str, *, width: int, quality: int = 60) -> Picture:
        """Picture a scene `width` pixels wide, height by the canvas; lowest rank. Raises: NotFoundInObs, NotSent."""
        ...

    async def write_note(self, slot: str, value: Any) -> None:
        """Leave a note in OBS itself, kept over its restarts (the fence lives there); ASCII only, OBS 29 garbles the rest."""
        ...

    async def read_note(self, slot: str) -> Any:
        """Read a note back; None when there is none."""
        ...

    async def set_profile_parameter(self, category: str, name: str, value: str) -> None:
        """Write one setting of the profile in force."""
        ...

    async def set_recording(self, *, folder: str | None = None, file_name: str | None = None) -> None:
        """Name the folder and the file (OBS's % marks are its own) of the next recording; None leaves as it is."""
        ...

    async def switch_profile(self, name: str) -> None:
        """Put a profile in force; what is not urgent waits meanwhile, and what runs would not survive. Raises: NotFoundInObs."""
        ...

    async def leave_studio_mode(self) -> None:
        """Turn the studio mode off; fine when it is off."""
        ...

    async def run_steps(self, steps: Sequence[Step], *, one_frame: bool = False) -> tuple[StepResult, ...]:
        """Carry out steps one after another, `one_frame` all between two pictures; none is undone when one is refused."""
        ...
