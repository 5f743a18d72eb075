"""What the director writes into the database; while that is away, into a file that goes in afterwards, in order, once."""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog

from incubator.ground import database
from incubator.ground.errors import Unavailable
from incubator.ground.jsons import dumps
from incubator.ground.notices.service import settle

log = structlog.get_logger()
AGAIN_S = 1.0
PATIENCE_S = 4.0


class RanAt(msgspec.Struct, frozen=True, tag="as_run"):
    """One line of the as-run log."""

    uid: UUID
    rig: int
    session: int | None
    at: datetime
    what: str
    detail: dict[str, Any] = {}
    person: int | None = None
    device: int | None = None


class SpanStarted(msgspec.Struct, frozen=True, tag="span_started"):
    """An output went live."""

    uid: UUID
    rig: int
    session: int | None
    kind: str
    started_at: datetime


class SpanStopped(msgspec.Struct, frozen=True, tag="span_stopped"):
    """An output stopped; carries its start, in case that was lost."""

    uid: UUID
    rig: int
    session: int | None
    kind: str
    started_at: datetime
    stopped_at: datetime
    stop_reason: str
    path: str = ""
    bytes: int = 0


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """A rig was emptied after a session, proven by reading back."""

    rig: int
    fence: int
    session: int
    plan_version: int
    at: datetime


class PanicHandled(msgspec.Struct, frozen=True, tag="panic_handled"):
    """A panic was carried out; `before` is what to bring back."""

    id: UUID
    rig: int
    level: int
    at: datetime
    session: int | None = None
    before: dict[str, Any] | None = None
    person: int | None = None
    device: int | None = None


class Alarmed(msgspec.Struct, frozen=True, tag="alarmed"):
    """Something happened at the room's computer that a person should know of; a line of the as-run log, and told once."""

    uid: UUID
    rig: int
    session: int | None
    at: datetime
    code: str


class NotWiped(msgspec.Struct, frozen=True, tag="not_wiped"):
    """OBS kept a session's key although it was wiped: the room is closed, and people are told."""

    rig: int
    session: int


class Stuck(msgspec.Struct, frozen=True, tag="stuck"):
    """OBS cannot end a recording until it is restarted: operators are told once of each, whichever director finds it so."""

    rig: int
    span: UUID


Entry = RanAt | Alarmed | NotWiped | Stuck | SpanStarted | SpanStopped | Closed | PanicHandled
Hook = Callable[[Closed], Awaitable[None]]
AlarmHook = Callable[[Alarmed | NotWiped | Stuck], Awaitable[None]]
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


class Journal:
    """One per director: entries in the order of their happening; `add` never waits and never fails."""

    def __init__(self, data: Path, on_closed: Hook, on_alarm: AlarmHook) -> None:
        self._folder = data / "spool"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = self._folder / f"{os.getpid()}-{id(self):x}.jsonl"
        self._file = self._path.open("ab")
        fcntl.flock(self._file, fcntl.LOCK_EX)  # tells a later director that this file has an owner
        self._queue: deque[Entry] = deque()
        self._spooled = False
        self._news = asyncio.Event()
        self._on_closed = on_closed
        self._on_alarm = on_alarm
        self._one_writes = asyncio.Lock()
        self._adopt()

    def _adopt(self) -> None:
        """Take over what directors left behind that are no more."""
        for path in sorted(self._folder.glob("*.jsonl")):
            if path == self._path:
                continue
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                found = _read_lines(file.read())
                self._queue.extend(found)
                self._spool(found)
                path.unlink()
        if self._queue:
            self._news.set()

    def add(self, entry: Entry) -> None:
        """Write an entry soon."""
        self._queue.append(entry)
        if self._spooled:
            self._spool([entry])
        self._news.set()

    @property
    def waiting(self) -> int:
        """Return how many entries are not in the database yet."""
        return len(self._queue)

    def _spool(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._file.write(_encoder.encode(entry) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._spooled = bool(self._queue)

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self.flush():
                await asyncio.sleep(AGAIN_S)
                self._news.set()

    async def flush(self) -> bool:
        """Write everything that waits, and return whether it went in; otherwise it lies in the file until it can."""
        async with self._one_writes:
            return await self._write_all()

    async def _write_all(self) -> bool:
        while self._queue:
            entry = self._queue[0]
            try:
                await asyncio.wait_for(self._write(entry), PATIENCE_S)
            except (*database.LOST, *database.BUSY, Unavailable, TimeoutError) as error:
                if not self._spooled:
                    log.warning("journal goes to its file", why=type(error).__name__)
                    self._spool(list(self._queue))
                return False
            except asyncpg.PostgresError:
                log.exception("journal entry refused by the database", entry=type(entry).__name__)
            self._queue.popleft()
        if self._spooled:
            self._file.truncate(0)
            self._spooled = False
        return True

    async def _write(self, entry: Entry) -> None:
        async with database.transaction():
            match entry:
                case RanAt():
                    await _write_as_run(entry)
                case Alarmed():
                    await _write_as_run(RanAt(entry.uid, entry.rig, entry.session, entry.at, "alarm", {"code": entry.code}))
                    await self._on_alarm(entry)
                case NotWiped() | Stuck():
                    await self._on_alarm(entry)
                case SpanStarted():
                    await _start_span(entry)
                case SpanStopped():
                    await _stop_span(entry)
                case PanicHandled():
                    await _write_panic(entry)
                case Closed():
                    await self._on_closed(entry)

    def close(self) -> None:
        """Give the file free; what did not go in stays for the next director."""
        if self._queue and not self._spooled:
            self._spool(list(self._queue))
        if not self._queue:
            self._path.unlink(missing_ok=True)
        self._file.close()


def stuck_key(span: UUID) -> str:
    """Return the occasion of the notice that a recording cannot be ended; settled when it has ended after all."""
    return f"stuck:{span}"


def _read_lines(body: bytes) -> list[Entry]:
    found: list[Entry] = []
    for line in body.splitlines():
        try:
            found.append(_decoder.decode(line))
        except msgspec.DecodeError:
            log.warning("a torn line in the spool was left out")  # the last one, when the machine died while writing
    return found


async def _write_as_run(entry: RanAt) -> None:
    await database.execute(
        "INSERT INTO as_run (uid, rig, live_session, at, person, device, what, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (uid) DO NOTHING",
        entry.uid, entry.rig, entry.session, entry.at, entry.person, entry.device, entry.what, dumps(entry.detail))


async def _start_span(entry: SpanStarted) -> None:
    # one that nobody saw end ends where the next begins
    for row in await database.fetch(
            "UPDATE air_spans SET stopped_at = greatest($3::timestamptz, started_at), stop_reason = 'end_not_seen'"
            " WHERE rig = $1 AND kind = $2 AND stopped_at IS NULL AND uid <> $4 RETURNING uid",
            entry.rig, entry.kind, entry.started_at, entry.uid):
        await settle(stuck_key(row["uid"]))
    await database.execute(
        "INSERT INTO air_spans (uid, rig, live_session, kind, started_at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (uid) DO NOTHING",
        entry.uid, entry.rig, entry.session, entry.kind, entry.started_at)


async def _stop_span(entry: SpanStopped) -> None:
    await database.execute(
        "INSERT INTO air_spans (uid, rig, live_session, kind, started_at, stopped_at, stop_reason, path, bytes)"
        " VALUES ($1, $2, $3, $4, $5::timestamptz, greatest($5::timestamptz, $6::timestamptz), $7, $8, $9)"
        " ON CONFLICT (uid) DO UPDATE SET"
        " stopped_at = coalesce(air_spans.stopped_at, greatest(air_spans.started_at, $6::timestamptz)), stop_reason = $7,"
        " path = $8, bytes = $9",
        entry.uid, entry.rig, entry.session, entry.kind, entry.started_at, entry.stopped_at, entry.stop_reason, entry.path,
        entry.bytes)
    await settle(stuck_key(entry.uid))


async def _write_panic(entry: PanicHandled) -> None:
    await database.execute(
        "INSERT INTO panic_calls (id, rig, level, person, device, handled_at, before, live_session)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET handled_at = $6, before = $7, live_session = $8",
        entry.id, entry.rig, entry.level, entry.person, entry.device, entry.at,
        None if entry.before is None else dumps(entry.before), entry.session)
