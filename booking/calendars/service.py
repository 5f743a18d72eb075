"""The verbs of calendars: weekly hours, closures and openings by date; bookings in the way are listed, never dropped."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from booking.calendars import rights
from booking.calendars.rules import DAY_MIN, WeeklyHours
from incubator.accounts.rules import visible
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Forbidden, Invalid, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span, new_uid

LONGEST_REASON = 200


class Hit(msgspec.Struct, frozen=True):
    """A booking that a closure overlaps; somebody must move or cancel it."""

    reservation_uid: UUID
    number: str | None
    unit_name: str
    unit_name_en: str
    merchant_name: str
    person_id: int | None
    starts_at: datetime
    ends_at: datetime


class Closed(msgspec.Struct, frozen=True):
    """A closure or opening that now holds, and the bookings that it hits."""

    uid: UUID
    hits: tuple[Hit, ...]


# Whoever changes when a unit is open takes the unit's lock, as bookings do, and raises its version: a verb that read the
# calendar before it got the lock sees that it must read again.
LOCK = """
UPDATE units SET version = version + 1 WHERE id IN (
    SELECT id FROM units WHERE (id = $1 OR calendar = $2) ORDER BY id FOR NO KEY UPDATE)
RETURNING id, site"""
HITS = """
SELECT r.uid, r.number, u.name, u.name_en, coalesce(m.short_name, ''), r.person, r.starts_at, r.ends_at
FROM allocations a JOIN reservations r ON r.id = a.reservation JOIN units u ON u.id = a.unit
LEFT JOIN merchants m ON m.id = r.merchant
WHERE a.unit = ANY($1) AND a.holds AND a.blocked && tstzrange($2, $3) AND upper(a.blocked) > $4
  AND (r.state <> 'held' OR r.hold_until > $4)
ORDER BY r.starts_at, u.id"""


async def add_calendar(actor: Actor, site_id: int, name: str, hours: Sequence[WeeklyHours]) -> int:
    """Add opening hours under a name, for units to share, and return the id.

    Raises:
        Forbidden: only managers and administrators may.
        Invalid: hours out of range.
    """
    if not rights.can_set_hours(actor, site_id):
        raise Forbidden()
    _check(hours)
    async with database.transaction():
        calendar_id: int = await database.fetchval(
            "INSERT INTO calendars (site, name) VALUES ($1, $2) RETURNING id", site_id, visible(name))
        await _write_hours(calendar_id, hours)
        await record(actor, "add_calendar", "calendar", calendar_id, after={"name": name, "hours": list(hours)})
    return calendar_id


@database.retried
async def set_hours(actor: Actor, calendar_id: int, hours: Sequence[WeeklyHours]) -> None:
    """Set the weekly hours from now on; bookings made before stay.

    Raises:
        NotFound, Forbidden: no such calendar, or not the actor's to change.
        Invalid: hours out of range.
    """
    _check(hours)
    async with database.transaction():
        await _site_of_calendar(actor, calendar_id)
        await database.fetch(LOCK, None, calendar_id)
        await database.execute("DELETE FROM calendar_hours WHERE calendar = $1", calendar_id)
        await _write_hours(calendar_id, hours)
        await record(actor, "set_hours", "calendar", calendar_id, after={"hours": list(hours)})


@database.retried
async def close(actor: Actor, span: Span, *, unit_id: int | None = None, calendar_id: int | None = None, reason: str,
                reason_en: str = "", is_open: bool = False) -> Closed:
    """Close one unit or everything on a calendar for a span (`is_open`: open it instead), and return the bookings it hits.

    Raises:
        NotFound, Forbidden: no such unit or calendar, or not the actor's to close.
        Invalid: a span or reason that is none.
    """
    span = span.checked()
    reason, reason_en = visible(reason)[:LONGEST_REASON], visible(reason_en)[:LONGEST_REASON]
    if not reason and not is_open:
        raise Invalid.field("reason", N_("Say why, so that people know what to expect."))
    if (unit_id is None) == (calendar_id is None):
        raise Invalid.field("unit_id", N_("Choose one room, or one calendar."))
    async with database.transaction():
        units = await database.fetch(LOCK, unit_id, calendar_id)
        await _may_close(actor, units, calendar_id)
        uid = new_uid()
        exception_id = await database.fetchval(
            "INSERT INTO calendar_exceptions (uid, calendar, unit, is_open, starts_at, ends_at, reason, reason_en, created_by)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
            uid, calendar_id, unit_id, is_open, span.starts_at, span.ends_at, reason, reason_en or reason, actor.person_id)
        ids = [row["id"] for row in units]
        hits = [] if is_open else await database.fetch(HITS, ids, span.starts_at, span.ends_at, clock.now())
        await record(actor, "close", "calendar_exception", exception_id, reason=reason,
                     after={"unit": unit_id, "calendar": calendar_id, "open": is_open, "span": span, "hits": len(hits)})
    return Closed(uid, tuple(Hit(*row) for row in hits))


@database.retried
async def lift(actor: Actor, uid: UUID) -> None:
    """End a closure or opening before its time; a second lift changes nothing.

    Raises:
        NotFound, Forbidden: no such closure, or not the actor's to lift.
    """
    async with database.transaction():
        row = await database.fetchrow("SELECT id, unit, calendar, lifted_at FROM calendar_exceptions WHERE uid = $1", uid)
        if row is None:
            raise NotFound()
        units = await database.fetch(LOCK, row["unit"], row["calendar"])
        await _may_close(actor, units, row["calendar"])
        if await database.execute(
                "UPDATE calendar_exceptions SET lifted_at = $2 WHERE id = $1 AND lifted_at IS NULL", row["id"], clock.now()):
            await record(actor, "lift", "calendar_exception", row["id"])


async def _may_close(actor: Actor, units: Sequence[Any], calendar_id: int | None) -> None:
    if units:
        if not rights.can_close(actor, units[0]["site"]):
            raise Forbidden()
    elif calendar_id is not None:
        await _site_of_calendar(actor, calendar_id)
    else:
        raise NotFound()


async def _site_of_calendar(actor: Actor, calendar_id: int) -> None:
    site_id = await database.fetchval("SELECT site FROM calendars WHERE id = $1", calendar_id)
    if site_id is None:
        raise NotFound()
    if not rights.can_set_hours(actor, site_id):
        raise Forbidden()


async def _write_hours(calendar_id: int, hours: Sequence[WeeklyHours]) -> None:
    await database.execute(
        "INSERT INTO calendar_hours (calendar, weekday, opens_min, closes_min)"
        " SELECT $1, * FROM unnest($2::int[], $3::int[], $4::int[])",
        calendar_id, [h.weekday for h in hours], [h.opens_min for h in hours], [h.closes_min for h in hours])


def _check(hours: Sequence[WeeklyHours]) -> None:
    if not all(0 <= h.weekday <= 6 and 0 <= h.opens_min < h.closes_min <= 2 * DAY_MIN and h.opens_min < DAY_MIN for h in hours):
        raise Invalid.field("hours", N_("Opening hours begin on their weekday and end within 48 hours of its midnight."))
