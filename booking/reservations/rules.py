"""Arithmetic of reservations: states, the step grid, lengths, what a room still has free, and what could be booked instead."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from booking.calendars.rules import Calendar, closure_over, is_open, open_spans, without
from booking.units.queries import UnitFacts
from incubator.accounts.rules import visible
from incubator.ground.errors import Conflict, Invalid, N_
from incubator.ground.values import Span


class State(StrEnum):
    """The states of a reservation."""

    HELD = "held"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CHECKED_IN = "checked_in"
    FINISHED = "finished"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


STATE_NAMES: dict[str, str] = {
    State.HELD: N_("On hold"),
    State.PENDING: N_("Waiting for approval"),
    State.CONFIRMED: N_("Booked"),
    State.CHECKED_IN: N_("Checked in"),
    State.FINISHED: N_("Finished"),
    State.NO_SHOW: N_("No-show"),
    State.CANCELLED: N_("Cancelled"),
    State.EXPIRED: N_("Ran out"),
}
ALIVE = frozenset({State.HELD, State.PENDING, State.CONFIRMED, State.CHECKED_IN})
HOLD_FOR = timedelta(minutes=5)
LONGEST_TITLE = 80
MOST_ALTERNATIVES = 4
FURTHEST_SHIFT_MIN = 240


class SlotTaken(Conflict):
    """Something else has the room, the host or the kit at that time."""

    code = "slot-taken"
    msgid = N_("This slot was just taken. What you entered is kept; choose one below.")


class HostTaken(SlotTaken):
    """The host is booked elsewhere at that time."""

    msgid = N_("{name} is booked elsewhere at that time.")


class OverQuota(Conflict):
    """The merchant's hours of this week do not suffice."""

    code = "over-quota"
    msgid = N_("{left} left this week. Shorten the booking or choose another week.")


class OutsideHours(Conflict):
    """The room is not open throughout."""

    code = "outside-hours"
    msgid = N_("The room is open {hours} on that day.")


class NotOpen(OutsideHours):
    """The room is not open on that day at all."""

    msgid = N_("The room is not open on that day.")


class Closed(Conflict):
    """A closure meets the time."""

    code = "closed"
    msgid = N_("Closed until {until}: {reason}.")


class Past(Conflict):
    """The time has passed."""

    code = "past"
    msgid = N_("This time has passed.")


class TooFarAhead(Conflict):
    """The time lies beyond the booking window."""

    code = "too-far-ahead"
    msgid = N_("Rooms can be booked {days} days ahead, until {until}.")


class WrongState(Conflict):
    """The reservation is in a state in which this cannot be done."""

    code = "wrong-state"
    msgid = N_("This cannot be done any more: the booking is in the state “{state}”.")


class HoldExpired(Conflict):
    """The hold ran out before it was confirmed."""

    code = "hold-expired"
    msgid = N_("The slot was kept for five minutes and is free again. What you entered is kept; book it again.")


class MerchantPaused(Conflict):
    """The merchant may not book at present."""

    code = "merchant-paused"
    msgid = N_("This merchant is paused and cannot book. Ask the incubator manager.")


class RoomDay(msgspec.Struct, frozen=True):
    """One space with its calendar and what is blocked there around the time asked for."""

    unit: UnitFacts
    calendar: Calendar
    busy: tuple[Span, ...]


class Alternative(msgspec.Struct, frozen=True):
    """Something that could be booked instead; `change` says what is different (`earlier later room shorter`)."""

    unit: UnitFacts
    span: Span
    change: str
    minutes: int


def checked_title(text: str) -> str:
    """Return the title as it is kept; empty is fine.

    Raises:
        Invalid: too long.
    """
    title = visible(text)
    if len(title) > LONGEST_TITLE:
        raise Invalid.field("title", N_("At most {most} characters; this has {count}."), most=LONGEST_TITLE, count=len(title))
    return title


def blocked(unit: UnitFacts, span: Span) -> Span:
    """Return the use widened by the unit's setup and teardown."""
    return span.widened(unit.setup_min, unit.teardown_min)


def on_grid(moment: datetime, step_min: int, zone: ZoneInfo) -> bool:
    """Tell whether the moment lies on the unit's steps of the local hour."""
    local = moment.astimezone(zone)
    return (local.hour * 60 + local.minute) % step_min == 0 and local.second == 0 and local.microsecond == 0


def floor_to_step(moment: datetime, step_min: int, zone: ZoneInfo) -> datetime:
    """Return the last step at or before the moment."""
    local = moment.astimezone(zone)
    over = timedelta(minutes=(local.hour * 60 + local.minute) % step_min, seconds=local.second, microseconds=local.microsecond)
    return moment - over


def check_length(unit: UnitFacts, span: Span, zone: ZoneInfo) -> None:
    """Check step grid and length.

    Raises:
        Invalid: an end off the grid, too short, or too long.
    """
    for field, moment in (("starts_at", span.starts_at), ("ends_at", span.ends_at)):
        if not on_grid(moment, unit.step_min, zone):
            raise Invalid.field(field, N_("Times go in steps of {step} minutes."), step=unit.step_min)
    if span.minutes < unit.min_use_min:
        raise Invalid.field("ends_at", N_("At least {least} minutes."), least=unit.min_use_min)
    if span.minutes > unit.max_use_min:
        raise Invalid.field("ends_at", N_("At most {most} hours at a time."), most=unit.max_use_min // 60)


def check_window(unit: UnitFacts, span: Span, now: datetime, zone: ZoneInfo) -> None:
    """Check that the time is neither past nor too far ahead; the step that is running may still be booked.

    Raises:
        Past, TooFarAhead: it is.
    """
    if span.starts_at < floor_to_step(now, unit.step_min, zone):
        raise Past()
    last_day = (now.astimezone(zone) + timedelta(days=unit.ahead_days)).date()
    if span.starts_at.astimezone(zone).date() > last_day:
        raise TooFarAhead(days=unit.ahead_days, until=last_day)


def check_hours(calendar: Calendar, span: Span, day: Span) -> None:
    """Check that the use lies within opening hours; `day` is the site's day, for the words of the refusal.

    Raises:
        Closed, OutsideHours: it does not.
    """
    if is_open(calendar, span):
        return
    closure = closure_over(calendar, span)
    if closure is not None:
        raise Closed(until=closure.span.ends_at, reason=closure.reason, reason_en=closure.reason_en)
    opened = open_spans(calendar, day)
    if not opened:
        raise NotOpen()
    raise OutsideHours(hours=Span(opened[0].starts_at, opened[-1].ends_at))


def fits(room: RoomDay, span: Span) -> bool:
    """Tell whether the room could take the use: open throughout and nothing blocked in the way."""
    wide = blocked(room.unit, span)
    return not any(wide.overlaps(other) for other in room.busy) and is_open(room.calendar, span)


def free_spans(room: RoomDay, frame: Span) -> list[Span]:
    """Return when a use could lie in the room within the frame, at least the shortest one long.

    What is blocked by others is widened by the room's own teardown before and setup after it, since a use needs both.
    """
    holes = [Span(b.starts_at - timedelta(minutes=room.unit.teardown_min), b.ends_at + timedelta(minutes=room.unit.setup_min))
             for b in room.busy]
    spans = without(open_spans(room.calendar, frame), holes)
    return [span for span in spans if span.minutes >= room.unit.min_use_min]


def alternatives(wanted: Span, room_id: int, rooms: Sequence[RoomDay], now: datetime, zone: ZoneInfo) -> list[Alternative]:
    """Return what could be booked instead, the smallest change first, at most four.

    A shift costs its minutes, another room 20, a shorter use 15 and the minutes lost; equal costs keep the centre's order of rooms.
    """
    found: list[tuple[float, int, Alternative]] = []
    for place, room in enumerate(rooms):
        for cost, option in _options(wanted, room, is_same=room.unit.id == room_id):
            found.append((cost, place, option))
    found.sort(key=lambda item: (item[0], item[1]))
    chosen: list[Alternative] = []
    for _, _, option in found:
        room = next(r for r in rooms if r.unit.id == option.unit.id)
        if len(chosen) < MOST_ALTERNATIVES and _is_bookable(room, option.span, now, zone):
            if not any(c.unit.id == option.unit.id and c.change == option.change for c in chosen):
                chosen.append(option)
    return chosen


def _is_bookable(room: RoomDay, span: Span, now: datetime, zone: ZoneInfo) -> bool:
    return span.starts_at >= floor_to_step(now, room.unit.step_min, zone) and fits(room, span)


def _options(wanted: Span, room: RoomDay, *, is_same: bool) -> Iterable[tuple[float, Alternative]]:
    unit = room.unit
    if not is_same:
        yield 20, Alternative(unit, wanted, "room", 0)
    extra = 0 if is_same else 20
    for shift in range(unit.step_min, FURTHEST_SHIFT_MIN + 1, unit.step_min):
        by = timedelta(minutes=shift)
        yield extra + shift, Alternative(unit, wanted.moved(-by), "earlier", shift)
        yield extra + shift + 0.5, Alternative(unit, wanted.moved(by), "later", shift)
    if is_same:
        for less in range(unit.step_min, wanted.minutes - unit.min_use_min + 1, unit.step_min):
            cut = timedelta(minutes=less)
            yield 15 + less, Alternative(unit, Span(wanted.starts_at, wanted.ends_at - cut), "shorter", less)
            yield 15.5 + less, Alternative(unit, Span(wanted.starts_at + cut, wanted.ends_at), "shorter", less)
