"""Opening hours as arithmetic: weekly hours, dated exceptions, the step grid, all by the site's own clock."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from incubator.ground.values import Span

DAY_MIN = 1440


class WeeklyHours(msgspec.Struct, frozen=True, order=True):
    """One opening per week; minutes from local midnight of the weekday (0 = Monday); a close over 1440 lies on the next day."""

    weekday: int
    opens_min: int
    closes_min: int


class Closure(msgspec.Struct, frozen=True):
    """A dated exception: closed for a reason, or open (`is_open`) where the week says closed."""

    uid: UUID
    span: Span
    reason: str
    reason_en: str
    is_open: bool = False


class CalendarFacts(msgspec.Struct, frozen=True):
    """What decides when a unit is open; `hours` None means around the clock."""

    hours: tuple[WeeklyHours, ...] | None = None
    exceptions: tuple[Closure, ...] = ()

    @property
    def closures(self) -> list[Closure]:
        """Return the exceptions that close."""
        return [exception for exception in self.exceptions if not exception.is_open]


def instant(day: date, minute: int, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """Return the moment (UTC) at which the zone's clocks show this minute of the day; `minute` may exceed 1440.

    A time that clocks skip means the moment of the skip; of a time that they show twice, the first, or the `last`.
    """
    shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 -- a wall clock's time
    first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if last else first
    return _change_between(second, first, zone)


def _change_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return the minute at which the zone's offset changes between two moments."""
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(minutes=1):
        middle = early + timedelta(minutes=int((late - early).total_seconds()) // 120)
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


def open_spans(calendar: CalendarFacts, zone: ZoneInfo, within: Span) -> list[Span]:
    """Return when a unit is open within a span: sorted, apart from each other; a closure beats an opening."""
    usual = (within,) if calendar.hours is None else _weekly(calendar.hours, zone, within)
    opened = merged([*usual, *(e.span for e in calendar.exceptions if e.is_open)])
    return clipped(without(opened, [closure.span for closure in calendar.closures]), within)


@lru_cache(maxsize=512)  # many rooms share their hours, and pages ask for the same days
def _weekly(hours: tuple[WeeklyHours, ...], zone: ZoneInfo, within: Span) -> tuple[Span, ...]:
    day = within.starts_at.astimezone(zone).date() - timedelta(days=2)  # the hours of days before may pass midnight
    last = within.ends_at.astimezone(zone).date()
    found = []
    while day <= last:
        for each in hours:
            if each.weekday == day.weekday():
                span = Span(instant(day, each.opens_min, zone), instant(day, each.closes_min, zone, last=True))
                if span.starts_at < span.ends_at and span.overlaps(within):
                    found.append(span)
        day += timedelta(days=1)
    return tuple(found)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the spans sorted, with touching and overlapping ones joined."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.starts_at <= joined[-1].ends_at:
            joined[-1] = Span(joined[-1].starts_at, max(joined[-1].ends_at, span.ends_at))
        else:
            joined.append(span)
    return joined


def without(spans: Sequence[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is left of sorted spans once the taken ones are cut out."""
    left = list(spans)
    for hole in merged(taken):
        kept: list[Span] = []
        for span in left:
            if not span.overlaps(hole):
                kept.append(span)
                continue
            if span.starts_at < hole.starts_at:
                kept.append(Span(span.starts_at, hole.starts_at))
            if hole.ends_at < span.ends_at:
                kept.append(Span(hole.ends_at, span.ends_at))
        left = kept
    return left


def clipped(spans: Iterable[Span], within: Span) -> list[Span]:
    """Return the parts of the spans that lie within another."""
    return [
        Span(max(span.starts_at, within.starts_at), min(span.ends_at, within.ends_at)) for span in spans if span.overlaps(within)
    ]


def is_on_grid(moment: datetime, step_min: int, zone: ZoneInfo) -> bool:
    """Tell whether the site's clocks show a whole step at this moment."""
    local = moment.astimezone(zone)
    return local.second == 0 and local.microsecond == 0 and (local.hour * 60 + local.minute) % step_min == 0


def next_on_grid(moment: datetime, step_min: int, zone: ZoneInfo) -> datetime:
    """Return the moment itself when it lies on the grid, else the next one that does, in UTC."""
    at = moment.astimezone(UTC)
    if is_on_grid(at, step_min, zone):
        return at
    at = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while not is_on_grid(at, step_min, zone):
        local = at.astimezone(zone)
        rest = step_min - (local.hour * 60 + local.minute) % step_min
        at += timedelta(minutes=rest if step_min <= 60 else 1)  # a longer step can jump over a change of the clocks
    return at


def last_on_grid(moment: datetime, step_min: int, zone: ZoneInfo) -> datetime:
    """Return the moment itself when it lies on the grid, else the last one before that does, in UTC."""
    at = moment.astimezone(UTC).replace(second=0, microsecond=0)
    while not is_on_grid(at, step_min, zone):
        local = at.astimezone(zone)
        rest = (local.hour * 60 + local.minute) % step_min
        at -= timedelta(minutes=rest if step_min <= 60 else 1)
    return at
