"""One request in flight per connection, in order of rank: sent side by side, OBS carries requests out in any order."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from enum import IntEnum

from studio.obs.errors import AnswerTimeout, Dropped, LinkLost, NotSent, ObsError
from studio.obs.port import StepResult
from studio.obs.protocol import Ask

Answer = tuple[StepResult, ...]
Post = Callable[[Ask, Callable[[Answer | ObsError], None]], str]


class Rank(IntEnum):
    """Who goes first of those that wait."""

    URGENT = 0
    WRITE = 1
    POLL = 2
    PICTURE = 3


class _Turn:
    """One request on its way through the lane."""

    def __init__(self, ask: Ask, rank: Rank, key: str | None, outcome: asyncio.Future[Answer]) -> None:
        self.ask = ask
        self.rank = rank
        self.key = key
        self.outcome = outcome
        self.expiry: asyncio.TimerHandle | None = None
        self.request_id: str | None = None


class Lane:
    """Lets turns through to one connection; used from the event loop's thread only.

    A caller that is cancelled leaves its turn where it is: a request in flight keeps the lane until its answer or
    its deadline, so the next one never overtakes it.
    """

    def __init__(self, post: Post, forget: Callable[[str], None], *, answer_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._post = post
        self._forget = forget
        self._answer_s = answer_s
        self._waiting: list[tuple[int, int, _Turn]] = []
        self._order = itertools.count()
        self._flying: _Turn | None = None
        self._in_flight: set[_Turn] = set()  # with those that were sent past everybody
        self._gated = False
        self._broken: str | None = None

    async def ask(self, ask: Ask, *, rank: Rank = Rank.WRITE, key: str | None = None, wait_s: float | None = None) -> Answer:
        """Carry out the request when its turn comes.

        Of several waiting turns with one `key` only the last content is sent, and all get its answer. A turn that
        has not left after `wait_s` (default: as long as an answer may take) is given up.
        Raises: LinkLost, AnswerTimeout, NotSent, Dropped.
        """
        if self._broken is not None:
            raise LinkLost(self._broken, sent=False)
        turn = self._replaced(ask, key) or self._queued(ask, rank, key, wait_s)
        self._advance()
        return await asyncio.shield(turn.outcome)

    def ask_now(self, ask: Ask) -> "asyncio.Future[Answer]":
        """Send past everybody, for panic; the answer comes as a future."""
        turn = self._turn(ask, Rank.URGENT, None)
        if self._broken is not None:
            turn.outcome.set_exception(LinkLost(self._broken, sent=False))
        else:
            self._launch(turn)
        return turn.outcome

    def drop_waiting(self) -> None:
        """Throw away all that has not left."""
        for turn in self._take_waiting():
            self._settle(turn, Dropped("a panic went first"))

    def gate(self, closed: bool) -> None:
        """Hold all turns back, or let them go on: traffic while OBS changes scene collection or profile crashes OBS 29."""
        self._gated = closed
        self._advance()

    @property
    def in_flight(self) -> bool:
        """Is an answer still owed, to an urgent request or to another?"""
        return bool(self._in_flight)

    async def landed(self) -> None:
        """Wait until nothing is in flight, each at most as long as an answer may take; a closed gate keeps it so."""
        while self._in_flight:
            await asyncio.wait([turn.outcome for turn in self._in_flight])

    def break_off(self, reason: str) -> None:
        """Fail everything at once; the connection is gone."""
        if self._broken is None:
            self._broken = reason
        for turn in self._take_waiting():
            self._settle(turn, LinkLost(reason, sent=False))
        for turn in list(self._in_flight):
            self._land(turn, LinkLost(reason, sent=True))

    @property
    def idle(self) -> bool:
        """Is nothing in flight and nothing waiting?"""
        return self._flying is None and not self._waiting

    def _turn(self, ask: Ask, rank: Rank, key: str | None) -> _Turn:
        outcome: asyncio.Future[Answer] = self._loop.create_future()
        outcome.add_done_callback(_look)
        return _Turn(ask, rank, key, outcome)

    def _replaced(self, ask: Ask, key: str | None) -> _Turn | None:
        for _, _, turn in self._waiting if key else ():
            if turn.key == key and not turn.outcome.done():
                turn.ask = ask
                return turn
        return None

    def _queued(self, ask: Ask, rank: Rank, key: str | None, wait_s: float | None) -> _Turn:
        turn = self._turn(ask, rank, key)
        wait_s = self._answer_s if wait_s is None else wait_s
        turn.expiry = self._loop.call_later(wait_s, self._give_up, turn)
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        return turn

    def _give_up(self, turn: _Turn) -> None:
        self._settle(turn, NotSent("others were first for too long"))

    def _advance(self) -> None:
        while self._waiting and self._flying is None and not self._gated:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.outcome.done():
                self._flying = turn
                self._launch(turn)

    def _launch(self, turn: _Turn) -> None:
        if turn.expiry:
            turn.expiry.cancel()
        turn.expiry = self._loop.call_later(self._answer_s, self._expire, turn)
        self._in_flight.add(turn)

        def hand_over(answer: Answer | ObsError) -> None:
            self._loop.call_soon_threadsafe(self._land, turn, answer)

        try:
            turn.request_id = self._post(turn.ask, hand_over)
        except LinkLost as error:
            self._land(turn, error)

    def _expire(self, turn: _Turn) -> None:
        if turn.request_id is not None:
            self._forget(turn.request_id)
        self._land(turn, AnswerTimeout(f"no answer to {turn.ask.steps[0].request} within {self._answer_s} s"))

    def _land(self, turn: _Turn, answer: Answer | ObsError) -> None:
        self._in_flight.discard(turn)
        self._settle(turn, answer)
        if self._flying is turn:
            self._flying = None
            self._advance()

    def _settle(self, turn: _Turn, answer: Answer | ObsError) -> None:
        if turn.expiry:
            turn.expiry.cancel()
        if turn.outcome.done():
            return
        if isinstance(answer, ObsError):
            turn.outcome.set_exception(answer)
        else:
            turn.outcome.set_result(answer)

    def _take_waiting(self) -> list[_Turn]:
        turns = [turn for _, _, turn in sorted(self._waiting, key=lambda one: one[:2])]
        self._waiting.clear()
        return turns


def _look(outcome: "asyncio.Future[Answer]") -> None:
    """Mark an outcome as seen: its caller may have been cancelled meanwhile."""
    if not outcome.cancelled():
        outcome.exception()
