"""The limits of one connection, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from uvicorn import Config
from uvicorn.server import ServerState

from frontend import http
from frontend.http import LARGEST_HEAD, LimitedHttp


async def _app(scope: Any, receive: Any, send: Any) -> None:
    got = b""
    while True:
        message = await receive()
        got += message.get("body", b"")
        if not message.get("more_body"):
            break
    body = f"{scope['path']} {len(got)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """A served application."""
    config = Config(_app, lifespan="off", ws="none")
    server = await asyncio.get_running_loop().create_server(
        lambda: LimitedHttp(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def _ask(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(4096), 25)
    finally:
        writer.close()


async def test_it_works(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in (b"/one", b"/two"):  # one connection, two requests
        writer.write(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert path + b" 0" in await asyncio.wait_for(reader.read(4096), 25)
    body = b"x" * (4 * LARGEST_HEAD)
    writer.write(b"POST /three HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    assert b"/three %d" % len(body) in await asyncio.wait_for(reader.read(4096), 25)
    writer.write(b"GET /four HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b"/four 0" in await asyncio.wait_for(reader.read(4096), 25)
    writer.close()


@pytest.mark.parametrize("start", [b"GET /" + b"x" * LARGEST_HEAD, b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"x" * LARGEST_HEAD])
async def test_a_long_head_is_refused(port: int, start: bytes) -> None:
    assert (await _ask(port, start, b"y" * LARGEST_HEAD)).startswith(b"HTTP/1.1 431 ")


async def test_many_headers_are_refused(port: int) -> None:
    lines = (b"a%d: %s\r\n" % (number, b"x" * 1000) for number in range(100))
    assert (await _ask(port, b"GET / HTTP/1.1\r\nhost: x\r\n", *lines)).startswith(b"HTTP/1.1 431 ")


async def test_a_slow_head_is_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SLOWEST_HEAD_S", 0.1)
    assert (await _ask(port, b"GET / HTTP/1.1\r\nhost: x\r\n")).startswith(b"HTTP/1.1 408 ")
    assert await _ask(port) == b""
