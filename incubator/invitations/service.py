"""The verbs of invitations: invite, accept, decline, withdraw."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from incubator.accounts import rules, service as accounts
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Forbidden, Invalid, NotFound
from incubator.ground.rights import MERCHANT_ROLES, Actor, Role
from incubator.ground.values import new_uid, phone
from incubator.invitations.queries import STANDS, VALID
from incubator.merchants.rights import can_change_members, can_see


@database.retried
async def invite(actor: Actor, merchant_id: int, login: str, roles: Sequence[Role]) -> None:
    """Invite whoever has this phone number or e-mail address; asked again, roles and day are those of the last time.

    The answer is the same whether or not somebody is on file, so that nobody learns who is.

    Raises:
        NotFound, Forbidden: the actor may not.
        Invalid: no phone number or e-mail address, or no merchant role was chosen.
    """
    if not can_see(actor, merchant_id):
        raise NotFound()
    if not can_change_members(actor, merchant_id) or actor.person_id is None:
        raise Forbidden()
    if not roles or not set(roles) <= MERCHANT_ROLES:
        raise Invalid.field("roles", N_("Choose at least one role."))
    login = checked_login(login)
    async with database.transaction():
        invitation_id = await database.fetchval(
            "INSERT INTO invitations (uid, merchant, login, roles, invited_by, invited_at) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (merchant, login) WHERE ended_at IS NULL DO UPDATE SET roles = $4, invited_by = $5, invited_at = $6"
            " RETURNING id", new_uid(), merchant_id, login, sorted(set(roles)), actor.person_id, clock.now())
        await record(actor, "invite", "invitation", invitation_id, after={"roles": sorted(set(roles))}, merchant_id=merchant_id)


def checked_login(text: str) -> str:
    """Return a phone number or e-mail address in the form in which it is kept.

    Raises:
        Invalid: it looks like neither.
    """
    return rules.checked_email(text, "login") if "@" in text else phone(text, "login")


@database.retried
async def accept(actor: Actor, uid: UUID) -> UUID:
    """Become a member with the roles of the invitation, and return the merchant's uid.

    Raises:
        NotFound: no such invitation for this actor: unknown, answered, withdrawn or lapsed.
    """
    async with database.transaction():
        row = await _answered(actor, uid, "accepted")
        # nobody hands out a role to themselves: the owner's word does
        by_invitation = msgspec.structs.replace(actor, is_house=True)
        for role in row["roles"]:
            await accounts.grant(by_invitation, row["person"], Role(role), "merchant", row["merchant"])
    merchant_uid: UUID = row["merchant_uid"]
    return merchant_uid


async def decline(actor: Actor, uid: UUID) -> None:
    """Say no to an invitation.

    Raises:
        NotFound: no such invitation for this actor.
    """
    async with database.transaction():
        await _answered(actor, uid, "declined")


async def _answered(actor: Actor, uid: UUID, outcome: str) -> Any:
    """Close the actor's invitation and return it; of two answers at once, one finds it closed."""
    row = await database.fetchrow(
        "UPDATE invitations SET outcome = $4, ended_at = $5 FROM"
        f" (SELECT i.id AS found, p.id AS person, m.uid AS merchant_uid {STANDS} AND i.uid = $3) AS one"
        " WHERE id = one.found AND ended_at IS NULL RETURNING id, merchant, roles, person, merchant_uid",
        actor.person_id, clock.now() - VALID, uid, outcome, clock.now())
    if row is None:
        raise NotFound()
    await record(actor, outcome, "invitation", row["id"], merchant_id=row["merchant"])
    return row


async def withdraw(actor: Actor, uid: UUID) -> UUID:
    """Take an invitation back, and return the merchant's uid.

    Raises:
        NotFound: unknown, closed, or not visible to the actor.
        Forbidden: the actor may not change the members.
    """
    row = await database.fetchrow(
        "SELECT i.id, i.merchant, m.uid FROM invitations i JOIN merchants m ON m.id = i.merchant"
        " WHERE i.uid = $1 AND i.ended_at IS NULL", uid)
    if row is None or not can_see(actor, row["merchant"]):
        raise NotFound()
    if not can_change_members(actor, row["merchant"]):
        raise Forbidden()
    async with database.transaction():
        if not await database.execute("UPDATE invitations SET outcome = 'withdrawn', ended_at = $2 WHERE id = $1"
                                      " AND ended_at IS NULL", row["id"], clock.now()):
            raise NotFound()
        await record(actor, "withdrawn", "invitation", row["id"], merchant_id=row["merchant"])
    merchant_uid: UUID = row["uid"]
    return merchant_uid
