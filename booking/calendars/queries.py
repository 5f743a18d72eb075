"""Calendars of many units at once."""

from collections.abc import Sequence

from booking.calendars.rules import CalendarFacts, Closure, WeeklyHours
from booking.units.queries import UnitFacts
from incubator.ground import database
from incubator.ground.values import Span

# One row per opening or exception; `unit` or `calendar` says whose.
FACTS = """
SELECT calendar, NULL::bigint AS unit, weekday, opens_min, closes_min, NULL::uuid AS uid, NULL::boolean AS is_open,
       NULL::timestamptz AS starts_at, NULL::timestamptz AS ends_at, '' AS reason, '' AS reason_en
FROM calendar_hours WHERE calendar = ANY($1)
UNION ALL
SELECT calendar, unit, NULL, NULL, NULL, uid, is_open, starts_at, ends_at, reason, reason_en FROM calendar_exceptions
WHERE lifted_at IS NULL AND ends_at > $3 AND starts_at < $4 AND (calendar = ANY($1) OR unit = ANY($2))
ORDER BY weekday, opens_min, starts_at"""


async def calendars_of(units: Sequence[UnitFacts], within: Span) -> dict[int, CalendarFacts]:
    """Return the calendar of each unit (by its id) with the exceptions that touch the span, in one query."""
    calendar_ids = {unit.calendar_id for unit in units if unit.calendar_id is not None}
    rows = await database.fetch(
        FACTS, list(calendar_ids), [unit.id for unit in units], within.starts_at, within.ends_at)
    hours: dict[int, list[WeeklyHours]] = {calendar_id: [] for calendar_id in calendar_ids}
    of_calendar: dict[int, list[Closure]] = {}
    of_unit: dict[int, list[Closure]] = {}
    for row in rows:
        if row["uid"] is None:
            hours[row["calendar"]].append(WeeklyHours(row["weekday"], row["opens_min"], row["closes_min"]))
            continue
        exception = Closure(row["uid"], Span(row["starts_at"], row["ends_at"]), row["reason"], row["reason_en"], row["is_open"])
        if row["unit"] is None:
            of_calendar.setdefault(row["calendar"], []).append(exception)
        else:
            of_unit.setdefault(row["unit"], []).append(exception)
    found = {}
    for unit in units:
        key = unit.calendar_id
        exceptions = [*(of_calendar.get(key, ()) if key is not None else ()), *of_unit.get(unit.id, ())]
        found[unit.id] = CalendarFacts(None if key is None else tuple(hours[key]), tuple(exceptions))
    return found
