"""Keeps a link to one OBS: connects, reads everything, notices the loss, waits and tries again until told to stop."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from studio.obs.errors import AnswerTimeout, LinkRefused, ObsError
from studio.obs.port import Event, Facts, LinkDown, LinkState, Listener, ObsLink, Snapshot

LOG = logging.getLogger(__name__)
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
JITTER: Final = 0.25


class LinkStatus(msgspec.Struct, frozen=True):
    """How a link is: `reason` says why it is not online, `code` why OBS refuses."""

    state: LinkState
    reason: str = ""
    code: str = ""


def waits(first_s: float = FIRST_WAIT_S, longest_s: float = LONGEST_WAIT_S) -> Iterator[float]:
    """Yield the waits between attempts in seconds: doubled up to the longest, each up to 25 % shorter or longer."""
    wait_s = first_s
    while True:
        yield wait_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # only spreads attempts, guards nothing
        wait_s = min(2 * wait_s, longest_s)


class LinkKeeper:
    """Owns the links to one OBS, one after another.

    `status` is `online` only after everything has been read on the present link; `snapshot` and `facts` are then of
    this link. Events of the present link go to all listeners, also those that come while it is being read: whoever
    keeps a cache reads again after them. Wrong password, wrong version and being thrown out end the attempts until
    `allow` is called.
    """

    def __init__(
        self, make: Callable[[], ObsLink], *, first_wait_s: float = FIRST_WAIT_S, longest_wait_s: float = LONGEST_WAIT_S
    ) -> None:
        self._make = make
        self._pace = (first_wait_s, longest_wait_s)
        self._listeners: list[Listener] = []
        self._watchers: list[Callable[[LinkStatus], None]] = []
        self._allowed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.status = LinkStatus(LinkState.DOWN)
        self.link: ObsLink | None = None
        self.facts: Facts | None = None
        self.snapshot: Snapshot | None = None

    def start(self) -> None:
        """Begin to keep the link; status changes tell how it goes."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        """End the link and all attempts."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._set(LinkState.DOWN, "stopped")

    def allow(self) -> None:
        """Try again at once: after a refusal, because a person has said so, or instead of waiting."""
        self._allowed.set()

    def listen(self, listener: Listener) -> None:
        """Call the listener with each event of whichever link is the present one."""
        self._listeners.append(listener)

    def watch(self, watcher: Callable[[LinkStatus], None]) -> None:
        """Call the watcher with each new status."""
        self._watchers.append(watcher)

    @property
    def online(self) -> bool:
        """Has everything been read since the last loss, and is the link open?"""
        return self.status.state is LinkState.ONLINE and self.link is not None and self.link.alive

    async def _keep(self) -> None:
        pauses = waits(*self._pace)
        while True:
            lost = await self._live()
            if lost.came_online:
                pauses = waits(*self._pace)
            if lost.code:
                self._set(LinkState.REFUSED, lost.reason, lost.code)
                await self._pause(None)
                continue
            wait_s = next(pauses)
            self._set(LinkState.STALLED if lost.stalled else LinkState.DOWN, lost.reason)
            await self._pause(wait_s)

    async def _live(self) -> "_Lost":
        """Live through one link, from its first step to its loss."""
        link = self._make()
        down: asyncio.Future[LinkDown] = asyncio.get_running_loop().create_future()
        came_online = False

        def hear(event: Event) -> None:
            if isinstance(event, LinkDown) and not down.done():
                down.set_result(event)
            for listener in self._listeners:
                listener(event)

        link.listen(hear)
        try:
            self._set(LinkState.CONNECTING)
            self.facts = await link.connect()
            self._set(LinkState.SYNCING)
            self.snapshot = await link.read_snapshot()
            self.link, came_online = link, True
            self._set(LinkState.ONLINE)
            end = await down
            return _Lost(end.reason, end.stalled, end.code, came_online)
        except ObsError as error:
            if down.done():
                return _Lost(down.result().reason, down.result().stalled, down.result().code, came_online)
            code = error.code if isinstance(error, LinkRefused) else ""
            return _Lost(str(error), isinstance(error, AnswerTimeout), code, came_online)
        except (KeyError, TypeError, ValueError) as error:
            LOG.exception("OBS answers without the promised fields")
            return _Lost(f"unreadable answer: {type(error).__name__}", False, "", came_online)
        finally:
            self.link = None
            await link.close()

    async def _pause(self, wait_s: float | None) -> None:
        self._allowed.clear()
        try:
            await asyncio.wait_for(self._allowed.wait(), wait_s)
        except TimeoutError:
            LOG.debug("trying again after %s s", wait_s)

    def _set(self, state: LinkState, reason: str = "", code: str = "") -> None:
        self.status = LinkStatus(state, reason, code)
        for watcher in self._watchers:
            watcher(self.status)


class _Lost(msgspec.Struct, frozen=True):
    """How a link ended."""

    reason: str
    stalled: bool
    code: str
    came_online: bool
