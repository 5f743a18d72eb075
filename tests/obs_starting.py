"""Starts an output and waits for what OBS makes of it, where a test must know that before it goes on."""

import asyncio

from studio.obs.errors import OutputUnsettled
from studio.obs.port import Event, LinkDown, ObsLink, OutputChanged, OutputKind, OutputState

START_S = 15.0


class OutputDied(Exception):
    """An output went to STOPPED while it was being started: the server or the encoder refused it, and OBS gives no reason."""


async def start_until_started(link: ObsLink, kind: OutputKind, *, deadline_s: float = START_S) -> str | None:
    """Start an output and return once OBS says STARTED, with the path of a recording.

    Raises:
        OutputDied: it goes to STOPPED instead.
        OutputUnsettled: nothing is decided in time, or the link is lost.
        OutputRunning, OutputMissing: as `ObsLink.start_output`.
    """
    heard: asyncio.Queue[Event] = asyncio.Queue()
    stop, path = link.listen(heard.put_nowait), None
    try:
        async with asyncio.timeout(deadline_s):
            await link.start_output(kind)
            while True:
                match await heard.get():
                    case LinkDown(reason=reason):
                        raise OutputUnsettled(f"{kind}: {reason}")
                    case OutputChanged(kind=said, state=state) as event if said is kind:
                        path = event.path or path
                        if state is OutputState.STOPPED:
                            raise OutputDied(f"{kind}: stopped while starting")
                        if state is OutputState.STARTED:
                            return path
    except TimeoutError as error:
        raise OutputUnsettled(f"{kind}: neither started nor stopped in time") from error
    finally:
        stop()
