"""Pages and API without a socket: the application runs in the test's own loop and sees its rolled-back transaction."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from frontend.app import build
from frontend.composition import House, connect_redis
from incubator.accounts import service as accounts
from incubator.ground.rights import Actor
from incubator.ground.servers import ValkeyServer, start_valkey
from incubator.ground.settings import load

ORIGIN = "http://kaibo.test"


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Start one Valkey for this test process."""
    server = start_valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest_asyncio.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Any]:
    """An empty Valkey."""
    client = connect_redis(valkey.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def app(db: None, redis: Any, tmp_path: Path) -> Any:
    """The application of a demo installation."""
    return build(House(load({"KAIBO_DATA": str(tmp_path)}), redis, is_demo=True))


@pytest_asyncio.fixture
async def anonymous(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody is signed in."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        yield client


@pytest.fixture
def client_for(app: Any) -> Callable[[Actor], Any]:
    """A browser in which that person is signed in, with the cookie that signing in gives."""

    async def make(actor: Actor) -> httpx.AsyncClient:
        assert actor.person_id is not None
        token = await accounts._open_sign_in(actor.person_id, "test")  # a hash per sign-in would cost each test 10 ms
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}, cookies={"kaibo": token})

    return make
