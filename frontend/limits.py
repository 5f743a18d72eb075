"""How often somebody may try: counted in Redis, and in the process while Redis is away."""

import time
from typing import Any

from frontend.composition import AWAY
from frontend.errors import TooMany

_own: dict[str, tuple[int, float]] = {}
MOST_OWN = 10_000


async def count(redis: Any, name: str, most: int, per_s: int) -> None:
    """Count one try under this name.

    Raises:
        TooMany: more than `most` within `per_s` seconds.
    """
    key = f"limit:{name}"
    try:
        async with redis.pipeline(transaction=True) as pipe:
            tries, _, left = await pipe.incr(key).expire(key, per_s, nx=True).ttl(key).execute()
    except AWAY:
        tries, left = _count_here(key, per_s)
    if tries > most:
        raise TooMany(seconds=max(int(left), 1))


def _count_here(key: str, per_s: int) -> tuple[int, float]:
    now = time.monotonic()
    if len(_own) > MOST_OWN:
        _own.clear()
    tries, until = _own.get(key, (0, now + per_s))
    if until <= now:
        tries, until = 0, now + per_s
    _own[key] = (tries + 1, until)
    return tries + 1, until - now
