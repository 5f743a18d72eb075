"""The verbs of the merchant profile: register, update, pause, shops and members."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec

from incubator.accounts import service as accounts
from incubator.accounts.rules import checked_name
from incubator.accounts.search import search_words
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Conflict, FieldError, Forbidden, Invalid, NotFound, Stale
from incubator.ground.rights import MERCHANT_ROLES, Actor, Role
from incubator.ground.values import bounded, new_uid, phone
from incubator.merchants import questions, rights, rules

EDITABLE = ("name", "short_name", "kind", "credit_code", "contact_name", "contact_phone", "town", "products")
LONGEST_URL = 500
AGAIN = timedelta(minutes=1)


class CreditCodeTaken(Conflict):
    """Another merchant has this credit code."""

    code = "credit-code-taken"
    msgid = N_("{name} is on file with this credit code already.")


class MerchantLeft(Conflict):
    """Nobody can belong to a merchant that has left."""

    code = "merchant-left"
    msgid = N_("This merchant has left. Set it to active first.")


class Registered(msgspec.Struct, frozen=True):
    """What a change of the profile leads to: ids, the new version, and warnings that refuse nothing."""

    id: int
    uid: UUID
    version: int
    warnings: tuple[FieldError, ...] = ()


class Profile(msgspec.Struct, frozen=True):
    """What a form says of a merchant; `credit_code` None or empty only for a natural person."""

    name: str
    short_name: str
    kind: str
    credit_code: str | None = None
    contact_name: str = ""
    contact_phone: str = ""
    town: str = ""
    products: str = ""


def checked(profile: Profile) -> tuple[dict[str, Any], tuple[FieldError, ...]]:
    """Return the profile's columns and the warnings.

    Raises:
        Invalid: every field that is wrong, at once.
    """
    errors: list[FieldError] = []
    values: dict[str, Any] = {"kind": profile.kind}
    warnings: tuple[FieldError, ...] = ()
    if profile.kind not in rules.KINDS:
        errors.append(FieldError("kind", N_("Choose one of the kinds.")))
    for field, longest in (("name", 100), ("short_name", 20)):
        values[field] = _collect(errors, checked_name, getattr(profile, field), field, longest)
    values["contact_phone"] = _collect(errors, phone, profile.contact_phone, "contact_phone") if profile.contact_phone else ""
    for field in ("contact_name", "town", "products"):
        values[field] = _collect(errors, bounded, getattr(profile, field), field)
    values["credit_code"] = None
    if profile.credit_code:
        code = _collect(errors, rules.credit_code, profile.credit_code, profile.kind)
        if code is not None:
            values["credit_code"], warnings = code.code, code.warnings
    elif profile.kind != "natural_person":
        errors.append(FieldError("credit_code", N_("Only a natural person can do without a credit code.")))
    if errors:
        raise Invalid(errors)
    return values, warnings


def _collect(errors: list[FieldError], check: Any, *args: Any) -> Any:
    try:
        return check(*args)
    except Invalid as refusal:
        errors.extend(refusal.errors)
        return None


@database.retried
async def register(actor: Actor, site_id: int, profile: Profile) -> Registered:
    """Put a merchant on file; the same form sent twice within a minute puts it on file once.

    Raises:
        Forbidden: only staff, managers and administrators may.
        Invalid: fields, all at once.
        CreditCodeTaken: another merchant has the code.
    """
    if not rights.can_register(actor):
        raise Forbidden()
    values, warnings = checked(profile)
    async with database.transaction():
        twin = await _just_registered(actor, values)
        if twin is not None:
            return Registered(twin["id"], twin["uid"], twin["version"], warnings)
        await _refuse_taken_code(values["credit_code"], None)
        uid = new_uid()
        merchant_id = await database.fetchval(
            "INSERT INTO merchants (uid, site, search, created_at, name, short_name, kind, credit_code, contact_name,"
            " contact_phone, town, products) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
            uid, site_id, _search(values), clock.now(), *(values[field] for field in EDITABLE),
        )
        await record(actor, "register", "merchant", merchant_id, after=values, merchant_id=merchant_id)
    return Registered(merchant_id, uid, 1, warnings)


async def _just_registered(actor: Actor, values: dict[str, Any]) -> Any:
    """Return what this person put on file a moment ago with the same words; one person's registrations wait for each other."""
    await database.execute("SELECT FROM people WHERE id = $1 FOR NO KEY UPDATE", actor.person_id)
    same = " AND ".join(f"m.{field} IS NOT DISTINCT FROM ${place}" for place, field in enumerate(EDITABLE, 3))
    return await database.fetchrow(
        "SELECT m.id, m.uid, m.version FROM merchants m JOIN audit_entries a ON a.thing = 'merchant' AND a.thing_id = m.id"
        f" WHERE a.verb = 'register' AND a.person = $1 AND m.created_at > $2 AND {same} LIMIT 1",
        actor.person_id, clock.now() - AGAIN, *(values[field] for field in EDITABLE))


@database.retried
async def update(actor: Actor, merchant_id: int, version: int, profile: Profile) -> Registered:
    """Change the profile.

    Raises:
        NotFound, Forbidden: the actor may not see or change it.
        Invalid: fields, all at once.
        Stale: somebody else changed it since `version`.
        CreditCodeTaken: another merchant has the code.
    """
    if not rights.can_see(actor, merchant_id):
        raise NotFound()
    if not rights.can_update(actor, merchant_id):
        raise Forbidden()
    values, warnings = checked(profile)
    async with database.transaction():
        row = await _locked(merchant_id, version)
        await _refuse_taken_code(values["credit_code"], merchant_id)
        changed = {field: values[field] for field in EDITABLE if row[field] != values[field]}
        await database.execute(
            "UPDATE merchants SET search = $2, version = version + 1, name = $3, short_name = $4, kind = $5, credit_code = $6,"
            " contact_name = $7, contact_phone = $8, town = $9, products = $10 WHERE id = $1",
            merchant_id, _search(values), *(values[field] for field in EDITABLE),
        )
        await record(actor, "update", "merchant", merchant_id, before={field: row[field] for field in changed},
                     after=changed, merchant_id=merchant_id)
    return Registered(merchant_id, row["uid"], version + 1, warnings)


def _search(values: dict[str, Any]) -> str:
    return search_words(values["name"], values["short_name"], values["credit_code"] or "", values["contact_phone"])


async def _locked(merchant_id: int, version: int) -> Any:
    row = await database.fetchrow("SELECT * FROM merchants WHERE id = $1 FOR NO KEY UPDATE", merchant_id)
    if row is None:
        raise NotFound()
    if row["version"] != version:
        raise Stale()
    return row


async def _refuse_taken_code(code: str | None, but_for: int | None) -> None:
    """Refuse a code in use; the unique column stands behind it for two who register at the same moment."""
    name = await database.fetchval(
        "SELECT name FROM merchants WHERE credit_code = $1 AND id IS DISTINCT FROM $2", code, but_for)
    if name is not None:
        raise CreditCodeTaken(name=name)


@database.retried
async def set_status(actor: Actor, merchant_id: int, version: int, status: str, reason: str) -> None:
    """Pause a merchant, take it back, or note that it left.

    A paused one keeps what it has booked. The people of one that left have no rights through it from their next request on;
    what still stands in its way upstairs is asked before, in the same transaction.

    Raises:
        Forbidden: only managers and administrators may.
        Invalid: no such status, or no reason.
        Stale: changed since `version`.
        Conflict: it cannot leave yet; the refusal names what stands in the way.
    """
    if not rights.can_change_status(actor):
        raise Forbidden()
    if status not in rules.STATUSES:
        raise Invalid.field("status", N_("Choose one of the states."))
    reason = bounded(reason, "reason")
    if not reason:
        raise Invalid.field("reason", N_("Say why; the merchant will ask."))
    async with database.transaction():
        row = await _locked(merchant_id, version)
        if status == "left":
            for ask in questions.may_leave:
                await ask(merchant_id)
        await database.execute("UPDATE merchants SET status = $2, version = version + 1 WHERE id = $1", merchant_id, status)
        await record(actor, "set_status", "merchant", merchant_id, before={"status": row["status"]},
                     after={"status": status}, merchant_id=merchant_id, reason=reason)


async def add_shop(actor: Actor, merchant_id: int, *, platform: str, name: str, url: str = "",
                   opened_on: date | None = None) -> UUID:
    """Add a shop on a platform; `opened_on` None when unknown.

    Raises:
        NotFound, Forbidden: the actor may not.
        Invalid: fields, all at once.
    """
    if not rights.can_see(actor, merchant_id):
        raise NotFound()
    if not rights.can_update(actor, merchant_id):
        raise Forbidden()
    errors = _shop_errors(platform, url, opened_on)
    url = _collect(errors, bounded, url, "url", LONGEST_URL)
    name = _collect(errors, checked_name, name, "name", 100)
    if errors:
        raise Invalid(errors)
    uid = new_uid()
    async with database.transaction():
        shop_id = await database.fetchval(
            "INSERT INTO shops (uid, merchant, platform, name, url, opened_on, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            uid, merchant_id, platform, name, url, opened_on, clock.now(),
        )
        await record(actor, "add_shop", "shop", shop_id, after={"platform": platform, "name": name}, merchant_id=merchant_id)
    return uid


def _shop_errors(platform: str, url: str, opened_on: date | None) -> list[FieldError]:
    errors = []
    if platform not in rules.PLATFORMS:
        errors.append(FieldError("platform", N_("Choose one of the platforms.")))
    if url.strip() and not url.strip().startswith(("https://", "http://")):
        errors.append(FieldError("url", N_("A shop's address begins with https://.")))
    if opened_on is not None and opened_on > clock.now().date():
        errors.append(FieldError("opened_on", N_("The opening day lies in the future.")))
    return errors


async def close_shop(actor: Actor, shop_uid: UUID, closed_on: date) -> None:
    """Note that a shop was closed.

    Raises:
        NotFound, Forbidden: the actor may not.
    """
    row = await database.fetchrow("SELECT id, merchant FROM shops WHERE uid = $1", shop_uid)
    if row is None or not rights.can_see(actor, row["merchant"]):
        raise NotFound()
    if not rights.can_update(actor, row["merchant"]):
        raise Forbidden()
    async with database.transaction():
        await database.execute("UPDATE shops SET closed_on = $2, version = version + 1 WHERE id = $1", row["id"], closed_on)
        await record(actor, "close_shop", "shop", row["id"], after={"closed_on": closed_on}, merchant_id=row["merchant"])


async def add_member(actor: Actor, merchant_id: int, login: str, roles: Sequence[Role]) -> None:
    """Give a person on file roles in the merchant, at once; owners invite instead.

    Raises:
        NotFound, Forbidden: only the desk may, since the answer tells who is on file.
        Invalid: nobody is on file with this phone or e-mail, or no merchant role was chosen.
        MerchantLeft: it has left, so nobody can belong to it.
    """
    if not rights.can_see(actor, merchant_id):
        raise NotFound()
    if not rights.can_add_at_once(actor):
        raise Forbidden()
    if not roles or not set(roles) <= MERCHANT_ROLES:
        raise Invalid.field("roles", N_("Choose at least one role."))
    if await database.fetchval("SELECT status FROM merchants WHERE id = $1", merchant_id) == "left":
        raise MerchantLeft()
    person_id = await accounts.known_person(login)
    if person_id is None:
        raise Invalid.field("login", N_("Nobody is on file with this phone number or e-mail."))
    async with database.transaction():
        for role in roles:
            await accounts.grant(actor, person_id, role, "merchant", merchant_id)


async def remove_member(actor: Actor, merchant_id: int, person_id: int) -> None:
    """End all roles of a person in the merchant; a member may leave without being asked.

    Raises:
        NotFound: the person is no member.
        Forbidden: the actor may not, or the person is the last owner.
    """
    rows = await database.fetch(
        "SELECT role FROM grants WHERE merchant = $1 AND person = $2 AND ended_at IS NULL", merchant_id, person_id)
    if not rows:
        raise NotFound()
    async with database.transaction():
        await database.execute("SELECT 1 FROM merchants WHERE id = $1 FOR NO KEY UPDATE", merchant_id)
        others = await database.fetchval(
            "SELECT count(*) FROM grants WHERE merchant = $1 AND person <> $2 AND role = $3 AND ended_at IS NULL",
            merchant_id, person_id, Role.OWNER)
        if not others and any(row["role"] == Role.OWNER for row in rows):
            raise Forbidden(N_("The last owner cannot leave. Name another owner first."))
        for row in rows:
            await accounts.end_grant(actor, person_id, Role(row["role"]), "merchant", merchant_id)
