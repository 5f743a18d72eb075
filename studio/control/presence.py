"""For how long nobody heard of whoever is in control: kept in Redis by its open pages, which say that they are there."""

import asyncio
from typing import Any

import structlog
from redis.asyncio import Redis

from studio.director.wire import AWAY, Sender

log = structlog.get_logger()
UNHEARD_S = 10.0  # pages say it every 2 s and reload within 5 s: a holder that only reloads was heard 7 s ago at most
LIFE_S = 24 * 3600  # longer than any session; after that nobody knows
PATIENCE_S = 0.5


def presence_key(session_id: int, person: int | None, device: int | None) -> str:
    """Return where a party's word lies that it is there; how long ago is told by what is left of its life."""
    return f"here:{session_id}:{f'd{device}' if device is not None else f'p{person}'}"


class Presence:
    """One per process. Ages are told by Redis's clock alone, and never as longer than this process has heard Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis  # typed for both kinds of client
        self.hears_since = asyncio.get_running_loop().time()  # whoever comes back after a restart of ours needs a moment too

    async def note(self, session_id: int, sender: Sender) -> None:
        """Remember that a party's page is open and alive; while Redis is away nothing is remembered."""
        await self._ask("set", presence_key(session_id, sender.person, sender.device), b"", ex=LIFE_S)

    async def unheard_s(self, session_id: int, person: int | None, device: int | None) -> float | None:
        """Return for how many seconds a party was not heard; None: nobody knows, since Redis is away or has forgotten."""
        left_ms = await self._ask("pttl", presence_key(session_id, person, device))
        if left_ms is None or left_ms < 0:
            return None
        unheard_s: float = LIFE_S - left_ms / 1000
        return min(unheard_s, asyncio.get_running_loop().time() - self.hears_since)

    async def _ask(self, verb: str, *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await getattr(self._redis, verb)(*args, **options)
        except (*AWAY, TimeoutError) as error:
            self.hears_since = asyncio.get_running_loop().time()
            log.warning("presence not known", why=type(error).__name__)
            return None
