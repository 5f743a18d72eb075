"""The line of one open page: what it may say is paced, what waits for it is bounded, the newest of a kind replaces the older."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

SEND_S = 5.0  # a page that takes nothing for so long comes back and reads anew
MOST_PAGES = 20  # of one person or tablet, in one process


class Pace:
    """How much somebody may still do: `most` at once, and `per_s` more with each second."""

    def __init__(self, most: float, per_s: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = most
        self._at = 0.0

    def allows(self, now: float, amount: float = 1) -> bool:
        """Take from what is left; False when it is too much. `now` in seconds of any clock that only goes forward."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Line:
    """What is to be sent to one page; nobody but `write` waits for the page to take it."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._answers: deque[str] = deque()
        self._newest: dict[str, str] = {}
        self._news = asyncio.Event()

    @property
    def owed(self) -> int:
        """Return how many answers the page has not taken yet."""
        return len(self._answers)

    def answer(self, text: str) -> None:
        """Send an answer, before everything else; whoever asks sees to it that only so many are owed."""
        self._answers.append(text)
        self._news.set()

    def tell(self, kind: str, text: str) -> None:
        """Send news; what the page has not taken yet of the same kind is left out."""
        self._newest[kind] = text
        self._news.set()

    def leave_out(self, kind: str) -> None:
        """Forget news that the page may not have any more."""
        self._newest.pop(kind, None)

    async def write(self) -> None:
        """Send for ever.

        Raises:
            TimeoutError: the page takes nothing.
        """
        while True:
            while self._answers or self._newest:
                async with asyncio.timeout(SEND_S):
                    await self._send(self._next())
            self._news.clear()
            await self._news.wait()

    def _next(self) -> str:
        if self._answers:
            return self._answers.popleft()
        return self._newest.pop(next(iter(self._newest)))


class Crowd:
    """The open pages of a process by person or tablet; who opens one too many loses the oldest, so a new one always works."""

    def __init__(self) -> None:
        self._open: dict[str, list[Callable[[], None]]] = {}

    @contextmanager
    def joined(self, who: str, end: Callable[[], None]) -> Iterator[None]:
        """Count a page while it is open; `end` closes it when it is the oldest of too many."""
        pages = self._open.setdefault(who, [])
        pages.append(end)
        if len(pages) > MOST_PAGES:
            pages.pop(0)()
        try:
            yield
        finally:
            if end in pages:
                pages.remove(end)
            if not pages and self._open.get(who) is pages:
                del self._open[who]
