"""One reservation as pages show it: facts, chip, code, and what this reader may do with it now, by the verbs' own predicates."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from booking.calendars.queries import calendars_of
from booking.reservations import queries, questions, rights, rules, undoing
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import NotYet, RoomClosed
from booking.reservations.rules import STANDING
from booking.reservations.tables import State
from booking.units import queries as units
from booking.units.queries import UnitFacts
from frontend import formats, i18n
from frontend.pages.booking_sheet import times_of
from frontend.pages.booking_words import (
    Chip,
    chip,
    hours_text,
    local_day,
    local_hour,
    name_of,
    near_day,
    refusal_text,
    span_of,
)
from frontend.pages.undo import Undo
from incubator.ground import clock
from incubator.ground.audit.queries import Entry, history_of
from incubator.ground.errors import N_, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts
from studio.live_sessions.queries import LiveSession

EXTENSIONS_MIN = (15, 30)
UNDO_WORDS: Mapping[str, str] = {
    "reserve": N_("Undo the booking"), "confirm": N_("Undo the booking"), "move": N_("Undo the change"),
    "extend": N_("Undo the extension"), "cancel": N_("Undo the cancellation"), "mark_no_show": N_("Undo the no-show"),
    "restore": N_("Cancel it again"),
}
DEEDS: Mapping[str, str] = {
    "reserve": N_("Booked"), "confirm": N_("Booked from a hold"), "move": N_("Changed"), "extend": N_("Extended"),
    "end_early": N_("Ended early"), "cancel": N_("Cancelled"), "mark_no_show": N_("Marked as no-show"),
    "check_in": N_("Checked in"), "finish": N_("Finished"), "restore": N_("Restored"),
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
    short_day: str
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
    may_change: bool
    may_move: bool
    may_cancel: bool
    cancel_hint: str
    may_end: bool
    is_over: bool
    may_no_show: bool
    may_check_in: bool
    check_in_from: datetime | None
    check_in_hint: str
    day_href: str
    week_href: str
    closed: str


class May(msgspec.Struct, frozen=True):
    """What this reader may do with the reservation at this moment; `change` is of its end and title, `move` of the whole."""

    change: bool
    move: bool
    cancel: bool
    end: bool
    no_show: bool
    check_in: bool
    check_in_from: datetime | None
    restore: bool


def may(actor: Actor, one: ReservationFacts, now: datetime) -> May:
    """Return what the verbs allow as far as the reservation itself decides; what else is booked, or stopped, they ask as well."""
    can_change = rights.can_change(actor, one.site_id, one.merchant_id, one.person_id)
    can_settle = rights.can_settle(actor, one.site_id)
    change = can_change and rules.against_change(one.state) is None
    early = rules.against_check_in(one.state, Span(one.blocked.starts_at, one.ends_at), one.checked_in_at, now)
    return May(
        change=change,
        move=change and not rules.has_begun(one.state, one.starts_at, now),
        cancel=can_change and rules.against_cancel(one.state, one.starts_at, now) is None,
        end=can_change and rules.against_end(one.state, one.starts_at, now) is None,
        no_show=can_settle and rules.against_no_show(one.state, one.starts_at, one.checked_in_at, now) is None,
        check_in=can_settle and early is None,
        check_in_from=early.params["opens_at"] if can_settle and isinstance(early, NotYet) else None,
        restore=undoing.can_restore(actor, one) and undoing.against_restore(
            one.state, one.starts_at, one.closed_at, now) is None,
    )


def unit_name(one: ReservationFacts) -> str:
    """Return the room's name in the reader's language."""
    return i18n.either(one.unit_name, one.unit_name_en)


def who_of(one: ReservationFacts) -> str:
    """Return for whom it is: the merchant, else the person."""
    return one.merchant_name or i18n.person(one.person_name, one.person_latin)


def row_of(one: ReservationFacts) -> Row:
    """Return one line of a list."""
    return Row(
        str(one.uid), f"/reservations/{one.uid}", one.number or "", one.title, who_of(one), unit_name(one),
        near_day(one.starts_at), short_near_day(one.starts_at), hours_text(one.span), chip(one.state))


def wants_key(live: LiveSession | None) -> bool:
    """Tell whether this reader can paste the key that a session ahead still lacks."""
    return (live is not None and live.output == "stream" and live.key is None and live.may_paste
            and live.state in ("planned", "preparing", "waiting_for_key") and live.reservation_state in STANDING)


def short_near_day(moment: datetime) -> str:
    """Return `今天`, `明天`, `昨天` or `12-08`, for tables."""
    speech = i18n.speech()
    is_near = abs((speech.date_of(moment) - speech.today()).days) <= 1
    return near_day(moment) if is_near else formats.short_day(moment, speech)


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
    shown = await units.spaces(site.id, [one.unit_kind]) if can.change else []
    own = (local_hour(one.starts_at, site), local_hour(one.ends_at, site))
    day = local_day(one.starts_at, site)
    return View(
        uid=str(one.uid), url=f"/reservations/{one.uid}", number=one.number or "", title=one.title,
        room=unit_name(one), day=near_day(one.starts_at), hours=hours_text(one.span), chip=chip(one.state), version=one.version,
        is_live=one.unit_kind == "live_room", code=code, code_spoken=" ".join(code),
        code_hint=code_hint(one, now) if code else "",
        facts=facts_of(one), space=str(one.unit_uid), date=day, starts=own[0], ends=own[1],
        spaces=[(str(unit.uid), name_of(unit)) for unit in shown], times=await _times(site, one, shown, now),
        extensions=await _extensions(one) if can.change and not can.move else [], may_change=can.change, may_move=can.move,
        may_cancel=can.cancel,
        cancel_hint=i18n.gettext(N_("The time becomes free for others at once, and does not count against the quota.")),
        may_end=can.end, is_over=one.ends_at <= now, may_no_show=can.no_show, may_check_in=can.check_in,
        check_in_from=can.check_in_from,
        check_in_hint=i18n.gettext(N_("For people who stand at the desk: no code is needed.")),
        day_href=f"/days/{day}?kind={one.unit_kind}", week_href=f"/units/{one.unit_uid}/week/{day}",
        closed=await closure_text(one))


async def closure_text(one: ReservationFacts) -> str:
    """Return which closure a standing reservation lies in, with its reason; empty when the room is open."""
    if one.state not in STANDING or one.ends_at <= clock.now():
        return ""
    unit = (await units.units_by_id([one.unit_id]))[one.unit_id]
    calendar = (await calendars_of([unit], one.blocked))[unit.id]
    found = next((each for each in calendar.closures if each.span.overlaps(one.blocked)), None)
    return "" if found is None else refusal_text(
        RoomClosed(closure=found.span, reason=found.reason, reason_en=found.reason_en))


async def _times(site: SiteFacts, one: ReservationFacts, shown: Sequence[UnitFacts], now: datetime) -> list[tuple[str, str]]:
    """Return the times that the form offers: once it has begun, its own end and those that lie ahead."""
    if not shown:
        return []
    day, starts, ends = local_day(one.starts_at, site), local_hour(one.starts_at, site), local_hour(one.ends_at, site)
    times = set(await times_of(site, shown, site.local_date(one.starts_at)))
    if rules.has_begun(one.state, one.starts_at, now):
        times = {text for text in times if span_of(day, starts, text, site).ends_at > now}
    else:
        times.add(starts)
    return [(text, text) for text in sorted({*times, ends})]


async def _extensions(one: ReservationFacts) -> list[Extension]:
    """Return how much longer a booking that has begun can go on; one that lies ahead is moved to a later end."""
    if await questions.against_cut_off(one.id) is not None:
        return []
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
    by = i18n.person(one.person_name, one.person_latin)
    told = [
        (N_("Number"), one.number or ""), (N_("Room"), unit_name(one)),
        (N_("Time"), f"{formats.day(one.starts_at, speech)} {hours_text(one.span)}"), (N_("With setup and teardown"), blocked),
        (N_("Length"), formats.duration(one.span.length, speech)), (N_("Merchant"), one.merchant_name),
        (N_("Host"), i18n.person(one.host_name, one.host_latin)),
        (N_("Booked by"), f"{by} · {formats.short_moment(one.created_at, speech)}" if by else ""),
        (N_("Checked in"), formats.short_moment(one.checked_in_at, speech) if one.checked_in_at else ""),
        (N_("Ended"), formats.short_moment(one.closed_at, speech) if one.closed_at and one.state != State.CANCELLED else ""),
        (N_("Cancelled"), formats.short_moment(one.closed_at, speech) if one.closed_at and one.state == State.CANCELLED else ""),
        (N_("Reason"), one.reason),
    ]
    return [(i18n.gettext(term), text) for term, text in told if text]


async def deeds_of(one: ReservationFacts) -> list[Deed]:
    """Return the history, newest first."""
    return [_deed(entry) for entry in await history_of("reservation", one.id)]


async def undo_of(actor: Actor, site: SiteFacts, one: ReservationFacts) -> Undo | None:
    """Return the form that takes the latest deed back; None for what cannot be undone: an end, a check-in, what is too old.

    An end stays: OBS has stopped, and the rest of the time may be somebody else's. A check-in opened the room's controls.
    """
    now = clock.now()
    can, latest = may(actor, one, now), await history_of("reservation", one.id, limit=1)
    if not latest or latest[0].at + undoing.UNDO <= now:
        return None
    verb, url, version = latest[0].verb, f"/reservations/{one.uid}", {"version": str(one.version)}
    word = i18n.gettext(UNDO_WORDS.get(verb, ""))
    if verb in ("reserve", "confirm", "restore") and can.cancel:
        return Undo(f"{url}/cancel", version, word)
    if verb in ("cancel", "mark_no_show") and can.restore:
        return Undo(f"{url}/restore", version, word)
    if verb in ("move", "extend") and can.change:
        back = await _move_back(one, latest[0].before or {}, site, now)
        return None if back is None else msgspec.structs.replace(back, text=word)
    return None


async def _move_back(one: ReservationFacts, before: Mapping[str, Any], site: SiteFacts, now: datetime) -> Undo | None:
    """Return the form that gives room, time and title back; what the deed left alone stays as it is. None: it is too late."""
    starts, ends = (
        datetime.fromisoformat(before[name]) if name in before else kept
        for name, kept in (("starts_at", one.starts_at), ("ends_at", one.ends_at)))
    is_moved = not {"unit", "starts_at", "ends_at"}.isdisjoint(before)
    if is_moved and rules.against_move(one.state, one.span, Span(starts, ends), now, is_same_unit="unit" not in before):
        return None
    unit_uid = one.unit_uid if "unit" not in before else (await units.units_by_id([before["unit"]]))[before["unit"]].uid
    end = local_hour(ends, site)
    return Undo(f"/reservations/{one.uid}/move", {
        "space": str(unit_uid), "date": local_day(starts, site), "from": local_hour(starts, site),
        "to": "24:00" if end == "00:00" else end, "title": before.get("title", one.title), "version": str(one.version),
        "undo": "1"})


def doer(entry: Entry) -> str:
    """Return who did it, in the reader's script; what the house does by itself bears its name."""
    if entry.is_tablet:
        return entry.actor or i18n.gettext(N_("The room’s tablet"))
    return i18n.gettext(N_("Kaibo")) if entry.is_house else i18n.person(entry.actor, entry.actor_latin)


def _deed(entry: Entry) -> Deed:
    word = i18n.gettext(DEEDS.get(entry.verb, entry.verb))
    span = _new_span(entry.after or {})
    text = i18n.translate(N_("{deed}: {span}"), {"deed": word, "span": span}) if span else word
    return Deed(formats.short_moment(entry.at, i18n.speech()), text, doer(entry), entry.reason)


def _new_span(after: Mapping[str, Any]) -> Span | None:
    """Return the time that a deed gave the reservation, where it gave one."""
    try:
        return Span(datetime.fromisoformat(after["starts_at"]), datetime.fromisoformat(after["ends_at"]))
    except (KeyError, TypeError, ValueError):
        return None
