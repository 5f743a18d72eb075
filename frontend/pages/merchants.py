"""Merchants: the list with search, and one merchant whole."""

from datetime import date
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from booking.reservations import queries as reservations
from frontend import i18n
from frontend.auth import signed_in
from frontend.errors import status_of
from frontend.limits import count
from frontend.pages.booking_sheet import uid_of
from frontend.pages.booking_words import chip
from frontend.pages.merchant_history import history_of
from frontend.views import AnyRequest, app_redis, form, form_lists, page, see_other, version_of
from frontend.ways import knows_merchants
from incubator.accounts.queries import person_id_by_uid
from incubator.ground import clock
from incubator.ground.audit.service import record_look
from incubator.ground.errors import Forbidden, Invalid, KaiboError, NotFound
from incubator.ground.rights import MERCHANT_ROLES, ROLE_NAMES, Actor, Role
from incubator.invitations import queries as invitations, service as invitation_service
from incubator.merchants import queries, rights, rules, service
from incubator.merchants.queries import MerchantFile
from incubator.sites.queries import first_site
from studio.live_sessions import queries as live_sessions

PROFILE_FIELDS = ("name", "short_name", "kind", "credit_code", "contact_name", "contact_phone", "town", "products")
INVITATIONS_PER_HOUR = 10
FORM_FIELDS = (*PROFILE_FIELDS, "status", "reason", "platform", "url", "opened_on", "login")


@get("/merchants", include_in_schema=False)
async def merchants_page(request: AnyRequest) -> Response[Any]:
    """List the merchants that the actor may see; who belongs to one and sees no other goes straight to it."""
    actor = signed_in(request)
    search, after = request.query_params.get("q", ""), request.query_params.get("after", "")
    rows = await queries.merchants(actor, search, after, limit=51)
    if len(rows) == 1 and not (search or knows_merchants(actor)):
        return see_other(request, f"/merchants/{rows[0].uid}")
    more = rows[49].name if len(rows) > 50 else ""
    return await page(request, "merchants.html", merchants=rows[:50], q=search, next=more,
                      can_register=rights.can_register(actor), kinds=rules.KINDS, statuses=rules.STATUSES,
                      names_only=not actor.may_read_all and knows_merchants(actor))


@get("/merchants/new", include_in_schema=False)
async def new_page(request: AnyRequest) -> Response[Any]:
    """Show the form for a new merchant."""
    if not rights.can_register(signed_in(request)):
        raise Forbidden()
    return await page(request, "merchant_new.html", kinds=rules.KINDS, values=dict.fromkeys(PROFILE_FIELDS, ""), errors={})


@post("/merchants/new", include_in_schema=False, status_code=303)
async def register(request: AnyRequest) -> Response[Any]:
    """Put a merchant on file."""
    actor = signed_in(request)
    fields = await form(request)
    values = {field: fields.get(field, "") for field in PROFILE_FIELDS}
    try:
        done = await service.register(actor, (await first_site()).id, service.Profile(**values))
    except KaiboError as refusal:
        return await page(request, "merchant_new.html", status=status_of(refusal), kinds=rules.KINDS, values=values,
                          errors=_messages(refusal))
    return see_other(request, f"/merchants/{done.uid}{'?warned=1' if done.warnings else ''}")


def _messages(refusal: KaiboError) -> dict[str, str]:
    if isinstance(refusal, Invalid):
        return {error.field: i18n.translate(error.msgid, dict(error.params)) for error in refusal.errors}
    return {"": i18n.translate(refusal.text, refusal.params)}


@get("/merchants/{uid:uuid}", include_in_schema=False)
async def merchant_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show one merchant: profile and shops; to whom may see it whole also members, bookings, live sessions, history."""
    return await _show(request, signed_in(request), uid)


async def _show(request: AnyRequest, actor: Actor, uid: UUID, *, form_name: str = "", values: dict[str, Any] | None = None,
                errors: dict[str, str] | None = None, status: int = 200) -> Response[Any]:
    """Render the merchant's page; after a refusal with the form as it was filled in and its errors."""
    file = await queries.merchant_file(actor, uid)
    is_whole = rights.can_see_whole(actor, file.id)
    warnings = rules.credit_code(file.credit_code, file.kind).warnings if file.credit_code else ()
    sessions = await live_sessions.of_merchant(actor, file.id) if is_whole else []
    can_update = rights.can_update(actor, file.id)
    if can_update and not actor.belongs_to(file.id):  # its form holds what the page masks: contact, phone, credit code
        await record_look(actor, "merchant", file.id)
    return await page(
        request, "merchant.html", status=status, merchant=file, form_name=form_name, values=values or {}, errors=errors or {},
        warnings=[i18n.translate(w.msgid, dict(w.params)) for w in warnings],
        reservations=await reservations.of_merchant(actor, file.id),
        live_sessions=sessions, history=await history_of(file, sessions) if is_whole else [], is_whole=is_whole,
        role_names=ROLE_NAMES,
        kinds=rules.KINDS, statuses=rules.STATUSES, platforms=rules.PLATFORMS, chip=chip, now=clock.now(),
        roles=sorted(MERCHANT_ROLES), can_update=can_update,
        can_change_status=rights.can_change_status(actor), can_change_members=rights.can_change_members(actor, file.id),
        can_add_at_once=rights.can_add_at_once(actor), invited=await invitations.sent(actor, file.id),
    )


async def _change(request: AnyRequest, uid: UUID, name: str, verb: Any) -> Response[Any]:
    """Run one verb of the page on the merchant; a refusal shows the page again with the form kept."""
    actor = signed_in(request)
    lists = await form_lists(request)
    fields = {key: value[-1] for key, value in lists.items()}
    file = await queries.merchant_file(actor, uid)
    try:
        await verb(actor, file, fields, lists)
    except KaiboError as refusal:
        kept = dict.fromkeys(FORM_FIELDS, "") | fields
        return await _show(request, actor, uid, form_name=name, values=kept, errors=_messages(refusal),
                           status=status_of(refusal))
    return see_other(request, f"/merchants/{uid}#{name}")


async def _update(actor: Actor, file: MerchantFile, fields: dict[str, str], _lists: dict[str, list[str]]) -> None:
    await service.update(actor, file.id, version_of(fields), service.Profile(**{f: fields.get(f, "") for f in PROFILE_FIELDS}))


async def _set_status(actor: Actor, file: MerchantFile, fields: dict[str, str], _lists: dict[str, list[str]]) -> None:
    await service.set_status(actor, file.id, version_of(fields), fields.get("status", ""), fields.get("reason", ""))


async def _add_shop(actor: Actor, file: MerchantFile, fields: dict[str, str], _lists: dict[str, list[str]]) -> None:
    await service.add_shop(actor, file.id, platform=fields.get("platform", ""), name=fields.get("name", ""),
                           url=fields.get("url", ""), opened_on=_day(fields.get("opened_on", "")))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def _add_member(actor: Actor, file: MerchantFile, fields: dict[str, str], lists: dict[str, list[str]]) -> None:
    """Add somebody at once where the desk asks, else invite: both answers are the same to an owner."""
    roles = [Role(role) for role in lists.get("roles", []) if role in MERCHANT_ROLES]
    verb = service.add_member if rights.can_add_at_once(actor) else invitation_service.invite
    await verb(actor, file.id, fields.get("login", ""), roles)


async def _remove_member(actor: Actor, file: MerchantFile, fields: dict[str, str], _lists: dict[str, list[str]]) -> None:
    uid = uid_of(fields.get("person", ""))
    person_id = None if uid is None else await person_id_by_uid(uid)
    if person_id is None:
        raise NotFound()
    await service.remove_member(actor, file.id, person_id)


@post("/merchants/{uid:uuid}/profile", include_in_schema=False, status_code=303)
async def update(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Change the profile."""
    return await _change(request, uid, "profile", _update)


@post("/merchants/{uid:uuid}/status", include_in_schema=False, status_code=303)
async def set_status(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Pause the merchant, or take it back."""
    return await _change(request, uid, "status", _set_status)


@post("/merchants/{uid:uuid}/shops", include_in_schema=False, status_code=303)
async def add_shop(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Add a shop."""
    return await _change(request, uid, "shops", _add_shop)


@post("/merchants/{uid:uuid}/members", include_in_schema=False, status_code=303)
async def add_member(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Add a member, or invite somebody; inviting is counted, lest it be used to try numbers."""
    actor = signed_in(request)
    if not rights.can_add_at_once(actor):
        await count(app_redis(request), f"invite:{actor.person_id}", INVITATIONS_PER_HOUR, 3600)
    return await _change(request, uid, "members", _add_member)


@post("/merchants/{uid:uuid}/members/remove", include_in_schema=False, status_code=303)
async def remove_member(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Remove a member."""
    return await _change(request, uid, "members", _remove_member)


@post("/shops/{uid:uuid}/close", include_in_schema=False, status_code=303)
async def close_shop(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Note that a shop was closed today or on the day given."""
    actor = signed_in(request)
    fields = await form(request)
    await service.close_shop(actor, uid, _day(fields.get("closed_on", "")) or clock.now().date())
    return see_other(request, safe_merchant(fields.get("merchant", "")))


def safe_merchant(text: str) -> str:
    """Return the page of the merchant named in a form, or the list."""
    try:
        return f"/merchants/{UUID(text)}#shops"
    except ValueError:
        return "/merchants"


HANDLERS = (
    merchants_page, new_page, register, merchant_page, update, set_status, add_shop, add_member, remove_member, close_shop,
)
