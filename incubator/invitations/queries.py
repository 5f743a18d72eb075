"""Invitations as those who sent them and those whom they reach see them."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from incubator.ground import clock, database
from incubator.ground.rights import Actor
from incubator.merchants.rights import can_change_members

VALID = timedelta(days=30)
# Matched when it is read, so that an invitation says nothing about who is on file, and reaches whoever is put on file later.
# It ends with the right of who sent it, so that a former owner cannot come back by one.
STANDS = """
FROM invitations i JOIN merchants m ON m.id = i.merchant JOIN people p ON p.phone = i.login OR p.email = i.login
JOIN people b ON b.id = i.invited_by
WHERE p.id = $1 AND i.ended_at IS NULL AND i.invited_at > $2 AND m.status <> 'left'
  AND EXISTS (SELECT FROM grants g WHERE g.person = i.invited_by AND g.merchant = i.merchant AND g.role = 'owner'
              AND g.ended_at IS NULL)"""


class Received(msgspec.Struct, frozen=True):
    """One invitation as the invited person sees it."""

    uid: UUID
    merchant_name: str
    invited_by: str
    invited_at: datetime
    roles: tuple[str, ...]
    invited_by_latin: str


class Sent(msgspec.Struct, frozen=True):
    """One invitation as the merchant sees it: what was typed, never who that is."""

    uid: UUID
    login: str
    invited_at: datetime
    roles: tuple[str, ...]


async def received(actor: Actor) -> list[Received]:
    """Return the invitations that wait for the actor's answer, newest first; they lapse after 30 days."""
    rows = await database.fetch(
        f"SELECT i.uid, m.name, b.name, i.invited_at, i.roles, b.name_latin {STANDS} ORDER BY i.id DESC",
        actor.person_id, clock.now() - VALID)
    return [Received(row[0], row[1], row[2], row[3], tuple(row[4]), row[5]) for row in rows]


async def sent(actor: Actor, merchant_id: int) -> list[Sent]:
    """Return a merchant's open invitations, newest first; empty for those who may not change its members."""
    if not can_change_members(actor, merchant_id):
        return []
    rows = await database.fetch(
        "SELECT uid, login, invited_at, roles FROM invitations WHERE merchant = $1 AND ended_at IS NULL AND invited_at > $2"
        " ORDER BY id DESC", merchant_id, clock.now() - VALID)
    return [Sent(row[0], row[1], row[2], tuple(row["roles"])) for row in rows]
