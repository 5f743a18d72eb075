"""Everything that travels through Redis between web and director: names, structs and their version, in this one file."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from redis.exceptions import RedisError

VERSION = 1
# What a client raises while Redis is away (connecting raises a bare OSError), or there and refusing: full disk, loading, replica.
AWAY = (RedisError, OSError)

PANIC_CHANNEL = "studio_panic"  # PostgreSQL's: the second way of a panic
COMMAND_LIFE_S = 2.0  # a command that was not taken up by then has expired
PANIC_LIFE_S = 30  # a panic may wait for a director that is just taking over
SNAPSHOT_LIFE_S = 5  # a dead director shows as stale after this time
SNAPSHOT_EVERY_S = 0.5  # pages call a room stale after two seconds without one, boards after 1.8
FENCES_LIFE_S = 60
PROBE_LIFE_S = 12
LONGEST_LIST = 64


def command_key(command_id: UUID) -> str:
    """Return where the body of a command lies; its TTL is the rest of the command's life."""
    return f"cmd:{command_id}"


def command_list(rig_id: int, fence: int) -> str:
    """Return the list of command ids of one rig and one owner."""
    return f"rig:{rig_id}:{fence}"


def list_entry(command_id: UUID, answer_to: str) -> str:
    """Return what stands in the list: the id, and who waits for the answer should the body have expired."""
    return f"{command_id} {answer_to}"


def panic_list(rig_id: int, fence: int) -> str:
    """Return the list of panic calls of one rig and one owner."""
    return f"panic:{rig_id}:{fence}"


def fences_key(rig_id: int) -> str:
    """Return the set of the fences that may still be alive: a panic goes to all of them."""
    return f"fences:{rig_id}"


def answers_channel(process: str) -> str:
    """Return the channel on which one asking process hears its answers."""
    return f"answers:{process}"


def snapshot_key(rig_id: int) -> str:
    """Return where a rig's last snapshot lies."""
    return f"snap:{rig_id}"


def snapshot_channel(rig_id: int) -> str:
    """Return the channel on which a rig's snapshots go out as they are made."""
    return f"snaps:{rig_id}"


def meters_channel(rig_id: int) -> str:
    """Return the channel of a rig's sound levels; messages on it may be dropped."""
    return f"meters:{rig_id}"


def picture_key(rig_id: int, index: int) -> str:
    """Return where the picture of a rig's n-th scene lies."""
    return f"thumb:{rig_id}:{index}"


def probe_list(zone: str) -> str:
    """Return the list of connection tests that any director of the zone may take."""
    return f"probe:{zone}"


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent as a whole; `v` is the version that its sender speaks."""

    v: int = VERSION


class SwitchScene(msgspec.Struct, frozen=True, tag="switch_scene"):
    """Take a scene."""

    scene: str


class SetMute(msgspec.Struct, frozen=True, tag="set_mute"):
    """Mute or open one input."""

    input: str
    muted: bool


class SetVolume(msgspec.Struct, frozen=True, tag="set_volume"):
    """Move one fader; -100 to 26 dB."""

    input: str
    volume_db: float


class StartOutput(msgspec.Struct, frozen=True, tag="start_output"):
    """Start what the session sends: the stream, or the virtual camera for the platform's own program."""


class StopOutput(msgspec.Struct, frozen=True, tag="stop_output"):
    """Stop what the session sends, until it has stopped."""


class StartRecord(msgspec.Struct, frozen=True, tag="start_record"):
    """Start a recording."""


class StopRecord(msgspec.Struct, frozen=True, tag="stop_record"):
    """Stop the recording, until its file is closed."""


Command = SwitchScene | SetMute | SetVolume | StartOutput | StopOutput | StartRecord | StopRecord


class Outcome(StrEnum):
    """What became of a command; `unknown` is shown as sent, not confirmed, and never repeated by itself."""

    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Sender(msgspec.Struct, frozen=True):
    """In whose name something is asked; `person` None: nobody checked in."""

    person: int | None = None
    device: int | None = None
    request_id: str = ""


class CommandBody(Body, frozen=True):
    """One command on its way to the owner of a rig."""

    id: UUID
    rig: int
    session: int
    sender: Sender
    answer_to: str
    command: Command


class PanicBody(Body, frozen=True):
    """One panic: 1 covers and mutes, 2 stops too, 0 brings all back; it reaches this `session` alone, 0 (from outside) any."""

    id: UUID
    rig: int
    level: int
    sender: Sender
    answer_to: str = ""
    session: int = 0


class ProbeBody(Body, frozen=True):
    """A wish to test the connection of a rig as it is stored."""

    id: UUID
    rig: int
    answer_to: str


class Answer(Body, frozen=True):
    """What became of a command, panic or probe; `code` says why it was refused, or adds a remark to `done`."""

    id: UUID
    outcome: Outcome
    code: str = ""
    detail: dict[str, Any] = {}


class InputNow(msgspec.Struct, frozen=True):
    """One input with sound."""

    name: str
    muted: bool
    volume_db: float


class OutputPhase(StrEnum):
    """An output as events and re-reads tell it; `asked`, `refused` and `stuck` are ours, the others are OBS's own."""

    STOPPED = "stopped"
    ASKED = "asked"
    STARTING = "starting"
    LIVE = "live"
    PAUSED = "paused"  # recordings only: runs, and writes nothing
    RECONNECTING = "reconnecting"
    STOPPING = "stopping"
    STUCK = "stuck"  # runs for OBS, which cannot end it until it is restarted
    REFUSED = "refused"
    ABSENT = "absent"


RUNNING = frozenset({OutputPhase.LIVE, OutputPhase.PAUSED, OutputPhase.RECONNECTING, OutputPhase.STOPPING, OutputPhase.STUCK})
STILL = frozenset({OutputPhase.STOPPED, OutputPhase.REFUSED, OutputPhase.ABSENT})


class OutputNow(msgspec.Struct, frozen=True):
    """One output: its phase, and since when (business time)."""

    phase: OutputPhase = OutputPhase.STOPPED
    since: datetime | None = None
    path: str = ""

    @property
    def is_live(self) -> bool:
        """Tell whether it runs: also while it pauses, while OBS reconnects, and when it cannot be ended."""
        return self.phase in RUNNING


class LinkNow(msgspec.Struct, frozen=True):
    """The link to OBS; `heard_s` is the age of its last word when the snapshot was made, `code` why OBS refuses us."""

    state: str
    heard_s: float
    reason: str = ""
    code: str = ""

    @property
    def is_online(self) -> bool:
        """Tell whether everything was read since the last loss."""
        return self.state == "online"


class StatsNow(msgspec.Struct, frozen=True):
    """How the stream and the machine are doing; rates over the last seconds, minutes left at the present rate or None."""

    fps: float = 0.0
    cpu_percent: float = 0.0
    disk_free_mb: float = 0.0
    kbit_s: int = 0
    dropped_percent: float = 0.0
    record_min_left: int | None = None


class PanicNow(msgspec.Struct, frozen=True):
    """The panic in force; `held` tells whether OBS has confirmed all of it."""

    level: int = 0
    since: datetime | None = None
    held: bool = True


class PlanNow(msgspec.Struct, frozen=True):
    """What the rig is there for at the moment; `state` is that of the report: preparing, ready, waiting_for_key, failed..."""

    session: int | None = None
    session_uid: UUID | None = None
    output: str = "stream"
    state: str = "idle"
    code: str = ""
    detail: dict[str, Any] = {}
    cut_off_at: datetime | None = None
    key_shown: str = ""
    is_armed: bool = False
    controller: str = ""
    controller_person: int | None = None
    controller_device: int | None = None
    asked_by: str = ""
    asked_person: int | None = None
    asked_device: int | None = None
    asked_at: datetime | None = None
    version: int = 0
    controller_latin: str = ""
    asked_by_latin: str = ""

    @property
    def is_held(self) -> bool:
        """Tell whether somebody controls the room."""
        return self.controller_person is not None or self.controller_device is not None

    def is_controlled_by(self, sender: Sender) -> bool:
        """Tell whether the sender is the one in control: that tablet, or else that person."""
        if self.controller_device is not None:
            return self.controller_device == sender.device
        return sender.device is None and self.controller_person is not None and self.controller_person == sender.person


class RigSnapshot(Body, frozen=True):
    """Everything about one rig at one moment. Newer is: higher fence, then epoch, then version."""

    rig: int
    driver: str
    fence: int
    epoch: int
    version: int
    at: datetime
    link: LinkNow
    canvas_width: int
    canvas_height: int
    stand_by_scene: str
    audio_through_obs: bool
    scenes: tuple[str, ...] = ()
    program: str = ""
    inputs: tuple[InputNow, ...] = ()
    stream: OutputNow = OutputNow()
    record: OutputNow = OutputNow()
    virtual_camera: OutputNow = OutputNow()
    stats: StatsNow = StatsNow()
    studio_mode: bool = False
    panic: PanicNow = PanicNow()
    plan: PlanNow = PlanNow()
    obs_version: str = ""
    websocket_version: str = ""
    pictures_at: tuple[int, ...] = ()
    database_away: bool = False
    can_be_aborted: bool = False
    is_lagging: bool = False

    @property
    def order(self) -> tuple[int, int, int]:
        """Return what tells an older snapshot from a newer one."""
        return (self.fence, self.epoch, self.version)

    @property
    def sending(self) -> OutputNow:
        """Return the output that shows to viewers in this session."""
        return self.virtual_camera if self.plan.output == "client" else self.stream


class LevelNow(msgspec.Struct, frozen=True, array_like=True):
    """One input's loudness, in dB below full scale."""

    input: str
    magnitude_db: float
    peak_db: float


class MetersNow(Body, frozen=True):
    """All inputs' levels at one moment, for one session's pages alone, 0 for nobody's: a snapshot that tells it may be late."""

    levels: tuple[LevelNow, ...]
    session: int = 0


class Found(msgspec.Struct, frozen=True):
    """What a connection test found."""

    obs_version: str
    websocket_version: str
    canvas_width: int
    canvas_height: int
    fps: float
    scenes: tuple[str, ...]
    audio_inputs: tuple[str, ...]
    has_virtual_camera: bool
    can_be_aborted: bool
    took_ms: int


class Picture(msgspec.Struct, frozen=True):
    """A scene's picture as it lies in Redis, for the pages of one session alone: 0 is nobody's, as with levels."""

    content_type: str
    data: bytes
    session: int = 0


encode: Callable[[msgspec.Struct], bytes] = msgspec.json.encode
_B = TypeVar("_B", bound=Body)


def _read(decoder: msgspec.json.Decoder[_B], body: bytes) -> _B:
    found = decoder.decode(body)
    if abs(found.v - VERSION) > 1:
        raise msgspec.DecodeError(f"{type(found).__name__} of version {found.v}, ours is {VERSION}")
    return found


# Each returns the struct, or raises msgspec.DecodeError for a body of another shape, or of more than one release away.
command = partial(_read, msgspec.json.Decoder(CommandBody))
panic = partial(_read, msgspec.json.Decoder(PanicBody))
probe = partial(_read, msgspec.json.Decoder(ProbeBody))
answer = partial(_read, msgspec.json.Decoder(Answer))
snapshot = partial(_read, msgspec.json.Decoder(RigSnapshot))
meters = partial(_read, msgspec.json.Decoder(MetersNow))


def encode_picture(one: Picture) -> bytes:
    """Return a picture as it lies in Redis: content type, session, line feed, bytes."""
    return f"{one.content_type} {one.session}\n".encode() + one.data


def picture(body: bytes) -> Picture:
    """Return a picture with its content type; one that does not say whose it is is nobody's."""
    head, _, data = body.partition(b"\n")
    content_type, _, session = head.decode().partition(" ")
    return Picture(content_type, data, int(session) if session.isdecimal() else 0)
