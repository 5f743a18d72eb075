"""How often somebody may try: counted in Redis, and in the process while Redis is away."""

import time
from contextlib import suppress
from typing import Any

from frontend.composition import AWAY
from frontend.errors import TooMany

MOST_OWN = 10_000
AWAY_S = 5.0  # how long nobody waits for Redis again after it did not answer


class Own:
    """What this process counts by itself."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, float]] = {}
        self.until = 0.0

    @property
    def is_asked(self) -> bool:
        """Tell whether Redis was away a moment ago."""
        return time.monotonic() < self.until

    def add(self, key: str, per_s: int) -> tuple[int, float]:
        """Count one more; return how many, and for how many seconds they count."""
        now = time.monotonic()
        if len(self.counts) > MOST_OWN:
            self.counts.clear()
        tries, until = self.counts.get(key, (0, now + per_s))
        if until <= now:
            tries, until = 0, now + per_s
        self.counts[key] = (tries + 1, until)
        return tries + 1, until - now

    def look(self, key: str) -> tuple[int, float]:
        """Return how many there are, and for how many seconds they count."""
        tries, until = self.counts.get(key, (0, 0.0))
        return tries, until - time.monotonic()


_own = Own()


async def count(redis: Any, name: str, most: int, per_s: int) -> None:
    """Count one try under this name.

    Raises:
        TooMany: more than `most` within `per_s` seconds.
    """
    tries, left = await _add(redis, f"limit:{name}", per_s)
    if tries > most:
        raise TooMany(seconds=max(int(left), 1))


async def note(redis: Any, name: str, per_s: int) -> None:
    """Count one more under this name and refuse nothing."""
    await _add(redis, f"limit:{name}", per_s)


async def refuse_beyond(redis: Any, name: str, most: int) -> None:
    """Refuse when this name was counted `most` times already within its time; counts nothing.

    Raises:
        TooMany: it was.
    """
    tries, left = await _look(redis, f"limit:{name}")
    if tries >= most and left > 0:
        raise TooMany(seconds=max(int(left), 1))


async def _add(redis: Any, key: str, per_s: int) -> tuple[int, float]:
    if not _own.is_asked:
        with suppress(*AWAY):
            async with redis.pipeline(transaction=True) as pipe:
                tries, _, left = await pipe.incr(key).expire(key, per_s, nx=True).ttl(key).execute()
            return int(tries), float(left)
        _own.until = time.monotonic() + AWAY_S
    return _own.add(key, per_s)


async def _look(redis: Any, key: str) -> tuple[int, float]:
    if not _own.is_asked:
        with suppress(*AWAY):
            async with redis.pipeline(transaction=True) as pipe:
                found, left = await pipe.get(key).ttl(key).execute()
            return int(found or 0), float(left)
        _own.until = time.monotonic() + AWAY_S
    return _own.look(key)
