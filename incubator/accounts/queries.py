"""Who is asking: the actor behind a cookie or an API token; and people as lists show them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from incubator.accounts.service import MERCHANT_IDLE, token_hash
from incubator.ground import database
from incubator.ground.rights import Actor, Grant, Role

# What somebody may do now. The grants of a merchant that left sleep: they give nothing, and are there again should it come back.
GRANTS = """(SELECT array_agg(g.role || ' ' || g.scope || ' ' || coalesce(g.site, g.merchant, 0))
        FROM grants g LEFT JOIN merchants m ON m.id = g.merchant
        WHERE g.person = p.id AND g.ended_at IS NULL AND m.status IS DISTINCT FROM 'left') AS grants"""
# One round trip per request; last_seen is written at most every five minutes, by the caller of `touch`.
BY_COOKIE = f"""
SELECT p.id, p.uid, p.name, p.name_latin, p.locale, s.acting_merchant, s.last_seen_at < now() - interval '5 minutes' AS is_old,
       {GRANTS}
FROM sign_ins s JOIN people p ON p.id = s.person JOIN accounts a ON a.person = p.id
WHERE s.token_hash = $1 AND s.expires_at > now() AND a.disabled_at IS NULL
  AND (s.is_staff OR s.last_seen_at > now() - interval '{MERCHANT_IDLE.days} days')"""

BY_TOKEN = f"""
SELECT p.id, p.uid, p.name, p.name_latin, p.locale, NULL::bigint AS acting_merchant, false AS is_old, t.can_write,
       {GRANTS}
FROM api_tokens t JOIN people p ON p.id = t.person JOIN accounts a ON a.person = p.id
WHERE t.token_hash = $1 AND t.expires_at > now() AND t.revoked_at IS NULL AND a.disabled_at IS NULL"""


class Session(msgspec.Struct, frozen=True):
    """What a request's cookie or token says: the actor, and whether the sign-in's last_seen is due."""

    actor: Actor
    person_uid: UUID
    is_old: bool
    can_write: bool = True


def _grants(texts: list[str] | None) -> tuple[Grant, ...]:
    found = []
    for text in texts or ():
        role, scope, scope_id = text.split(" ")
        found.append(Grant(Role(role), scope, int(scope_id) or None))  # type: ignore[arg-type]  # checked by the database
    return tuple(found)


def _session(row: Any, request_id: str, can_write: bool) -> Session:
    grants = _grants(row["grants"])
    acting = row["acting_merchant"]
    if acting is not None and not any(g.scope == "merchant" and g.scope_id == acting for g in grants):
        acting = None
    if acting is None:
        acting = next((g.scope_id for g in grants if g.scope == "merchant"), None)
    actor = Actor(row["id"], row["name"], grants, acting, request_id=request_id, locale=row["locale"],
                  name_latin=row["name_latin"])
    return Session(actor, row["uid"], row["is_old"], can_write)


async def by_cookie(token: str, request_id: str = "") -> Session | None:
    """Return the session of a cookie, None when it is unknown, expired or closed."""
    row = await database.fetchrow(BY_COOKIE, token_hash(token))
    return None if row is None else _session(row, request_id, True)


async def by_api_token(token: str, request_id: str = "") -> Session | None:
    """Return the session of an API token, None when it is unknown, expired or revoked."""
    row = await database.fetchrow(BY_TOKEN, token_hash(token))
    return None if row is None else _session(row, request_id, row["can_write"])


async def touch(token: str) -> None:
    """Keep a sign-in from idling out."""
    await database.execute("UPDATE sign_ins SET last_seen_at = now() WHERE token_hash = $1", token_hash(token))


async def actor_of(person_id: int, request_id: str = "") -> Actor | None:
    """Return the actor that a person is now, with roles as of this moment; None when there is no such person."""
    row = await database.fetchrow(
        "SELECT p.id, p.uid, p.name, p.name_latin, p.locale, NULL::bigint AS acting_merchant, false AS is_old,"
        f" {GRANTS} FROM people p WHERE p.id = $1", person_id)
    return None if row is None else _session(row, request_id, True).actor


async def house_people(role: Role) -> list[int]:
    """Return the ids of the people who hold a house role now, for notices."""
    rows = await database.fetch(
        "SELECT DISTINCT person FROM grants WHERE role = $1 AND ended_at IS NULL ORDER BY person", role)
    return [row["person"] for row in rows]


async def person_id_by_uid(uid: UUID) -> int | None:
    """Return the inner id of a person, None when unknown."""
    found: int | None = await database.fetchval("SELECT id FROM people WHERE uid = $1", uid)
    return found


class TokenRow(msgspec.Struct, frozen=True):
    """One API token, never the token itself."""

    id: int
    label: str
    can_write: bool
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


async def tokens_of(actor: Actor, person_id: int) -> list[TokenRow]:
    """Return a person's API tokens, oldest first; empty for everybody but the person and administrators."""
    if actor.person_id != person_id and not actor.has(Role.ADMIN):
        return []
    rows = await database.fetch(
        "SELECT id, label, can_write, created_at, expires_at, revoked_at FROM api_tokens WHERE person = $1 ORDER BY id",
        person_id)
    return [TokenRow(*row) for row in rows]
