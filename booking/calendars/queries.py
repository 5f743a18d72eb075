"""Calendars of many units at once; closures to come, and the bookings that they hit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from booking.calendars.rules import CalendarFacts, Closure, WeeklyHours
from booking.units.queries import MEETS, UnitFacts
from incubator.ground import clock, database
from incubator.ground.values import Span

# One row per opening or exception; `unit`, `calendar` or `site` says whose.
FACTS = """
SELECT calendar, NULL::bigint AS unit, NULL::bigint AS site, weekday, opens_min, closes_min, NULL::uuid AS uid,
       NULL::boolean AS is_open, NULL::timestamptz AS starts_at, NULL::timestamptz AS ends_at, '' AS reason, '' AS reason_en
FROM calendar_hours WHERE calendar = ANY($1)
UNION ALL
SELECT calendar, unit, site, NULL, NULL, NULL, uid, is_open, starts_at, ends_at, reason, reason_en FROM calendar_exceptions
WHERE lifted_at IS NULL AND ends_at > $3 AND starts_at < $4 AND (calendar = ANY($1) OR unit = ANY($2) OR site = ANY($5))
ORDER BY weekday, opens_min, starts_at"""


async def calendars_of(units: Sequence[UnitFacts], within: Span) -> dict[int, CalendarFacts]:
    """Return the calendar of each unit (by its id) with the exceptions that touch the span, in one query."""
    calendar_ids = {unit.calendar_id for unit in units if unit.calendar_id is not None}
    rows = await database.fetch(
        FACTS, list(calendar_ids), [unit.id for unit in units], within.starts_at, within.ends_at,
        list({unit.site_id for unit in units}))
    hours: dict[int, list[WeeklyHours]] = {calendar_id: [] for calendar_id in calendar_ids}
    of_calendar: dict[int, list[Closure]] = {}
    of_unit: dict[int, list[Closure]] = {}
    of_site: dict[int, list[Closure]] = {}
    for row in rows:
        if row["uid"] is None:
            hours[row["calendar"]].append(WeeklyHours(row["weekday"], row["opens_min"], row["closes_min"]))
            continue
        exception = Closure(row["uid"], Span(row["starts_at"], row["ends_at"]), row["reason"], row["reason_en"], row["is_open"])
        found_for = (of_site, "site") if row["site"] is not None else (of_unit, "unit") if row["unit"] is not None else (
            of_calendar, "calendar")
        found_for[0].setdefault(row[found_for[1]], []).append(exception)
    found = {}
    for unit in units:
        key = unit.calendar_id
        general = of_site.get(unit.site_id, ()) if unit.person_id is None else ()
        exceptions = [*general, *(of_calendar.get(key, ()) if key is not None else ()), *of_unit.get(unit.id, ())]
        found[unit.id] = CalendarFacts(None if key is None else tuple(hours[key]), tuple(exceptions))
    return found


class Hit(msgspec.Struct, frozen=True):
    """A booking that a closure overlaps; somebody must move or cancel it. A hold is none: its confirmation is refused."""

    id: int
    uid: UUID
    number: str
    state: str
    title: str
    unit_name: str
    unit_name_en: str
    merchant_id: int | None
    merchant_name: str
    person_id: int | None
    person_name: str
    person_latin: str
    host_id: int | None
    starts_at: datetime
    ends_at: datetime
    created_at: datetime

    @property
    def span(self) -> Span:
        """Return the time of use."""
        return Span(self.starts_at, self.ends_at)


class ClosureFacts(msgspec.Struct, frozen=True):
    """One closure whole: what it covers now (`unit_ids`; `is_whole` means the site, rooms to come included), by whom."""

    uid: UUID
    span: Span
    reason: str
    reason_en: str
    closed_by: str
    closed_by_latin: str
    lifted_at: datetime | None
    is_whole: bool
    unit_ids: tuple[int, ...]


# `place` says for which of several closures; the index of the exclusion constraint finds the rest.
HITS = f"""
SELECT DISTINCT ON (w.place, r.starts_at, r.id) w.place, r.id, r.uid, r.number, r.state, r.title, u.name, u.name_en, r.merchant,
       coalesce(m.short_name, '') AS merchant_name, r.person, coalesce(p.name, '') AS person_name,
       coalesce(p.name_latin, '') AS person_latin, r.host, r.starts_at, r.ends_at, r.created_at
FROM unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS w(place, unit, starts_at, ends_at)
JOIN allocations a ON {MEETS}
JOIN reservations r ON r.id = a.reservation JOIN units u ON u.id = a.unit
LEFT JOIN merchants m ON m.id = r.merchant LEFT JOIN people p ON p.id = r.person
WHERE r.state <> 'held' AND upper(a.blocked) > $5
ORDER BY w.place, r.starts_at, r.id"""
CLOSURES = """
SELECT e.uid, e.starts_at, e.ends_at, e.reason, e.reason_en, coalesce(p.name, '') AS closed_by,
       coalesce(p.name_latin, '') AS closed_by_latin, e.lifted_at, bool_or(e.site IS NOT NULL) AS is_whole,
       array_agg(DISTINCT u.id) AS unit_ids
FROM calendar_exceptions e LEFT JOIN people p ON p.id = e.created_by
JOIN units u ON (u.id = e.unit OR u.calendar = e.calendar OR u.site = e.site) AND u.person IS NULL AND u.retired_at IS NULL
WHERE NOT e.is_open AND {condition}
GROUP BY e.uid, e.starts_at, e.ends_at, e.reason, e.reason_en, p.name, p.name_latin, e.lifted_at ORDER BY e.starts_at, e.uid"""


async def hits_of(closures: Sequence[tuple[Sequence[int], Span]]) -> list[tuple[Hit, ...]]:
    """Return, for each pair of units and span, the bookings that still lie in it, by time; one query for all."""
    wanted = [(place, unit_id, span) for place, (unit_ids, span) in enumerate(closures) for unit_id in unit_ids]
    rows = await database.fetch(
        HITS, [place for place, _, _ in wanted], [unit_id for _, unit_id, _ in wanted],
        [span.starts_at for _, _, span in wanted], [span.ends_at for _, _, span in wanted], clock.now())
    found: list[list[Hit]] = [[] for _ in closures]
    for row in rows:
        found[row["place"]].append(Hit(*list(row)[1:]))
    return [tuple(hits) for hits in found]


def _closure(row: Any) -> ClosureFacts:
    return ClosureFacts(row["uid"], Span(row["starts_at"], row["ends_at"]), row["reason"], row["reason_en"], row["closed_by"],
                        row["closed_by_latin"], row["lifted_at"], row["is_whole"], tuple(row["unit_ids"]))


async def closure(uid: UUID) -> ClosureFacts | None:
    """Return one closure, lifted or not; None for an unknown one, for an opening, and when its units are all retired."""
    row = await database.fetchrow(CLOSURES.format(condition="e.uid = $1"), uid)
    return None if row is None else _closure(row)


async def coming_closures(site_id: int) -> list[ClosureFacts]:
    """Return the site's closures that run or are to come, soonest first."""
    rows = await database.fetch(
        CLOSURES.format(condition="e.lifted_at IS NULL AND e.ends_at > $2 AND u.site = $1"), site_id, clock.now())
    return [_closure(row) for row in rows]
