"""Real PostgreSQL for every test: one server per test process, one migrated database, each test rolled back."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

from incubator.accounts import passwords
from incubator.ground import clock, database, secrets
from incubator.ground.servers import PostgresServer, start_postgres
from incubator.sites import queries as sites

TEMPLATE = "kaibo_template"
pytest_plugins = ["tests.people"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start one PostgreSQL for this test process."""
    with tempfile.TemporaryDirectory(prefix="kaibo-test-") as folder:
        server = start_postgres(Path(folder) / "pg", fast=True)
        yield server
        server.stop()


def dsn_of(server_dsn: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(server_dsn)._replace(path=f"/{name}"))


async def clone(server_dsn: str, name: str) -> str:
    """Make a database from the migrated template, and return its address."""
    admin = await asyncpg.connect(server_dsn)
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
    await admin.close()
    return dsn_of(server_dsn, name)


@pytest_asyncio.fixture(scope="session")
async def template(postgres: PostgresServer) -> str:
    """Migrate an empty database once, and return the server's address."""
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f'CREATE DATABASE "{TEMPLATE}"')
    await admin.close()
    database.configure(dsn_of(postgres.dsn, TEMPLATE))
    await database.open_pool()
    for app in ("incubator", "booking", "studio", "frontend"):
        manager = ForwardsMigrationManager(app_name=app, migration_id="all", fake=False)
        result = await manager.run()
        assert result.success, result.message
    await database.close_pool()
    return postgres.dsn


@pytest_asyncio.fixture(scope="session")
async def pool(template: str) -> AsyncIterator[str]:
    """Open the pool on this process's own clone."""
    dsn = await clone(template, "kaibo_test")
    database.configure(dsn)
    await database.open_pool(max_size=6)
    yield dsn
    await database.close_pool()


@pytest_asyncio.fixture
async def db(pool: str) -> AsyncIterator[None]:
    """Run the test inside one transaction and roll it back."""
    sites.forget()
    transaction = database.DB.transaction()
    await transaction.__aenter__()
    yield
    database.DB.current_transaction.set(None)
    await transaction.rollback()
    await database.DB.pool.release(transaction.connection)  # type: ignore[union-attr]  # open for the whole session
    sites.forget()


class Scratch:
    """A database of the test's own, with committed data."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn


@pytest_asyncio.fixture
async def scratch(pool: str, template: str) -> AsyncIterator[Scratch]:
    """Point this process at a fresh committed database for races; afterwards back at the usual one."""
    dsn = await clone(template, f"kaibo_scratch_{os.getpid()}")
    await database.close_pool()
    database.configure(dsn)
    sites.forget()
    await database.open_pool(max_size=20)
    yield Scratch(dsn)
    await database.close_pool()
    database.configure(pool)
    sites.forget()
    await database.open_pool(max_size=6)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Argon2, but with the cheapest parameters."""
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture(autouse=True)
def own_keyring() -> None:
    """Give the process a secrets key and the real clock."""
    secrets.use(secrets.Keyring(b"0" * 32))
    clock.set_offset(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: async tests that follow a synchronous Playwright test fail."""
    items.sort(key=lambda item: "journeys" in item.nodeid)


