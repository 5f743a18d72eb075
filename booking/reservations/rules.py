"""What a reservation must be: its title, its times on the grid and within the window, and what state allows which verb."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from booking.calendars.rules import CalendarFacts, is_on_grid, open_spans
from booking.reservations.refusals import (
    AlreadyCheckedIn,
    HasBegun,
    NotBegun,
    NotYet,
    OutsideHours,
    Past,
    RoomClosed,
    TooFarAhead,
    WrongState,
)
from booking.reservations.tables import State
from booking.units.queries import UnitFacts
from incubator.ground.errors import N_, Conflict, FieldError, Invalid, KaiboError
from incubator.ground.values import Span, bounded
from incubator.sites.queries import SiteFacts

HOLD_MIN = 5
MOST_HOLDS, MOST_HOLDS_OF_STAFF = 12, 60
LONGEST_KEY = 100
LONGEST_TITLE = 80
YEARS = (2000, 2200)
NEAREST = timedelta(days=7)  # how far an opening is looked for, in both directions
STATE_NAMES: dict[str, str] = {
    State.HELD: N_("held"),
    State.PENDING: N_("pending"),
    State.CONFIRMED: N_("confirmed"),
    State.CHECKED_IN: N_("checked in"),
    State.FINISHED: N_("finished"),
    State.NO_SHOW: N_("no-show"),
    State.CANCELLED: N_("cancelled"),
    State.EXPIRED: N_("expired"),
}
STANDING = frozenset({State.CONFIRMED, State.CHECKED_IN})


class Place(msgspec.Struct, frozen=True):
    """A unit with its calendar and site: what decides whether a time is right."""

    unit: UnitFacts
    calendar: CalendarFacts
    site: SiteFacts

    def blocked(self, span: Span) -> Span:
        """Return the interval that a use of the unit takes, with setup and teardown."""
        return span.widened(self.unit.setup_min, self.unit.teardown_min)


def calendar_window(span: Span) -> Span:
    """Return the stretch of calendar that judging this span needs."""
    return Span(span.starts_at - NEAREST, span.ends_at + NEAREST)


def is_page_key(text: str) -> bool:
    """Tell whether a page can be known by this: short, and printable."""
    return len(text) <= LONGEST_KEY and text.isprintable()


def checked_title(text: str) -> str:
    """Return a title trimmed and free of control and direction marks; empty is fine.

    Raises:
        Invalid: too long.
    """
    return bounded(text, "title", LONGEST_TITLE)


def checked_span(span: Span) -> Span:
    """Return the span.

    Raises:
        Invalid: times without offset, reversed, or in another century (arithmetic with these would overflow).
    """
    for field, moment in (("starts_at", span.starts_at), ("ends_at", span.ends_at)):
        if not YEARS[0] <= moment.year <= YEARS[1]:
            raise Invalid.field(field, N_("Choose a year from {first} to {last}."), first=str(YEARS[0]), last=str(YEARS[1]))
    return span.checked()


def check_fields(span: Span, title: str, place: Place) -> tuple[Span, str]:
    """Return span and title as they are kept.

    Raises:
        Invalid: every wrong field at once: times without offset or reversed, off the grid, too short or long, a title too long.
    """
    errors: list[FieldError] = []
    try:
        title = checked_title(title)
    except Invalid as refusal:
        errors += refusal.errors
    try:
        span = checked_span(span)
        errors += _misfits(span, place)
    except Invalid as refusal:
        errors += refusal.errors
    if errors:
        raise Invalid(errors)
    return span, title


def _misfits(span: Span, place: Place) -> Iterator[FieldError]:
    unit, zone = place.unit, place.site.zone
    for field, moment in (("starts_at", span.starts_at), ("ends_at", span.ends_at)):
        if not is_on_grid(moment, unit.step_min, zone):
            yield FieldError(field, N_("Times go in steps of {step} minutes."), {"step": unit.step_min})
    least, most = timedelta(minutes=unit.min_use_min), timedelta(minutes=unit.max_use_min)
    if not least <= span.length <= most:
        yield FieldError("ends_at", N_("From {least:duration} to {most:duration}; this is {length:duration}."),
                         {"least": least, "most": most, "length": span.length})


def refusals(place: Place, span: Span, now: datetime, *, is_staff: bool) -> Iterator[KaiboError]:
    """Yield every reason of the calendar against a span: past, too far ahead, closed, outside hours.

    Staff may still give out the step that is running: somebody stands at the desk and wants to begin now.
    """
    grace = timedelta(minutes=place.unit.step_min) if is_staff else timedelta()
    if span.starts_at + grace <= now and span.starts_at < now:
        yield Past()
    latest = place.site.local_date(now) + timedelta(days=place.unit.ahead_days)
    if place.site.local_date(span.starts_at) > latest:
        yield TooFarAhead(days=place.unit.ahead_days, latest=latest)
    yield from closed(place, span)


def closed(place: Place, span: Span) -> Iterator[KaiboError]:
    """Yield what the opening hours say against a span; a closure also bars setup and teardown."""
    blocked = place.blocked(span)
    for closure in place.calendar.closures:
        if closure.span.overlaps(blocked):
            yield RoomClosed(closure=closure.span, reason=closure.reason, reason_en=closure.reason_en)
            return
    if not any(each.covers(span) for each in open_spans(place.calendar, place.site.zone, span)):
        opened = open_spans(place.calendar, place.site.zone, calendar_window(span))
        yield OutsideHours(opening=nearest_opening(opened, span)) if opened else OutsideHours(
            N_("Not open then, nor within a week before or after."))


def nearest_opening(opened: list[Span], span: Span) -> Span:
    """Return the opening that lies nearest to a span: one that it overlaps, else the one with the smallest gap."""
    return min(opened, key=lambda each: max(each.starts_at - span.starts_at, span.ends_at - each.ends_at))


def first_of(found: Iterator[KaiboError]) -> None:
    """Refuse with the first reason, if there is one."""
    refuse(next(found, None))


def refuse(refusal: KaiboError | None) -> None:
    """Refuse with the reason, if there is one."""
    if refusal is not None:
        raise refusal


# What state and hour say against a verb. The verb refuses with the answer and a page offers the verb where there is none, so
# both always agree; who may is a matter of rights.

def against_change(state: str) -> Conflict | None:
    """Return what speaks against any change of a booking, be it only its title, and against a longer use."""
    return None if state in STANDING else WrongState(state=STATE_NAMES[state])


def has_begun(state: str, starts_at: datetime, now: datetime) -> bool:
    """Tell whether it runs, so that only its end and title can change: its time has come, or its party is in the room."""
    return starts_at <= now or state == State.CHECKED_IN


def against_move(state: str, before: Span, after: Span, now: datetime, *, is_same_unit: bool) -> Conflict | None:
    """Return what speaks against another time of use, or another room; what has begun can only get an end that lies ahead."""
    if state not in STANDING or not has_begun(state, before.starts_at, now):
        return against_change(state)
    is_end_ahead = after.ends_at > now
    return None if is_same_unit and after.starts_at == before.starts_at and is_end_ahead else HasBegun()


def against_end(state: str, starts_at: datetime, now: datetime) -> Conflict | None:
    """Return what speaks against ending it now; a use that runs over its time can still be ended."""
    return against_change(state) or (NotBegun(starts_at=starts_at) if starts_at >= now else None)


def against_cancel(state: str, starts_at: datetime, now: datetime) -> Conflict | None:
    """Return what speaks against giving it back; a hold can always be let go."""
    if state == State.HELD:
        return None
    if state not in (State.PENDING, *STANDING):
        return WrongState(state=STATE_NAMES[state])
    return HasBegun() if starts_at <= now else None


def against_no_show(state: str, starts_at: datetime, checked_in_at: datetime | None, now: datetime) -> Conflict | None:
    """Return what speaks against noting that nobody came."""
    if checked_in_at is not None or state not in (State.CONFIRMED, State.FINISHED):
        return WrongState(state=STATE_NAMES[state])
    return NotYet(opens_at=starts_at) if starts_at > now else None


def against_check_in(state: str, window: Span, checked_in_at: datetime | None, now: datetime) -> Conflict | None:
    """Return what speaks against checking in; the `window` goes from the beginning of setup to the end of the use."""
    if state == State.CHECKED_IN:
        return AlreadyCheckedIn(at=checked_in_at)
    if state != State.CONFIRMED:
        return WrongState(state=STATE_NAMES[state])
    if now < window.starts_at:
        return NotYet(opens_at=window.starts_at)
    return WrongState(state=STATE_NAMES[State.FINISHED]) if now >= window.ends_at else None
