"""Merchants as pages show them."""

from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from incubator.ground import database
from incubator.ground.errors import NotFound
from incubator.ground.rights import Actor, Role
from incubator.ground.values import visible
from incubator.merchants.rights import can_see, can_see_whole


class MerchantRow(msgspec.Struct, frozen=True):
    """One merchant in a list."""

    id: int
    uid: UUID
    name: str
    short_name: str
    kind: str
    status: str
    town: str
    products: str


class Member(msgspec.Struct, frozen=True):
    """One member with all roles held in the merchant."""

    person_id: int
    person_uid: UUID
    name: str
    phone: str | None
    roles: tuple[str, ...]
    name_latin: str


class ShopRow(msgspec.Struct, frozen=True):
    """One shop; None dates are unknown or still open."""

    uid: UUID
    platform: str
    name: str
    url: str
    opened_on: date | None
    closed_on: date | None


class MerchantFile(msgspec.Struct, frozen=True):
    """The profile with members and shops; who may not see it whole gets no credit code, contact and members."""

    id: int
    uid: UUID
    site_id: int
    name: str
    short_name: str
    kind: str
    credit_code: str | None
    contact_name: str
    contact_phone: str
    town: str
    products: str
    status: str
    version: int
    members: tuple[Member, ...]
    shops: tuple[ShopRow, ...]


def _pattern(search: str) -> str:
    return "%" + visible(search).lower().replace("%", "").replace("_", "") + "%"


async def merchants(actor: Actor, search: str = "", after: str = "", limit: int = 50) -> list[MerchantRow]:
    """Return merchants that the actor may see, by name, pinyin, code or phone; `after` is the last name of the page before.

    Mentors find them by their names alone: whoever sees no code or phone must not find one by guessing either.
    """
    own = None if actor.may_read_all else list(actor.merchant_ids)
    by_name = own is not None and actor.has(Role.MENTOR)
    rows = await database.fetch(
        "SELECT id, uid, name, short_name, kind, status, town, products FROM merchants"
        " WHERE (search LIKE $1 AND ($3::bigint[] IS NULL OR id = ANY($3)) OR $5 AND lower(name || ' ' || short_name) LIKE $1)"
        " AND name > $2 ORDER BY name LIMIT $4",
        _pattern(search), after, own, limit, by_name)
    return [MerchantRow(*row) for row in rows]


async def merchant_file(actor: Actor, uid: UUID) -> MerchantFile:
    """Return one merchant, in three queries; whole for whom `can_see_whole`, else its public profile.

    Raises:
        NotFound: unknown, or not visible to the actor.
    """
    row = await database.fetchrow(
        "SELECT id, uid, site, name, short_name, kind, credit_code, contact_name, contact_phone, town, products, status, version"
        " FROM merchants WHERE uid = $1", uid)
    if row is None or not can_see(actor, row["id"]):
        raise NotFound()
    facts: list[Any] = [*row, (), tuple(await shops(row["id"]))]
    file = MerchantFile(*facts)
    if can_see_whole(actor, file.id):
        return msgspec.structs.replace(file, members=tuple(await members(file.id)))
    return msgspec.structs.replace(file, credit_code=None, contact_name="", contact_phone="")


async def members(merchant_id: int) -> list[Member]:
    """Return the present members with their roles, owners first."""
    rows = await database.fetch(
        "SELECT p.id, p.uid, p.name, p.name_latin, p.phone, array_agg(g.role ORDER BY g.id) AS roles FROM grants g"
        " JOIN people p ON p.id = g.person WHERE g.merchant = $1 AND g.ended_at IS NULL"
        " GROUP BY p.id ORDER BY bool_or(g.role = 'owner') DESC, p.name", merchant_id)
    return [Member(r["id"], r["uid"], r["name"], r["phone"], tuple(r["roles"]), r["name_latin"]) for r in rows]


async def shops(merchant_id: int) -> list[ShopRow]:
    """Return the shops, open ones first."""
    rows = await database.fetch(
        "SELECT uid, platform, name, url, opened_on, closed_on FROM shops WHERE merchant = $1"
        " ORDER BY closed_on IS NOT NULL, id", merchant_id)
    return [ShopRow(*row) for row in rows]


async def names(ids: set[int]) -> dict[int, str]:
    """Return the short names of these merchants, in one query."""
    if not ids:
        return {}
    rows: list[Any] = await database.fetch("SELECT id, short_name FROM merchants WHERE id = ANY($1)", list(ids))
    return {row["id"]: row["short_name"] for row in rows}


async def merchant_id_by_uid(uid: UUID) -> int | None:
    """Return the inner id of a merchant, None when unknown."""
    found: int | None = await database.fetchval("SELECT id FROM merchants WHERE uid = $1", uid)
    return found
