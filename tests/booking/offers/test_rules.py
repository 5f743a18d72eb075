"""Calendars, free spans and alternatives as arithmetic: by example where clocks change, by property elsewhere."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from booking.calendars.rules import (
    CalendarFacts,
    Closure,
    WeeklyHours,
    instant,
    is_on_grid,
    last_on_grid,
    merged,
    next_on_grid,
    open_spans,
    without,
)
from booking.offers.rules import Room, alternatives, free_spans, starts, tidy_slots
from booking.units.queries import UnitFacts
from incubator.ground.values import Span

QINYANG = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
APIA = ZoneInfo("Pacific/Apia")  # left out the whole 30 December 2011
ZONES = st.sampled_from([QINYANG, BERLIN, SAO_PAULO, APIA, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")])
ORIGIN = datetime(2026, 11, 22, 16, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year to minute


def quarters(start: int, length: int) -> Span:
    """Return a span in quarters of an hour from the origin."""
    return Span(ORIGIN + timedelta(minutes=15 * start), ORIGIN + timedelta(minutes=15 * (start + length)))


SPANS = st.builds(quarters, st.integers(0, 96), st.integers(1, 40))


def unit_with(setup_min: int = 0, teardown_min: int = 0, number: int = 1) -> UnitFacts:
    return UnitFacts(number, uuid4(), 1, "live_room", f"L{number}", f"{number}", f"{number}", "", "", 1, None, None, 15,
                     setup_min, teardown_min, 30, 720, 60, number, False, 1)


def room_with(busy: list[Span], setup_min: int = 0, teardown_min: int = 0, number: int = 1,
              closures: tuple[Closure, ...] = ()) -> Room:
    hours = tuple(WeeklyHours(day, 480, 1320) for day in range(7))
    return Room(unit_with(setup_min, teardown_min, number), CalendarFacts(hours, closures), tuple(busy))


@pytest.mark.parametrize(("zone", "day", "minute", "last", "moment"), [
    (BERLIN, date(2026, 3, 29), 90, False, utc(2026, 3, 29, 0, 30)),
    (BERLIN, date(2026, 3, 29), 150, False, utc(2026, 3, 29, 1, 0)),  # 02:30 is skipped: the moment of the skip
    (BERLIN, date(2026, 3, 29), 180, False, utc(2026, 3, 29, 1, 0)),
    (BERLIN, date(2026, 10, 25), 150, False, utc(2026, 10, 25, 0, 30)),  # 02:30 comes twice
    (BERLIN, date(2026, 10, 25), 150, True, utc(2026, 10, 25, 1, 30)),
    (SAO_PAULO, date(2018, 11, 4), 0, False, utc(2018, 11, 4, 3, 0)),  # midnight itself is skipped
    (SAO_PAULO, date(2018, 2, 17), 1410, False, utc(2018, 2, 18, 1, 30)),  # 23:30 comes twice
    (SAO_PAULO, date(2018, 2, 17), 1410, True, utc(2018, 2, 18, 2, 30)),
    (QINYANG, date(2026, 11, 23), 1500, False, utc(2026, 11, 23, 17, 0)),
])
def test_a_wall_clock_time(zone: ZoneInfo, day: date, minute: int, last: bool, moment: datetime) -> None:
    assert instant(day, minute, zone, last=last) == moment


@pytest.mark.parametrize(("zone", "day", "hours"), [
    (BERLIN, date(2026, 3, 29), 23), (BERLIN, date(2026, 10, 25), 25), (SAO_PAULO, date(2018, 11, 4), 23),
    (SAO_PAULO, date(2018, 2, 17), 25), (QINYANG, date(2026, 3, 29), 24),
])
def test_a_whole_day_where_clocks_change(zone: ZoneInfo, day: date, hours: int) -> None:
    calendar = CalendarFacts(tuple(WeeklyHours(weekday, 0, 1440) for weekday in range(7)))
    span = Span(instant(day, 0, zone), instant(day + timedelta(days=1), 0, zone))
    assert open_spans(calendar, zone, span) == [span]
    assert span.length == timedelta(hours=hours)


def test_hours_past_midnight() -> None:
    calendar = CalendarFacts((WeeklyHours(0, 20 * 60, 26 * 60),))
    tuesday = Span(instant(date(2026, 11, 24), 0, QINYANG), instant(date(2026, 11, 25), 0, QINYANG))
    assert open_spans(calendar, QINYANG, tuesday) == [Span(tuesday.starts_at, tuesday.starts_at + timedelta(hours=2))]


def test_a_closure_beats_an_opening() -> None:
    day = quarters(0, 96)
    opening = Closure(uuid4(), quarters(0, 96), "", "", is_open=True)
    closure = Closure(uuid4(), quarters(8, 8), "检修", "repair")
    assert open_spans(CalendarFacts((), (closure, opening)), QINYANG, day) == [quarters(0, 8), quarters(16, 80)]


@given(st.lists(SPANS, max_size=8), st.lists(SPANS, max_size=8), st.integers(0, 140))
def test_cutting_out(spans: list[Span], holes: list[Span], at: int) -> None:
    """An instant is left exactly when some span has it and no hole does; what is left is sorted and apart."""
    moment = quarters(at, 1).starts_at + timedelta(minutes=7)
    left = without(merged(spans), holes)
    expected = any(span.contains(moment) for span in spans) and not any(hole.contains(moment) for hole in holes)
    assert any(span.contains(moment) for span in left) == expected
    assert all(before.ends_at <= after.starts_at for before, after in pairwise(left))


@given(ZONES, st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)), st.sampled_from([5, 15, 20, 30, 60, 90]))  # noqa: DTZ001 -- made aware below
@settings(deadline=None)
def test_the_grid(zone: ZoneInfo, moment: datetime, step_min: int) -> None:
    at = moment.replace(tzinfo=UTC)
    after, before = next_on_grid(at, step_min, zone), last_on_grid(at, step_min, zone)
    assert before <= at <= after
    assert is_on_grid(after, step_min, zone)
    assert is_on_grid(before, step_min, zone)
    assert after - before <= timedelta(minutes=step_min + 60)  # longer only where clocks change


@given(st.lists(SPANS, max_size=6), st.integers(0, 4), st.integers(0, 4), st.integers(0, 100), st.integers(2, 16))
@settings(deadline=None)
def test_free_means_free(busy: list[Span], setup: int, teardown: int, start: int, length: int) -> None:
    """A use lies within a free span exactly when it is within opening hours and its blocked interval meets nobody."""
    room = room_with(merged(busy), setup * 15, teardown * 15)
    use = quarters(start, length)
    opened = open_spans(room.calendar, QINYANG, quarters(-96, 400))
    blocked = use.widened(setup * 15, teardown * 15)
    possible = any(span.covers(use) for span in opened) and not any(blocked.overlaps(each) for each in busy)
    offered = any(span.covers(use) for span in free_spans(room, QINYANG, quarters(-96, 400)))
    assert offered == possible


@given(st.lists(SPANS, max_size=6), st.integers(2, 12))
@settings(deadline=None)
def test_slots_fit_and_stay_apart(busy: list[Span], length: int) -> None:
    free = free_spans(room_with(merged(busy), 15, 15), QINYANG, quarters(0, 96))
    slots = tidy_slots(free, timedelta(minutes=15 * length), 15, QINYANG)
    assert all(any(span.covers(slot) for span in free) for slot in slots)
    assert all(before.ends_at <= after.starts_at for before, after in pairwise(slots))
    assert bool(slots) == any(True for _ in starts(free, timedelta(minutes=15 * length), 15, QINYANG))


@given(st.lists(SPANS, max_size=5), st.lists(SPANS, max_size=5), st.lists(SPANS, max_size=2), st.integers(32, 80),
       st.integers(4, 12), st.integers(0, 60))
@settings(deadline=None)
def test_alternatives_would_work(ones: list[Span], twos: list[Span], host: list[Span], start: int, length: int, now: int) -> None:
    """Whatever is offered instead is free, also for the host, not past, and no longer than what was wanted."""
    rooms = [room_with(merged(ones), 15, 15, 1), room_with(merged(twos), 0, 0, 2)]
    wanted, present = quarters(start, length), quarters(now, 1).starts_at
    choices = alternatives(rooms, 1, wanted, QINYANG, present, merged(host))
    for choice in choices:
        room = next(room for room in rooms if room.unit.uid == choice.space_id)
        use = Span(choice.starts_at, choice.ends_at)
        assert any(span.covers(use) for span in free_spans(room, QINYANG, quarters(-96, 400)))
        assert use.starts_at >= present
        assert not any(use.overlaps(each) for each in host)
        assert timedelta(minutes=30) <= use.length <= wanted.length
        assert (choice.change == "shorter") == (use.length < wanted.length)
    assert len(choices) <= 5


def test_the_smallest_change_comes_first() -> None:
    wanted = quarters(66, 8)  # 16:30 to 18:30
    rooms = [room_with([quarters(74, 8)], 0, 15, 1), room_with([], 0, 0, 2), room_with([quarters(60, 20)], 0, 0, 3)]
    choices = alternatives(rooms, 1, wanted, QINYANG, ORIGIN)
    assert [(c.name, c.change, c.minutes) for c in choices][:3] == [
        ("1", "shifted", -15), ("2", "other_space", 0), ("1", "shorter", 15)]
