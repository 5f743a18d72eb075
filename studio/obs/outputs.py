"""Stops an output until OBS says that it is so: the answer to the request alone proves nothing."""

import asyncio
from contextlib import suppress
from typing import Final

from studio.obs.errors import (
    AnswerTimeout,
    NotReady,
    NotSent,
    OutputMissing,
    OutputNotRunning,
    OutputRunning,
    OutputUnsettled,
)
from studio.obs.port import Event, LinkDown, ObsLink, OutputChanged, OutputKind, Outputs, OutputState

STOP_S = 20.0
LOOK_S: Final = 0.05  # STOPPED is told some time before the output is free
AGAIN_S: Final = 0.25
LATE_S: Final = 1.0  # events can come in the wrong order: one that says STOPPED while the output runs is not believed
UNSEEN_S = 3.0  # how long an output may have been starting before this link heard anything of it


class _Watch:
    """Collects what OBS says about one output from the moment before the request."""

    def __init__(self, link: ObsLink, kind: OutputKind) -> None:
        self._kind = kind
        self._heard = asyncio.Event()
        self.path: str | None = None
        self.stop = link.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, OutputChanged) and event.kind is self._kind:
            self.path = event.path or self.path
            self._heard.set()
        elif isinstance(event, LinkDown):
            self._heard.set()

    async def more(self, wait_s: float) -> None:
        """Wait for the next word about the output, no longer than this."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), wait_s)
        self._heard.clear()


async def stop_until_stopped(link: ObsLink, kind: OutputKind, *, deadline_s: float = STOP_S, urgent: bool = False) -> str | None:
    """Ask again and again until OBS says STOPPED and reads as not running; return the path of a recording.

    OBS refuses the stop of an output that is just starting and starts it all the same, so one request is not enough.
    Fine when it does not run, and where there is none. An OBS that is not ready (it changes its scene collection) or slow
    is asked again like one that refuses. Raises: OutputUnsettled, and LinkLost when the link ends meanwhile.
    """
    watch = _Watch(link, kind)
    clock = asyncio.get_running_loop().time
    began, asked = clock(), -AGAIN_S
    try:
        while True:
            said_stopped = link.output_state(kind) is OutputState.STOPPED
            if clock() - asked >= (LATE_S if said_stopped else AGAIN_S):
                asked = clock()
                with suppress(OutputNotRunning, OutputRunning, NotReady, AnswerTimeout, NotSent):
                    await link.stop_output(kind, urgent=urgent)
            if await _at_rest(link, kind, clock() - began):
                return watch.path
            if clock() - began > deadline_s:
                raise OutputUnsettled(f"{kind}: still not stopped after {deadline_s} s")
            await watch.more(LOOK_S)
    except OutputMissing:
        return None
    finally:
        watch.stop()


async def _at_rest(link: ObsLink, kind: OutputKind, waited_s: float) -> bool:
    """Tell whether an output that refuses to be stopped is stopped: one that is just starting reads as not running."""
    try:
        if _runs(await link.read_outputs(), kind):
            return False
    except (NotReady, AnswerTimeout, NotSent):
        return False  # unknown is not stopped
    said = link.output_state(kind)
    return said is OutputState.STOPPED or (said is None and waited_s >= UNSEEN_S)


def _runs(outputs: Outputs, kind: OutputKind) -> bool:
    if kind is OutputKind.STREAM:
        return outputs.stream.active or outputs.stream.reconnecting
    if kind is OutputKind.RECORD:
        return outputs.record.active
    return bool(outputs.virtual_camera)
