"""The phone's way to a room: day, length, a free slot, one confirmation."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from booking.offers import queries as offers
from booking.offers.queries import Offer, Offers
from booking.policies.queries import quota_of
from booking.policies.rules import QUOTA_KINDS
from booking.reservations import queries as reservations, rights
from booking.reservations.precheck import IN_AND_OUT
from booking.units import queries as units
from booking.units.rules import KIND_NAMES
from frontend import formats, i18n
from frontend.auth import signed_in
from frontend.errors import status_of
from frontend.feeds_days import announce_quietly
from frontend.pages.booking_checks import NO_MERCHANT
from frontend.pages.booking_sheet import QuotaBar, Sheet, Wanted, merchant_for, quota_bar, sheet_of, wanted_of, wish_of
from frontend.pages.booking_words import (
    Finding,
    day_of,
    hours_text,
    local_day,
    local_hour,
    name_of,
    near_day,
    span_of,
)
from frontend.pages.reservation_view import View, undo_of, view_of
from frontend.pages.twice import booked
from frontend.views import AnyRequest, app_redis, form, fragment, is_htmx, page, see_other
from incubator.ground import clock
from incubator.ground.errors import N_, Conflict, Invalid, KaiboError
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts, first_site
from studio.destinations.rights import can_paste

KINDS = ("live_room", "training_room", "meeting_room", "desk")
DAYS_SHOWN = 14
LENGTHS_H = (1, 2, 3)
USUAL_LENGTH_H = 2


class Chosen(msgspec.Struct, frozen=True):
    """One link of a choice."""

    href: str
    text: str
    is_chosen: bool


class DayLink(msgspec.Struct, frozen=True):
    """One day of the strip, with how many slots it still has."""

    href: str
    weekday: str
    number: str
    free: str
    is_chosen: bool


class Slot(msgspec.Struct, frozen=True):
    """One slot to tap."""

    href: str
    hours: str
    room: str


class Part(msgspec.Struct, frozen=True):
    """The slots of one part of the day."""

    title: str
    slots: Sequence[Slot]


class Shut(msgspec.Struct, frozen=True):
    """Rooms that cannot be had for one reason."""

    rooms: str
    why: str


class Choices(msgspec.Struct, frozen=True):
    """Everything on the page."""

    kinds: Sequence[Chosen]
    days: Sequence[DayLink]
    lengths: Sequence[Chosen]
    parts: Sequence[Part]
    shut: Sequence[Shut]
    shut_count: int
    quota: QuotaBar | None
    no_merchant: str
    empty_title: str
    empty_text: str
    next_href: str
    next_text: str
    here: str
    grid_href: str


class Confirmation(msgspec.Struct, frozen=True):
    """The one confirmation."""

    space: str
    date: str
    starts: str
    ends: str
    day: str
    hours: str
    room: str
    is_live: bool
    title: str
    findings: Sequence[Finding]
    alternatives: Sequence[Slot]
    errors: Any
    refusal: str
    back: str


class Query(msgspec.Struct, frozen=True):
    """What was chosen so far; it stands in the address, so that the page works without scripts."""

    kind: str
    day: date
    hours: int

    def href(self, **other: object) -> str:
        """Return the page's address with other choices."""
        chosen = {"kind": self.kind, "date": self.day, "hours": self.hours} | other
        return f"/book?{urlencode({name: str(value) for name, value in chosen.items()})}"


def query_of(request: AnyRequest, site: SiteFacts) -> Query:
    """Return what the address asks for, within what can be chosen."""
    asked, today = request.query_params, site.local_date(clock.now())
    kind, hours, day = asked.get("kind", ""), asked.get("hours", ""), day_of(asked.get("date", ""))
    return Query(kind if kind in KINDS else KINDS[0], day or today,
                 int(hours) if hours in {str(one) for one in LENGTHS_H} else USUAL_LENGTH_H)


@get("/book", include_in_schema=False)
async def book_page(request: AnyRequest) -> Response[Any]:
    """Show free slots; with a slot in the address its confirmation, alone when the page itself asks."""
    actor, site = signed_in(request), await first_site()
    query, fields = query_of(request, site), {name: str(value) for name, value in request.query_params.multi_items()}
    confirm = None
    if fields.get("space"):
        confirm = await confirmation_of(actor, site, wanted_of(fields | {"kind": query.kind}), query)
        if is_htmx(request):
            return fragment(request, "_phone_confirm.html", confirm=confirm)
    return await page(request, "phone_book.html", book=await choices_of(actor, site, query), confirm=confirm)


@post("/book", include_in_schema=False, status_code=200)
async def book(request: AnyRequest) -> Response[Any]:
    """Book the confirmed slot and go on to its page; a refusal brings the confirmation back with what would work."""
    actor, site = signed_in(request), await first_site()
    fields = await form(request)
    wanted = wanted_of(fields)
    try:
        made = await booked(actor, await wish_of(actor, site, wanted))
    except (Conflict, Invalid) as refusal:
        query = query_of(request, site)
        query = msgspec.structs.replace(query, day=day_of(wanted.date) or query.day, kind=wanted.kind or query.kind)
        confirm = await confirmation_of(actor, site, wanted, query, refusal)
        if is_htmx(request):
            return fragment(request, "_phone_confirm.html", status=status_of(refusal), confirm=confirm)
        return await page(request, "phone_book.html", status=status_of(refusal), book=await choices_of(actor, site, query),
                          confirm=confirm)
    await announce_quietly(app_redis(request), made.id)
    return see_other(request, f"/book/done/{made.uid}")


@get("/book/done/{uid:uuid}", include_in_schema=False)
async def done_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show what was booked: the check-in code, and what comes next."""
    actor, site = signed_in(request), await first_site()
    one = await reservations.reservation(actor, uid)
    view = await view_of(actor, site, one)
    may_paste = can_paste(actor, one.merchant_id, one.person_id, one.unit_id, is_checked_in=False)
    return await page(request, "phone_done.html", done=view, day=day_text(one.starts_at), next=_next_steps(view, one.blocked),
                      may_paste=may_paste, undo=await undo_of(actor, site, one))


def _next_steps(view: View, blocked: Span) -> list[str]:
    steps = [i18n.translate(IN_AND_OUT, {"from_at": blocked.starts_at, "to_at": blocked.ends_at})]
    if view.code:
        steps.append(i18n.gettext(N_("Check in with the four digits on the room’s tablet")))
    return steps


async def choices_of(actor: Actor, site: SiteFacts, query: Query) -> Choices:
    """Return the page's choices."""
    length_min, today = query.hours * 60, site.local_date(clock.now())
    first = today if today <= query.day < today + timedelta(days=DAYS_SHOWN) else query.day
    counts = await offers.days(site, first, DAYS_SHOWN, length_min, query.kind)
    found = await offers.offers(site, query.day, length_min, query.kind)
    latest = await _latest(site, query.kind, today)
    empty = _empty(query, counts, latest)
    merchant_id = await merchant_for(actor, site, "")
    can_book = rights.can_reserve(actor, site.id, merchant_id)
    return Choices(
        kinds=[Chosen(query.href(kind=kind), i18n.gettext(KIND_NAMES[kind]), kind == query.kind) for kind in KINDS],
        days=[_day_link(query, one, today, latest) for one in counts],
        lengths=[Chosen(query.href(hours=hours), formats.duration(timedelta(hours=hours), i18n.speech()), hours == query.hours)
                 for hours in LENGTHS_H],
        parts=_parts(found, query, site), shut=_shut(found), shut_count=len(found.refused),
        quota=await _quota(actor, site, merchant_id, query), no_merchant="" if can_book else i18n.gettext(NO_MERCHANT),
        empty_title=empty.title, empty_text=empty.text, next_href=empty.href, next_text=empty.action, here=query.href(),
        grid_href=f"/days/{query.day}?kind={query.kind}")


class Empty(msgspec.Struct, frozen=True):
    """Why nothing is free, and the day to go to; `href` is empty when there is none."""

    title: str
    text: str
    href: str = ""
    action: str = ""


def _empty(query: Query, counts: Sequence[offers.DayCount], latest: date) -> Empty:
    if query.day > latest:
        text = i18n.translate(N_("The last day that can be booked now is {day:day}."), {"day": latest})
        action = i18n.translate(N_("Go to {day:day}"), {"day": latest})
        return Empty(i18n.gettext(N_("Not open for booking yet")), text, query.href(date=latest), action)
    title, text = i18n.gettext(N_("Nothing free for this length")), i18n.gettext(N_("Choose a shorter length or another day."))
    later = next((one.day for one in counts if one.count and one.day > query.day), None)
    if later is None:
        return Empty(title, text)
    return Empty(title, text, query.href(date=later), i18n.translate(N_("Next free day: {day:day}"), {"day": later}))


async def _latest(site: SiteFacts, kind: str, today: date) -> date:
    """Return the last day on which anything of a kind can be booked now."""
    ahead = max((unit.ahead_days for unit in await units.spaces(site.id, [kind])), default=0)
    return today + timedelta(days=ahead)


def _shut(found: Offers) -> list[Shut]:
    """Return the rooms that cannot be had, those with the same reason together."""
    rooms: dict[str, list[str]] = {}
    for one in found.refused:
        rooms.setdefault(i18n.translate(one.msgid, one.params), []).append(name_of(one))
    return [Shut(formats.listing(names, i18n.speech()), why) for why, names in rooms.items()]


async def _quota(actor: Actor, site: SiteFacts, merchant_id: int | None, query: Query) -> QuotaBar | None:
    if merchant_id is None or query.kind not in QUOTA_KINDS or rights.is_staff(actor, site.id):
        return None
    noon = site.day(query.day).starts_at + timedelta(hours=12)
    quota = await quota_of(merchant_id, site.id, noon, clock.now())
    return quota_bar(quota.limit_min, quota.used_min)


def _day_link(query: Query, one: offers.DayCount, today: date, latest: date) -> DayLink:
    speech = i18n.speech()
    weekday = i18n.gettext(N_("Today")) if one.day == today else formats.weekday(one.day, speech)
    count = i18n.ngettext("{count} slot", "{count} slots", one.count).format(count=one.count)
    none = N_("not yet") if one.day > latest else N_("over") if one.day < today else N_("Full")
    free = count if one.count else i18n.gettext(none)
    return DayLink(query.href(date=one.day), weekday, str(one.day.day), free, one.day == query.day)


def _parts(found: Offers, query: Query, site: SiteFacts) -> list[Part]:
    return [Part(i18n.gettext(group.title), [_slot(one, query, site) for one in group.offers]) for group in found.groups]


def _slot(one: Offer, query: Query, site: SiteFacts) -> Slot:
    note = i18n.either(one.note, one.note_en)
    hours = {"from": local_hour(one.span.starts_at, site), "to": local_hour(one.span.ends_at, site)}
    href = query.href(space=one.space_id, **hours)
    return Slot(href, hours_text(one.span), f"{name_of(one)} · {note}" if note else name_of(one))


async def confirmation_of(actor: Actor, site: SiteFacts, wanted: Wanted, query: Query,
                          refusal: KaiboError | None = None) -> Confirmation:
    """Return the confirmation of a slot, with what the house finds about it."""
    sheet = await sheet_of(actor, site, wanted, refusal)
    room = next((name for uid, name in sheet.spaces if uid == sheet.space), "")
    try:
        span = span_of(wanted.date, wanted.starts, wanted.ends, site)
        day, hours = day_text(span.starts_at), hours_text(span)
    except Invalid:
        day, hours = wanted.date, ""
    clean = {name: text for name, text in sheet.errors.items() if name == "title"}
    rest = " ".join(text for name, text in sheet.errors.items() if name != "title")
    return Confirmation(
        wanted.space, wanted.date, wanted.starts, wanted.ends, day, hours, room, sheet.kind == "live_room", wanted.title,
        sheet.findings, _alternatives(sheet, query), clean, sheet.refusal or rest, query.href())


def day_text(moment: datetime) -> str:
    """Return `明天 · 11 月 25 日 周三`; a day without such a word stands alone."""
    near, whole = near_day(moment), formats.day(moment, i18n.speech())
    return whole if near == whole else f"{near} · {whole}"


def _alternatives(sheet: Sheet, query: Query) -> list[Any]:
    return [msgspec.structs.asdict(one) | {"href": query.href(
        date=one.date, space=one.space, **{"from": one.starts, "to": one.ends})} for one in sheet.alternatives]


def again_href(one: Offer, site: SiteFacts) -> str:
    """Return the address that opens the confirmation of an offer."""
    hours = max(1, min(one.span.minutes // 60, max(LENGTHS_H)))
    query = Query(KINDS[0], date.fromisoformat(local_day(one.span.starts_at, site)), hours)
    return _slot(one, query, site).href


HANDLERS = (book_page, book, done_page)
