"""A process's one ear and mouth towards the directors: asks with a deadline, hears answers, snapshots and levels."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, ResponseError

from incubator.ground.errors import N_, Unavailable
from studio.control.presence import Presence
from studio.director import wire
from studio.director.loops import end
from studio.director.wire import Answer, Outcome, RigSnapshot, Sender

log = structlog.get_logger()
CONNECT_S = 2.0
DEADLINE_S = wire.COMMAND_LIFE_S
GRACE_S = 0.25  # an answer that left in time may still be on its way
SILENCE_S = 2.0
FENCE_FRESH_S = 1.5
READ_IS_OLDER_S = 1.0  # nobody tells us of a new owner of a rig that no page here watches, so what was read is soon read again


Said = tuple[str | bytes | int, ...]  # one command to Redis


class RoomsAway(Unavailable):
    """Redis does not answer, so nothing can be asked of the rooms."""

    code = "rooms-away"
    msgid = N_("The rooms cannot be reached at the moment. Nothing was sent; try again in a few seconds.")


class Frame(msgspec.Struct, frozen=True):
    """One message for a watcher: a snapshot with its age, levels, or `silence` when nothing came for two seconds (empty body)."""

    kind: Literal["snapshot", "meters", "silence"]
    body: bytes = b""
    age_s: float = 0.0


class Seen(msgspec.Struct, frozen=True):
    """A rig's snapshot and how old it is, by Redis's clock or by our own ear: the clocks of two machines are never compared."""

    snapshot: RigSnapshot
    age_s: float


class Watcher:
    """What one open page has not seen yet: only the newest snapshot and levels count."""

    def __init__(self) -> None:
        self._snapshot: tuple[float, bytes] | None = None
        self._meters: bytes | None = None
        self._news = asyncio.Event()

    def put(self, kind: str, body: bytes, came_at: float) -> None:
        """Take the newest of its kind; `came_at` is of the loop's clock."""
        if kind == "snapshot":
            self._snapshot = (came_at, body)
        else:
            self._meters = body
        self._news.set()

    async def next(self) -> Frame:
        """Return the next message, a snapshot before levels."""
        while True:
            if self._snapshot is not None:
                (came_at, body), self._snapshot = self._snapshot, None
                return Frame("snapshot", body, asyncio.get_running_loop().time() - came_at)
            if self._meters is not None:
                body, self._meters = self._meters, None
                return Frame("meters", body)
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), SILENCE_S)
            except TimeoutError:
                return Frame("silence")


class _Known(msgspec.Struct, frozen=True):
    """The last snapshot of a rig: when it was made, and from when it counts as fresh, both by the loop's clock."""

    snapshot: RigSnapshot
    made_at: float
    fresh_from: float


def _onto(name: str, entry: str | bytes, life_s: int) -> list[Said]:
    """Return what puts an entry at the end of a list that never grows long and goes by itself."""
    return [("RPUSH", name, entry), ("LTRIM", name, -wire.LONGEST_LIST, -1), ("EXPIRE", name, life_s)]


async def _reply(connection: Any) -> Any:
    """Return Redis's reply to one command; also a refusal, such as of a full disk."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


class Switchboard:
    """One per process, on one Redis client whose retry covers OSError; `start` before use, `close` at the end."""

    def __init__(self, redis: Redis, process: str) -> None:
        self.redis = redis
        self.presence = Presence(redis)
        self._answers = wire.answers_channel(process)
        self._process = process
        self._waiting: dict[UUID, asyncio.Future[Answer]] = {}
        self._watchers: dict[int, set[Watcher]] = {}
        self._latest: dict[int, _Known] = {}
        self._unreadable: set[int] = set()
        self._pubsub: Any = None
        self._ear: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to hear."""
        self._ear = asyncio.create_task(self._hear())

    async def close(self) -> None:
        """Stop hearing; whoever still waits gets `unknown` at its deadline."""
        if self._ear is not None:
            await end([self._ear])

    async def _hear(self) -> None:
        """Listen for ever; after an outage, subscribe anew to everything that is wanted then."""
        while True:
            try:
                async with self.redis.pubsub() as pubsub:
                    wanted = self._channels()
                    await pubsub.subscribe(self._answers, *wanted)
                    self._pubsub = pubsub  # not before: two who subscribe first get two connections, and one is read by nobody
                    late = [name for name in self._channels() if name not in wanted]
                    if late:
                        await pubsub.subscribe(*late)
                    await self._listen(pubsub)
            except wire.AWAY as error:
                log.warning("switchboard waits for Redis", why=type(error).__name__)
            finally:
                self._pubsub = None
            await asyncio.sleep(0.2)

    def _channels(self) -> list[str]:
        return [name for rig in self._watchers for name in (wire.snapshot_channel(rig), wire.meters_channel(rig))]

    async def _listen(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
            if message is None:
                continue
            channel = message["channel"].decode()
            try:
                self._take(channel, message["data"])
            except Exception:  # whatever one message holds, the ear must hear the next: answers come the same way
                log.warning("unreadable message", channel=channel, exc_info=True)

    def _take(self, channel: str, body: bytes) -> None:
        if channel == self._answers:
            answer = wire.answer(body)
            waiting = self._waiting.get(answer.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
            return
        kind, _, rig = channel.partition(":")
        if kind == "snaps" and not self._keep(int(rig), body):
            return
        for watcher in self._watchers.get(int(rig), ()):
            watcher.put("snapshot" if kind == "snaps" else "meters", body, asyncio.get_running_loop().time())

    def _keep(self, rig_id: int, body: bytes) -> bool:
        """Take a snapshot for the rig's latest, and tell whether it could be read."""
        snapshot, now = self._readable(rig_id, body), asyncio.get_running_loop().time()
        if snapshot is not None:
            self._latest[rig_id] = _Known(snapshot, now, now)
        return snapshot is not None

    def _readable(self, rig_id: int, body: bytes) -> RigSnapshot | None:
        """Return a snapshot; None, and said once, while the rig's director is of a release that we do not understand."""
        try:
            snapshot = wire.snapshot(body)
        except msgspec.DecodeError as error:
            if rig_id not in self._unreadable:
                log.warning("a director is not understood", rig=rig_id, why=str(error))
            self._unreadable.add(rig_id)
            self._latest.pop(rig_id, None)
            return None
        self._unreadable.discard(rig_id)
        return snapshot

    async def snapshot(self, rig_id: int, *, fresh_s: float = FENCE_FRESH_S) -> RigSnapshot | None:
        """Return a rig's snapshot, at most `fresh_s` old if it was heard, else read from Redis; None: no director has the rig.

        Raises:
            RoomsAway: Redis does not answer.
        """
        found = await self.seen(rig_id, fresh_s=fresh_s)
        return None if found is None else found.snapshot

    async def seen(self, rig_id: int, *, fresh_s: float = FENCE_FRESH_S) -> Seen | None:
        """Return a rig's snapshot with its age, as `snapshot`.

        Raises:
            RoomsAway: Redis does not answer.
        """
        now = asyncio.get_running_loop().time()
        known = self._latest.get(rig_id)
        if known is None or now - known.fresh_from >= fresh_s:
            known = await self._read(rig_id)
        return None if known is None else Seen(known.snapshot, asyncio.get_running_loop().time() - known.made_at)

    async def _read(self, rig_id: int) -> _Known | None:
        pipe = self.redis.pipeline(transaction=False)
        pipe.get(wire.snapshot_key(rig_id))
        pipe.pttl(wire.snapshot_key(rig_id))
        try:
            body, left_ms = await pipe.execute()
        except wire.AWAY as error:
            raise RoomsAway() from error
        snapshot = None if body is None else self._readable(rig_id, body)
        if snapshot is None:
            return None
        now = asyncio.get_running_loop().time()
        age_s = max(wire.SNAPSHOT_LIFE_S - left_ms / 1000, 0.0) if left_ms >= 0 else 0.0
        known = _Known(snapshot, now - age_s, now - READ_IS_OLDER_S)
        self._latest[rig_id] = known
        return known

    async def picture(self, rig_id: int, index: int) -> wire.Picture | None:
        """Return the picture of a rig's n-th scene, None when there is none."""
        try:
            body = await self.redis.get(wire.picture_key(rig_id, index))
        except wire.AWAY as error:
            raise RoomsAway() from error
        return None if body is None else wire.picture(body)

    async def send(self, rig_id: int, session_id: int, sender: Sender, command: wire.Command) -> Answer:
        """Send a command and return what became of it within two seconds; `unknown` when nobody said.

        Raises:
            RoomsAway: Redis does not answer, so nothing was sent.
        """
        snapshot = await self.snapshot(rig_id)
        command_id = uuid4()
        if snapshot is None:
            return Answer(command_id, Outcome.REFUSED, "no_director")
        body = wire.CommandBody(command_id, rig_id, session_id, sender, self._process, command)
        life_ms, entry = int(wire.COMMAND_LIFE_S * 1000), wire.list_entry(command_id, self._process)
        return await self._ask(command_id, [
            ("SET", wire.command_key(command_id), wire.encode(body), "PX", life_ms),
            *_onto(wire.command_list(rig_id, snapshot.fence), entry, wire.FENCES_LIFE_S)], DEADLINE_S + GRACE_S)

    async def panic(self, body: wire.PanicBody) -> Answer:
        """Send a panic to every owner of the rig that may still be alive.

        Raises:
            RoomsAway: Redis does not answer.
        """
        body = msgspec.structs.replace(body, answer_to=self._process)
        reading: Any = self.redis.smembers(wire.fences_key(body.rig))  # typed for both kinds of client
        try:
            fences = await reading
        except wire.AWAY as error:
            raise RoomsAway() from error
        if not fences:
            return Answer(body.id, Outcome.REFUSED, "no_director")
        lists = [wire.panic_list(body.rig, int(fence)) for fence in fences]
        said = [one for name in lists for one in _onto(name, wire.encode(body), wire.PANIC_LIFE_S)]
        return await self._ask(body.id, said, DEADLINE_S + GRACE_S)

    async def probe(self, rig_id: int, zone: str) -> Answer:
        """Have a director of the zone test the connection of a rig as it is stored.

        Raises:
            RoomsAway: Redis does not answer.
        """
        body = wire.ProbeBody(uuid4(), rig_id, self._process)
        said = _onto(wire.probe_list(zone), wire.encode(body), wire.PROBE_LIFE_S)
        return await self._ask(body.id, said, wire.PROBE_LIFE_S)

    async def _ask(self, question: UUID, said: Sequence[Said], patience_s: float) -> Answer:
        """Say it and wait for the answer; lost after the first byte it is unknown, for RoomsAway says that nothing was sent."""
        try:
            async with asyncio.timeout(CONNECT_S):
                connection = await self.redis.connection_pool.get_connection()
        except wire.AWAY as error:
            raise RoomsAway() from error
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[question] = waiting
        try:
            async with asyncio.timeout(patience_s):
                await self._say(connection, said)
                return await waiting
        except TimeoutError:
            return Answer(question, Outcome.UNKNOWN)
        finally:
            del self._waiting[question]

    async def _say(self, connection: Any, said: Sequence[Said]) -> None:
        """Send it once. A pipeline of redis-py's repeats what it heard no reply to, and a gesture would be carried out twice.

        Raises:
            RoomsAway: Redis is there and put nothing on any list.
        """
        try:
            await connection.send_packed_command(connection.pack_commands(said))
            replies = [await _reply(connection) for _ in said]
        except BusyLoadingError as error:
            raise RoomsAway() from error
        except wire.AWAY as error:
            log.warning("sent, and not known whether it came", why=type(error).__name__)  # whoever got it may still answer
            return
        finally:
            await self.redis.connection_pool.release(connection)
        if not any(verb == "RPUSH" and isinstance(reply, int) for (verb, *_), reply in zip(said, replies, strict=True)):
            raise RoomsAway()

    async def watch(self, rig_id: int) -> AsyncIterator[Frame]:
        """Yield a rig's snapshot at once and whenever it changes, its levels, and `silence` when nothing comes for 2 s.

        Goes on through outages of Redis and changes of the director; only the newest of each kind is kept for a slow reader.
        """
        watcher = Watcher()
        first = rig_id not in self._watchers
        self._watchers.setdefault(rig_id, set()).add(watcher)
        try:
            if first:
                await self._tell_redis("subscribe", rig_id)
            with suppress(RoomsAway):
                known = await self.seen(rig_id)
                if known is not None:
                    watcher.put("snapshot", wire.encode(known.snapshot), asyncio.get_running_loop().time() - known.age_s)
            while True:
                yield await watcher.next()
        finally:
            self._watchers[rig_id].discard(watcher)
            if not self._watchers[rig_id]:
                del self._watchers[rig_id]
                await self._tell_redis("unsubscribe", rig_id)

    async def _tell_redis(self, verb: str, rig_id: int) -> None:
        # while Redis is away nothing need be said: the ear subscribes to what is wanted once it is back
        if self._pubsub is not None:
            with suppress(*wire.AWAY):
                await getattr(self._pubsub, verb)(wire.snapshot_channel(rig_id), wire.meters_channel(rig_id))
