"""The application behind a real server in the test's own loop, with small buffers, and raw sockets before it that read or do not."""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import pytest_asyncio
import uvicorn

from frontend import feeds
from frontend.app import build
from frontend.composition import House
from frontend.sockets import LARGEST_MESSAGE, BoundedSocket
from incubator.accounts import service as accounts
from incubator.ground.rights import Actor
from incubator.ground.settings import load
from studio.director import wire
from studio.director.wire import Answer, Outcome
from tests.conftest import Scratch
from tests.frontend.pages.studio_rooms import Room, make_room
from tests.people import People, make_people

CLOSE = 8
PATIENCE_S = 25.0  # a busy machine may hold up any process for seconds, and that must decide nothing


def framed(body: bytes, opcode: int = 1) -> bytes:
    """Return one frame as a browser sends it."""
    mask = b"\0\0\0\0"
    length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack("!H", len(body))
    return bytes([0x80 | opcode]) + length + mask + body


class Wire:
    """One socket of a page, spoken by hand."""

    def __init__(self, port: int, *, buffer: int = 0) -> None:
        self.sock = socket.socket()
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.setblocking(False)
        self.port = port
        self._got = b""

    async def open(self, path: str, cookie: str) -> Self:
        """Open the socket; afterwards nothing is read until `messages` or `closing` are asked for."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.sock, ("127.0.0.1", self.port))
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", f"origin: http://127.0.0.1:{self.port}", f"cookie: {cookie}",
                "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", f"sec-websocket-key: {key}", "", ""]
        await loop.sock_sendall(self.sock, "\r\n".join(head).encode())
        while b"\r\n\r\n" not in self._got:
            self._got += await loop.sock_recv(self.sock, 1)
        self._got = self._got.partition(b"\r\n\r\n")[2]
        return self

    async def send(self, **ask: Any) -> None:
        """Send one ask."""
        await asyncio.get_running_loop().sock_sendall(self.sock, framed(msgspec.json.encode(ask)))

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame: opcode and body; a socket that was broken off says 1006."""
        try:
            first, length = await self._read(2)
            size = length if length < 126 else struct.unpack("!H", await self._read(2))[0]
            return first & 15, await self._read(size)
        except (ConnectionError, EOFError):
            return CLOSE, struct.pack("!H", 1006)

    async def _read(self, size: int) -> bytes:
        while len(self._got) < size:
            more = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            if not more:
                raise EOFError
            self._got += more
        found, self._got = self._got[:size], self._got[size:]
        return found

    async def message(self, kind: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Read up to the next message of a kind."""
        async with asyncio.timeout(patience_s):
            while True:
                opcode, body = await self.frame()
                assert opcode != CLOSE, f"closed with {struct.unpack('!H', body[:2])[0]}"
                if opcode == 1 and (found := msgspec.json.decode(body))["type"] == kind:
                    return dict(found)

    async def closing(self, patience_s: float = PATIENCE_S) -> int:
        """Read up to the end and return the code."""
        async with asyncio.timeout(patience_s):
            while True:
                opcode, body = await self.frame()
                if opcode == CLOSE:
                    return int(struct.unpack("!H", body[:2])[0])


@dataclass
class Served:
    """A served room in the middle of its session; `commands` holds what reached the director."""

    app: Any
    port: int
    people: People
    room: Room
    redis: Any
    commands: list[Any] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Return where the room's socket is."""
        return f"/live-sessions/{self.room.session}/control"

    async def cookie(self, actor: Actor) -> str:
        """Sign somebody in."""
        assert actor.person_id is not None
        return f"kaibo={await accounts._open_sign_in(actor.person_id, 'test')}"

    async def wire(self, cookie: str, *, buffer: int = 0, path: str = "") -> Wire:
        """Open a socket."""
        made = Wire(self.port, buffer=buffer)
        self.wires.append(made)
        return await made.open(path or self.path, cookie)

    def client(self, cookie: str = "") -> httpx.AsyncClient:
        """Return a plain client."""
        address = f"http://127.0.0.1:{self.port}"
        return httpx.AsyncClient(base_url=address, headers={"origin": address, "cookie": cookie}, timeout=PATIENCE_S)

    async def says(self, **changes: Any) -> None:
        """Let the room's director say something now, and be heard."""
        await self.room.tell(self.redis, **changes)
        await self.redis.publish(wire.snapshot_channel(self.room.rig.id), wire.encode(self.room.says(**changes)))


async def _until_started(server: uvicorn.Server) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not server.started:
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def served(scratch: Scratch, redis: Any, tmp_path: Path, monkeypatch: Any) -> AsyncIterator[Served]:
    """Serve the application as the product does; the kernel keeps little for a client that does not read."""
    people = await make_people()
    room = await make_room(people)
    await room.begins()
    app = build(House(load({"KAIBO_DATA": str(tmp_path)}), redis, is_demo=True))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http="httptools", ws=BoundedSocket, ws_max_size=LARGEST_MESSAGE, log_level="warning",
                                           access_log=False, lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    await _until_started(server)
    board = await feeds.switchboard_of(app)
    made = Served(app, listening.getsockname()[1], people, room, redis)

    async def send(_rig: int, _session: int, sender: Any, wanted: Any) -> Answer:
        made.commands.append((sender.person or sender.device, wanted))
        return Answer(room.session, Outcome.DONE)

    monkeypatch.setattr(board, "send", send)
    await made.says()
    yield made
    for one in made.wires:
        one.sock.close()
    server.should_exit = True
    await asyncio.wait_for(task, PATIENCE_S)
    await board.close()


