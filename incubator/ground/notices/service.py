"""In-app notices: one message once, whatever is repeated."""

from typing import Any

from incubator.ground import clock, database
from incubator.ground.jsons import dumps
from incubator.ground.rights import Actor
from incubator.ground.values import new_uid


async def tell(person_id: int, once_key: str, msgid: str, params: dict[str, Any] | None = None, link: str = "") -> bool:
    """Put a notice into a person's list, and return whether it is new.

    `once_key` names the occasion (`reminder:R261123-00042`): the database refuses a second one, so handlers may repeat.
    `msgid` is an English message with `{name}` placeholders, `params` its values (strings, numbers, ISO times).
    """
    return bool(await database.execute(
        "INSERT INTO notices (uid, person, once_key, msgid, params, link, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT ON CONSTRAINT notice_once DO NOTHING",
        new_uid(), person_id, once_key, msgid, dumps(params or {}), link, clock.now(),
    ))


async def settle(once_key: str) -> int:
    """Count an occasion as read by everybody whom it was told, since what it asked for is done; return how many had not."""
    return await database.execute(
        "UPDATE notices SET read_at = $2 WHERE once_key = $1 AND read_at IS NULL", once_key, clock.now())


async def mark_all_read(actor: Actor) -> int:
    """Mark everything in the actor's own list as read, and return how many were unread."""
    return await database.execute(
        "UPDATE notices SET read_at = $2 WHERE person = $1 AND read_at IS NULL", actor.person_id, clock.now()
    )
