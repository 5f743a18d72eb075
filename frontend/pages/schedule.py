"""The schedule as templates draw it: lanes with blocks and closed parts, classes and texts ready, so that cells cost nothing."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup, escape

from booking.calendars.rules import Closure, without
from booking.schedule.queries import Block as Taken, UnitDay
from frontend import formats, i18n, statics
from frontend.pages.booking_words import CHIPS, hours_text, is_chinese, name_of, note_of
from incubator.ground.errors import N_
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

STEP = timedelta(minutes=statics.STEP_MIN)
STEP_S = statics.STEP_MIN * 60
USUAL_DAY = (8, 22)
OVER = frozenset({"finished", "no_show"})
LEAST_STEPS_FOR_TEXT = 9
DAY_MIN = 24 * 60
CLOCK = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, DAY_MIN + 1, 5)]
HOLDING = {"held": "held", "pending": "pending"}
HELD, TAKEN, UNTITLED, OVER_WORD, JOINT = N_("On hold"), N_("Taken"), N_("Without title"), N_("over"), N_(", ")


class Frame(msgspec.Struct, frozen=True):
    """The visible stretch of a day, from whole hour to whole hour."""

    span: Span
    steps: int

    def at(self, moment: datetime) -> int:
        """Return the step at which a moment lies, kept within the frame."""
        return min(max(int((moment - self.span.starts_at).total_seconds()) // STEP_S, 0), self.steps)

    def classes(self, span: Span) -> str:
        """Return the classes that place a span."""
        start = self.at(span.starts_at)
        return f"s{start} w{max(self.at(span.ends_at) - start, 1)}"


class Gap(msgspec.Struct, frozen=True):
    """A closed part of a lane; `text` only where it fits."""

    cls: str
    text: str
    label: str


class Lane(msgspec.Struct, frozen=True):
    """One room of a day, lengths in steps of 5 minutes."""

    uid: str
    name: str
    note: str
    step: int
    least: int
    most: int
    setup: int
    teardown: int
    gaps: Sequence[Gap]
    blocks: Markup


def frame_of(site: SiteFacts, day: date, opened: Iterable[Span], taken: Iterable[Span] = ()) -> Frame:
    """Return the hours to show: the openings and whatever is booked outside them, else the usual day."""
    whole = site.day(day)
    spans = [*opened, *taken]
    if spans:
        begin, end = min(s.starts_at for s in spans), max(s.ends_at for s in spans)
    else:
        begin, end = (datetime(day.year, day.month, day.day, hour, tzinfo=site.zone) for hour in USUAL_DAY)
    begin, end = max(begin, whole.starts_at), min(end, whole.starts_at + timedelta(days=1))
    local = begin.astimezone(site.zone)
    begin -= timedelta(minutes=local.minute, seconds=local.second)
    hours = -(-(end - begin) // timedelta(hours=1))
    steps = min(int(hours) * 12, statics.STEPS)
    return Frame(Span(begin, begin + steps * STEP), steps)


def hour_marks(frame: Frame, site: SiteFacts) -> list[tuple[str, str]]:
    """Return class and text of each full hour of the frame."""
    marks = []
    for step in range(0, frame.steps, 12):
        local = (frame.span.starts_at + step * STEP).astimezone(site.zone)
        marks.append((f"s{step}", f"{local:%H:%M}"))
    return marks


def lane_of(found: UnitDay, frame: Frame, blocks: Markup) -> Lane:
    """Return one room's lane."""
    unit = found.unit
    step, least, most = (max(minutes // statics.STEP_MIN, 1) for minutes in (unit.step_min, unit.min_use_min, unit.max_use_min))
    return Lane(
        str(unit.uid), name_of(unit), note_of(unit), step, least, most, unit.setup_min // statics.STEP_MIN,
        unit.teardown_min // statics.STEP_MIN, gaps_of(found, frame), blocks)


def gaps_of(found: UnitDay, frame: Frame) -> list[Gap]:
    """Return where a room is closed: closures hatched with their reason, outside hours plain."""
    gaps = [_closure(each, frame) for each in found.closures if each.span.overlaps(frame.span)]
    left = without([frame.span], [*found.open, *(each.span for each in found.closures)])
    return gaps + [_outside(span, frame) for span in left]


def _closure(closure: Closure, frame: Frame) -> Gap:
    reason = closure.reason if is_chinese() else closure.reason_en or closure.reason
    cls = frame.classes(closure.span)
    text = i18n.translate(N_("{reason} · until {end:short_moment}"), {"reason": reason, "end": closure.span.ends_at})
    label = i18n.gettext(N_(", ")).join((text, hours_text(closure.span), i18n.gettext(N_("closed"))))
    return Gap(cls, text if _width(cls) >= LEAST_STEPS_FOR_TEXT else "", label)


def _outside(span: Span, frame: Frame) -> Gap:
    cls = frame.classes(span)
    word = i18n.gettext(N_("Not open"))
    return Gap(f"out {cls}", word if _width(cls) >= LEAST_STEPS_FOR_TEXT else "", f"{hours_text(span)} {word}")


def _width(cls: str) -> int:
    return int(cls.rpartition("w")[2])


class Painter:
    """Draws the reservations of one page as finished markup: with 150 of them, a template call per field would cost most.

    Words and clock times are looked up once; only titles and names need escaping. In a grid the module leads to the blocks, in a
    `table` every link is a tab stop of its own.
    """

    def __init__(self, frame: Frame, now: datetime, zone: ZoneInfo, *, table: bool = False,
                 on_air: frozenset[UUID] = frozenset()) -> None:
        self._on_air = on_air
        self._role, self._link = ("cell", "") if table else ("gridcell", ' tabindex="-1" draggable="false"')
        self._frame = frame
        self._now = now
        self._first = frame.span.starts_at
        local, end = self._first.astimezone(zone), frame.span.ends_at.astimezone(zone)
        is_even = local.utcoffset() == end.utcoffset()  # else the clocks change within the frame, and each time is told anew
        self._minute = local.hour * 60 + local.minute if is_even else None
        self._states = {state: i18n.gettext(word) for state, (_, _, word) in CHIPS.items()}
        self._words = {word: i18n.gettext(word) for word in (HELD, TAKEN, UNTITLED, OVER_WORD, JOINT)}

    def lane(self, blocks: Iterable[Taken], room: str, is_mine: Callable[[Taken], bool]) -> Markup:
        """Return a room's reservations; `is_mine` tells which are the merchant's for whom one books."""
        room = str(escape(room))
        # the texts are escaped in _block, the rest is numbers and classes of our own
        return Markup("".join([self._block(one, room, is_mine(one)) for one in blocks]))  # noqa: S704 -- see above

    def _block(self, one: Taken, room: str, mine: bool) -> str:
        title, below = self._texts(one, self._hours(one))
        place, data = self._place(one)
        title, below = str(escape(title)), str(escape(below))
        state = "" if one.state == "held" else self._label(f"{title} {below}", room, one)
        name = f"b{one.uid}" if one.uid else f"t{int(one.starts_at.timestamp())}-{hash(room) & 0xFFFF}"
        is_link = one.uid is not None and one.state != "held"
        head = f'<a href="/reservations/{one.uid}"{self._link}>{title}</a>' if is_link else f"<b>{title}</b>"
        return (
            f'<div class="bk {self._kind(one, mine)} {place}" id="{name}" role="{self._role}"{state}{data}>{head}'
            f" <span>{below}</span></div>\n")

    def _label(self, shown: str, room: str, one: Taken) -> str:
        """Return the name that is read out: what stands on the block, the room, the state."""
        told = self._words[JOINT].join(part for part in (shown.replace("\n", " "), room, self._state(one)) if part)
        return f' aria-label="{told}"'

    def _hours(self, one: Taken) -> str:
        begin, end = (int((moment - self._first).total_seconds()) for moment in (one.starts_at, one.ends_at))
        if self._minute is None or begin % 300 or end % 300:
            return hours_text(Span(one.starts_at, one.ends_at))
        first, last = begin // 60 + self._minute, end // 60 + self._minute
        if first < 0 or last > DAY_MIN:
            return hours_text(Span(one.starts_at, one.ends_at))
        return f"{CLOCK[first // 5]}{formats.DASH}{CLOCK[last // 5]}"

    def _kind(self, one: Taken, mine: bool) -> str:
        kind = HOLDING.get(one.state) or ("mine" if mine else "taken" if one.uid is None else "other")
        if one.uid in self._on_air:
            return f"{kind} air"
        return f"{kind} over" if one.state in OVER or one.ends_at <= self._now else kind

    def _place(self, one: Taken) -> tuple[str, str]:
        """Return the classes that place a block, and the attributes by which the module drags it or counts a hold down."""
        start, end = self._frame.at(one.blocked_from), self._frame.at(one.blocked_to)
        setup, teardown = (one.starts_at - one.blocked_from) // STEP, (one.blocked_to - one.ends_at) // STEP
        place = f"s{start} w{max(end - start, 1)}{f' a{setup}' if setup else ''}{f' z{teardown}' if teardown else ''}"
        if one.state == "held" and one.hold_until is not None:
            own = ' data-held="mine"' if one.is_mine else ""
            return place, f' data-until="{int(one.hold_until.timestamp() * 1000)}"{own}'
        if not one.may_change or one.state != "confirmed" or one.starts_at <= self._now:
            return place, ""
        return place, (f' data-move="1" data-uid="{one.uid}" data-version="{one.version}" data-s="{start}"'
                       f' data-from="{start + setup}" data-till="{end - teardown}"')

    def _texts(self, one: Taken, hours: str) -> tuple[str, str]:
        """Return what stands on a block, first line and the lines below."""
        if one.state == "held":
            if one.hold_until is None:
                return self._words[HELD], hours
            return self._words[HELD], formats.stopwatch(max(one.hold_until - self._now, timedelta()), i18n.speech())
        if one.uid is None:
            return self._words[TAKEN], hours
        title = one.title or one.merchant_name or self._words[UNTITLED]
        if one.uid in self._on_air:
            hours = i18n.translate(N_("On air until {time:time}"), {"time": one.ends_at})
        return title, f"{one.merchant_name}\n{hours}" if one.title and one.merchant_name else hours

    def _state(self, one: Taken) -> str:
        if one.uid is None:
            return ""
        is_over = one.state == "confirmed" and one.ends_at <= self._now
        return self._words[OVER_WORD] if is_over else self._states[one.state]
