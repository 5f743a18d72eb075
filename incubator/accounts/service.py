"""The verbs of people and accounts: register, sign in and out, act for a merchant, change the password, hand out roles."""

import hashlib
import secrets
from datetime import timedelta

from incubator.accounts import passwords, rules
from incubator.accounts.search import search_words
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, KaiboError, NotFound
from incubator.ground.notices.service import tell
from incubator.ground.queue.service import publish
from incubator.ground.rights import MERCHANT_ROLES, Actor, Role, Scope
from incubator.ground.values import bounded, new_uid, phone as checked_phone

MERCHANT_IDLE, MERCHANT_LONGEST = timedelta(days=30), timedelta(days=90)
STAFF_LONGEST = timedelta(hours=12)
TOKEN_PREFIX = "kaibo_"
TOKENS_LEFT = N_("Your password was changed. These API tokens still work: {tokens}. If one is not yours, have it revoked.")


class WrongSignIn(KaiboError):
    """Login and password do not fit; which of them is wrong is not said."""

    code = "wrong-sign-in"
    msgid = N_("Phone or e-mail and password do not match. Check both, or ask the front desk for a new password.")


class AlreadyKnown(Conflict):
    """The phone number or e-mail address belongs to somebody already."""

    code = "already-known"
    msgid = N_("Somebody with this phone number or e-mail address is on file already.")


def token_hash(token: str) -> bytes:
    """Return what is kept of a random token: SHA-256 suffices for 256 bits of chance."""
    return hashlib.sha256(token.encode()).digest()


async def add_person(actor: Actor, *, name: str, name_latin: str = "", phone: str | None = None, email: str | None = None,
                     locale: str | None = None, password: str | None = None) -> int:
    """Put a person on file and return the id; with a password, also open an account.

    Raises:
        Forbidden: only staff, managers and administrators may.
        Invalid: no name, a malformed phone or e-mail, a weak password.
        AlreadyKnown: phone or e-mail is taken.
    """
    if not actor.has(Role.STAFF, Role.MANAGER, Role.ADMIN):
        raise Forbidden()
    name = rules.checked_name(name)
    name_latin = rules.checked_name(name_latin, "name_latin") if name_latin else ""
    phone = checked_phone(phone) if phone else None
    email = rules.checked_email(email) if email else None
    kept = await passwords.hashed(rules.checked_password(password)) if password is not None else None
    async with database.transaction():
        person_id: int | None = await database.fetchval(
            "INSERT INTO people (uid, name, name_latin, search, phone, email, locale, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
            new_uid(), name, name_latin, search_words(name, name_latin), phone, email, locale, clock.now(),
        )
        if person_id is None:
            raise AlreadyKnown()
        if kept is not None:
            await database.execute("INSERT INTO accounts (person, password_hash) VALUES ($1, $2)", person_id, kept)
        await record(actor, "add_person", "person", person_id, after={"name": name, "account": kept is not None})
    return person_id


async def grant(actor: Actor, person_id: int, role: Role, scope: Scope, scope_id: int | None = None) -> None:
    """Give a role; a role already held stays as it is.

    Raises:
        Forbidden: the actor may not hand out this role there.
        Invalid: the role does not go with the scope.
    """
    if not can_grant(actor, scope, scope_id):
        raise Forbidden()
    if (role in MERCHANT_ROLES) != (scope == "merchant"):
        raise Invalid.field("role", N_("This role does not go with this scope."))
    async with database.transaction():
        site_id, merchant_id = (scope_id if scope == s else None for s in ("site", "merchant"))
        grant_id = await database.fetchval(
            "INSERT INTO grants (uid, person, role, scope, site, merchant) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT DO NOTHING RETURNING id", new_uid(), person_id, role, scope, site_id, merchant_id,
        )
        if grant_id is not None:
            await record(actor, "grant", "person", person_id, merchant_id=merchant_id,
                         after={"role": role, "scope": scope, "scope_id": scope_id})


async def end_grant(actor: Actor, person_id: int, role: Role, scope: Scope, scope_id: int | None = None) -> None:
    """Take a role away; it is gone with the person's next request.

    Raises:
        Forbidden: the actor may not.
        NotFound: the person does not hold it.
    """
    leaves_alone = scope == "merchant" and actor.person_id == person_id
    if not leaves_alone and not can_grant(actor, scope, scope_id):
        raise Forbidden()
    async with database.transaction():
        ended = await database.execute(
            "UPDATE grants SET ended_at = $5 WHERE person = $1 AND role = $2 AND scope = $3"
            " AND coalesce(site, merchant) IS NOT DISTINCT FROM $4 AND ended_at IS NULL",
            person_id, role, scope, scope_id, clock.now(),
        )
        if not ended:
            raise NotFound()
        if scope == "merchant":
            await database.execute(
                "UPDATE sign_ins SET acting_merchant = NULL WHERE person = $1 AND acting_merchant = $2 AND NOT EXISTS"
                " (SELECT 1 FROM grants WHERE person = $1 AND merchant = $2 AND ended_at IS NULL)", person_id, scope_id)
        await record(actor, "end_grant", "person", person_id, merchant_id=scope_id if scope == "merchant" else None,
                     before={"role": role, "scope": scope, "scope_id": scope_id})
        await publish("RightsEnded", {"person": person_id}, actor.request_id)


def can_grant(actor: Actor, scope: Scope, scope_id: int | None) -> bool:
    """May this actor hand out and take away roles there? Those of the house, their own included, administrators alone."""
    if scope == "merchant" and scope_id is not None:
        return actor.has(Role.STAFF, Role.MANAGER, Role.ADMIN) or actor.belongs_to(scope_id, Role.OWNER)
    return actor.has(Role.ADMIN)


async def sign_in(login: str, password: str, agent: str = "") -> str:
    """Check login (phone or e-mail) and password, and return the new cookie token; always a fresh one.

    Raises:
        WrongSignIn: they do not fit, or the account is closed; the work done is the same in each case.
    """
    login = rules.as_login(login)
    row = await database.fetchrow(
        "SELECT p.id, a.password_hash, a.disabled_at FROM people p JOIN accounts a ON a.person = p.id"
        " WHERE p.phone = $1 OR p.email = $1", login)
    fits = await passwords.matches(password[: passwords.LONGEST], row["password_hash"] if row else None)
    if row is None or not fits or row["disabled_at"] is not None:
        raise WrongSignIn()
    return await _open_sign_in(row["id"], agent)


async def _open_sign_in(person_id: int, agent: str) -> str:
    token = secrets.token_urlsafe(32)
    grants = await database.fetch(
        "SELECT scope, merchant FROM grants WHERE person = $1 AND ended_at IS NULL ORDER BY id", person_id)
    is_staff = any(row["scope"] != "merchant" for row in grants)
    acting = next((row["merchant"] for row in grants if row["merchant"] is not None), None)
    await database.execute(
        "INSERT INTO sign_ins (token_hash, person, acting_merchant, is_staff, expires_at, agent)"
        " VALUES ($1, $2, $3, $4, now() + $5::interval, $6)",
        token_hash(token), person_id, acting, is_staff, STAFF_LONGEST if is_staff else MERCHANT_LONGEST, agent[:200],
    )
    return token


async def sign_out(token: str) -> None:
    """Close the sign-in of this cookie; closing it twice is fine."""
    await database.execute("DELETE FROM sign_ins WHERE token_hash = $1", token_hash(token))


async def act_for(actor: Actor, token: str, merchant_id: int | None) -> None:
    """Choose the merchant for whom the signed-in person acts; None for nobody.

    Raises:
        Forbidden: the person does not belong to it.
    """
    if merchant_id is not None and not actor.belongs_to(merchant_id):
        raise Forbidden()
    await database.execute("UPDATE sign_ins SET acting_merchant = $2 WHERE token_hash = $1", token_hash(token), merchant_id)


async def change_password(actor: Actor, old: str, new: str, keep_token: str | None = None) -> None:
    """Set a new password and close all other sign-ins of the person; a notice names the API tokens that live on.

    Raises:
        Forbidden: nobody is signed in.
        Invalid: the old one does not fit, or the new one is weak.
    """
    if actor.person_id is None:
        raise Forbidden()
    kept = await database.fetchval("SELECT password_hash FROM accounts WHERE person = $1", actor.person_id)
    if not await passwords.matches(old[: passwords.LONGEST], kept):
        raise Invalid.field("old", N_("This is not your present password."))
    fresh = await passwords.hashed(rules.checked_password(new, "new"))
    async with database.transaction():
        await database.execute("UPDATE accounts SET password_hash = $2 WHERE person = $1", actor.person_id, fresh)
        await database.execute("DELETE FROM sign_ins WHERE person = $1 AND token_hash <> $2",
                               actor.person_id, token_hash(keep_token or ""))
        await record(actor, "change_password", "person", actor.person_id)
        await _tell_of_tokens(actor.person_id)


async def _tell_of_tokens(person_id: int) -> None:
    """Say which API tokens a new password leaves alive: programs go on, and so would a thief's."""
    rows = await database.fetch(
        "SELECT label FROM api_tokens WHERE person = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY id", person_id)
    if rows:
        await tell(person_id, f"tokens-left:{new_uid()}", TOKENS_LEFT, {"tokens": [row["label"] for row in rows]}, "/notices")


async def set_locale(actor: Actor, locale: str) -> None:
    """Keep the language of a signed-in person."""
    await database.execute("UPDATE people SET locale = $2 WHERE id = $1", actor.person_id, locale)


async def create_token(actor: Actor, person_id: int, label: str, *, days: int = 90, can_write: bool = True) -> str:
    """Make an API token for a person and return it; it is shown this once, only its hash is kept.

    Raises:
        Forbidden: only the person and administrators may.
    """
    if actor.person_id != person_id and not actor.has(Role.ADMIN):
        raise Forbidden()
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    async with database.transaction():
        token_id = await database.fetchval(
            "INSERT INTO api_tokens (token_hash, person, label, can_write, expires_at)"
            " VALUES ($1, $2, $3, $4, now() + $5::interval) RETURNING id",
            token_hash(token), person_id, label, can_write, timedelta(days=days),
        )
        await record(actor, "create_token", "api_token", token_id, after={"person": person_id, "label": label, "days": days})
    return token


async def revoke_token(actor: Actor, token_id: int) -> None:
    """End an API token at once; a second time changes nothing.

    Raises:
        NotFound: no such token, or not visible to the actor: only the person and administrators see it.
    """
    person_id = await database.fetchval("SELECT person FROM api_tokens WHERE id = $1", token_id)
    if person_id is None or (actor.person_id != person_id and not actor.has(Role.ADMIN)):
        raise NotFound()
    async with database.transaction():
        if await database.execute("UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", token_id):
            await record(actor, "revoke_token", "api_token", token_id, before={"person": person_id})


async def close_account(actor: Actor, person_id: int, reason: str) -> None:
    """Keep a person out: sign-ins and API tokens end with their next request, open controls within 5 s; closing twice is fine.

    Roles stay, so that the account can be opened again with another password; tokens stay revoked.

    Raises:
        Forbidden: only administrators may.
        NotFound: the person has no account.
        Invalid: no reason, or a very long one.
    """
    reason = await _may_settle(actor, person_id, reason)
    async with database.transaction():
        await database.execute("UPDATE accounts SET disabled_at = coalesce(disabled_at, $2) WHERE person = $1",
                               person_id, clock.now())
        await database.execute("DELETE FROM sign_ins WHERE person = $1", person_id)
        await database.execute("UPDATE api_tokens SET revoked_at = now() WHERE person = $1 AND revoked_at IS NULL", person_id)
        await record(actor, "close_account", "person", person_id, reason=reason)
        await publish("RightsEnded", {"person": person_id}, actor.request_id)


async def open_account(actor: Actor, person_id: int, reason: str, password: str | None = None) -> None:
    """Let a person in again; with a `password` the old one, which somebody else may know, fits no more.

    Raises:
        Forbidden, NotFound: as `close_account`.
        Invalid: no reason, a very long one, or a weak password.
    """
    reason = await _may_settle(actor, person_id, reason)
    fresh = None if password is None else await passwords.hashed(rules.checked_password(password))
    async with database.transaction():
        await database.execute(
            "UPDATE accounts SET disabled_at = NULL, password_hash = coalesce($2, password_hash) WHERE person = $1",
            person_id, fresh)
        await database.execute("DELETE FROM sign_ins WHERE person = $1", person_id)  # one that began while it was being closed
        await record(actor, "open_account", "person", person_id, after={"new_password": fresh is not None}, reason=reason)


async def _may_settle(actor: Actor, person_id: int, reason: str) -> str:
    if not actor.has(Role.ADMIN):
        raise Forbidden()
    if not await database.fetchval("SELECT 1 FROM accounts WHERE person = $1", person_id):
        raise NotFound()
    reason = bounded(reason, "reason")
    if not reason:
        raise Invalid.field("reason", N_("Say why."))
    return reason


async def known_person(login: str) -> int | None:
    """Return the id of the person on file with this phone number or e-mail address, None when there is none."""
    found: int | None = await database.fetchval("SELECT id FROM people WHERE phone = $1 OR email = $1", rules.as_login(login))
    return found
