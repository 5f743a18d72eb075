"""The server's sockets, with an end to what a client may send at once and to how long it may leave unread what it was sent."""

import asyncio
from typing import Any

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from frontend.feeds_line import Pace

log = structlog.get_logger()
LARGEST_MESSAGE = 65_536
MOST_BYTES, BYTES_PER_S = 131_072, 16_384  # a page says some hundred bytes with each tap, and a stream key is its longest word
PIECE = 4096  # so that a flood is noticed before all of what came at once is taken apart
UNREAD_S = 8.0  # later than the page's own writer gives up, and for what no writer sends: answers to pings, the closing itself


class BoundedSocket(WebSocketsSansIOProtocol):
    """Breaks off what the application cannot see: floods of frames and pings, and what stays in the buffer of a closed socket."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pace = Pace(MOST_BYTES, BYTES_PER_S)
        self._unread: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take what came, piece by piece, as long as it is not too much."""
        for start in range(0, len(data), PIECE):
            if self.transport.is_closing():
                return
            piece = data[start:start + PIECE]
            if not self._pace.allows(self.loop.time(), len(piece)):
                self._break_off("it sends too much")
                return
            super().data_received(piece)

    def pause_writing(self) -> None:
        """Begin to wait for a client that reads nothing."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_S, self._break_off, "it reads nothing")

    def resume_writing(self) -> None:
        """Go on: it reads."""
        self._stop_waiting()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _break_off(self, why: str) -> None:
        self._unread = None
        log.warning("socket broken off", why=why, client=self.client[0] if self.client else "?")
        self.transport.abort()
