"""What can still be booked: free spans per space, slots for the phone, days with room, alternatives to a taken slot."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from booking.calendars.queries import calendars_of
from booking.calendars.rules import clipped, open_spans
from booking.offers.rules import PARTS, Alternative, Room, alternatives, free_spans, part_of_day, tidy_slots
from booking.units.queries import UnitFacts, counts_at, spaces
from booking.units.rules import LONGEST_SETUP_MIN, LONGEST_USE_MIN
from incubator.ground import clock, database
from incubator.ground.errors import N_, Invalid
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

LONGEST = timedelta(minutes=LONGEST_USE_MIN + LONGEST_SETUP_MIN)  # nothing that starts earlier can reach into a span
SETUP = timedelta(minutes=LONGEST_SETUP_MIN)
LONGEST_LOOK = timedelta(days=62)
# What each reservation within the time bounds holds between $4 and $5, looked up by its id. Left to choose (`&&`, a plain join),
# the planner scans the constraint's index once per reservation for days beyond its statistics, or all allocations otherwise.
ALLOCATED = """
SELECT unit, blocked FROM allocations
WHERE reservation = r.id AND holds AND lower(blocked) < $5 AND upper(blocked) > $4 OFFSET 0"""
BUSY = f"""
SELECT a.unit, lower(a.blocked) AS starts_at, upper(a.blocked) AS ends_at
FROM reservations r CROSS JOIN LATERAL ({ALLOCATED}) AS a
WHERE r.site = $1 AND r.starts_at >= $2 AND r.starts_at < $3
  AND {counts_at("$6")} AND r.id <> ALL($7::bigint[])
ORDER BY a.blocked"""


class Availability(msgspec.Struct, frozen=True):
    """Where a use of one space fits; the spans are times of use, setup and teardown already taken into account."""

    space_id: UUID
    kind: str
    name: str
    name_en: str
    free: tuple[Span, ...]


class Offer(msgspec.Struct, frozen=True):
    """One concrete slot that can be booked with one tap."""

    space_id: UUID
    name: str
    name_en: str
    note: str
    note_en: str
    capacity: int
    span: Span


class OfferGroup(msgspec.Struct, frozen=True):
    """The slots of one part of the day; `title` is a msgid."""

    part: str
    title: str
    offers: tuple[Offer, ...]


class Refused(msgspec.Struct, frozen=True):
    """A space without a slot, and why: a msgid with its parameters."""

    space_id: UUID
    name: str
    name_en: str
    msgid: str
    params: dict[str, object]


class Offers(msgspec.Struct, frozen=True):
    """What the phone shows of one day: evening first, and the spaces that cannot be had."""

    groups: tuple[OfferGroup, ...]
    refused: tuple[Refused, ...]


class DayCount(msgspec.Struct, frozen=True):
    """How many slots a day still has."""

    day: date
    count: int


async def busy_spans(site_id: int, within: Span, except_ids: Collection[int] = ()) -> dict[int, list[Span]]:
    """Return the blocked intervals that touch a span, by unit; run-out holds do not count."""
    rows = await database.fetch(
        BUSY, site_id, within.starts_at - LONGEST, within.ends_at + SETUP, within.starts_at, within.ends_at, clock.now(),
        list(except_ids))
    found: dict[int, list[Span]] = {}
    for row in rows:
        found.setdefault(row["unit"], []).append(Span(row["starts_at"], row["ends_at"]))
    return found


async def rooms_within(site_id: int, units: Sequence[UnitFacts], within: Span, except_ids: Collection[int] = ()) -> list[Room]:
    """Return the units with calendars and what is taken of them around a span, in two queries."""
    around = Span(within.starts_at - SETUP, within.ends_at + SETUP)
    calendars = await calendars_of(units, Span(around.starts_at - timedelta(days=1), around.ends_at + timedelta(days=1)))
    busy = await busy_spans(site_id, around, except_ids)
    return [Room(unit, calendars[unit.id], tuple(busy.get(unit.id, ()))) for unit in units]


async def availability(site: SiteFacts, within: Span, kind: str | None = None, *,
                       of: Sequence[UnitFacts] | None = None) -> list[Availability]:
    """Return where each space of a kind (None: any) is free within a span: from now to the end of its last bookable day.

    `of`: these spaces instead, in their order.

    Raises:
        Invalid: times without offset, reversed, or more than 62 days.
    """
    within = within.checked()
    if within.length > LONGEST_LOOK:
        raise Invalid.field("to", N_("Ask for at most {days} days at once."), days=LONGEST_LOOK.days)
    units = await spaces(site.id, None if kind is None else [kind]) if of is None else of
    from_now = Span(max(within.starts_at, clock.now()), within.ends_at)
    if from_now.starts_at >= from_now.ends_at:
        return [Availability(u.uid, u.kind, u.name, u.name_en, ()) for u in units]
    found = []
    for room in await rooms_within(site.id, units, from_now):
        unit, ends_at = room.unit, min(from_now.ends_at, _last_day(site, room.unit, clock.now()).ends_at)
        free = free_spans(room, site.zone, Span(from_now.starts_at, ends_at)) if from_now.starts_at < ends_at else ()
        found.append(Availability(unit.uid, unit.kind, unit.name, unit.name_en, tuple(free)))
    return found


def _last_day(site: SiteFacts, unit: UnitFacts, now: datetime) -> Span:
    """Return the last day on which a use of the unit may begin, for the desk as for merchants."""
    return site.day(site.local_date(now) + timedelta(days=unit.ahead_days))


async def offers(site: SiteFacts, day: date, length_min: int, kind: str = "live_room") -> Offers:
    """Return concrete slots of one day, and why the other spaces have none; three queries."""
    units = await spaces(site.id, [kind])
    whole, now = site.day(day), clock.now()
    found: dict[str, list[Offer]] = {part: [] for part in PARTS}
    refused = []
    for room in await rooms_within(site.id, units, whole):
        unit = room.unit
        slots = _slots(unit, _free(room, site, whole, now, length_min), site, whole, length_min)
        for slot in slots:
            found[part_of_day(slot.starts_at, site.zone)].append(
                Offer(unit.uid, unit.name, unit.name_en, unit.note, unit.note_en, unit.capacity, slot))
        if not slots:
            msgid, params = _why_not(room, site, whole, now, length_min)
            refused.append(Refused(unit.uid, unit.name, unit.name_en, msgid, params))
    groups = [OfferGroup(part, title, tuple(sorted(found[part], key=lambda offer: offer.span)))
              for part, title in PARTS.items() if found[part]]
    return Offers(tuple(groups), tuple(refused))


async def days(site: SiteFacts, first: date, count: int, length_min: int, kind: str = "live_room") -> list[DayCount]:
    """Return how many slots of that length each of the days still has; three queries for all of them."""
    units = await spaces(site.id, [kind])
    spans = [site.day(first + timedelta(days=number)) for number in range(count)]
    whole, now = Span(spans[0].starts_at, spans[-1].ends_at), clock.now()
    counts = [0] * count
    for room in await rooms_within(site.id, units, whole):
        free = _free(room, site, whole, now, length_min)  # once for all days
        for number, span in enumerate(spans):
            counts[number] += len(_slots(room.unit, free, site, span, length_min))
    return [DayCount(first + timedelta(days=number), found) for number, found in enumerate(counts)]


async def alternatives_to(site: SiteFacts, unit: UnitFacts, wanted: Span, *, host_unit_id: int | None = None,
                          except_ids: Collection[int] = ()) -> list[Alternative]:
    """Return what would work instead of a slot, smallest change first, also for the host."""
    around = Span(wanted.starts_at - timedelta(hours=6), wanted.ends_at + timedelta(hours=6))
    units = await spaces(site.id, [unit.kind])
    rooms = await rooms_within(site.id, units, around, except_ids)
    host = () if host_unit_id is None else (await busy_spans(site.id, around, except_ids)).get(host_unit_id, ())
    now = clock.now()
    latest = {unit.uid: site.local_date(now) + timedelta(days=unit.ahead_days) for unit in units}
    found = alternatives(rooms, unit.id, wanted, site.zone, now, list(host))
    return [one for one in found if site.local_date(one.starts_at) <= latest[one.space_id]]


def _free(room: Room, site: SiteFacts, span: Span, now: datetime, length_min: int) -> list[Span]:
    """Return where the room is free from now on; a slot may end after the span, when the room is open past midnight."""
    unit = room.unit
    last = _last_day(site, unit, now).ends_at
    within = Span(max(span.starts_at, now), min(span.ends_at, last) + timedelta(minutes=length_min))
    if not unit.min_use_min <= length_min <= unit.max_use_min or within.starts_at >= min(span.ends_at, last):
        return []
    return [each for each in free_spans(room, site.zone, within) if each.starts_at < last]


def _slots(unit: UnitFacts, free: Sequence[Span], site: SiteFacts, day: Span, length_min: int) -> list[Span]:
    """Return tidy slots that begin on the day."""
    length = timedelta(minutes=length_min)
    near = clipped([span for span in free if span.overlaps(day)], Span(day.starts_at, day.ends_at + length))
    return [slot for slot in tidy_slots(near, length, unit.step_min, site.zone) if slot.starts_at < day.ends_at]


def _why_not(room: Room, site: SiteFacts, day: Span, now: datetime, length_min: int) -> tuple[str, dict[str, object]]:
    unit = room.unit
    if not unit.min_use_min <= length_min <= unit.max_use_min:
        return N_("Bookable for {least:duration} to {most:duration}."), {
            "least": timedelta(minutes=unit.min_use_min), "most": timedelta(minutes=unit.max_use_min)}
    if day.ends_at <= now:
        return N_("The day is over."), {}
    if site.local_date(day.starts_at) > site.local_date(now) + timedelta(days=unit.ahead_days):
        return N_("Bookings open {days} days ahead."), {"days": unit.ahead_days}
    closure = next((each for each in room.calendar.closures if each.span.overlaps(day)), None)
    if closure is not None:
        return N_("Closed {closure:span}: {reason}"), {
            "closure": closure.span, "reason": closure.reason, "reason_en": closure.reason_en}
    if not open_spans(room.calendar, site.zone, day):
        return N_("Not open that day."), {}
    return N_("Full for this length."), {}
