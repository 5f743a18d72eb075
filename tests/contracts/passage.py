"""A wire between a link and its OBS that can go dead without a word: what is written vanishes, or is not taken at all."""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self

STEP_S = 0.02


class Passage:
    """Carries bytes both ways on a port of its own; no fault of it ever closes a connection, as with a dead radio.

    swallow_to_obs / swallow_from_obs: bytes of that direction are taken and lost.  hold: nothing is taken any more, so that
    the sender's buffers fill.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.swallow_to_obs = False
        self.swallow_from_obs = False
        self.hold = False
        self.carried = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._ends = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._take, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ends.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        for one in [self._server, *self._sockets]:
            one.close()

    def go_dead(self) -> None:
        """Lose everything in both directions from now on."""
        self.swallow_to_obs = self.swallow_from_obs = True

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while not self._ends.is_set():
                near, _ = self._server.accept()
                far = socket.create_connection(self._target, 5)
                self._sockets += [near, far]
                for source, sink, to_obs in ((near, far, True), (far, near, False)):
                    thread = threading.Thread(target=self._carry, args=(source, sink, to_obs), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, to_obs: bool) -> None:
        with contextlib.suppress(OSError):
            while not self._ends.is_set():
                if self.hold:
                    self._ends.wait(STEP_S)
                    continue
                if not select.select([source], [], [], STEP_S)[0] or self.hold:
                    continue
                data = source.recv(65536)
                if self.swallow_to_obs if to_obs else self.swallow_from_obs:
                    if not data:
                        return
                    continue
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
                self.carried += len(data)
