"""The sheet that books or moves: what the form holds, what the house finds about it, and what would work instead."""

import secrets
from collections.abc import Awaitable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from booking.calendars.queries import calendars_of
from booking.calendars.rules import open_spans
from booking.offers import queries as offers
from booking.reservations import rights
from booking.reservations.planning import for_whom
from booking.reservations.precheck import Precheck, precheck, precheck_move
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Changes, Wish
from booking.units import queries as units
from booking.units.queries import UnitFacts
from frontend import i18n
from frontend.pages.booking_checks import lines_of, lines_of_refusal
from frontend.pages.booking_words import (
    Finding,
    Other,
    day_of,
    field_texts,
    local_day,
    local_hour,
    name_of,
    others,
    refusal_text,
    span_of,
)
from frontend.pages.schedule import STEP, Frame, frame_of
from frontend.render import share
from incubator.accounts.queries import person_id_by_uid
from incubator.ground import clock
from incubator.ground.errors import N_, FieldError, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants import queries as merchants
from incubator.sites.queries import SiteFacts

PAGE_KEY_BYTES = 12
DEFAULT_LENGTH = timedelta(hours=2)
NOTHING_LEFT = N_("nothing left this week")


class Wanted(msgspec.Struct, frozen=True):
    """What somebody wants to book or move, as the form says it; `move` is the reservation that is moved."""

    kind: str
    space: str
    date: str
    starts: str
    ends: str
    title: str = ""
    host: str = ""
    merchant: str = ""
    page_key: str = ""
    hold: str = ""
    hold_version: str = ""
    version: str = ""
    move: ReservationFacts | None = None


class QuotaBar(msgspec.Struct, frozen=True):
    """The merchant's week as a bar, in percent."""

    text: str
    left: str
    used: int
    added: int
    is_short: bool


class Sheet(msgspec.Struct, frozen=True):
    """Everything that the templates of the sheet show."""

    action: str
    heading: str
    whom: str
    close_url: str
    is_move: bool
    move: str
    kind: str
    space: str
    spaces: Sequence[tuple[str, str]]
    date: str
    starts: str
    ends: str
    times: Sequence[tuple[str, str]]
    title: str
    host: str
    hosts: Sequence[tuple[str, str]]
    merchant: str
    page_key: str
    hold: str
    hold_version: str
    version: str
    quota: QuotaBar | None
    findings: Sequence[Finding]
    alternatives: Sequence[Other]
    is_bad: bool
    errors: Mapping[str, str]
    refusal: str


def wanted_of(fields: Mapping[str, str], move: ReservationFacts | None = None) -> Wanted:
    """Return what a form says; an alternative that was chosen without scripts takes the place of room and time."""
    names = ("kind", "space", "date", "title", "host", "page_key", "hold", "hold_version", "version")
    said = {name: fields.get(name, "") for name in names}
    said |= {"starts": fields.get("from", ""), "ends": fields.get("to", ""), "merchant": fields.get("for", "")}
    chosen = fields.get("choose", "").split(" ")
    if len(chosen) == 4:
        said |= dict(zip(("space", "date", "starts", "ends"), chosen, strict=True))
    return Wanted(**said, move=move)


async def merchant_for(actor: Actor, site: SiteFacts, text: str) -> int | None:
    """Return for whom one books: staff for whom they chose, others for the merchant they act for, or their only one."""
    uid = uid_of(text) if rights.is_staff(actor, site.id) else None
    return for_whom(actor, site.id, None if uid is None else await merchants.merchant_id_by_uid(uid))


def uid_of(text: str) -> UUID | None:
    """Return a public id, None when the text is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def space_of(wanted: Wanted) -> UnitFacts:
    """Return the space that a form names.

    Raises:
        Invalid: none, an unknown one, or one that was taken out of use.
    """
    uid = uid_of(wanted.space)
    try:
        found = None if uid is None else await units.unit(uid)
    except NotFound:
        found = None
    if found is None or found.is_retired or found.kind == "person":
        raise Invalid.field("space_id", N_("Choose a room."))
    return found


async def host_of(wanted: Wanted) -> int | None:
    """Return the person who presents, None when nobody is named.

    Raises:
        Invalid: somebody unknown.
    """
    if not wanted.host:
        return None
    uid = uid_of(wanted.host)
    found = None if uid is None else await person_id_by_uid(uid)
    if found is None:
        raise Invalid.field("host_id", N_("Choose a person of this merchant."))
    return found


async def wish_of(actor: Actor, site: SiteFacts, wanted: Wanted) -> Wish:
    """Return a form as a wish.

    Raises:
        Invalid: fields that cannot be read, all at once.
    """
    errors: list[FieldError] = []
    found: dict[str, Any] = {}
    parts: dict[str, Awaitable[Any]] = {"space": space_of(wanted), "host": host_of(wanted), "span": wanted_span(wanted, site)}
    for name, part in parts.items():
        try:
            found[name] = await part
        except Invalid as refusal:
            errors.extend(refusal.errors)
    if errors:
        raise Invalid(errors)
    merchant_id = await merchant_for(actor, site, wanted.merchant)
    return Wish(found["space"].uid, found["span"].starts_at, found["span"].ends_at, wanted.title, merchant_id, found["host"])


async def wanted_span(wanted: Wanted, site: SiteFacts) -> Span:
    """Return the time of use that a form names.

    Raises:
        Invalid: a day or time that is none.
    """
    return span_of(wanted.date, wanted.starts, wanted.ends, site)


async def sheet_of(actor: Actor, site: SiteFacts, wanted: Wanted, refusal: KaiboError | None = None) -> Sheet:
    """Return the sheet for what somebody wants; after a refusal with its words, and the input kept."""
    merchant_id = wanted.move.merchant_id if wanted.move else await merchant_for(actor, site, wanted.merchant)
    found = await _judge(actor, site, wanted)
    return Sheet(
        action=f"/reservations/{wanted.move.uid}/move" if wanted.move else "/reservations/new",
        heading=_heading(found, wanted), whom=await _whom(actor, site, wanted, merchant_id),
        close_url=f"/days/{wanted.date}?{urlencode({'kind': wanted.kind, 'for': wanted.merchant})}",
        is_move=wanted.move is not None, move=str(wanted.move.uid) if wanted.move else "", kind=wanted.kind,
        space=wanted.space,
        spaces=[(str(unit.uid), name_of(unit)) for unit in found.units], date=wanted.date, starts=wanted.starts,
        ends=wanted.ends, times=[(text, text) for text in found.times], title=wanted.title, host=wanted.host,
        hosts=await _hosts(merchant_id), merchant=wanted.merchant,
        page_key=wanted.page_key or secrets.token_urlsafe(PAGE_KEY_BYTES), hold=wanted.hold, hold_version=wanted.hold_version,
        version=wanted.version or (str(wanted.move.version) if wanted.move else ""), quota=found.quota, findings=found.findings,
        alternatives=found.alternatives, is_bad=found.is_bad, errors=field_texts(refusal) if refusal else {},
        refusal="" if refusal is None or isinstance(refusal, Invalid) else refusal_text(refusal))


class Judged(msgspec.Struct, frozen=True):
    """What is found about a wish; without `span` its fields do not make sense, and the findings say why."""

    units: Sequence[UnitFacts]
    times: Sequence[str]
    unit: UnitFacts | None = None
    span: Span | None = None
    findings: Sequence[Finding] = ()
    alternatives: Sequence[Other] = ()
    quota: QuotaBar | None = None
    is_bad: bool = False


async def _judge(actor: Actor, site: SiteFacts, wanted: Wanted) -> Judged:
    """Look at a wish without touching anything: what is found is what the verb would refuse."""
    shown = await units.spaces(site.id, [wanted.kind])
    times = await times_of(site, shown, day_of(wanted.date) or site.local_date(clock.now()))
    unit = None
    try:
        unit = await space_of(wanted)
        found = await _found(actor, site, wanted, unit)
    except KaiboError as refusal:
        return Judged(shown, times, unit, findings=lines_of_refusal(refusal, is_chosen=bool(wanted.space)), is_bad=True)
    span = span_of(wanted.date, wanted.starts, wanted.ends, site)
    quota = None if found.quota is None else quota_bar(found.quota.limit_min, found.quota.used_min, span.minutes)
    return Judged(shown, times, unit, span, lines_of(found.findings), others(found.alternatives[:4], site), quota,
                  not found.is_ok)


async def _found(actor: Actor, site: SiteFacts, wanted: Wanted, unit: UnitFacts) -> Precheck:
    if wanted.move is None:
        return await precheck(actor, await wish_of(actor, site, wanted), wanted.page_key or None)
    span = span_of(wanted.date, wanted.starts, wanted.ends, site)
    return await precheck_move(actor, wanted.move.uid, Changes(span.starts_at, span.ends_at, unit.uid))


def quota_bar(limit_min: int | None, used_min: int, wanted_min: int = 0) -> QuotaBar | None:
    """Return a merchant's week as a bar; None without limit."""
    if limit_min is None:
        return None
    used, wanted, limit = (timedelta(minutes=minutes) for minutes in (used_min, wanted_min, limit_min))
    left = limit - used
    text = i18n.translate(N_("{used} used + {wanted} now of {limit}") if wanted_min else N_("{used} used of {limit}"),
                          {"used": used, "wanted": wanted, "limit": limit})
    is_left = left > timedelta()
    words = i18n.translate(N_("{left} left this week"), {"left": left}) if is_left else i18n.gettext(NOTHING_LEFT)
    used_share = share(used_min, limit_min)
    added = min(share(wanted_min, limit_min), 100 - used_share)
    return QuotaBar(text, words, used_share, added, wanted > left or not is_left)


async def times_of(site: SiteFacts, shown: Sequence[UnitFacts], day: date) -> list[str]:
    """Return the times that the selects offer: the steps of the day's opening hours."""
    frame = await day_frame(site, shown, day)
    step = max(min((unit.step_min for unit in shown), default=15), 5) // 5
    found = [local_hour(frame.span.starts_at + number * STEP, site) for number in range(0, frame.steps + 1, step)]
    return list(dict.fromkeys(found))


async def day_frame(site: SiteFacts, shown: Sequence[UnitFacts], day: date) -> Frame:
    """Return the visible hours of a day for these rooms."""
    whole = site.day(day)
    calendars = await calendars_of(shown, whole)
    opened = [span for calendar in set(calendars.values()) for span in open_spans(calendar, site.zone, whole)]
    return frame_of(site, day, opened)


async def _hosts(merchant_id: int | None) -> list[tuple[str, str]]:
    if merchant_id is None:
        return []
    return [(str(one.person_uid), i18n.person(one.name, one.name_latin)) for one in await merchants.members(merchant_id)]


async def _whom(actor: Actor, site: SiteFacts, wanted: Wanted, merchant_id: int | None) -> str:
    """Return for whom staff book or move, empty for everybody else: they book for themselves."""
    if not rights.is_staff(actor, site.id):
        return ""
    if merchant_id is None:
        return i18n.gettext(N_("For the centre"))
    name = wanted.move.merchant_name if wanted.move else (await merchants.names({merchant_id}))[merchant_id]
    return i18n.translate(N_("For {merchant}"), {"merchant": name})


def _heading(found: Judged, wanted: Wanted) -> str:
    if found.unit is None:
        return i18n.gettext(N_("Move") if wanted.move else N_("New booking"))
    if found.span is None:
        return name_of(found.unit)
    return i18n.translate(N_("{room} {span:hours}"), {"room": name_of(found.unit), "span": found.span})


async def usual_wish(site: SiteFacts, kind: str, day: date, merchant: str) -> Wanted:
    """Return what a fresh form suggests: the first slot of two hours that is free on that day, else the first hours of a room."""
    found = await offers.offers(site, day, int(DEFAULT_LENGTH.total_seconds()) // 60, kind)
    first = min((one for group in found.groups for one in group.offers), key=lambda one: one.span, default=None)
    if first is not None:
        return _wish(site, kind, str(first.space_id), first.span, merchant)
    shown = await units.spaces(site.id, [kind])
    if not shown:
        return Wanted(kind, "", day.isoformat(), "", "", merchant=merchant)
    opens = (await day_frame(site, shown, day)).span.starts_at
    return _wish(site, kind, str(shown[0].uid), Span(opens, opens + DEFAULT_LENGTH), merchant)


def _wish(site: SiteFacts, kind: str, space: str, span: Span, merchant: str) -> Wanted:
    return Wanted(kind, space, local_day(span.starts_at, site), local_hour(span.starts_at, site),
                  local_hour(span.ends_at, site), merchant=merchant)
