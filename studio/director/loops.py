"""Parts that run for ever: begun anew when they fail, and really ended when they must."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog

log = structlog.get_logger()
AGAIN_S = 1.0


async def keep(name: str, loop: Callable[[], Awaitable[None]], is_wanted: Callable[[], bool]) -> None:
    """Run a loop while it is wanted; a fault in it is logged and the loop begun anew."""
    while is_wanted():
        try:
            await loop()
        except Exception:
            log.exception("a part of the director failed and begins anew", part=name)
        if is_wanted():
            await asyncio.sleep(AGAIN_S)


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks until they are done: `asyncio.wait_for` may swallow a cancellation that meets the end of what it awaits."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)
