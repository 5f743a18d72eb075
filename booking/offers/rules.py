"""What is free: gaps in which a use with its setup and teardown fits, slots to offer, and the smallest change that would work."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from booking.calendars.rules import DAY_MIN, CalendarFacts, clipped, is_on_grid, last_on_grid, next_on_grid, open_spans, without
from booking.units.queries import UnitFacts
from incubator.ground.errors import N_
from incubator.ground.values import Span

SHIFT = timedelta(hours=4)  # how far an alternative may move
OTHER_ROOM_COST = 20  # another room counts like a shift by so many minutes
SHORTER_COST = 15  # and so does giving up any time at all, before the time itself
PARTS = {"evening": N_("Evening"), "afternoon": N_("Afternoon"), "morning": N_("Morning")}


class Room(msgspec.Struct, frozen=True):
    """A unit with its calendar and what others have taken of it (blocked intervals)."""

    unit: UnitFacts
    calendar: CalendarFacts
    busy: tuple[Span, ...] = ()


class Alternative(msgspec.Struct, frozen=True):
    """What would work instead: shifted, other_space or shorter; `minutes` says how far (earlier is negative) or how much."""

    space_id: UUID
    kind: str
    name: str
    name_en: str
    starts_at: datetime
    ends_at: datetime
    change: str
    minutes: int


def free_spans(room: Room, zone: ZoneInfo, within: Span, also_busy: Sequence[Span] = ()) -> list[Span]:
    """Return where a use fits: within opening hours, setup and teardown clear of neighbours and closures, ends on the grid.

    `also_busy` is what else must be avoided without setup and teardown, such as a host's other bookings.
    """
    around = Span(within.starts_at - timedelta(days=1), within.ends_at + timedelta(days=1))
    barred = [*room.busy, *(closure.span for closure in room.calendar.closures)]
    return gaps(room.unit, open_spans(room.calendar, zone, around), barred, zone, within, also_busy)


def gaps(unit: UnitFacts, opened: Iterable[Span], barred: Iterable[Span], zone: ZoneInfo, within: Span,
         also_busy: Sequence[Span] = ()) -> list[Span]:
    """Return where a use fits, as in `free_spans`; `barred` are neighbours' blocked intervals and closures."""
    taken = [each.widened(unit.teardown_min, unit.setup_min) for each in barred]
    found = []
    for span in clipped(without(list(opened), [*taken, *also_busy]), within):
        start, end = next_on_grid(span.starts_at, unit.step_min, zone), last_on_grid(span.ends_at, unit.step_min, zone)
        if end - start >= timedelta(minutes=unit.min_use_min):
            found.append(Span(start, end))
    return found


def starts(free: Iterable[Span], length: timedelta, step_min: int, zone: ZoneInfo) -> Iterator[Span]:
    """Yield every slot of that length on the grid within the free spans, which begin on the grid."""
    step = timedelta(minutes=step_min)
    for span in free:
        # where clocks do not change and the day is a whole number of steps, one step leads from grid to grid
        is_even = DAY_MIN % step_min == 0 and length % step == timedelta(0) and _offset_at(span.starts_at, zone) == _offset_at(
            span.ends_at, zone)
        at = span.starts_at
        while at + length <= span.ends_at:
            if is_even or (is_on_grid(at, step_min, zone) and is_on_grid(at + length, step_min, zone)):
                yield Span(at, at + length)
            at += step


def _offset_at(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def tidy_slots(free: Iterable[Span], length: timedelta, step_min: int, zone: ZoneInfo) -> list[Span]:
    """Return slots that do not overlap, beginning on the hour where that is possible: few enough to choose from at a glance."""
    found: list[Span] = []
    for span in free:
        slots = list(starts([span], length, step_min, zone))
        on_the_hour = [slot for slot in slots if slot.starts_at.astimezone(zone).minute == 0]
        for slot in on_the_hour or slots:
            if not found or slot.starts_at >= found[-1].ends_at:
                found.append(slot)
    return found


def part_of_day(moment: datetime, zone: ZoneInfo) -> str:
    """Return evening (from 18:00), afternoon (from 12:00) or morning."""
    hour = moment.astimezone(zone).hour
    return "evening" if hour >= 18 else "afternoon" if hour >= 12 else "morning"


def alternatives(rooms: Sequence[Room], unit_id: int, wanted: Span, zone: ZoneInfo, now: datetime,
                 also_busy: Sequence[Span] = (), most: int = 5) -> list[Alternative]:
    """Return what would work instead, smallest change first: the same room shifted, another of its kind, the same for shorter."""
    within = Span(max(wanted.starts_at - SHIFT, now), max(wanted.ends_at + SHIFT, now + timedelta(minutes=1)))
    priced: list[tuple[int, int, Alternative]] = []
    for place, room in enumerate(rooms):
        free = free_spans(room, zone, within, also_busy)
        found = _in_same_room(room, free, wanted, zone) if room.unit.id == unit_id else _in_other_room(room, free, wanted, zone)
        priced += [(cost, place, choice) for cost, choice in found]
    priced.sort(key=lambda each: each[:2])
    return [choice for _, _, choice in priced[:most]]


def _choice(room: Room, span: Span, change: str, minutes: int) -> Alternative:
    unit = room.unit
    return Alternative(unit.uid, unit.kind, unit.name, unit.name_en, span.starts_at, span.ends_at, change, minutes)


def _in_same_room(room: Room, free: Sequence[Span], wanted: Span, zone: ZoneInfo) -> Iterator[tuple[int, Alternative]]:
    for shift, span in _nearest(room, free, wanted, zone):
        if shift:
            yield abs(shift), _choice(room, span, "shifted", shift)
    within = clipped(free, wanted)
    longest = max(within, key=lambda span: span.length, default=None)
    if longest is not None and timedelta(minutes=room.unit.min_use_min) <= longest.length < wanted.length:
        less = wanted.minutes - longest.minutes
        yield SHORTER_COST + less, _choice(room, longest, "shorter", less)


def _in_other_room(room: Room, free: Sequence[Span], wanted: Span, zone: ZoneInfo) -> Iterator[tuple[int, Alternative]]:
    if not room.unit.min_use_min <= wanted.minutes <= room.unit.max_use_min:
        return
    shift, span = min(_nearest(room, free, wanted, zone), key=lambda each: abs(each[0]), default=(0, None))
    if span is not None:
        yield OTHER_ROOM_COST + abs(shift), _choice(room, span, "other_space", shift)


def _nearest(room: Room, free: Sequence[Span], wanted: Span, zone: ZoneInfo) -> Iterator[tuple[int, Span]]:
    """Yield the nearest slot not later and the nearest later one, each with its shift in minutes (earlier is negative)."""
    slots = [(int((slot.starts_at - wanted.starts_at).total_seconds()) // 60, slot)
             for slot in starts(free, wanted.length, room.unit.step_min, zone)]
    earlier = [each for each in slots if each[0] <= 0]
    later = [each for each in slots if each[0] > 0]
    if earlier:
        yield max(earlier, key=lambda each: each[0])
    if later:
        yield min(later, key=lambda each: each[0])
