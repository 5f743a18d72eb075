"""A request repeated with the same Idempotency-Key is answered with the first answer and not done again."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from litestar import Request, Response

from frontend.auth import who
from frontend.kept_answers import KEPT_FOR
from incubator.ground import database
from incubator.ground.errors import N_, Conflict, Invalid, KaiboError
from incubator.ground.rights import Actor

log = structlog.get_logger()
HEADER = "idempotency-key"
LONGEST_KEY = 200
UNSETTLED_S, LOOK_S = 2.5, 0.05  # how long a repeat waits for the outcome of the first, and how often it looks
AWAY = (*database.LOST, *database.BUSY, *database.FULL)
MINE = "who = $1 AND route = $2 AND key = $3"


class KeyReused(Conflict):
    """The key was used for another request."""

    code = "idempotency-mismatch"
    msgid = N_("This Idempotency-Key was used with another body. Use a new key for a new request.")


class Key(msgspec.Struct, frozen=True):
    """A key as it came: whose, for which route, with which body."""

    who: str
    route: str
    key: str
    body_hash: bytes

    @property
    def place(self) -> tuple[str, str, str]:
        """Return what the key's row is found by."""
        return self.who, self.route, self.key


async def once(request: Request[Any, Any, Any], status: int, verb: Callable[[], Awaitable[Any]]) -> Response[Any]:
    """Run the verb and answer with its result as JSON, once per key, actor and route.

    1. The key's row is inserted first, in the transaction of the verb: a second request with the key waits there.
    2. The answer is kept in the same transaction, so a crash leaves both or neither.
    3. A refusal gives the key back, and a repeat then tries again. The verb took its own deeds back before it refused; what it
       left on purpose, such as a wrong code that was counted, stays.

    Raises:
        KeyReused: the key came with another body.
        Invalid: the key is too long.
    """
    key = await _key_of(request)
    if key is None:
        return Response(await verb(), status_code=status)
    kept_status, body = await _kept(key, status, verb)
    return _again(kept_status, body)


async def once_sent(request: Request[Any, Any, Any], status: int, verb: Callable[[], Awaitable[Any]],
                    unsettled: Any) -> Response[Any]:
    """Run a verb that sends something out of the house, and answer with its result as JSON, once per key, actor and route.

    What was sent no rollback brings back, and no transaction stays open while others are waited for:

    1. The key's row is committed first, with the answer `unsettled`: that stays if this process dies on the way.
    2. The verb runs outside any transaction. It refuses only as long as nothing was sent; a refusal gives the key back.
    3. Its answer takes the place of `unsettled`. A repeat meanwhile waits for it up to 2.5 s, and is told `unsettled` if it must.

    Raises:
        KeyReused: the key came with another body.
        Invalid: the key is too long.
    """
    key = await _key_of(request)
    if key is None:
        return Response(await verb(), status_code=status)
    first = await _noted(key, msgspec.json.encode(unsettled))
    if first is not None:
        kept = await _settled(key, first)
        return await once_sent(request, status, verb, unsettled) if kept is None else _again(status, kept["body"])
    try:
        told = await verb()
    except (KaiboError, *AWAY):
        await _quietly(f"DELETE FROM kept_answers WHERE {MINE}", *key.place)
        raise
    body = msgspec.json.encode(told)
    await _quietly(f"UPDATE kept_answers SET status = $4, body = $5 WHERE {MINE}", *key.place, status, body)
    return _again(status, body)


def _again(status: int, body: bytes) -> Response[Any]:
    return Response(body, status_code=status, media_type="application/json")


async def _key_of(request: Request[Any, Any, Any]) -> Key | None:
    """Return the key of a request, None when it has none."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not 0 < len(text) <= LONGEST_KEY:
        raise Invalid.field("Idempotency-Key", N_("A key has 1 to {most} characters."), most=LONGEST_KEY)
    body_hash = hashlib.sha256(await request.body()).digest()
    return Key(_name(who(request).actor), f"{request.method} {request.scope['path']}", text, body_hash)


def _name(actor: Actor) -> str:
    return f"person:{actor.person_id}" if actor.person_id is not None else f"device:{actor.device_id}"


async def _first(key: Key, unsettled: bytes | None) -> Any:
    """Note the key, and return None; where it was noted before, return that row."""
    await database.execute(f"DELETE FROM kept_answers WHERE {MINE} AND kept_at < now() - interval '{KEPT_FOR}'", *key.place)
    is_new = await database.execute(
        "INSERT INTO kept_answers (who, route, key, body_hash, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        *key.place, key.body_hash, unsettled)
    if is_new:
        return None
    row = await _row(key)
    if row is not None and row["body_hash"] != key.body_hash:
        raise KeyReused()
    return row


async def _row(key: Key) -> Any:
    return await database.fetchrow(f"SELECT body_hash, status, body FROM kept_answers WHERE {MINE}", *key.place)


@database.retried
async def _noted(key: Key, unsettled: bytes) -> Any:
    async with database.transaction():
        return await _first(key, unsettled)


async def _settled(key: Key, row: Any) -> Any:
    """Wait for the outcome of the first request and return its row, settled or not; None when it gave the key back."""
    left = int(UNSETTLED_S / LOOK_S)
    while row is not None and row["status"] is None and left > 0:
        await asyncio.sleep(LOOK_S)
        row, left = await _row(key), left - 1
    return row


async def _quietly(sql: str, *args: Any) -> None:
    """Write what became of it; where that cannot be, the key keeps its unsettled answer, which is true as well."""
    try:
        await database.execute(sql, *args)
    except AWAY as error:
        log.warning("outcome not kept", why=type(error).__name__)


@database.retried
async def _kept(key: Key, status: int, verb: Callable[[], Awaitable[Any]]) -> tuple[int, bytes]:
    refusal: KaiboError | None = None
    async with database.transaction():
        row = await _first(key, None)
        if row is not None:
            return row["status"], row["body"]
        try:
            body = msgspec.json.encode(await verb())
        except KaiboError as error:
            refusal = error
            await database.execute(f"DELETE FROM kept_answers WHERE {MINE}", *key.place)
        else:
            await database.execute(f"UPDATE kept_answers SET status = $4, body = $5 WHERE {MINE}", *key.place, status, body)
    if refusal is not None:
        raise refusal
    return status, body
