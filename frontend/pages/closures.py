"""Closing rooms for a while: what is closed, a form that lists the bookings in the way before it closes, and lifting."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from booking.calendars import queries, rights, service
from booking.calendars.queries import ClosureFacts, Hit
from booking.calendars.service import BookingsHit, Extent
from booking.units.queries import UnitFacts, spaces
from booking.units.rules import KIND_NAMES
from frontend import formats, i18n
from frontend.auth import signed_in
from frontend.feeds_days import announce_closure_quietly
from frontend.pages.booking_sheet import uid_of
from frontend.pages.booking_words import (
    Chip,
    chip,
    day_of,
    field_texts,
    hours_text,
    local_day,
    local_hour,
    moment_of,
    name_of,
    near_day,
    span_text,
)
from frontend.pages.undo import Undo
from frontend.views import AnyRequest, app_redis, form_lists, fragment, page, see_other
from incubator.ground import clock
from incubator.ground.errors import N_, FieldError, Forbidden, Invalid
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts, first_site

WHOLE = "site"  # stands in the form for the whole centre
KIND = "kind:"  # and this, with a kind behind it, for all rooms of the kind
MANY = 12  # rooms of one kind that are shown without being asked for
STEP_MIN = 30
NAMED = 4
TIMES = [(text, text) for text in (f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 24 * 60 + 1, STEP_MIN))]
DONE = {"closed": N_("Closed: {rooms}, {span}."), "lifted": N_("Open again: {rooms}, {span}.")}
Fields = Mapping[str, Sequence[str]]


class HitRow(msgspec.Struct, frozen=True):
    """A booking in the way."""

    href: str
    time: str
    room: str
    title: str
    who: str
    chip: Chip


class ClosureRow(msgspec.Struct, frozen=True):
    """A closure in the list, with the bookings that still lie in it."""

    uid: str
    rooms: str
    span: str
    reason: str
    by: str
    is_running: bool
    hits: Sequence[HitRow]


class KindRows(msgspec.Struct, frozen=True):
    """The rooms of one kind in the form: `value` stands for all of them; many are folded while none of them is chosen."""

    value: str
    name: str
    rooms: Sequence[tuple[str, str]]
    is_folded: bool


class Filled(msgspec.Struct, frozen=True):
    """The form as it was filled in."""

    rooms: frozenset[str]
    from_date: str
    starts: str
    to_date: str
    ends: str
    reason: str = ""
    reason_en: str = ""


class Precheck(msgspec.Struct, frozen=True):
    """What the form would hit; `hits` None: too little is said yet. `seen` is what the form sends back."""

    hits: Sequence[HitRow] | None
    seen: str = ""


def filled_of(fields: Fields, site: SiteFacts) -> Filled:
    """Return what a form or address says; what is not said is today from this half hour to midnight."""
    now = clock.now().astimezone(site.zone)
    usual = {"from_date": f"{now:%Y-%m-%d}", "from": f"{now:%H}:{now.minute // STEP_MIN * STEP_MIN:02}", "to": "24:00"}
    said = {name: texts[-1] for name, texts in fields.items() if texts}
    first = said.get("from_date") or usual["from_date"]
    rooms = frozenset(uid for text in fields.get("room", ()) for uid in text.split())
    return Filled(rooms, first, said.get("from") or usual["from"], said.get("to_date") or first, said.get("to") or usual["to"],
                  said.get("reason", ""), said.get("reason_en", ""))


def _parsed(filled: Filled, units: Sequence[UnitFacts], site: SiteFacts) -> tuple[Extent, Span]:
    """Return what the form closes, and when.

    Raises:
        Invalid: fields that cannot be read, all at once.
    """
    errors: list[FieldError] = []
    starts = _moment(filled.from_date, filled.starts, ("from_date", "starts_at"), site, errors)
    ends = _moment(filled.to_date, filled.ends, ("to_date", "ends_at"), site, errors)
    chosen = tuple(unit.id for unit in units if {str(unit.uid), KIND + unit.kind} & filled.rooms)
    is_whole = WHOLE in filled.rooms
    if not is_whole and not chosen:
        errors.append(FieldError("unit_id", N_("Choose at least one room.")))
    if errors or starts is None or ends is None:
        raise Invalid(errors)
    return Extent(site_id=site.id) if is_whole else Extent(chosen), Span(starts, ends).checked()


def _moment(day_text: str, text: str, names: tuple[str, str], site: SiteFacts, errors: list[FieldError]) -> datetime | None:
    """Return the moment that two fields say; None with an error under the name of the wrong one."""
    day = day_of(day_text)
    if day is None:
        errors.append(FieldError(names[0], N_("Choose a day.")))
        return None
    found = moment_of(day, text, site)
    if found is None:
        errors.append(FieldError(names[1], N_("Choose a time.")))
    return found


async def precheck_of(filled: Filled, units: Sequence[UnitFacts], site: SiteFacts) -> Precheck:
    """Return the bookings that the form would hit, as far as it can be read."""
    try:
        extent, span = _parsed(filled, units, site)
    except Invalid:
        return Precheck(None)
    ids = [unit.id for unit in units] if extent.site_id is not None else extent.unit_ids
    hits = (await queries.hits_of([(ids, span)]))[0]
    return Precheck([hit_row(hit) for hit in hits], " ".join(str(hit.uid) for hit in hits))


def hit_row(hit: Hit) -> HitRow:
    """Return a booking in the way as a line."""
    room = i18n.either(hit.unit_name, hit.unit_name_en)
    return HitRow(f"/reservations/{hit.uid}", f"{near_day(hit.starts_at)} {hours_text(hit.span)}", room, hit.title or hit.number,
                  hit.merchant_name or i18n.person(hit.person_name, hit.person_latin), chip(hit.state))


def rooms_text(closure: ClosureFacts, units: Sequence[UnitFacts]) -> str:
    """Return what is closed in words: the whole centre, or kinds that are closed whole, the first rooms, and how many more."""
    if closure.is_whole:
        return i18n.gettext(N_("The whole centre"))
    names = []
    for kind, found in _by_kind(units).items():
        closed = [unit for unit in found if unit.id in closure.unit_ids]
        is_all = len(closed) == len(found) > 1
        names += [all_of(kind, len(found))] if is_all else [name_of(unit) for unit in closed]
    shown = formats.listing(names[:NAMED], i18n.speech())
    more = len(names) - NAMED
    return i18n.translate(N_("{names} and {count} more"), {"names": shown, "count": more}) if more > 0 else shown


def _reason(closure: ClosureFacts) -> str:
    return i18n.either(closure.reason, closure.reason_en)


def _row(closure: ClosureFacts, hits: Sequence[Hit], units: Sequence[UnitFacts]) -> ClosureRow:
    by = i18n.person(closure.closed_by, closure.closed_by_latin)
    return ClosureRow(str(closure.uid), rooms_text(closure, units), span_text(closure.span), _reason(closure), by,
                      closure.span.starts_at <= clock.now(), [hit_row(hit) for hit in hits])


async def _show(request: AnyRequest, actor: Actor, filled: Filled, refusal: Invalid | BookingsHit | None = None) -> Response[Any]:
    """Render the page; after a refusal with the form as it was filled in."""
    site = await first_site()
    units = await spaces(site.id)
    coming = await queries.coming_closures(site.id)
    hits = await queries.hits_of([(one.unit_ids, one.span) for one in coming])
    may_close = rights.can_close(actor, site.id)
    done, undo = await _done(request.query_params, units, site, may_close=may_close)
    return await page(
        request, "closures.html", status=200 if refusal is None else 422 if isinstance(refusal, Invalid) else 409, filled=filled,
        rows=[_row(one, found, units) for one, found in zip(coming, hits, strict=True)], kinds=_kinds(units, filled),
        times=TIMES,
        precheck=await precheck_of(filled, units, site), may_close=may_close, done_text=done, undo=undo, whole=WHOLE, many=MANY,
        errors={} if refusal is None else field_texts(refusal), is_hit=isinstance(refusal, BookingsHit),
        day_href=f"/days/{filled.from_date if day_of(filled.from_date) else site.local_date(clock.now())}")


def _by_kind(units: Sequence[UnitFacts]) -> dict[str, list[UnitFacts]]:
    """Return units by kind, in the order of the schedule."""
    found: dict[str, list[UnitFacts]] = {}
    for unit in units:
        found.setdefault(unit.kind, []).append(unit)
    return found


def all_of(kind: str, count: int) -> str:
    """Return what stands for all rooms of a kind: `Desks, all 24`."""
    return i18n.translate(N_("{kind}, all {count}"), {"kind": i18n.gettext(KIND_NAMES[kind]), "count": count})


def _kinds(units: Sequence[UnitFacts], filled: Filled) -> list[KindRows]:
    """Return the rooms of the form by kind."""
    found = []
    for kind, some in _by_kind(units).items():
        rooms = [(str(unit.uid), name_of(unit)) for unit in some]
        is_folded = len(rooms) > MANY and not filled.rooms & {uid for uid, _ in rooms}
        found.append(KindRows(KIND + kind, all_of(kind, len(rooms)), rooms, is_folded))
    return found


async def _done(asked: Mapping[str, str], units: Sequence[UnitFacts], site: SiteFacts, *,
                may_close: bool) -> tuple[str, Undo | None]:
    """Return what was just done, and the form that takes it back."""
    msgid, uid = DONE.get(asked.get("done", "")), uid_of(asked.get("closure", ""))
    found = await queries.closure(uid) if msgid is not None and uid is not None else None
    if msgid is None or found is None:
        return "", None
    text = i18n.translate(msgid, {"rooms": rooms_text(found, units), "span": span_text(found.span)})
    if not may_close or (found.lifted_at is None) != (msgid == DONE["closed"]):
        return text, None
    return text, Undo(f"/closures/{found.uid}/lift", {}) if found.lifted_at is None else await _close_again(found, units, site)


async def _close_again(found: ClosureFacts, units: Sequence[UnitFacts], site: SiteFacts) -> Undo | None:
    """Return the form that closes anew what was lifted; None when that lies in the past."""
    if found.span.ends_at <= clock.now():
        return None
    rooms = WHOLE if found.is_whole else " ".join(str(unit.uid) for unit in units if unit.id in found.unit_ids)
    ends = found.span.ends_at - timedelta(seconds=1)  # midnight belongs to the day that it ends
    hits = (await queries.hits_of([(found.unit_ids, found.span)]))[0]
    is_midnight = local_hour(found.span.ends_at, site) == "00:00"
    return Undo("/closures", {
        "room": rooms, "from_date": local_day(found.span.starts_at, site), "from": local_hour(found.span.starts_at, site),
        "to_date": local_day(ends, site), "to": "24:00" if is_midnight else local_hour(found.span.ends_at, site),
        "reason": found.reason, "reason_en": found.reason_en,
        "seen": " ".join(str(hit.uid) for hit in hits)})


@get("/closures", include_in_schema=False)
async def closures_page(request: AnyRequest) -> Response[Any]:
    """Show what is closed now and later, and the form; the address may choose rooms and a day."""
    actor, site = signed_in(request), await first_site()
    if not (actor.may_read_all or rights.can_close(actor, site.id)):
        raise Forbidden()
    return await _show(request, actor, filled_of(_asked(request), site))


def _asked(request: AnyRequest) -> Fields:
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(str(value))
    return found


@get("/closures/check", include_in_schema=False)
async def check(request: AnyRequest) -> Response[Any]:
    """List the bookings that the form would hit, before it is sent; changes nothing."""
    actor, site = signed_in(request), await first_site()
    if not rights.can_close(actor, site.id):
        raise Forbidden()
    found = await precheck_of(filled_of(_asked(request), site), await spaces(site.id), site)
    return fragment(request, "_closure_check.html", precheck=found, is_hit=False)


@post("/closures", include_in_schema=False, status_code=200)
async def close(request: AnyRequest) -> Response[Any]:
    """Close; where bookings lie in the way that the form has not shown, they are shown first."""
    actor, site = signed_in(request), await first_site()
    fields = await form_lists(request)
    filled = filled_of(fields, site)
    seen = [uid for text in fields.get("seen", ()) for uid in map(uid_of, text.split()) if uid is not None]
    try:
        if not rights.can_close(actor, site.id):
            raise Forbidden()
        extent, span = _parsed(filled, await spaces(site.id), site)
        closed = await service.close(actor, extent, span, reason=filled.reason, reason_en=filled.reason_en,
                                     seen=seen)
    except (Invalid, BookingsHit) as refusal:
        return await _show(request, actor, filled, refusal)
    await announce_closure_quietly(app_redis(request), closed.uid)
    return see_other(request, f"/closures?done=closed&closure={closed.uid}")


@post("/closures/{uid:uuid}/lift", include_in_schema=False, status_code=200)
async def lift(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Open again before the time."""
    actor = signed_in(request)
    await form_lists(request)
    await service.lift(actor, uid)
    await announce_closure_quietly(app_redis(request), uid)
    return see_other(request, f"/closures?done=lifted&closure={uid}")


HANDLERS = (closures_page, check, close, lift)
