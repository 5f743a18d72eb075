"""The schedule of a day and of one room's week, and the sheet that books from it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from markupsafe import Markup

from booking.calendars.rules import clipped
from booking.offers.rules import gaps
from booking.reservations import queries as reservations, rights
from booking.schedule import queries as schedule
from booking.schedule.queries import Block, Schedule, UnitDay
from booking.units import queries as units
from booking.units.rules import KIND_NAMES, SPACES
from frontend import formats, i18n
from frontend.auth import signed_in
from frontend.feeds_days import since_ms
from frontend.pages.booking_sheet import Sheet, merchant_for, sheet_of, uid_of, usual_wish, wanted_of
from frontend.pages.booking_words import day_of, hours_text, name_of, note_of
from frontend.pages.schedule import STEP, Frame, Painter, frame_of, gap_markup, gaps_of, hour_marks, rows_of
from frontend.views import AnyRequest, fragment, is_htmx, page, see_other
from incubator.ground import clock
from incubator.ground.errors import N_, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants import queries as merchants
from incubator.sites.queries import SiteFacts, first_site
from studio.live_sessions import queries as live_sessions

MOST_MERCHANTS = 500
HOW = N_("Schedule of {day:day}. Arrow keys move, Enter chooses, Shift with left and right makes it longer or shorter.")
NONE_FREE = N_("No room has free time on this day.")
NONE_AT_ALL = N_("There are no rooms of this kind.")


class Day(msgspec.Struct, frozen=True):
    """One day as the templates draw it; addresses keep kind, merchant and filter."""

    date: date
    kind: str
    place: str
    label: str
    open_hours: str
    steps: int
    hours: Sequence[tuple[str, str]]
    rooms: int
    rooms_text: str
    rows: Markup
    now_cls: str
    now_text: str
    opens_ms: int
    now_ms: int
    since_ms: int
    zone: str
    query: str
    can_book: bool
    empty: str
    here: str
    before: str
    after: str
    today: str
    week: str


class Look(msgspec.Struct, frozen=True):
    """What a reader chose to see: the kind of rooms, only free ones, for whom one books."""

    kind: str
    only_free: bool
    merchant: str

    @property
    def query(self) -> str:
        """Return the choice as the query of an address."""
        chosen = {"kind": self.kind, "free": "1" if self.only_free else "", "for": self.merchant}
        return urlencode({name: value for name, value in chosen.items() if value})


def look_of(request: AnyRequest) -> Look:
    """Return what the address asks for; an unknown kind means live rooms."""
    asked = request.query_params
    kind = asked.get("kind", "")
    merchant = uid_of(asked.get("for", ""))
    return Look(kind if kind in SPACES else SPACES[0], asked.get("free") == "1", str(merchant or ""))


def asked_day(text: str) -> date:
    """Return the day of an address.

    Raises:
        NotFound: no day, or one in another century.
    """
    day = day_of(text)
    if day is None:
        raise NotFound()
    return day


@get("/days", include_in_schema=False)
async def today(request: AnyRequest) -> Response[Any]:
    """Go to the present day, keeping what was chosen."""
    signed_in(request)
    site = await first_site()
    query = request.scope["query_string"].decode("latin-1")
    return see_other(request, f"/days/{site.local_date(clock.now())}{f'?{query}' if query else ''}")


@get("/days/{day:str}", include_in_schema=False)
async def day_page(request: AnyRequest, day: FromPath[str]) -> Response[Any]:
    """Show a day; asked by the page itself, only the lanes."""
    actor, site, look, on = signed_in(request), await first_site(), look_of(request), asked_day(day)
    if is_htmx(request):
        return fragment(request, "_grid.html", day=await read_day(actor, site, on, look))
    sheet = None
    if request.query_params.get("new") == "1":
        sheet = await sheet_of(actor, site, await usual_wish(site, look.kind, on, look.merchant))
    return await show_day(request, actor, on, look, sheet)


@get("/days/{day:str}/sheet", include_in_schema=False)
async def sheet_part(request: AnyRequest, day: FromPath[str]) -> Response[Any]:
    """Show the sheet for a time that was chosen in the lanes."""
    actor, site = signed_in(request), await first_site()
    asked = {name: str(value) for name, value in request.query_params.multi_items()}
    fields = asked | {"kind": look_of(request).kind, "date": str(asked_day(day))}
    move = uid_of(fields.get("move", ""))
    wanted = wanted_of(fields, await reservations.reservation(actor, move) if move else None)
    return fragment(request, "_grid_sheet.html", sheet=await sheet_of(actor, site, wanted))


async def show_day(request: AnyRequest, actor: Actor, on: date, look: Look, sheet: Sheet | None,
                   status: int = 200) -> Response[Any]:
    """Render the whole page of a day, with the sheet open when there is one."""
    site = await first_site()
    chooses = rights.is_staff(actor, site.id)
    return await page(
        request, "grid.html", status=status, day=await read_day(actor, site, on, look), sheet=sheet, kind=look.kind,
        kinds=[(kind, KIND_NAMES[kind]) for kind in SPACES], only_free=look.only_free, booking_for=uid_of(look.merchant),
        can_book=await can_book(actor, site), merchants=await merchants.merchants(actor, limit=MOST_MERCHANTS) if chooses else [])


async def can_book(actor: Actor, site: SiteFacts) -> bool:
    """Tell whether this person can book at all."""
    return rights.can_reserve(actor, site.id, await merchant_for(actor, site, ""))


async def read_day(actor: Actor, site: SiteFacts, on: date, look: Look) -> Day:
    """Return a day with its lanes."""
    found = await schedule.day(actor, site.id, on, [look.kind])
    frame = frame_of(site, on, {span for unit in found.units for span in unit.open},
                     [Span(b.blocked_from, b.blocked_to) for unit in found.units for b in unit.blocks])
    chosen = await merchant_for(actor, site, look.merchant)
    is_today = frame.span.contains(found.as_of)
    on_air = await live_sessions.on_air(site.id) if is_today and look.kind == "live_room" else frozenset()
    painter = Painter(frame, found.as_of, site.zone, on_air=on_air)
    shown = [(unit, _blocks(unit, painter, chosen)) for unit in found.units
             if not look.only_free or has_free(unit, found.as_of, site)]
    return _day(site, on, look, found, frame, shown, is_open=await can_book(actor, site))


def _blocks(unit: UnitDay, painter: Painter, chosen: int | None) -> Markup:
    """Return a room's reservations; with no merchant chosen only the centre's own are ours, not all that staff booked."""
    def is_ours(one: Block) -> bool:
        return one.merchant_id == chosen and (chosen is not None or one.is_mine)

    return painter.lane(unit.blocks, name_of(unit.unit), is_ours)


def has_free(found: UnitDay, now: datetime, site: SiteFacts) -> bool:
    """Tell whether a room still has room for its shortest use on that day."""
    barred = [*(Span(block.blocked_from, block.blocked_to) for block in found.blocks), *(each.span for each in found.closures)]
    ahead = [Span(max(span.starts_at, now), span.ends_at) for span in found.open if span.ends_at > now]
    return any(gaps(found.unit, ahead, barred, site.zone, span) for span in ahead)


def _day(site: SiteFacts, on: date, look: Look, found: Schedule, frame: Frame, shown: list[tuple[UnitDay, Markup]], *,
         is_open: bool) -> Day:
    now, query = found.as_of, look.query
    at = frame.at(now)
    is_now = frame.span.contains(now)
    opened = [span for unit in found.units for span in unit.open]
    hours = hours_text(Span(min(opened).starts_at, max(s.ends_at for s in opened)) if opened else frame.span)
    label = i18n.translate(HOW, {"day": on})
    empty = i18n.gettext(NONE_FREE if look.only_free else NONE_AT_ALL)
    first = found.units[0].unit.uid if found.units else None
    return Day(
        date=on, kind=look.kind, place=name_of(site), label=label, open_hours=hours, steps=frame.steps,
        hours=hour_marks(frame, site, at if is_now else None), rooms=len(shown), rooms_text=_rooms_text(look.kind, len(shown)),
        rows=rows_of(shown, frame, f"w{at}" if now > frame.span.starts_at and at else ""),
        now_cls=f"s{at}" if is_now else "",
        now_text=formats.hour(now, i18n.speech()), opens_ms=_ms(frame.span.starts_at), now_ms=_ms(now), since_ms=since_ms(),
        zone=site.time_zone, query=query, can_book=is_open, empty=empty, here=f"/days/{on}?{query}",
        before=f"/days/{on - timedelta(days=1)}?{query}", after=f"/days/{on + timedelta(days=1)}?{query}", today=f"/days?{query}",
        week=f"/units/{first}/week/{on}" if first else "")


def _rooms_text(kind: str, count: int) -> str:
    if kind == "desk":
        return i18n.ngettext("{count} desk", "{count} desks", count).format(count=count)
    return i18n.ngettext("{count} room", "{count} rooms", count).format(count=count)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class WeekLane(msgspec.Struct, frozen=True):
    """One day of a room's week."""

    name: str
    href: str
    is_today: bool
    past: str
    gaps: Markup
    blocks: Markup


class Week(msgspec.Struct, frozen=True):
    """One room's week as the template draws it."""

    uid: str
    kind: str
    name: str
    note: str
    span: str
    open_hours: str
    steps: int
    hours: Sequence[tuple[str, str]]
    lanes: Sequence[WeekLane]
    rooms: Sequence[tuple[str, str]]
    choose: str
    here: str
    before: str
    after: str
    today: str
    day: str


@get("/units/{uid:uuid}/week/{day:str}", include_in_schema=False)
async def week_page(request: AnyRequest, uid: FromPath[UUID], day: FromPath[str]) -> Response[Any]:
    """Show one room over a week, a lane per day."""
    actor, site, on = signed_in(request), await first_site(), asked_day(day)
    other = uid_of(request.query_params.get("room", ""))
    if other is not None and other != uid:
        return see_other(request, f"/units/{other}/week/{on}")
    found = await schedule.week(actor, uid, on)
    rooms = [(str(one.uid), name_of(one)) for one in await units.spaces(site.id, [found.units[0].unit.kind])]
    chosen = await merchant_for(actor, site, "")
    on_air = await live_sessions.on_air(site.id) if found.units[0].unit.kind == "live_room" else frozenset()
    return await page(request, "week.html", week=week_of(site, on, found, rooms, chosen, on_air))


def week_of(site: SiteFacts, on: date, found: Schedule, rooms: list[tuple[str, str]], chosen: int | None,
            on_air: frozenset[UUID] = frozenset()) -> Week:
    """Return the lanes of a week; all days share the widest day's hours."""
    unit = found.units[0].unit
    monday = on - timedelta(days=on.weekday())
    days = [monday + timedelta(days=number) for number in range(7)]
    parts = [_part_of(found.units[0], site.day(day)) for day in days]
    frames = [frame_of(site, day, part.open, [Span(b.blocked_from, b.blocked_to) for b in part.blocks])
              for day, part in zip(days, parts, strict=True)]
    first, last = _widest(site, days, frames)
    shown = [_frame(site.day(day).starts_at + first, last - first) for day in days]
    painters = [Painter(frame, found.as_of, site.zone, table=True, on_air=on_air) for frame in shown]
    lanes = [_week_lane(site, day, part, frame, found.as_of, _blocks(part, painter, chosen))
             for day, part, frame, painter in zip(days, parts, shown, painters, strict=True)]
    frame = shown[0]
    base = f"/units/{unit.uid}/week/"
    return Week(
        uid=str(unit.uid), kind=unit.kind, name=name_of(unit), note=note_of(unit), span=_week_text(days),
        open_hours=hours_text(frame.span),
        steps=frame.steps, hours=hour_marks(frame, site), lanes=lanes, rooms=rooms, choose=f"{base}{on}", here=f"{base}{on}",
        before=f"{base}{on - timedelta(days=7)}", after=f"{base}{on + timedelta(days=7)}",
        today=f"{base}{site.local_date(clock.now())}", day=f"/days/{on}?kind={unit.kind}")


def _frame(start: datetime, length: timedelta) -> Frame:
    return Frame(Span(start, start + length), length // STEP)


def _widest(site: SiteFacts, days: list[date], frames: list[Frame]) -> tuple[timedelta, timedelta]:
    """Return from when to when all days are shown, counted from the day's start."""
    starts = [frame.span.starts_at - site.day(day).starts_at for day, frame in zip(days, frames, strict=True)]
    ends = [frame.span.ends_at - site.day(day).starts_at for day, frame in zip(days, frames, strict=True)]
    return min(starts), min(max(ends), min(starts) + timedelta(days=1))


def _part_of(found: UnitDay, day: Span) -> UnitDay:
    """Return what falls on one day."""
    return UnitDay(
        found.unit, tuple(clipped(found.open, day)),
        tuple(c for c in found.closures if c.span.overlaps(day)),
        tuple(b for b in found.blocks if Span(b.blocked_from, b.blocked_to).overlaps(day)))


def _week_lane(site: SiteFacts, day: date, part: UnitDay, frame: Frame, now: datetime, blocks: Markup) -> WeekLane:
    at = frame.at(now)
    name = f"{formats.weekday(day, i18n.speech())} {formats.short_day(day, i18n.speech())}"
    gaps = Markup("").join(gap_markup(gap, "cell") for gap in gaps_of(part, frame))
    return WeekLane(name, f"/days/{day}?kind={part.unit.kind}", day == site.local_date(now), f"w{at}" if at else "", gaps, blocks)


def _week_text(days: list[date]) -> str:
    speech = i18n.speech()
    return f"{formats.short_day(days[0], speech)} {formats.DASH} {formats.short_day(days[-1], speech)}"


HANDLERS = (today, day_page, sheet_part, week_page)
