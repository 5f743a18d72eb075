"""The schedule as templates draw it: lanes with blocks and closed parts, classes and texts ready, so that cells cost nothing."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zlib import crc32
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup, escape

from booking.calendars.rules import Closure, without
from booking.schedule.queries import Block as Taken, UnitDay
from booking.units.queries import UnitFacts
from frontend import formats, i18n, statics
from frontend.pages.booking_words import CHIPS, hours_text, name_of, note_of
from frontend.render import drawing
from incubator.ground.errors import N_
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

STEP = timedelta(minutes=statics.STEP_MIN)
STEP_S = statics.STEP_MIN * 60
USUAL_DAY = (8, 22)
OVER = frozenset({"finished", "no_show"})
LEAST_STEPS_FOR_TEXT = 9
SHORT_S = 60 * 60  # under an hour, the words of a block run over its setup and teardown
DAY_MIN = 24 * 60
CLOCK = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, DAY_MIN + 1, 5)]
HOLDING = {"held": "held", "pending": "pending"}
HELD, TAKEN, OWN, OVER_WORD, JOINT = N_("On hold"), N_("Taken"), N_("The centre’s own"), N_("over"), N_(", ")
UNTIL = N_("to {time:time}")
NEWLINE, NBSP = "\n", "\xa0"
# how near an hour's label may come to the pill that tells the time, in steps; the module measures it anew
TOUCHED_BEFORE, TOUCHED_AFTER = 12, 3


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


class Where(msgspec.Struct, frozen=True):
    """Where a block lies: its classes, first and last step with setup and teardown, and how many steps these take."""

    cls: str
    start: int
    stop: int
    setup: int
    teardown: int


class Gap(msgspec.Struct, frozen=True):
    """A closed part of a lane: first and last step, what is read out, what stands there and below it.

    `icon` is empty outside the usual hours; `place` holds the classes of the words where a booking covers a part of it.
    """

    start: int
    stop: int
    label: str
    text: str
    below: str = ""
    icon: str = ""
    place: str = ""

    @property
    def cls(self) -> str:
        """Return the classes that place it."""
        return f"{'' if self.icon else 'out '}s{self.start} w{max(self.stop - self.start, 1)}"


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


def hour_marks(frame: Frame, site: SiteFacts, now_at: int | None = None) -> list[tuple[str, str]]:
    """Return class and text of each full hour of the frame; those that the present time, at step `now_at`, covers are hidden."""
    marks = []
    for step in range(0, frame.steps, 12):
        local = (frame.span.starts_at + step * STEP).astimezone(site.zone)
        is_touched = now_at is not None and -TOUCHED_BEFORE <= step - now_at <= TOUCHED_AFTER
        marks.append((f"s{step} off" if is_touched else f"s{step}", f"{local:%H:%M}"))
    return marks


def rows_of(rooms: Iterable[tuple[UnitDay, Markup]], frame: Frame, past: str) -> Markup:
    """Return one row per room with its finished blocks; `past` is the class of the part of the day that is over."""
    code = i18n.current_code()
    over = f'<div class="past s0 {past}"></div>\n' if past else ""
    rows = [_row(number, _room(room.unit, code), over, gaps_of(room, frame), blocks)
            for number, (room, blocks) in enumerate(rooms, 1)]
    return Markup("".join(rows))  # noqa: S704 -- all parts are finished markup


def _row(number: int, room: tuple[Markup, Markup], over: str, gaps: list[Gap], blocks: Markup) -> str:
    data, head = room
    return (f'<div class="gr" role="row" id="r{number}"{data}><div class="rh" role="rowheader">{head}</div><div class="lane">\n'
            f'{over}{"".join([str(gap_markup(gap)) for gap in gaps])}{blocks}</div></div>\n')


def gap_markup(gap: Gap, role: str = "gridcell") -> Markup:
    """Return the closed part of a row; its words beside it where a booking lies on it."""
    cell = Markup('<div class="closed {}" role="{}" aria-label="{}">{}</div>\n')
    if not gap.text:
        return cell.format(gap.cls, role, gap.label, "")
    icon = drawing(gap.icon) if gap.icon else ""
    reason = Markup("<b>{}</b>").format(gap.text) if gap.icon else gap.text
    words = Markup("<span>{}{}{}</span>").format(icon, reason, f"{NEWLINE}{gap.below}" if gap.below else "")
    if not gap.place:
        return cell.format(gap.cls, role, gap.label, words)
    return cell.format(gap.cls, role, gap.label, "") + Markup('<div class="said {}" aria-hidden="true">{}</div>\n').format(
        gap.place, words)


@lru_cache(maxsize=2048)  # a room says the same of itself on every page, until its row is another
def _room(unit: UnitFacts, _code: str) -> tuple[Markup, Markup]:
    name = name_of(unit)
    lengths = {"step": max(unit.step_min, statics.STEP_MIN), "least": max(unit.min_use_min, statics.STEP_MIN),
               "most": max(unit.max_use_min, statics.STEP_MIN), "setup": unit.setup_min, "teardown": unit.teardown_min}
    steps = "".join(f' data-{key}="{minutes // statics.STEP_MIN}"' for key, minutes in lengths.items())
    data = Markup(' data-unit="{}" data-name="{}"').format(unit.uid, name) + Markup(steps)  # noqa: S704 -- numbers of our own
    note, dot, seats = note_of(unit).rpartition(" · ")
    tied = f"{note}{NBSP}· " if dot else ""  # a line ends after the dot, and a number stays with what it counts
    return data, Markup("<b>{}</b><span>{}{}</span>").format(name, tied, seats.replace(" ", NBSP))


def gaps_of(found: UnitDay, frame: Frame) -> list[Gap]:
    """Return where a room is closed: closures hatched with their reason, outside hours plain."""
    left = without([frame.span], [*found.open, *(each.span for each in found.closures)])
    gaps = [_closure(each, frame) for each in found.closures if each.span.overlaps(frame.span)]
    gaps += [_outside(span, frame) for span in left]
    standing = [one for one in found.blocks if one.state != "held"] if gaps else []  # a hold covers nothing for long
    taken = [(frame.at(block.blocked_from), frame.at(block.blocked_to)) for block in standing]
    return [_worded(gap, taken) for gap in gaps]


def _worded(gap: Gap, taken: Iterable[tuple[int, int]]) -> Gap:
    """Return the gap with its words where no booking covers them, without words where there is no room for them."""
    start, stop = widest_free(gap.start, gap.stop, taken)
    if stop - start < LEAST_STEPS_FOR_TEXT:
        return msgspec.structs.replace(gap, text="")
    is_whole = (start, stop) == (gap.start, gap.stop)
    return gap if is_whole else msgspec.structs.replace(gap, place=f"s{start} w{stop - start}")


def widest_free(start: int, stop: int, taken: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the longest part of a stretch that nothing covers, the first one of several."""
    best, at = (start, start), start
    for begin, end in [*sorted(taken), (stop, stop)]:
        free = (at, min(begin, stop))
        if free[1] - free[0] > best[1] - best[0]:
            best = free
        at = max(at, end)
    return best


def _closure(closure: Closure, frame: Frame) -> Gap:
    reason = i18n.either(closure.reason, closure.reason_en)
    label = i18n.gettext(JOINT).join((reason, hours_text(closure.span), i18n.gettext(N_("closed"))))
    start, stop = frame.at(closure.span.starts_at), frame.at(closure.span.ends_at)
    return Gap(start, stop, label, reason, _back(closure.span.ends_at, frame), "tool")


def _back(end: datetime, frame: Frame) -> str:
    """Return when a closed room is open again, with its day unless that is the day shown."""
    zone = i18n.speech().zone
    is_same_day = end.astimezone(zone).date() == frame.span.starts_at.astimezone(zone).date()
    return i18n.translate(N_("back at {end:time}") if is_same_day else N_("back on {end:short_day} {end:time}"), {"end": end})


def _outside(span: Span, frame: Frame) -> Gap:
    word = i18n.gettext(N_("Not open"))
    return Gap(frame.at(span.starts_at), frame.at(span.ends_at), f"{hours_text(span)} {word}", word)


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
        self._states = {state: str(escape(i18n.gettext(word))) for state, (_, _, word) in CHIPS.items()}
        self._words = {word: str(escape(i18n.gettext(word))) for word in (HELD, TAKEN, OWN, OVER_WORD, JOINT)}
        self._escaped: dict[str, str] = {}

    def lane(self, blocks: Iterable[Taken], room: str, is_mine: Callable[[Taken], bool]) -> Markup:
        """Return a room's reservations; `is_mine` tells which are the merchant's for whom one books."""
        place, room = crc32(room.encode()), self._safe(room)
        # the texts are escaped by _safe, the rest is numbers and classes of our own
        return Markup("".join([self._block(one, room, place, is_mine(one)) for one in blocks]))  # noqa: S704 -- see above

    def _block(self, one: Taken, room: str, place: int, mine: bool) -> str:
        where, hours = self._where(one)
        if one.uid is None and one.state != "held":
            return self._taken(one, where, hours, room, place)
        kind = HOLDING.get(one.state) or ("mine" if mine else "other")
        if one.uid in self._on_air:
            return self._live(one, where, room, kind)
        title, below = self._texts(one, hours)
        name = f"b{one.uid}" if one.uid else f"t{int(one.starts_at.timestamp())}-{place}"
        if one.state == "held":
            label, head = "", f"<b>{title}</b>"
        else:
            label, head = self._label(title, below, room, one), f'<a href="/reservations/{one.uid}"{self._link}>{title}</a>'
        return (
            f'<div class="bk {kind}{self._tone(one)} {where.cls}{"" if NEWLINE in below else " brief"}" id="{name}"'
            f' role="{self._role}"{label}{self._data(one, where)}>{head} <span>{below}</span></div>\n')

    def _live(self, one: Taken, where: Where, room: str, kind: str) -> str:
        """Return a show that is being sent; until when stands on a line of its own, in red."""
        end, joint = {"time": one.ends_at}, self._words[JOINT]
        title, below = self._texts(one, "")
        short, on_air = self._safe(i18n.translate(UNTIL, end)), self._safe(i18n.gettext(N_("On air")))
        # what is read out begins with what is seen, word for word: whoever speaks to the computer says what they see
        seen = " ".join(part for part in (title, below.replace(NEWLINE, " "), short) if part)
        told = joint.join(part for part in (seen, on_air, room, self._states[one.state]) if part)
        head = f'<a href="/reservations/{one.uid}"{self._link}>{title}</a>{f" <span>{below}</span>" if below else ""}'
        return (f'<div class="bk {kind} air {where.cls}" id="b{one.uid}" role="{self._role}" aria-label="{told}">'
                f"{head} <i>{short}</i></div>\n")

    def _taken(self, one: Taken, where: Where, hours: str, room: str, place: int) -> str:
        """Return what somebody else has: most blocks of a merchant's page, so it is put together at once."""
        word, over = self._words[TAKEN], " over" if one.state in OVER or one.ends_at <= self._now else ""
        return (
            f'<div class="bk taken{over} {where.cls} brief" id="t{int(one.starts_at.timestamp())}-{place}" role="{self._role}"'
            f' aria-label="{word} {hours}{self._words[JOINT]}{room}"><b>{word}</b> <span>{hours}</span></div>\n')

    def _where(self, one: Taken) -> tuple[Where, str]:
        """Return where a block lies and its hours; seconds are counted by hand, thrice as fast as `total_seconds`."""
        first, steps, minute = self._first, self._frame.steps, self._minute
        begin, end, lead, tail = one.starts_at - first, one.ends_at - first, one.blocked_from - first, one.blocked_to - first
        begin_s, end_s = begin.days * 86_400 + begin.seconds, end.days * 86_400 + end.seconds
        lead_s, tail_s = lead.days * 86_400 + lead.seconds, tail.days * 86_400 + tail.seconds
        start, stop = min(max(lead_s // STEP_S, 0), steps), min(max(tail_s // STEP_S, 0), steps)
        setup, teardown = (begin_s - lead_s) // STEP_S, (tail_s - end_s) // STEP_S
        cls = f"s{start} w{max(stop - start, 1)}{f' a{setup}' if setup else ''}{f' z{teardown}' if teardown else ''}"
        if end_s - begin_s < SHORT_S and (setup or teardown):
            cls += " short"
        where = Where(cls, start, stop, setup, teardown)
        if minute is None or begin_s % 300 or end_s % 300 or begin_s < -60 * minute or end_s > 60 * (DAY_MIN - minute):
            return where, hours_text(Span(one.starts_at, one.ends_at))
        return where, f"{CLOCK[(begin_s // 60 + minute) // 5]}{formats.DASH}{CLOCK[(end_s // 60 + minute) // 5]}"

    def _tone(self, one: Taken) -> str:
        return " over" if one.state in OVER or one.ends_at <= self._now else ""

    def _data(self, one: Taken, where: Where) -> str:
        """Return the attributes by which the module drags a block or counts a hold down."""
        if one.state == "held" and one.hold_until is not None:
            own = ' data-held="mine"' if one.is_mine else ""
            return f' data-until="{int(one.hold_until.timestamp() * 1000)}"{own}'
        if not one.may_change or one.state != "confirmed" or one.starts_at <= self._now:
            return ""
        return (f' data-move="1" data-uid="{one.uid}" data-version="{one.version}" data-s="{where.start}"'
                f' data-from="{where.start + where.setup}" data-till="{where.stop - where.teardown}"')

    def _safe(self, text: str) -> str:
        """Return a text escaped; names come many times on one page."""
        found = self._escaped.get(text)
        if found is None:
            found = self._escaped[text] = str(escape(text))
        return found

    def _label(self, title: str, below: str, room: str, one: Taken) -> str:
        """Return the name that is read out: what stands on the block, the room, the state."""
        joint, state = self._words[JOINT], self._state(one)
        told = f"{title} {below}{joint}{room}".replace("\n", " ")
        return f' aria-label="{told}{joint}{state}"' if state else f' aria-label="{told}"'

    def _texts(self, one: Taken, hours: str) -> tuple[str, str]:
        """Return what stands on a block, first line and the lines below, escaped; without title it is named for whom it is."""
        if one.state == "held":
            left = one.hold_until and formats.stopwatch(max(one.hold_until - self._now, timedelta()), i18n.speech())
            return self._words[HELD], left or hours
        if not one.title:
            return self._safe(one.merchant_name) or self._words[OWN], hours
        below = self._safe(one.merchant_name)
        return self._safe(one.title), f"{below}{NEWLINE}{hours}" if below and hours else below or hours

    def _state(self, one: Taken) -> str:
        is_over = one.state == "confirmed" and one.ends_at <= self._now
        return self._words[OVER_WORD] if is_over else self._states[one.state]
