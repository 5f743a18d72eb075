"""Which handlers exist and which facts they answer; filled once by composition, before the worker starts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec

from incubator.ground.queue.outcomes import Outcome

Handler = Callable[[dict[str, Any]], Awaitable[Outcome | None]]
GiveUp = Callable[[dict[str, Any], str], Awaitable[None]]


class TryLater(Exception):
    """A handler cannot finish yet and wants to be run again; it counts as a try, but not as a fault."""

    def __init__(self, delay: timedelta, why: Outcome) -> None:
        super().__init__(why)
        self.delay = delay


class Work(msgspec.Struct, frozen=True):
    """One handler: its function, how often it is tried, how the waits grow, and what happens when it is given up."""

    name: str
    run: Handler
    tries: int
    first_wait_s: float
    longest_wait_s: float
    timeout_s: float
    give_up: GiveUp | None

    def wait_after(self, attempts: int) -> timedelta:
        """Return the pause before the next try: doubling from the first wait up to the longest."""
        return timedelta(seconds=min(self.first_wait_s * 2 ** (attempts - 1), self.longest_wait_s))


class Registry:
    """Handlers by name, the facts that wake them, and what is done again and again."""

    def __init__(self) -> None:
        self.handlers: dict[str, Work] = {}
        self.by_fact: dict[str, list[str]] = {}
        self.recurring: dict[str, timedelta] = {}

    def job(self, name: str, run: Handler, *, tries: int = 5, first_wait_s: float = 2, longest_wait_s: float = 300,
            timeout_s: float = 30, give_up: GiveUp | None = None) -> None:
        """Register a handler; it receives its arguments (ids only) and returns what became of it, or None."""
        if name in self.handlers:
            raise ValueError(f"The job {name} is registered twice.")
        self.handlers[name] = Work(name, run, tries, first_wait_s, longest_wait_s, timeout_s, give_up)

    def on(self, kind: str, name: str, run: Handler, **options: Any) -> None:
        """Register a handler that is run once for each fact of that kind, with the fact's payload as arguments."""
        self.job(name, run, **options)
        self.by_fact.setdefault(kind, []).append(name)

    def every(self, period: timedelta, name: str, run: Handler, **options: Any) -> None:
        """Register a handler that is run again and again; one run at a time in the whole installation."""
        self.job(name, run, **options)
        self.recurring[name] = period
