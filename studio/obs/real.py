"""A real OBS behind two connections: one writes and hears events; one reads, pictures, meters and carries panic."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from studio.obs import protocol
from studio.obs.errors import LinkLost, LinkRefused, NotSent, ObsError
from studio.obs.lane import Lane, Rank
from studio.obs.port import Event, Facts, LinkDown, SceneStarted, StepResult
from studio.obs.protocol import Ask
from studio.obs.verbs import ObsVerbs, Way
from studio.obs.websocket import HANDSHAKE_S, ObsSocket

LOG = logging.getLogger(__name__)
ANSWER_S = 5.0
BEAT_S = 2.0
SILENCE_S = 5.0
PICTURE_WAIT_S = 2.0
COLLECTION_S = 60.0
PROFILE_S = 10.0  # measured: 0.04 on the average, 0.9 at the longest
SETTLE_S = 0.05
TOLD_S = 1.0  # answers and events overtake each other
_GATES: Final = {  # how long after this word of OBS nothing is sent, unless the next one comes first
    "CurrentSceneCollectionChanging": COLLECTION_S,
    "CurrentSceneCollectionChanged": SETTLE_S,
    "CurrentProfileChanging": PROFILE_S,
    "CurrentProfileChanged": SETTLE_S,
}
_RANKS = {Way.WRITE: Rank.WRITE, Way.READ: Rank.POLL, Way.PICTURE: Rank.PICTURE}


class RealObs(ObsVerbs):
    """One OBS from connect to loss, used from one event loop; after a loss it is thrown away."""

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        answer_s: float = ANSWER_S,
        beat_s: float = BEAT_S,
        silence_s: float = SILENCE_S,
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._writing = ObsSocket(host, port, password, mask=protocol.ALL_EVENTS, on_event=self._hear, on_end=self._ended)
        self._reading = ObsSocket(host, port, password, mask=protocol.METERS, on_event=self._hear, on_end=self._ended)
        self._write_lane = Lane(self._writing.post, self._writing.forget, answer_s=answer_s)
        self._read_lane = Lane(self._reading.post, self._reading.forget, answer_s=answer_s)
        self._beat_s = beat_s
        self._silence_s = silence_s
        self._handshake_s = handshake_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers_from = 0.0  # before this moment no answer is expected
        self._gate_end: asyncio.TimerHandle | None = None
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._one_alone = asyncio.Lock()
        self._open = False
        self._down = False

    # the life of the link

    async def connect(self) -> Facts:
        """Open both connections and read what OBS is. Raises: Unreachable, WrongPassword, WrongVersion, Kicked."""
        try:
            dialling = [asyncio.to_thread(one.connect, self._handshake_s) for one in (self._writing, self._reading)]
            outcomes = await asyncio.gather(*dialling, return_exceptions=True)
        except asyncio.CancelledError:
            await self.close()
            raise
        if failures := [one for one in outcomes if isinstance(one, BaseException)]:
            await self.close()
            raise _first(failures)
        self._open = True
        facts = await self._read_facts()
        self._start(self._beat())
        return facts

    async def close(self) -> None:
        """End the link without an event."""
        self._down = True
        self._finish("closed by us")

    @property
    def alive(self) -> bool:
        """Is the link open?"""
        return self._open and not self._down

    @property
    def last_heard_s(self) -> float:
        """Seconds since both connections have last brought something."""
        return time.monotonic() - min(self._writing.heard_at, self._reading.heard_at)

    def _finish(self, reason: str) -> None:
        self._open = False
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._write_lane.break_off(reason)
        self._read_lane.break_off(reason)
        self._may_send.set()  # who waits for that hears of the loss
        self._writing.disconnect()
        self._reading.disconnect()

    def _lose(self, reason: str, *, stalled: bool = False, code: str = "") -> None:
        """Tell the loss once, after everything that waits has failed."""
        if self._down:
            return
        self._down = True
        self._finish(reason)
        self._tell(LinkDown(reason=reason, stalled=stalled, code=code))

    def _start(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # what OBS says, on the readers' threads

    def _hear(self, name: str, data: Mapping[str, Any]) -> None:
        try:
            event = protocol.event_of(name, data)
        except (KeyError, TypeError, ValueError) as error:
            LOG.warning("event %s without its fields: %s", name, type(error).__name__)
            return
        if event is not None:
            self._loop.call_soon_threadsafe(self._tell_alive, event)
        elif name == "SceneTransitionStarted":
            self._loop.call_soon_threadsafe(self._start, self._tell_scene_started())
        if name in _GATES:
            self._loop.call_soon_threadsafe(self._gate, _GATES[name])

    def _ended(self, reason: ObsError) -> None:
        code = reason.code if isinstance(reason, LinkRefused) else ""
        with contextlib.suppress(RuntimeError):  # the loop is already closed: nobody is left to be told
            self._loop.call_soon_threadsafe(lambda: self._lose(str(reason), code=code))

    # on the event loop

    def _tell_alive(self, event: Event) -> None:
        if self.alive:
            self._tell(event)

    async def _tell_scene_started(self) -> None:
        """Ask which scene a change leads to: the event itself names only the transition."""
        try:
            answer = await self._ask("GetCurrentProgramScene", Way.READ)
        except ObsError as error:
            LOG.debug("which scene began is unknown: %s", error)
            return
        self._tell_alive(SceneStarted(scene=answer["currentProgramSceneName"]))

    def _gate(self, wait_s: float) -> None:
        """Hold all traffic back for so long: a scene collection or a profile changes."""
        if self._gate_end is not None:
            self._gate_end.cancel()  # the end of an earlier change must not open the gate of this one
        self._answers_from = time.monotonic() + wait_s
        self._set_gates(True)
        self._gate_end = self._loop.call_later(wait_s, self._set_gates, False)

    def _set_gates(self, closed: bool) -> None:
        self._write_lane.gate(closed)
        self._read_lane.gate(closed)
        if closed:
            self._may_send.clear()
        else:
            self._may_send.set()

    async def _beat(self) -> None:
        """Make OBS answer on both connections every `beat_s`, and end the link when one brings no answer for too long.

        Events are no sign of life here: they may still come on a connection whose other direction is dead, and a panic
        would go nowhere.
        """
        while True:
            await asyncio.sleep(self._beat_s)
            now = time.monotonic()
            if now < self._answers_from:
                continue
            for socket, lane in ((self._writing, self._write_lane), (self._reading, self._read_lane)):
                if now - socket.answered_at > self._beat_s / 2:
                    self._knock(lane)
            silent_s = now - max(self._answers_from, min(self._writing.answered_at, self._reading.answered_at))
            if silent_s > self._silence_s:
                self._lose(f"OBS has not answered for {silent_s:.1f} s", stalled=True)
                return

    def _knock(self, lane: Lane) -> None:
        """Make a quiet connection answer, past a request that is slow: is OBS gone, or only busy with that one?"""
        if lane.idle:
            self._start(self._polite_knock(lane))
        else:
            lane.ask_now(Ask(protocol.KNOCK))

    async def _polite_knock(self, lane: Lane) -> None:
        with contextlib.suppress(ObsError):  # silence is measured by the beat, not here
            await lane.ask(Ask(protocol.KNOCK), rank=Rank.PICTURE)

    async def _carry(self, ask: Ask, way: Way, key: str | None = None, /) -> tuple[StepResult, ...]:
        if not self._open:
            raise LinkLost("not connected", sent=False)
        if way is Way.ALONE:
            return await self._carry_alone(ask)
        if way is Way.URGENT:
            return await asyncio.shield(self._read_lane.ask_now(ask))
        lane = self._write_lane if way is Way.WRITE else self._read_lane
        return await lane.ask(ask, rank=_RANKS[way], key=key, wait_s=PICTURE_WAIT_S if way is Way.PICTURE else None)

    async def _carry_alone(self, ask: Ask) -> tuple[StepResult, ...]:
        """Change the profile with nothing else in flight, until OBS has told that it is through.

        Statistics, the state of an output and a destination asked for meanwhile make OBS 29 crash (docs/obs-facts.md, M21), so
        both gates close, what has left is waited for, and they open `SETTLE_S` after CurrentProfileChanged, or by themselves
        after `PROFILE_S`. What is urgent is not held for a moment: a panic's scene and mutes and the stop of an output were
        measured to be harmless, and what a panic reads and repeats afterwards waits here like all the rest.
        """
        async with self._one_alone:
            await self._quiet()
            results = await asyncio.shield(self._write_lane.ask_now(ask))
            if results and results[0].done:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._may_send.wait(), TOLD_S)
            if not self._may_send.is_set():
                self._gate(SETTLE_S)  # refused, in force already, or the word of it is lost
                await self._may_send.wait()
            return results

    async def _quiet(self) -> None:
        """Close the gates when nobody else's change goes on, and return as soon as nothing is in flight. Raises: NotSent."""
        try:
            await asyncio.wait_for(self._may_send.wait(), ANSWER_S)
        except TimeoutError:
            raise NotSent("OBS was busy with another change for too long") from None
        self._gate(PROFILE_S)
        while self._write_lane.in_flight or self._read_lane.in_flight:
            await self._write_lane.landed()
            await self._read_lane.landed()
            self._gate(PROFILE_S)  # the end of a change by hand may have opened them meanwhile

    def _drop_waiting(self) -> None:
        self._write_lane.drop_waiting()


def _first(failures: list[BaseException]) -> BaseException:
    """Return the error that says most: a refusal before a mere silence."""
    return min(failures, key=lambda one: not isinstance(one, LinkRefused))
