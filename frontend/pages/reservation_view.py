"""One reservation as pages show it: facts, chip, code, and what this reader may do with it now, by the verbs' own predicates."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from booking.reservations import queries, rights
from booking.reservations.queries import ReservationFacts
from booking.reservations.rules import STANDING
from booking.reservations.tables import State
from booking.units import queries as units
from frontend import formats, i18n
from frontend.pages.booking_sheet import times_of
from frontend.pages.booking_words import Chip, chip, hours_text, is_chinese, local_day, local_hour, name_of, near_day
from incubator.ground import clock
from incubator.ground.audit.queries import Entry, history_of
from incubator.ground.errors import N_, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

EXTENSIONS_MIN = (15, 30)
DEEDS: Mapping[str, str] = {
    "reserve": N_("Booked"), "confirm": N_("Booked from a hold"), "move": N_("Changed"), "extend": N_("Extended"),
    "end_early": N_("Ended early"), "cancel": N_("Cancelled"), "mark_no_show": N_("Marked as no-show"),
    "check_in": N_("Checked in"), "finish": N_("Finished"),
}


class Extension(msgspec.Struct, frozen=True):
    """A longer end, or why it is not free."""

    minutes: int
    text: str
    is_free: bool
    why: str


class Deed(msgspec.Struct, frozen=True):
    """One line of the history."""

    at: str
    text: str
    by: str
    why: str


class Row(msgspec.Struct, frozen=True):
    """A reservation in a list."""

    uid: str
    href: str
    number: str
    title: str
    who: str
    room: str
    day: str
    hours: str
    chip: Chip


class View(msgspec.Struct, frozen=True):
    """A reservation whole."""

    uid: str
    url: str
    number: str
    title: str
    room: str
    day: str
    hours: str
    chip: Chip
    version: int
    is_live: bool
    code: str
    code_spoken: str
    code_hint: str
    facts: Sequence[tuple[str, str]]
    space: str
    date: str
    starts: str
    ends: str
    spaces: Sequence[tuple[str, str]]
    times: Sequence[tuple[str, str]]
    extensions: Sequence[Extension]
    may_move: bool
    may_cancel: bool
    cancel_hint: str
    may_end: bool
    may_no_show: bool
    may_check_in: bool
    check_in_from: datetime | None
    check_in_hint: str
    day_href: str
    week_href: str


class May(msgspec.Struct, frozen=True):
    """What this reader may do with the reservation at this moment."""

    move: bool
    cancel: bool
    end: bool
    extend: bool
    no_show: bool
    check_in: bool


def may(actor: Actor, one: ReservationFacts, now: datetime) -> May:
    """Return what the verbs would allow."""
    can_change = rights.can_change(actor, one.site_id, one.merchant_id, one.person_id)
    can_settle = rights.can_settle(actor, one.site_id)
    stands, is_ahead, is_over = one.state in STANDING, one.starts_at > now, one.ends_at <= now
    return May(
        move=can_change and stands and is_ahead and one.state != State.CHECKED_IN,
        cancel=can_change and (stands or one.state == State.PENDING) and is_ahead,
        end=can_change and stands and one.starts_at < now < one.ends_at,
        extend=can_change and stands and one.blocked.starts_at <= now and not is_over,
        no_show=can_settle and one.checked_in_at is None and one.state in (State.CONFIRMED, State.FINISHED) and not is_ahead,
        check_in=can_settle and one.state == State.CONFIRMED and not is_over,
    )


def unit_name(one: ReservationFacts) -> str:
    """Return the room's name in the reader's language."""
    return one.unit_name if is_chinese() else one.unit_name_en or one.unit_name


def who_of(one: ReservationFacts) -> str:
    """Return for whom it is: the merchant, else the person."""
    return one.merchant_name or one.person_name


def row_of(one: ReservationFacts) -> Row:
    """Return one line of a list."""
    return Row(
        str(one.uid), f"/reservations/{one.uid}", one.number or "", one.title, who_of(one), unit_name(one),
        near_day(one.starts_at), hours_text(one.span), chip(one.state))


async def code_of(actor: Actor, one: ReservationFacts, now: datetime) -> str:
    """Return the check-in code while it is of use to this reader, else nothing."""
    if one.state != State.CONFIRMED or one.ends_at <= now:
        return ""
    try:
        return await queries.check_in_code(actor, one.uid)
    except NotFound:
        return ""


def code_hint(one: ReservationFacts, now: datetime) -> str:
    """Return where the code is typed, and from when."""
    opens = one.blocked.starts_at
    if opens <= now:
        return i18n.gettext(N_("Type it on the room’s tablet now, or tell the front desk."))
    return i18n.translate(N_("Type it on the room’s tablet, from {opens:moment}."), {"opens": opens})


async def view_of(actor: Actor, site: SiteFacts, one: ReservationFacts) -> View:
    """Return a reservation with what may be done now."""
    now = clock.now()
    can = may(actor, one, now)
    code = await code_of(actor, one, now)
    shown = await units.spaces(site.id, [one.unit_kind]) if can.move else []
    times = await times_of(site, shown, site.local_date(one.starts_at)) if can.move else []
    own = (local_hour(one.starts_at, site), local_hour(one.ends_at, site))
    opens = one.blocked.starts_at
    day = local_day(one.starts_at, site)
    return View(
        uid=str(one.uid), url=f"/reservations/{one.uid}", number=one.number or "", title=one.title,
        room=unit_name(one), day=near_day(one.starts_at), hours=hours_text(one.span), chip=chip(one.state), version=one.version,
        is_live=one.unit_kind == "live_room", code=code, code_spoken=" ".join(code),
        code_hint=code_hint(one, now) if code else "",
        facts=facts_of(one), space=str(one.unit_uid), date=day, starts=own[0], ends=own[1],
        spaces=[(str(unit.uid), name_of(unit)) for unit in shown], times=[(text, text) for text in sorted({*times, *own})],
        extensions=await _extensions(one) if can.extend else [], may_move=can.move, may_cancel=can.cancel,
        cancel_hint=i18n.gettext(N_("The time becomes free for others at once, and does not count against the quota.")),
        may_end=can.end, may_no_show=can.no_show, may_check_in=can.check_in,
        check_in_from=opens if can.check_in and opens > now else None,
        check_in_hint=i18n.gettext(N_("For people who stand at the desk: no code is needed.")),
        day_href=f"/days/{day}?kind={one.unit_kind}", week_href=f"/units/{one.unit_uid}/week/{day}")


async def _extensions(one: ReservationFacts) -> list[Extension]:
    free_min = await queries.extension_room(one)
    found = []
    for minutes in EXTENSIONS_MIN:
        end = one.ends_at + timedelta(minutes=minutes)
        text = i18n.translate(N_("+{minutes} min, until {end:time}"), {"minutes": minutes, "end": end})
        is_free = minutes <= free_min
        found.append(Extension(minutes, text, is_free, "" if is_free else i18n.gettext(N_("The room is not free then."))))
    return found if free_min else found[:1]


def facts_of(one: ReservationFacts) -> list[tuple[str, str]]:
    """Return what is known of a reservation, term by term; what nobody said is left out."""
    speech = i18n.speech()
    blocked = hours_text(one.blocked) if one.blocked != one.span else ""
    told = [
        (N_("Number"), one.number or ""), (N_("Room"), unit_name(one)),
        (N_("Time"), f"{formats.day(one.starts_at, speech)} {hours_text(one.span)}"), (N_("With setup and teardown"), blocked),
        (N_("Length"), formats.duration(one.span.length, speech)), (N_("Merchant"), one.merchant_name),
        (N_("Host"), one.host_name),
        (N_("Booked by"), f"{one.person_name} · {formats.short_moment(one.created_at, speech)}" if one.person_name else ""),
        (N_("Checked in"), formats.short_moment(one.checked_in_at, speech) if one.checked_in_at else ""),
        (N_("Ended"), formats.short_moment(one.closed_at, speech) if one.closed_at and one.state != State.CANCELLED else ""),
        (N_("Cancelled"), formats.short_moment(one.closed_at, speech) if one.closed_at and one.state == State.CANCELLED else ""),
        (N_("Reason"), one.reason),
    ]
    return [(i18n.gettext(term), text) for term, text in told if text]


async def deeds_of(one: ReservationFacts) -> list[Deed]:
    """Return the history, newest first."""
    return [_deed(entry) for entry in await history_of("reservation", one.id)]


def _deed(entry: Entry) -> Deed:
    word = i18n.gettext(DEEDS.get(entry.verb, entry.verb))
    span = _new_span(entry.after or {})
    text = i18n.translate(N_("{deed}: {span}"), {"deed": word, "span": span}) if span else word
    return Deed(formats.short_moment(entry.at, i18n.speech()), text, entry.actor, entry.reason)


def _new_span(after: Mapping[str, Any]) -> Span | None:
    """Return the time that a deed gave the reservation, where it gave one."""
    try:
        return Span(datetime.fromisoformat(after["starts_at"]), datetime.fromisoformat(after["ends_at"]))
    except (KeyError, TypeError, ValueError):
        return None
