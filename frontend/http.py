"""What one connection may send before its request is understood: the server's own limits, which its parser does not have."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

LARGEST_HEAD = 64 * 1024
SLOWEST_HEAD_S = 10.0


class LimitedHttp(HttpToolsProtocol):
    """HTTP whose request line and headers are bounded in length, and must arrive within ten seconds."""

    _head = 0
    _is_in_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock: a connection that says nothing is closed as well."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the headers are complete."""
        if self._is_in_head:
            self._head += len(data)
            if self._deadline is None:
                self._wait()
            if self._head > LARGEST_HEAD and b"\r\n\r\n" not in data[:LARGEST_HEAD]:
                self._refuse(431)
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The request is understood; its body has limits of its own."""
        self._is_in_head, self._head = False, 0
        self._heard()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Count anew with the next request of this connection."""
        self._is_in_head = True
        super().on_message_complete()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(SLOWEST_HEAD_S, self._refuse, 408)

    def _heard(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._heard()
        if self.transport.is_closing():
            return
        if self._head:  # a browser's spare connection said nothing yet, and wants no answer
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
