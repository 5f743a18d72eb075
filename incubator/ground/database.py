"""The one database: a Piccolo engine on PostgreSQL, transactions that nest as savepoints, and plain SQL for hot paths."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from incubator.ground.errors import N_, NoRoom, Unavailable

P = ParamSpec("P")
R = TypeVar("R")

# What the driver raises when the server is gone; whether a commit ran is then unknown, so nothing is repeated.
# InternalClientError is what a connection says that broke in the middle of an exchange (kill -9 of the server under load).
LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.TooManyConnectionsError, OSError)
FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)
BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_patience: ContextVar[float | None] = ContextVar("patience", default=None)


def wait_at_most(seconds: float | None) -> None:
    """Let the calling task, and those that it starts, wait so long for each answer of the server; None: as long as it takes.

    A server that is frozen closes nothing and answers nothing: TimeoutError, one of `LOST`, tells so.
    """
    _patience.set(seconds)


@asynccontextmanager
async def _in_time(connection: Any = None) -> AsyncIterator[None]:
    """Wait for one answer no longer than this task may; a transaction loses its connection then, no ROLLBACK can follow."""
    try:
        async with asyncio.timeout(_patience.get()):
            yield
    except TimeoutError:
        if connection is not None:
            _end(connection)
        raise


def _end(connection: Any) -> None:
    with suppress(asyncpg.InterfaceError):  # the pool took it back by itself as soon as it was closed
        connection.terminate()


def _is_over(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True  # closed, and taken back by the pool


class _Transaction(PostgresTransaction):
    """Piccolo's transaction, but one that fails or is cancelled at BEGIN or COMMIT gives its connection back (stock leaks it).

    A connection whose BEGIN, COMMIT or ROLLBACK was cancelled may still be inside the transaction: it is closed, not used again.
    """

    async def get_connection(self) -> Any:
        """Return a connection of the pool, in time: it may have to be opened first."""
        async with _in_time():
            return await super().get_connection()  # type: ignore[no-untyped-call]  # Piccolo left it bare

    async def begin(self) -> None:
        """Begin, or give the connection back."""
        try:
            async with _in_time():
                await super().begin()  # type: ignore[no-untyped-call]  # Piccolo left it bare
        except BaseException:
            _end(self.connection)
            await self._give_back()
            raise

    async def __aexit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            if isinstance(exception, asyncio.CancelledError):
                _end(self.connection)  # a server that answers nothing answers no ROLLBACK either
            elif exception is not None:
                if not _is_over(self.connection):
                    async with _in_time():
                        await self.rollback()  # type: ignore[no-untyped-call]  # Piccolo left it bare
            else:
                async with _in_time():
                    await self.commit()  # type: ignore[no-untyped-call]  # Piccolo left it bare
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                _end(self.connection)
            raise
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return exception is None

    async def _give_back(self) -> None:
        if self.engine.pool:
            await self.engine.pool.release(self.connection)
        else:
            await self.connection.close()


class Engine(PostgresEngine):
    """PostgreSQL with our transaction class; `configure` points it at a database before the pool opens."""

    def transaction(self, allow_nested: bool = True) -> _Transaction:
        """Return a new transaction; use the function `transaction` of this module instead, it nests."""
        return _Transaction(engine=self, allow_nested=allow_nested)

    async def check_version(self) -> None:
        """Ask nothing: stock Piccolo connects while the module is imported, when no server need be up."""

    async def prep_database(self) -> None:
        """Create no extension: an ordinary user must suffice."""


async def _keep_settings(_connection: Any) -> None:
    """Skip asyncpg's RESET ALL between uses: we never change a setting outside SET LOCAL, and it costs a round trip."""


def _config(dsn: str) -> dict[str, Any]:
    return {
        "dsn": dsn,
        "statement_cache_size": 500,
        "server_settings": {"lock_timeout": "2000", "timezone": "UTC", "application_name": "kaibo", "jit": "off"},
    }


DB = Engine(config=_config(os.environ.get("DATABASE_URL", "postgresql:///kaibo")))


def configure(dsn: str) -> None:
    """Point the engine at another database; the pool must be closed."""
    DB.config = _config(dsn)


async def open_pool(*, min_size: int = 1, max_size: int = 10) -> None:
    """Open the pool of connections of this process."""
    await DB.start_connection_pool(min_size=min_size, max_size=max_size, reset=_keep_settings)


async def close_pool() -> None:
    """Close the pool; safe to call twice."""
    if DB.pool:
        await DB.close_connection_pool()


async def connect() -> Any:
    """Return a connection of its own, outside the pool, for LISTEN and long leases; the caller closes it."""
    return await asyncpg.connect(**DB.config)


def in_transaction() -> bool:
    """Tell whether the calling task is inside a transaction."""
    return DB.current_transaction.get() is not None


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """Run the block as one transaction; inside another one, as a savepoint that is rolled back alone."""
    outer = DB.current_transaction.get()
    if outer is None:
        async with DB.transaction():
            yield
        return
    async with _in_time(outer.connection):
        savepoint = await outer.savepoint()
    try:
        yield
    except BaseException:
        if not _is_over(outer.connection):
            async with _in_time(outer.connection):
                await savepoint.rollback_to()
        raise
    async with _in_time(outer.connection):
        await savepoint.release()


async def _call(method: str, sql: str, args: Sequence[Any]) -> Any:
    current = DB.current_transaction.get()
    if current is not None:
        async with _in_time(current.connection):
            return await getattr(current.connection, method)(sql, *args)
    if DB.pool is None:
        raise Unavailable(N_("The database is not open."))
    async with _in_time(), DB.pool.acquire() as connection:
        try:
            return await getattr(connection, method)(sql, *args)
        except asyncio.CancelledError:
            # given back as it is, the pool would wait for the server's word on the cancelled query: for ever, when it is frozen
            connection.terminate()
            raise


async def fetch(sql: str, *args: Any) -> list[Any]:
    """Return all rows of a statement of our own, with $1 parameters, inside the current transaction if there is one."""
    rows: list[Any] = await _call("fetch", sql, args)
    return rows


async def fetchrow(sql: str, *args: Any) -> Any:
    """Return the first row, or None."""
    return await _call("fetchrow", sql, args)


async def fetchval(sql: str, *args: Any) -> Any:
    """Return the first column of the first row, or None."""
    return await _call("fetchval", sql, args)


async def execute(sql: str, *args: Any) -> int:
    """Run a statement and return how many rows it touched."""
    tag: str = await _call("execute", sql, args)
    last = tag.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


async def together(*reads: Coroutine[Any, Any, Any]) -> Any:
    """Run reads that do not need each other side by side, each on a connection of its own, and return their results in order.

    Inside a transaction, which has one connection, they run one after another.
    """
    if not in_transaction():
        return await asyncio.gather(*reads)
    try:
        return [await each for each in reads]
    finally:
        for each in reads:
            each.close()


async def script(sql: str) -> None:
    """Run several statements at once, without parameters; for migrations."""
    await _call("execute", sql, ())


def retried(verb: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Run a verb again once after a lock timeout or deadlock, then refuse with Unavailable; a lost server is refused at once.

    Only the outermost verb retries: within a transaction the caller's block must be run again as a whole.
    """

    @wraps(verb)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_transaction():
            return await verb(*args, **kwargs)
        try:
            try:
                return await verb(*args, **kwargs)
            except BUSY:
                return await verb(*args, **kwargs)
        except BUSY as error:
            raise Unavailable() from error
        except LOST as error:
            raise Unavailable(N_("The database does not answer. Try again in a few seconds.")) from error
        except FULL as error:
            raise NoRoom() from error

    return run
