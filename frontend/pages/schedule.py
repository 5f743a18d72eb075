"""The schedule as templates draw it: lanes with blocks and closed parts, classes and texts ready, so that cells cost nothing."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec
from markupsafe import Markup

from booking.calendars.rules import Closure, without
from booking.schedule.queries import Block as Taken, UnitDay
from frontend import formats, i18n, statics
from frontend.pages.booking_words import CHIPS, hours_text, is_chinese, name_of, note_of
from incubator.ground.errors import N_
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

STEP = timedelta(minutes=statics.STEP_MIN)
USUAL_DAY = (8, 22)
OVER = frozenset({"finished", "no_show"})
LEAST_STEPS_FOR_TEXT = 9


class Frame(msgspec.Struct, frozen=True):
    """The visible stretch of a day, from whole hour to whole hour."""

    span: Span
    steps: int

    def at(self, moment: datetime) -> int:
        """Return the step at which a moment lies, kept within the frame."""
        return min(max(round((moment - self.span.starts_at) / STEP), 0), self.steps)

    def classes(self, span: Span) -> str:
        """Return the classes that place a span."""
        start = self.at(span.starts_at)
        return f"s{start} w{max(self.at(span.ends_at) - start, 1)}"


class Block(msgspec.Struct, frozen=True):
    """One reservation: classes, the two texts on it, the name that is read out, and what the module needs to drag it.

    `label` is empty where the texts themselves are the name: a hold, whose countdown ticks.
    """

    id: str
    cls: str
    title: str
    below: str
    label: str
    href: str
    data: Markup


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
    blocks: Sequence[Block]


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


def lane_of(found: UnitDay, frame: Frame, blocks: Sequence[Block]) -> Lane:
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


def block_of(one: Taken, frame: Frame, room: str, now: datetime, mine: bool) -> Block:
    """Return one reservation as a block; `mine` tells whether it is the merchant's for whom one books."""
    setup, teardown = (one.starts_at - one.blocked_from) // STEP, (one.blocked_to - one.ends_at) // STEP
    place = frame.classes(Span(one.blocked_from, one.blocked_to))
    hours = hours_text(Span(one.starts_at, one.ends_at))
    title, below = _texts(one, hours, now)
    cls = f"{_kind(one, now, mine)} {place}{f' a{setup}' if setup else ''}{f' z{teardown}' if teardown else ''}"
    shown = f"{title} {below}".replace("\n", " ")
    parts = (shown, room, _state(one, now))
    label = "" if one.state == "held" else i18n.gettext(N_(", ")).join(part for part in parts if part)
    href = f"/reservations/{one.uid}" if one.uid and one.state != "held" else ""
    name = f"b{one.uid}" if one.uid else f"t{int(one.starts_at.timestamp())}{place.partition(' ')[0]}"
    return Block(name, cls, title, below, label, href, _data(one, frame, now))


def _texts(one: Taken, hours: str, now: datetime) -> tuple[str, str]:
    """Return what stands on a block, first line and the lines below."""
    if one.state == "held":
        left = "" if one.hold_until is None else formats.stopwatch(max(one.hold_until - now, timedelta()), i18n.speech())
        return i18n.gettext(N_("On hold")), left or hours
    if one.uid is None:
        return i18n.gettext(N_("Taken")), hours
    title = one.title or one.merchant_name or i18n.gettext(N_("Without title"))
    return title, f"{one.merchant_name}\n{hours}" if one.title and one.merchant_name else hours


def _kind(one: Taken, now: datetime, mine: bool) -> str:
    kind = {"held": "held", "pending": "pending"}.get(one.state) or ("mine" if mine else "taken" if one.uid is None else "other")
    return f"{kind} over" if one.state in OVER or one.ends_at <= now else kind


def _state(one: Taken, now: datetime) -> str:
    if one.uid is None or one.state == "held":
        return ""
    if one.state == "confirmed" and one.ends_at <= now:
        return i18n.gettext(N_("over"))
    return i18n.gettext(CHIPS[one.state][2])


def _data(one: Taken, frame: Frame, now: datetime) -> Markup:
    """Return the attributes by which the module drags a block, and counts a hold down."""
    if one.state == "held" and one.hold_until is not None:
        own = ' data-held="mine"' if one.is_mine else ""
        return Markup(f' data-until="{int(one.hold_until.timestamp() * 1000)}"{own}')  # noqa: S704 -- a number of our own
    if not one.may_change or one.state != "confirmed" or one.starts_at <= now:
        return Markup("")
    return Markup(  # noqa: S704 -- numbers and an id of our own
        f' data-move="1" data-uid="{one.uid}" data-version="{one.version}" data-s="{frame.at(one.blocked_from)}"'
        f' data-from="{frame.at(one.starts_at)}" data-till="{frame.at(one.ends_at)}"')
