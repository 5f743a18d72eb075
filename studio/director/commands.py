"""Takes commands from the rig's list, one after another, and answers what became of each."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis

from incubator.ground import clock
from studio.director import wire
from studio.director.held import Held
from studio.director.loops import end
from studio.director.outputs import NotStarted, Outputs, RecordingStuck
from studio.director.panic import Panics
from studio.director.wire import Answer, CommandBody, Outcome
from studio.obs.errors import (
    AnswerTimeout,
    Dropped,
    InvalidState,
    LinkLost,
    NotFoundInObs,
    NotSent,
    ObsError,
    ObsRefused,
    OutOfRange,
    OutputMissing,
    OutputUnsettled,
)
from studio.obs.port import OutputKind

log = structlog.get_logger()
LISTEN_S = 2
BUSY_S = 0.3  # how long pictures step aside after a gesture
CODES: dict[type[ObsError], str] = {
    NotFoundInObs: "not_in_obs", InvalidState: "no_sound", OutOfRange: "out_of_range", Dropped: "panic_first",
    OutputMissing: "no_such_output", RecordingStuck: "recording_stuck",
}


def refusal_of(command_id: UUID, error: ObsError) -> Answer:
    """Return the answer for what OBS or the link said: refused only where certainly nothing happened."""
    for kind, code in CODES.items():
        if isinstance(error, kind):
            return Answer(command_id, Outcome.REFUSED, code)
    if isinstance(error, AnswerTimeout | OutputUnsettled) or (isinstance(error, LinkLost) and error.sent):
        return Answer(command_id, Outcome.UNKNOWN)
    if isinstance(error, LinkLost):
        return Answer(command_id, Outcome.REFUSED, "link_down")
    if isinstance(error, NotSent):
        return Answer(command_id, Outcome.REFUSED, "busy")
    status = error.code if isinstance(error, ObsRefused) else 0
    return Answer(command_id, Outcome.REFUSED, "obs_refused", {"status": status})


class Commands:
    """The ear of one rig's owner; panic has an ear of its own, so it never waits behind a command."""

    def __init__(self, held: Held, redis: Redis, outputs: Outputs, panics: Panics) -> None:
        self._held = held
        self._redis: Any = redis  # blocking pops are typed for both kinds of client
        self._outputs = outputs
        self._panics = panics
        self._list = wire.command_list(held.rig_id, held.lease.fence)
        self._panic_list = wire.panic_list(held.rig_id, held.lease.fence)
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen_for_ever(self) -> None:
        """Carry out commands in the order of their coming."""
        while not self._held.is_dropped:
            entry = await self._pop(self._list)
            if entry is not None:
                await self._take(entry.decode())

    async def listen_for_panic_for_ever(self) -> None:
        """Carry out panics; each at once, also while one is still being confirmed."""
        while not self._held.is_dropped:
            body = await self._pop(self._panic_list)
            if body is not None:
                self._start(self._panic(body))

    async def _pop(self, name: str) -> bytes | None:
        try:
            found = await self._redis.blpop([name], timeout=LISTEN_S)
        except wire.AWAY as error:
            log.warning("director waits for Redis", rig=self._held.rig_id, why=type(error).__name__)
            await asyncio.sleep(0.2)
            return None
        return None if found is None else found[1]

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _panic(self, raw: bytes) -> None:
        try:
            body = wire.panic(raw)
        except msgspec.DecodeError:
            log.warning("unreadable panic", rig=self._held.rig_id)
            return
        await self.reply(body.answer_to, await self._panics.call(body))

    async def _take(self, entry: str) -> None:
        command_id, _, answer_to = entry.partition(" ")
        try:
            raw = await self._redis.getdel(wire.command_key(UUID(command_id)))
            if raw is None:
                await self.reply(answer_to, Answer(UUID(command_id), Outcome.EXPIRED))
                return
            body = wire.command(raw)
        except wire.AWAY:
            return  # the asker hears nothing and shows the command as not confirmed
        except (msgspec.DecodeError, ValueError):
            log.warning("unreadable command", rig=self._held.rig_id)
            return
        if isinstance(body.command, wire.StartOutput | wire.StopOutput | wire.StartRecord | wire.StopRecord):
            self._start(self._answer(body))  # slow ones do not hold up scenes and sound
        else:
            await self._answer(body)

    async def _answer(self, body: CommandBody) -> None:
        answer = await self.carry_out(body)
        await self.reply(body.answer_to, answer)

    async def reply(self, answer_to: str, answer: Answer) -> None:
        """Tell the asking process; it may be gone, then nobody hears."""
        if not answer_to:
            return
        try:
            await self._redis.publish(wire.answers_channel(answer_to), wire.encode(answer))
        except wire.AWAY:
            log.warning("answer not delivered", rig=self._held.rig_id)

    async def carry_out(self, body: CommandBody) -> Answer:
        """Check that the command belongs to the session in force, and carry it out."""
        held = self._held
        held.busy_until = asyncio.get_running_loop().time() + BUSY_S
        code = self._refused(body)
        if code:
            return Answer(body.id, Outcome.REFUSED, code)
        try:
            return Answer(body.id, Outcome.DONE, await self._do(body))
        except NotStarted as error:
            return Answer(body.id, Outcome.REFUSED, error.code)
        except ObsError as error:
            return refusal_of(body.id, error)

    def _refused(self, body: CommandBody) -> str:
        held = self._held
        is_gesture = isinstance(body.command, wire.SwitchScene | wire.SetMute)
        if held.is_dropped:
            return "not_owner"
        if held.plan is None or held.plan.session != body.session:
            return "not_prepared"
        if held.is_over(clock.now()):
            return "session_over"
        if not held.is_online:
            return "link_down"
        return "panic_on" if is_gesture and held.panic.level else ""

    async def _do(self, body: CommandBody) -> str:
        held = self._held
        match body.command:
            case wire.SwitchScene(scene=scene):
                held.scene_asked = (scene, body.sender, clock.now())
                await held.link.switch_scene(scene)
            case wire.SetMute(input=name, muted=muted):
                await held.link.set_mute(name, muted)
                held.ran("mute", body.sender, input=name, muted=muted)
                return self._mute_remark()
            case wire.SetVolume(input=name, volume_db=volume_db):
                await held.link.set_volume_db(name, volume_db)
            case wire.StartRecord():
                await self._outputs.start(OutputKind.RECORD, body.sender)
            case wire.StopRecord():
                await self._outputs.stop(OutputKind.RECORD, body.sender, "asked")
            case wire.StartOutput():
                await self._outputs.start(self._sending(), body.sender)
            case wire.StopOutput():
                await self._outputs.stop(self._sending(), body.sender, "asked")
        return ""

    def _sending(self) -> OutputKind:
        kind = self._outputs.sending_kind()
        if kind is None:
            raise NotStarted("record_only")
        return kind

    def _mute_remark(self) -> str:
        held = self._held
        is_client = held.plan is not None and held.plan.output == "client"
        return "mute_in_client" if is_client and not held.wanted.rig.audio_through_obs else ""

    async def close(self) -> None:
        """End what is still being answered."""
        await end(self._tasks)
