"""Runs the parts that are named, or all: a reservation, b day grid, c tap, d start, bytes and memory."""

import asyncio
import os
import platform
import sys
from collections.abc import Callable

from tests.bench import day_grid, reservation, tap, whole


def _a() -> None:
    asyncio.run(reservation.measure())


def _b() -> None:
    asyncio.run(day_grid.measure())


PARTS: dict[str, Callable[[], None]] = {"a": _a, "b": _b, "c": tap.measure, "d": whole.measure}


def main(names: list[str]) -> int:
    """Measure; return 2 for a part that does not exist."""
    if unknown := [name for name in names if name not in PARTS]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for name in names or PARTS:
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
