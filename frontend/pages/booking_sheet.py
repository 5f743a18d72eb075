"""The sheet that books or moves: what the form holds, what the house finds about it, and what would work instead."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from booking.calendars.queries import calendars_of
from booking.calendars.rules import open_spans
from booking.offers import queries as offers
from booking.policies.queries import quota_of
from booking.reservations import queries as reservations, rights, rules
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import HostTaken
from booking.units import queries as units
from booking.units.queries import UnitFacts
from frontend import i18n
from frontend.pages.booking_checks import place_findings, place_of
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
from incubator.ground.errors import N_, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants import queries as merchants
from incubator.sites.queries import SiteFacts

PAGE_KEY_BYTES = 12
DEFAULT_LENGTH = timedelta(hours=2)
ENOUGH = N_("Enough quota")
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
    if rights.is_staff(actor, site.id):
        uid = uid_of(text)
        return None if uid is None else await merchants.merchant_id_by_uid(uid)
    if actor.merchant_id is not None or len(actor.merchant_ids) != 1:
        return actor.merchant_id
    return next(iter(actor.merchant_ids))


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


async def sheet_of(actor: Actor, site: SiteFacts, wanted: Wanted, refusal: KaiboError | None = None) -> Sheet:
    """Return the sheet for what somebody wants; after a refusal with its words, and the input kept."""
    merchant_id = wanted.move.merchant_id if wanted.move else await merchant_for(actor, site, wanted.merchant)
    found = await _judge(actor, site, wanted, merchant_id)
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


async def _judge(actor: Actor, site: SiteFacts, wanted: Wanted, merchant_id: int | None) -> Judged:
    """Look at a wish without touching anything."""
    shown = await units.spaces(site.id, [wanted.kind])
    day = day_of(wanted.date) or site.local_date(clock.now())
    times = await times_of(site, shown, day)
    unit = None
    try:
        unit = await space_of(wanted)
        span = span_of(wanted.date, wanted.starts, wanted.ends, site)
        span, _title = rules.check_fields(span, wanted.title, await place_of(site, unit, span))
        host = await _host(wanted, merchant_id)
    except KaiboError as refusal:
        texts = field_texts(refusal).values() or [refusal_text(refusal)]
        wrong = [Finding("alarm" if wanted.space else "wait", text) for text in texts]
        return Judged(shown, times, unit, findings=wrong, is_bad=True)
    own, own_ids = await _held_ids(actor, wanted), {str(wanted.move.uid)} if wanted.move else {wanted.hold}
    quota = await _quota(site, unit, span, merchant_id, own)
    of_place = [*await _host_findings(site, span, host, own), *await place_findings(actor, site, unit, span, own_ids)]
    of_quota = _quota_findings(actor, site, quota)
    is_bad, is_over = (any(one.kind == "alarm" for one in some) for some in (of_place, of_quota))
    # another time of the same length does not help where the quota is short
    instead = await offers.alternatives_to(site, unit, span, host_unit_id=host.unit_id if host else None, except_ids=own
                                           ) if is_bad and not is_over else []
    findings = [*of_place, *of_quota]
    return Judged(shown, times, unit, span, findings, others(instead[:4], site), quota, is_bad or is_over)


class Host(msgspec.Struct, frozen=True):
    """Who presents; `unit_id` None: nobody ever booked this person, so nothing can clash."""

    name: str
    unit_id: int | None


async def _host(wanted: Wanted, merchant_id: int | None) -> Host | None:
    """Return who is to present: of a move the reservation's own host, else whom the form names; None for nobody."""
    if wanted.move is not None:
        host_id, name = wanted.move.host_id, wanted.move.host_name
    else:
        host_id, name = await host_of(wanted), dict(await _hosts(merchant_id)).get(wanted.host, "")
    return None if host_id is None else Host(name, await units.unit_id_of_person(host_id))


async def _host_findings(site: SiteFacts, span: Span, host: Host | None, own: Sequence[int]) -> list[Finding]:
    """Return what else the host is booked for at that time."""
    if host is None or host.unit_id is None:
        return []
    busy = (await offers.busy_spans(site.id, span, own)).get(host.unit_id, ())
    taken = next((each for each in busy if each.overlaps(span)), None)
    return [] if taken is None else [Finding("alarm", refusal_text(
        HostTaken(name=host.name, taken_from=taken.starts_at, taken_to=taken.ends_at)))]


async def _quota(site: SiteFacts, unit: UnitFacts, span: Span, merchant_id: int | None, own: Sequence[int]) -> QuotaBar | None:
    if merchant_id is None or unit.kind != "live_room":
        return None
    quota = await quota_of(merchant_id, site.id, span.starts_at, clock.now(), tuple(own))
    return quota_bar(quota.limit_min, quota.used_min, span.minutes)


async def _held_ids(actor: Actor, wanted: Wanted) -> list[int]:
    """Return what must not count against itself: the reservation that is moved, or the hold of this very page."""
    if wanted.move:
        return [wanted.move.id]
    uid = uid_of(wanted.hold)
    try:
        return [] if uid is None else [(await reservations.reservation(actor, uid)).id]
    except NotFound:
        return []


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


def _quota_findings(actor: Actor, site: SiteFacts, quota: QuotaBar | None) -> list[Finding]:
    if quota is None:
        return []
    if not quota.is_short:
        return [Finding("ok", i18n.gettext(ENOUGH))]
    if rights.is_staff(actor, site.id):
        return [Finding("wait", i18n.gettext(N_("Beyond the merchant’s quota; the front desk may book it all the same.")))]
    return [Finding("alarm", i18n.translate(N_("Over quota: {left}. Shorten it, or ask the front desk."), {"left": quota.left}))]


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
    return [(str(one.person_uid), one.name) for one in await merchants.members(merchant_id)]


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
