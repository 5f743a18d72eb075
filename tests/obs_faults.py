"""A scripted server that speaks obs-websocket 5 and misbehaves on command: silence, resets, late and refused answers."""

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from studio.obs import real, websocket
from studio.obs.machine import SimulatedMachine
from studio.obs.port import Event, LinkDown, ObsLink, Step, StepResult
from studio.obs.real import RealObs

PASSWORD = "fault-password"
PATIENCE_S = 20.0  # a busy machine may hold up any process for seconds, and that must decide nothing
_BITS = {
    "CurrentSceneCollection": 2, "CurrentProfile": 2, "Profile": 2,
    "Scene": 4, "CurrentProgram": 4, "Input": 8, "Stream": 64, "Record": 64, "Virtualcam": 64, "StudioMode": 1024,
}
_METERS = 1 << 16


class _Peer:
    """One connected client."""

    def __init__(self, connection: ServerConnection, mask: int) -> None:
        self.connection = connection
        self.mask = mask
        self.in_flight = 0


class FaultServer:
    """Runs in a thread of its own; all faults are attributes that may be set at any time.

    swallow: requests that are never answered.  late_s: seconds that an answer takes, unless it is taken back before.
    refuse: codes per request.
    instead: answers given in place of the machine's.  executions: how each batch asked to be carried out.
    reset_on / close_on: what happens instead of an answer.  greet: False keeps silent after the handshake of HTTP.
    close_identify: the close code that answers Identify (0: drop the connection without a word).
    beside: how many others were not yet answered, on whichever connection, when a request last came.
    """

    def __init__(self, machine: SimulatedMachine | None = None) -> None:
        self.machine = machine or SimulatedMachine()
        self.greet = True
        self.close_identify: int | None = None
        self.swallow: set[str] = set()
        self.late_s: dict[str, float] = {}
        self.refuse: dict[str, int] = {}
        self.instead: dict[str, dict[str, Any]] = {}
        self.executions: set[int] = set()
        self.reset_on: set[str] = set()
        self.close_on: dict[str, int] = {}
        self.frozen = False
        self.seen: list[str] = []
        self.masks: list[int] = []
        self.most_in_flight = 0
        self.beside: dict[str, int] = {}
        self.connections = 0
        self.port = 0
        self._peers: list[_Peer] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._server: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="fault-server", daemon=True)

    # the test's side

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def say(self, name: str, data: dict[str, Any]) -> None:
        """Let the machine tell an event."""
        self._loop.call_soon_threadsafe(self._broadcast, name, data)

    def send_raw(self, text: str) -> None:
        """Send any text to every client."""
        self._do(self._send_raw(text))

    def close_all(self, code: int) -> None:
        """Close all connections properly with a code (1001: OBS ends; 4011: thrown out)."""
        self._do(self._close_all(code))

    def reset_all(self) -> None:
        """Cut all connections with RST."""
        self._do(self._reset_all())

    def stop_listening(self) -> None:
        self._do(self._stop())

    def listen_again(self) -> None:
        self._do(self._listen())

    def clear(self) -> None:
        """Forget all faults."""
        self.swallow, self.reset_on = set(), set()
        self.late_s, self.refuse, self.close_on, self.instead = {}, {}, {}, {}
        self.frozen, self.greet, self.close_identify = False, True, None

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    # the server's side

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self.machine.attach(self._broadcast)
        self._keep(self._measure())
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))

    async def _listen(self) -> None:
        self._server = await serve(self._serve, "127.0.0.1", self.port, ping_interval=None, close_timeout=0.2, compression=None)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            for peer in list(self._peers):
                peer.connection.transport.abort()
            await server.wait_closed()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_raw(self, text: str) -> None:
        for peer in list(self._peers):
            await peer.connection.send(text)

    async def _close_all(self, code: int) -> None:
        for peer in list(self._peers):
            await peer.connection.close(code, "scripted")

    async def _reset_all(self) -> None:
        for peer in list(self._peers):
            self._reset(peer.connection)

    @staticmethod
    def _reset(connection: ServerConnection) -> None:
        sock: socket.socket = connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionClosed):
            if not self.greet:
                await connection.wait_closed()
            peer = await self._greet(connection)
            if peer is None:
                return
            self._peers.append(peer)
            try:
                async for text in connection:
                    self._hear(peer, json.loads(text))
            finally:
                self._peers.remove(peer)

    async def _greet(self, connection: ServerConnection) -> _Peer | None:
        challenge = {"challenge": "a-challenge", "salt": "a-salt"}
        hello = {"obsWebSocketVersion": "5.1.0", "rpcVersion": 1, "authentication": challenge}
        await self._send(connection, {"op": 0, "d": hello})
        identify = json.loads(await connection.recv())["d"]
        self.masks.append(identify["eventSubscriptions"])
        if self.close_identify == 0:
            connection.transport.abort()
            return None
        code = self.close_identify or (None if identify.get("authentication") == _proof(challenge) else 4009)
        if code is not None:
            await connection.close(code, "refused")
            return None
        await self._send(connection, {"op": 2, "d": {"negotiatedRpcVersion": 1}})
        return _Peer(connection, identify["eventSubscriptions"])

    def _hear(self, peer: _Peer, message: dict[str, Any]) -> None:
        peer.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, peer.in_flight)
        content = message["d"]
        steps = content["requests"] if message["op"] == 8 else [content]
        if message["op"] == 8:
            self.executions.add(content["executionType"])
        names = [step["requestType"] for step in steps]
        self.beside |= dict.fromkeys(names, sum(one.in_flight for one in self._peers) - 1)
        self.seen += names
        if not self.frozen:
            self._keep(self._answer(peer, message["op"], content, steps))

    async def _wait(self, name: str) -> None:
        asked = self._loop.time()
        await asyncio.sleep(0)
        while self._loop.time() < asked + self.late_s.get(name, 0):
            await asyncio.sleep(0.005)

    async def _answer(self, peer: _Peer, op: int, content: dict[str, Any], steps: list[dict[str, Any]]) -> None:
        first = steps[0]["requestType"]
        await self._wait(first)
        if self.frozen or first in self.swallow:
            return
        if first in self.reset_on:
            self._reset(peer.connection)
        elif first in self.close_on:
            await peer.connection.close(self.close_on[first], "scripted")
        else:
            results = [self._result(step) for step in steps]
            peer.in_flight -= 1
            with contextlib.suppress(ConnectionClosed):
                if op == 8:
                    await self._send(peer.connection, {"op": 9, "d": {"requestId": content["requestId"], "results": results}})
                else:
                    await self._send(peer.connection, {"op": 7, "d": {"requestId": content["requestId"], **results[0]}})

    def _result(self, step: dict[str, Any]) -> dict[str, Any]:
        name = step["requestType"]
        wanted = Step(name, step.get("requestData") or {})
        if name in self.refuse:
            result = StepResult(name, self.refuse[name], "scripted")
        elif name in self.instead:
            result = StepResult(name, 100, "", self.instead[name])
        else:
            result = self.machine.carry(wanted)
        status = {"result": result.done, "code": result.code, "comment": result.comment}
        return {"requestType": name, "requestStatus": status, "responseData": result.data}

    def _broadcast(self, name: str, data: dict[str, Any]) -> None:
        if self.frozen:
            return
        bit = _METERS if name == "InputVolumeMeters" else next((b for start, b in _BITS.items() if name.startswith(start)), 1)
        for peer in self._peers:
            if peer.mask & bit:
                self._keep(self._tell(peer, {"op": 5, "d": {"eventType": name, "eventIntent": bit, "eventData": data}}))

    async def _tell(self, peer: _Peer, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._send(peer.connection, message)

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self._broadcast("InputVolumeMeters", {"inputs": [sound.meter() for sound in self.machine.sounds.values()]})

    @staticmethod
    async def _send(connection: ServerConnection, message: dict[str, Any]) -> None:
        await connection.send(json.dumps(message, ensure_ascii=False))


def _proof(challenge: dict[str, str]) -> str:
    secret = base64.b64encode(hashlib.sha256((PASSWORD + challenge["salt"]).encode()).digest()).decode()
    return base64.b64encode(hashlib.sha256((secret + challenge["challenge"]).encode()).digest()).decode()


def patient(host: str, port: int, password: str = PASSWORD, *, beat_s: float = 0.2) -> RealObs:
    """Return a link that bears much and looks after OBS often."""
    return RealObs(host, port, password, answer_s=PATIENCE_S, beat_s=beat_s, silence_s=PATIENCE_S, handshake_s=PATIENCE_S)


def patience(link: ObsLink | None, *, answer_s: float = PATIENCE_S, silence_s: float = PATIENCE_S) -> None:
    """Change what a link bears from now on: hasty only while a test waits for just that."""
    assert isinstance(link, RealObs)
    link._write_lane._answer_s = link._read_lane._answer_s = answer_s
    link._silence_s = silence_s


class SteppedClock:
    """Stands in for `time` where silence is measured: it goes on when the test says so, however slow the machine is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        for module in (real, websocket):
            monkeypatch.setattr(module, "time", self)

    @classmethod
    async def on(cls, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Take over, with nothing owed by either connection."""
        clock = cls(monkeypatch)
        await clock.go_on(link, 0.2)
        return clock

    def monotonic(self) -> float:
        return self.now

    async def go_on(self, link: RealObs, seconds: float) -> None:
        """Go on in small steps, each as soon as both connections have brought an answer since the one before."""
        for _ in range(round(seconds / 0.2)):
            self.now += 0.2
            await true(lambda: min(link._writing.answered_at, link._reading.answered_at) >= self.now)


async def true(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait until something is so that another thread brings about."""
    async with asyncio.timeout(within_s):
        while not is_so():  # nobody could set an event
            await asyncio.sleep(0.005)


def heard_on(link: ObsLink) -> list[Event]:
    heard: list[Event] = []
    link.listen(heard.append)
    return heard


async def down_of(heard: list[Event], within_s: float = PATIENCE_S) -> LinkDown:
    await true(lambda: any(isinstance(event, LinkDown) for event in heard), within_s)
    return next(event for event in heard if isinstance(event, LinkDown))


@contextlib.contextmanager
def raw_peer(reply: bytes | None) -> Iterator[int]:
    """Listen on a port, take connections, send the reply (None: stay silent), and yield the port."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    taken.append(peer)
                    if reply is not None:
                        peer.sendall(reply)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for peer in taken:
        peer.close()
