"""A client that costs little beside what it measures: HTTP/1.1 with keep-alive over one asyncio stream."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Self


class Client:
    """One kept-alive connection; answers must carry their length."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Send one request, and return status and body as they came over the wire."""
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        return int(head.split(b" ", 2)[1]), await self._reader.readexactly(length)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[float, int, bytes]:
        """Return milliseconds, status and body."""
        began = time.perf_counter()
        status, body = await self.request("GET", path, headers or {})
        return 1000 * (time.perf_counter() - began), status, body

    async def post(self, path: str, content: Any, headers: Mapping[str, str]) -> tuple[float, int, bytes]:
        """Return milliseconds, status and body."""
        began = time.perf_counter()
        status, body = await self.request("POST", path, headers, json.dumps(content).encode())
        return 1000 * (time.perf_counter() - began), status, body
