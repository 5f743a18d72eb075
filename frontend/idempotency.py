"""A request repeated with the same Idempotency-Key is answered with the first answer and not done again."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, Response

from frontend.auth import who
from frontend.kept_answers import KEPT_FOR
from incubator.ground import database
from incubator.ground.errors import N_, Conflict, Invalid, KaiboError
from incubator.ground.rights import Actor

HEADER = "idempotency-key"
LONGEST_KEY = 200


class KeyReused(Conflict):
    """The key was used for another request."""

    code = "idempotency-mismatch"
    msgid = N_("This Idempotency-Key was used with another body. Use a new key for a new request.")


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
    key = request.headers.get(HEADER)
    if key is None:
        return Response(await verb(), status_code=status)
    if not 0 < len(key) <= LONGEST_KEY:
        raise Invalid.field("Idempotency-Key", N_("A key has 1 to {most} characters."), most=LONGEST_KEY)
    body_hash = hashlib.sha256(await request.body()).digest()
    route = f"{request.method} {request.scope['path']}"
    kept_status, body = await _kept(_name(who(request).actor), route, key, body_hash, status, verb)
    return Response(body, status_code=kept_status, media_type="application/json")


def _name(actor: Actor) -> str:
    return f"person:{actor.person_id}" if actor.person_id is not None else f"device:{actor.device_id}"


@database.retried
async def _kept(name: str, route: str, key: str, body_hash: bytes, status: int,
                verb: Callable[[], Awaitable[Any]]) -> tuple[int, bytes]:
    refusal: KaiboError | None = None
    async with database.transaction():
        await database.execute(
            f"DELETE FROM kept_answers WHERE who = $1 AND route = $2 AND key = $3 AND kept_at < now() - interval '{KEPT_FOR}'",
            name, route, key)
        is_new = await database.execute(
            "INSERT INTO kept_answers (who, route, key, body_hash) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            name, route, key, body_hash)
        if not is_new:
            row = await database.fetchrow(
                "SELECT body_hash, status, body FROM kept_answers WHERE who = $1 AND route = $2 AND key = $3", name, route, key)
            if row["body_hash"] != body_hash:
                raise KeyReused()
            return row["status"], row["body"]
        try:
            body = msgspec.json.encode(await verb())
        except KaiboError as error:
            refusal = error
            await database.execute("DELETE FROM kept_answers WHERE who = $1 AND route = $2 AND key = $3", name, route, key)
        else:
            await database.execute(
                "UPDATE kept_answers SET status = $4, body = $5 WHERE who = $1 AND route = $2 AND key = $3",
                name, route, key, status, body)
    if refusal is not None:
        raise refusal
    return status, body
