"""The socket of an open control page: state goes out as it changes, commands come in and are answered one by one."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
import structlog
from litestar import Litestar, WebSocket
from litestar.exceptions import WebSocketDisconnect

from booking.reservations import service as reservations
from frontend import i18n
from frontend.auth import NotSignedIn, Who, refuse_socket
from frontend.composition import AWAY, connect_redis
from frontend.feeds_line import Crowd, Line, Pace
from frontend.feeds_presence import HERE, here
from frontend.feeds_rights import PATIENCE_S, identify_again
from frontend.pages.control_state import around, encode, rig_message, session_message
from frontend.pages.reasons import reason_text
from incubator.ground import database
from incubator.ground.errors import N_, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from studio.control import service as control
from studio.control.queries import Seat, seat
from studio.control.switchboard import Seen, Switchboard
from studio.destinations import service as destinations
from studio.director import wire
from studio.live_sessions import queries as sessions, service as live_sessions

log = structlog.get_logger()
REREAD_S = 5.0
WRITTEN_S = 0.7
VIEWER_LIFE_S = 12
LONGEST_MESSAGE = 20_000
MOST_AT_ONCE, MOST_PER_S = 40, 20  # asks: more than two hands can do
MOST_UNANSWERED = 32
REREAD_PAUSE_S = 0.25
LEAVE_S = 1.0
GONE_SIGNED_OUT, GONE_NOT_YOURS, GONE_TOO_MUCH = 4401, 4404, 4429
GONE = (WebSocketDisconnect, RuntimeError, OSError)  # how a server says that nobody is there any more; TimeoutError is one too
UNREACHABLE = N_("Not done: the database does not answer. Scenes, sound and panic still work.")
NOT_UNDERSTOOD = N_("This page is older than the product. Reload it.")
COMMANDS = {kind.__struct_config__.tag for kind in wire.Command.__args__}
Socket = WebSocket[Any, Any, Any]


class Ask(msgspec.Struct, frozen=True):
    """What a page asks; `id` comes back with the answer."""

    type: str
    id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    params: dict[str, Any] = {}


async def switchboard_of(app: Litestar) -> Switchboard:
    """Return the process's one line to the directors, opened at the first use."""
    found: Switchboard | None = getattr(app.state, "switchboard", None)
    if found is None:
        settings = app.state.settings
        redis = connect_redis(settings.redis_url) if settings.redis_url else app.state.redis
        found = Switchboard(redis, f"web-{os.getpid()}-{secrets.token_hex(4)}")
        app.state.switchboard = found
        await found.start()
    return found


@asynccontextmanager
async def switchboard_life(app: Litestar) -> AsyncIterator[None]:
    """Close the line to the directors when the process ends."""
    yield
    found: Switchboard | None = getattr(app.state, "switchboard", None)
    if found is not None:
        await found.close()


def answer_of(ask_id: str, outcome: str, code: str = "", text: str = "") -> dict[str, Any]:
    """Return the answer to one ask; `text` is told to the person."""
    return {"type": "answer", "id": ask_id, "outcome": outcome, "code": code, "text": text}


def refusal_of(ask_id: str, error: KaiboError) -> dict[str, Any]:
    """Return a refusal in the viewer's language; of a form's errors the first."""
    if isinstance(error, Invalid) and error.errors:
        first = error.errors[0]
        return answer_of(ask_id, "refused", error.code, i18n.translate(first.msgid, dict(first.params)))
    return answer_of(ask_id, "refused", error.code, i18n.translate(error.text, error.params))


class Level(msgspec.Struct, frozen=True):
    """How much a panic covers."""

    level: int = 1


class Nothing(msgspec.Struct, frozen=True):
    """An ask that says all by its name."""


class Answering(msgspec.Struct, frozen=True):
    """What whoever is in control says to a request."""

    hand_over: bool


class Forced(msgspec.Struct, frozen=True):
    """Why staff take over."""

    reason: str = ""


class Longer(msgspec.Struct, frozen=True):
    """By how much, and the version of the reservation that the page shows: the same tap twice extends once."""

    minutes: int
    version: int


class Paste(msgspec.Struct, frozen=True):
    """What was pasted, and the version of the destination that it replaces."""

    text: str
    version: int


class Verb(msgspec.Struct, frozen=True):
    """What an ask takes, and what it does."""

    takes: type[msgspec.Struct]
    do: Callable[[Switchboard, Actor, UUID, Any], Awaitable[object]]


async def _extend(_board: Switchboard, actor: Actor, uid: UUID, said: Longer) -> None:
    session = await sessions.live_session(actor, uid)
    await reservations.extend(actor, session.reservation_uid, said.minutes, version=said.version)


async def _call_staff(_board: Switchboard, actor: Actor, uid: UUID, _said: Nothing) -> None:
    await control.call_staff(actor, actor.device_unit_id or 0, uid)


VERBS: dict[str, Verb] = {
    "ask_control": Verb(Nothing, lambda _b, actor, uid, _: control.ask_control(actor, uid)),
    "answer_control": Verb(Answering, lambda _, actor, uid, said: control.answer_control(actor, uid, hand_over=said.hand_over)),
    "take_control": Verb(Forced, lambda board, actor, uid, said: control.take_control(board, actor, uid, reason=said.reason)),
    "call_staff": Verb(Nothing, _call_staff),
    "extend": Verb(Longer, _extend),
    "paste": Verb(Paste, lambda _, actor, uid, said: destinations.paste(actor, uid, said.text, version=said.version)),
    "declare_shown": Verb(Nothing, lambda _b, actor, uid, _: live_sessions.declare_shown(actor, uid)),
}


def understood(ask: Ask) -> Any:
    """Return what an ask says, as its kind takes it.

    Raises:
        ValidationError: the page speaks another language than the product.
    """
    if ask.type in COMMANDS:
        return msgspec.convert({**ask.params, "type": ask.type}, wire.Command)
    takes = {"panic": Level, HERE: Nothing}.get(ask.type) or VERBS[ask.type].takes
    return msgspec.convert(ask.params, takes, strict=False)


async def act(board: Switchboard, actor: Actor, place: Seat, ask: Ask) -> dict[str, Any]:
    """Do what a page asks and return the answer; gestures need no database, verbs do."""
    if ask.type not in {*COMMANDS, *VERBS, "panic", HERE}:
        return answer_of(ask.id, "refused", "unknown-command", i18n.gettext(NOT_UNDERSTOOD))
    try:
        said = understood(ask)
    except msgspec.ValidationError:
        return answer_of(ask.id, "refused", "malformed", i18n.gettext(NOT_UNDERSTOOD))
    try:
        return await _done(board, actor, place, ask, said)
    except KaiboError as error:
        return refusal_of(ask.id, error)
    except TimeoutError:
        return answer_of(ask.id, "unknown")  # it may have been done: nobody said
    except (*database.LOST, *database.BUSY):
        return answer_of(ask.id, "refused", "unavailable", i18n.gettext(UNREACHABLE))


async def _done(board: Switchboard, actor: Actor, place: Seat, ask: Ask, said: Any) -> dict[str, Any]:
    if ask.type == HERE:
        return await here(board, place)
    if ask.type in VERBS:
        await asyncio.wait_for(VERBS[ask.type].do(board, actor, place.session_uid, said), PATIENCE_S)
        return answer_of(ask.id, "done")
    wanted = control.panic(board, place, said.level) if ask.type == "panic" else control.command(board, place, said)
    answer = await wanted
    return answer_of(ask.id, answer.outcome, answer.code, reason_text(answer.code))


async def count_viewers(redis: Any, session_uid: UUID, key: str, *, leaving: bool = False) -> int:
    """Say that this page is open (or closes) and return how many are, over all web processes; 1 while Redis is away."""
    name, now = f"viewers:{session_uid}", time.time()
    try:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.zremrangebyscore(name, 0, now)
            if leaving:
                pipe.zrem(name, key)
            else:
                pipe.zadd(name, {key: now + VIEWER_LIFE_S})
            pipe.expire(name, VIEWER_LIFE_S)
            pipe.zcard(name)
            return int((await pipe.execute())[-1])
    except AWAY:
        return 1


class Console:
    """One open control page; keeps its checked right and reads it again every 5 s, so that it outlives the database.

    Hearing, reading rights and sending are tasks of their own, and none waits for another: a page that takes nothing any more
    loses its right as soon as every other.
    """

    def __init__(self, socket: Socket, board: Switchboard, found: Who, place: Seat) -> None:
        self._socket = socket
        self._board = board
        self._who = found
        self._actor = found.actor
        self._place = place
        self._key = secrets.token_hex(8)
        self._told = ""
        self._seen: object = None
        self._is_ours = False
        self._wake = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self._pace = Pace(MOST_AT_ONCE, MOST_PER_S)
        self._line = Line(socket.send_data)
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, code: int) -> None:
        """Let the page go with this code."""
        if not self._end.done():
            self._end.set_result(code)

    async def run(self) -> None:
        """Serve the page until it closes or its right ends."""
        parts = [asyncio.create_task(part) for part in (self._hear(), self._watch(), self._reread(), self._line.write())]
        ends: list[asyncio.Future[Any]] = [*parts, self._end]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*parts, *self._answering):
                task.cancel()
            found = await asyncio.gather(*parts, return_exceptions=True)
            await self._leave()
        for error in found:
            if isinstance(error, TimeoutError):
                log.warning("control page takes nothing", person=self._actor.person_id, device=self._actor.device_id)
            elif isinstance(error, Exception) and not isinstance(error, GONE):
                raise error

    async def _leave(self) -> None:
        """Say farewell where somebody listens; nothing is waited for that may not come."""
        with suppress(*GONE):
            async with asyncio.timeout(LEAVE_S):
                if self._end.done():
                    await self._socket.close(self._end.result())
        with suppress(*GONE):
            async with asyncio.timeout(LEAVE_S):
                await count_viewers(self._board.redis, self._place.session_uid, self._key, leaving=True)

    async def _hear(self) -> None:
        while True:
            text = await self._socket.receive_data(mode="text")
            if not self._pace.allows(time.monotonic()) or len(self._answering) + self._line.owed >= MOST_UNANSWERED:
                log.warning("control page asks too much", person=self._actor.person_id, device=self._actor.device_id)
                self.end(GONE_TOO_MUCH)
                return
            try:
                ask = msgspec.json.decode(text[:LONGEST_MESSAGE], type=Ask)
            except (msgspec.DecodeError, RecursionError):
                self._line.answer(encode(answer_of("", "refused", "malformed", i18n.gettext(NOT_UNDERSTOOD))))
                continue
            # each in its own task: a panic must not wait behind a scene whose answer is still out
            task = asyncio.create_task(self._answer(ask))
            self._answering.add(task)
            task.add_done_callback(self._answered)

    async def _answer(self, ask: Ask) -> None:
        """Do a gesture, which needs no database, with the right of the last look, and a verb with that of now."""
        doing = self._verb(ask) if ask.type in VERBS else act(self._board, self._actor, self._place, ask)
        self._line.answer(encode(await doing))

    async def _verb(self, ask: Ask) -> dict[str, Any]:
        """Write with the right of now: it may have ended since the last look."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                actor = await identify_again(self._who)
        except (*database.LOST, *database.BUSY):
            return answer_of(ask.id, "refused", "unavailable", i18n.gettext(UNREACHABLE))
        if actor is None:
            self.end(GONE_SIGNED_OUT)
            return refusal_of(ask.id, NotSignedIn())
        answer = await act(self._board, actor, self._place, ask)
        self._wake.set()
        return answer

    def _answered(self, task: asyncio.Task[None]) -> None:
        """Forget a task; the page itself says "not confirmed" when nothing came back."""
        self._answering.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("no answer for a control page", why=f"{type(error).__name__}: {error}"[:200])

    async def _watch(self) -> None:
        if not self._place.rig_id:
            await asyncio.Event().wait()
        async for frame in self._board.watch(self._place.rig_id):
            if frame.kind == "snapshot":
                self._tell_rig(Seen(wire.snapshot(frame.body), frame.age_s))
            elif frame.kind == "meters" and self._is_ours:
                self._tell_levels(frame.body)

    def _tell_levels(self, body: bytes) -> None:
        """Tell levels to those alone whose session they belong to."""
        with suppress(msgspec.DecodeError):
            found = wire.meters(body)
            if found.session == self._place.session_id:
                self._line.tell("meters", encode({"type": "meters", "meters": {"levels": found.levels}}))

    def _tell_rig(self, found: Seen) -> None:
        self._line.tell("rig", encode(rig_message(found, self._place)))
        snapshot = found.snapshot
        plan = snapshot.plan
        self._is_ours = plan.session == self._place.session_id  # what is heard in the room is for those alone who have it
        if not self._is_ours:
            self._line.leave_out("meters")
        seen = (plan.version, plan.state, plan.key_shown, plan.cut_off_at, snapshot.sending.phase, snapshot.record.phase)
        if seen != self._seen:
            self._seen = seen
            self._wake.set()
            # what the director writes down about it may come a little later than its word
            asyncio.get_running_loop().call_later(WRITTEN_S, self._wake.set)

    async def _reread(self) -> None:
        """Read right and session again: every 5 s, after an own verb, and when the plan changed, but never without a pause."""
        while not self._end.done():
            self._wake.clear()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._read()
            except (*database.LOST, *database.BUSY) as error:
                log.warning("control page goes on with its checked right", why=type(error).__name__)
            await asyncio.sleep(REREAD_PAUSE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), REREAD_S - REREAD_PAUSE_S)

    async def _read(self) -> None:
        actor = await identify_again(self._who)
        if actor is None:
            self.end(GONE_SIGNED_OUT)
            return
        try:
            self._actor, self._place = actor, await seat(actor, self._place.session_uid)
            found = await around(actor, self._place.session_uid)
        except NotFound:
            self.end(GONE_NOT_YOURS)
            return
        viewers = await count_viewers(self._board.redis, self._place.session_uid, self._key)
        message = session_message(found, self._place, viewers)
        told = encode(message | {"now": 0})
        if told != self._told:
            self._told = told
            self._line.tell("session", encode(message))


def crowd_of(app: Litestar) -> Crowd:
    """Return who has pages open in this process."""
    found: Crowd | None = getattr(app.state, "crowd", None)
    if found is None:
        found = app.state.crowd = Crowd()
    return found


async def serve(socket: Socket, found: Who, session_uid: UUID) -> None:
    """Serve one control socket; whoever may not see the session is told so and closed."""
    try:
        place = await asyncio.wait_for(seat(found.actor, session_uid), PATIENCE_S)
    except NotFound:
        await socket.accept()  # a page hears a reason only from a socket that was opened
        await socket.close(GONE_SIGNED_OUT if found.means == "none" else GONE_NOT_YOURS)
        return
    except (*database.LOST, *database.BUSY):
        await refuse_socket(socket.send)
        return
    await socket.accept()
    console = Console(socket, await switchboard_of(socket.app), found, place)
    who = f"device {found.actor.device_id}" if found.means == "device" else f"person {found.actor.person_id}"
    with crowd_of(socket.app).joined(who, partial(console.end, GONE_TOO_MUCH)):
        await console.run()
