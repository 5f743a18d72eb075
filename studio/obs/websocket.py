"""One connection to one OBS on top of obs-websocket-py: the only file that knows the library.

The library's own connect, call and receive loops lose error codes, close codes, batches and whole threads, so each
is replaced here; its requests, its challenge arithmetic and its thread class are used.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import websocket
from obswebsocket import base_classes, core

from studio.obs import protocol
from studio.obs.errors import AnswerTimeout, BadAnswer, LinkLost, ObsError, Unreachable, closed, refused
from studio.obs.port import Step, StepResult
from studio.obs.protocol import Ask
from studio.obs.redaction import quieten

LOG = logging.getLogger(__name__)
Answer = tuple[StepResult, ...]
OnAnswer = Callable[[Answer | ObsError], None]
OnEvent = Callable[[str, Mapping[str, Any]], None]
OnEnd = Callable[[ObsError], None]

HANDSHAKE_S = 5.0
SEND_S = 0.5
LONGEST_BACKLOG = 1_000_000  # bytes; one request at a time is far below
UNACKNOWLEDGED_MS: Final = 5000
_DONTWAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)


class _Frames(websocket.WebSocket):
    """Frames over a TCP socket that acknowledges at once and never blocks its sender.

    The sender is the event loop, which serves other rooms too. What the socket does not take at once waits in a backlog for a
    thread of its own, which exists only then; while it does, all that follows waits behind it, so that no frame is torn.
    """

    def __init__(self) -> None:
        super().__init__()
        self._backlog = bytearray()
        self._backlog_lock = threading.Lock()
        self._drainer: threading.Thread | None = None

    def _recv(self, bufsize: int) -> bytes:
        # The kernel forgets QUICKACK by itself; without it OBS's Nagle waits 40 ms for our delayed acknowledgement.
        self.acknowledge_at_once()
        data: bytes = super()._recv(bufsize)  # type: ignore[no-untyped-call]  # websocket-client is partly annotated
        self.acknowledge_at_once()
        return data

    def acknowledge_at_once(self) -> None:
        if _QUICKACK is not None and self.sock is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _send(self, data: str | bytes) -> int:
        if self.sock is None:
            raise OSError("socket is closed")
        payload = data.encode() if isinstance(data, str) else data
        with self._backlog_lock:
            if self._drainer is None:
                with suppress(BlockingIOError):
                    return self.sock.send(payload, _DONTWAIT)
            if len(self._backlog) + len(payload) > LONGEST_BACKLOG:
                raise OSError("OBS does not read what we send")
            self._backlog += payload
            if self._drainer is None:
                self._drainer = threading.Thread(target=self._drain, args=(self.sock,), name="obs-writer", daemon=True)
                self._drainer.start()
            return len(payload)

    def _drain(self, sock: socket.socket) -> None:
        """Send the backlog as the socket takes it, and cut a connection that takes nothing: its reader then tells the loss."""
        try:
            while select.select([], [sock], [], SEND_S)[1]:
                with self._backlog_lock:
                    with suppress(BlockingIOError):
                        del self._backlog[:sock.send(self._backlog, _DONTWAIT)]
                    if not self._backlog:
                        self._drainer = None
                        return
            LOG.warning("OBS does not read what we send")
            sock.shutdown(socket.SHUT_RDWR)
        except (OSError, ValueError) as error:
            LOG.debug("backlog dropped, the connection is gone: %s", error)


class _Reader(core.RecvThread):  # type: ignore[misc]  # the library is not annotated
    """Takes messages off the wire; whatever ends it ends the connection, with its reason."""

    def run(self) -> None:
        self.core.read_until_end()


class ObsSocket(core.obsws):  # type: ignore[misc]  # the library is not annotated
    """One connection: `post` from any thread, answers and events on the reader's thread.

    Callbacks may only hand over to somebody else: `call` from within one is refused, because it could never return.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        mask: int = protocol.ALL_EVENTS,
        on_event: OnEvent | None = None,
        on_end: OnEnd | None = None,
    ) -> None:
        quieten()
        super().__init__(host, port, password, legacy=False)
        self.ws: _Frames | None = None
        self.thread_recv: _Reader | None = None
        self.mask = mask
        self.hello: dict[str, Any] = {}
        self.heard_at = self.answered_at = time.monotonic()
        self._on_event = on_event
        self._on_end = on_end
        self._lock = threading.Lock()
        self._pending: dict[str, OnAnswer] = {}
        self._closing = False
        self._ended = False

    # connecting

    def connect(self, handshake_s: float = HANDSHAKE_S) -> None:
        """Connect and identify within `handshake_s`. Raises: Unreachable, WrongPassword, WrongVersion, Kicked."""
        ws = self.ws = _Frames()
        watchdog = threading.Timer(handshake_s, self._cut)
        watchdog.daemon = True
        try:
            watchdog.start()
            ws.connect(  # type: ignore[no-untyped-call]  # websocket-client is partly annotated
                self._url(), socket=self._dial(handshake_s), suppress_origin=True
            )
            self._auth()
            if self._closing:
                raise Unreachable("closed while connecting")
        except ObsError:
            self._shut()
            raise
        except (OSError, websocket.WebSocketException, ValueError, KeyError, TypeError) as error:
            self._shut()
            raise Unreachable(str(error) or type(error).__name__) from error
        finally:
            watchdog.cancel()
        self.heard_at = self.answered_at = time.monotonic()
        self.thread_recv = _Reader(self)
        self.thread_recv.name = f"obs-reader-{self.port}"
        self.thread_recv.daemon = True
        self.thread_recv.start()

    def _url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}"

    def _dial(self, timeout_s: float) -> socket.socket:
        """Open the TCP connection ourselves: no proxy of the environment may stand between us and a room."""
        sock = socket.create_connection((self.host, self.port), timeout=timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if _USER_TIMEOUT is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNACKNOWLEDGED_MS)
        sock.settimeout(None)
        return sock

    def _auth(self) -> None:
        self.hello = self._expect(protocol.HELLO)
        self.server_version = self.hello.get("obsWebSocketVersion")
        identify: dict[str, Any] = {"rpcVersion": protocol.RPC_VERSION, "eventSubscriptions": self.mask}
        if challenge := self.hello.get("authentication"):
            identify["authentication"] = self._build_auth_string(challenge["salt"], challenge["challenge"])
        self._send({"op": protocol.IDENTIFY, "d": identify})
        self._expect(protocol.IDENTIFIED)

    def _expect(self, op: int) -> dict[str, Any]:
        message = self._receive()
        if message["op"] != op:
            raise Unreachable(f"expected message {op}, got {message['op']}")
        content: dict[str, Any] = message["d"]
        return content

    # reading

    def _receive(self) -> dict[str, Any]:
        opcode, frame = self._frames().recv_data_frame()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise self._closed_by(frame.data)
        self.heard_at = time.monotonic()
        message: dict[str, Any] = msgspec.json.decode(frame.data)
        return message

    def _closed_by(self, payload: bytes) -> ObsError:
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
        reason = payload[2:].decode("utf-8", "replace")
        return closed(code, reason) or LinkLost(f"OBS closed the connection ({code} {reason})".replace(" )", ")"), sent=True)

    def read_until_end(self) -> None:
        """Take messages until the connection ends; runs on the reader's thread."""
        reason: ObsError = LinkLost("closed by us", sent=True)
        try:
            while True:
                self._take(self._receive())
        except ObsError as error:
            reason = error
        except (OSError, websocket.WebSocketException) as error:
            reason = LinkLost(f"connection lost: {error}", sent=True)
        except Exception as error:  # whatever it was, a dead reader must never look like a quiet OBS
            reason = LinkLost(f"unreadable message: {type(error).__name__}", sent=True)
            LOG.exception("reader of %s:%s failed", self.host, self.port)
        self._end(reason)

    def _take(self, message: dict[str, Any]) -> None:
        op, content = message["op"], message["d"]
        if op == protocol.EVENT:
            if self._on_event:
                self._on_event(content["eventType"], content.get("eventData") or {})
        elif op == protocol.RESPONSE:
            self._answer(content["requestId"], (protocol.result_of(content),))
        elif op == protocol.BATCH_RESPONSE:
            self._answer(content["requestId"], tuple(protocol.result_of(one) for one in content["results"]))
        else:
            LOG.warning("unknown message %s from %s:%s", op, self.host, self.port)

    def _answer(self, request_id: str, answer: Answer) -> None:
        self.answered_at = self.heard_at
        with self._lock:
            on_answer = self._pending.pop(request_id, None)
        if on_answer:
            on_answer(answer)

    def _end(self, reason: ObsError) -> None:
        """Fail all that waits at once, then tell the owner; the second caller finds nothing left to do."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            waiting = list(self._pending.values())
            self._pending.clear()
        self._shut()
        for on_answer in waiting:
            on_answer(LinkLost(str(reason), sent=True))
        if self._on_end and not self._closing:
            self._on_end(reason)

    # writing

    def post(self, ask: Ask, on_answer: OnAnswer) -> str:
        """Send and return at once; `on_answer` follows on the reader's thread. Raises: LinkLost (not sent)."""
        with self._lock:
            if self._ended or self.thread_recv is None:
                raise LinkLost("not connected", sent=False)
            request_id = str(self.id)
            self.id += 1
            self._pending[request_id] = on_answer
        try:
            self._send(ask.body(request_id))
        except (OSError, websocket.WebSocketException) as error:
            self.forget(request_id)
            self._cut()
            raise LinkLost(f"could not send: {error}", sent=True) from error
        return request_id

    def forget(self, request_id: str) -> None:
        """Expect no answer any more; one that still comes is dropped."""
        with self._lock:
            self._pending.pop(request_id, None)

    @property
    def waiting(self) -> int:
        """How many answers are owed."""
        with self._lock:
            return len(self._pending)

    def _send(self, message: dict[str, Any]) -> None:
        self._frames().send(msgspec.json.encode(message))

    def _frames(self) -> _Frames:
        if self.ws is None:
            raise OSError("socket is closed")
        return self.ws

    def call(self, obj: Any, timeout_s: float = 5.0) -> Any:
        """Carry out one request of the library and fill it. Raises: ObsRefused, LinkLost, AnswerTimeout."""
        if not isinstance(obj, base_classes.Baserequests):
            raise BadAnswer("not a request of the library")
        result = self.call_batch(Ask((Step(obj.name, obj.data()),)), timeout_s)[0]
        if not result.done:
            raise refused(result.request, result.code, result.comment)
        obj.input(result.data, True)
        return obj

    def call_batch(self, ask: Ask, timeout_s: float = 5.0) -> Answer:
        """Carry out a request or batch and block until its answer. Raises: LinkLost, AnswerTimeout."""
        if threading.current_thread() is self.thread_recv:
            raise RuntimeError("a callback may not wait for an answer: its own thread would have to bring it")
        arrived = threading.Event()
        box: list[Answer | ObsError] = []

        def keep(answer: Answer | ObsError) -> None:
            box.append(answer)
            arrived.set()

        request_id = self.post(ask, keep)
        if not arrived.wait(timeout_s):
            self.forget(request_id)
            raise AnswerTimeout(f"no answer to {ask.steps[0].request} within {timeout_s} s")
        if isinstance(box[0], ObsError):
            raise box[0]
        return box[0]

    # closing

    def disconnect(self) -> None:
        """End the connection without waiting for anybody; allowed in every state, from every thread."""
        self._closing = True
        if self.ws is not None and self.ws.sock is not None and self.thread_recv is not None:
            try:
                self.ws.send_close(1000)
            except (OSError, websocket.WebSocketException) as error:
                LOG.debug("no farewell to %s:%s: %s", self.host, self.port, error)
        self._end(LinkLost("closed by us", sent=True))

    def reconnect(self) -> None:
        """Refuse: a lost connection is replaced by a new one, never mended."""
        raise RuntimeError("make a new ObsSocket")

    def _cut(self) -> None:
        """Wake whoever blocks on the socket."""
        sock = self.ws.sock if self.ws is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                LOG.debug("already cut: %s", error)

    def _shut(self) -> None:
        self._cut()
        if self.ws is not None:
            self.ws.shutdown()  # type: ignore[no-untyped-call]  # websocket-client is partly annotated
