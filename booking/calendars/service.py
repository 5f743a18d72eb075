"""The verbs of calendars: weekly hours, closures and openings by date; bookings in the way are listed, never dropped."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from booking.calendars import rights
from booking.calendars.queries import Hit, hits_of
from booking.calendars.rules import DAY_MIN, WeeklyHours
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, NotFound
from incubator.ground.queue.service import publish
from incubator.ground.rights import Actor
from incubator.ground.values import Span, bounded, new_uid


class Extent(msgspec.Struct, frozen=True):
    """What is closed: some units, everything on a calendar, or the whole site with rooms to come; one of the three."""

    unit_ids: tuple[int, ...] = ()
    calendar_id: int | None = None
    site_id: int | None = None


class Closed(msgspec.Struct, frozen=True):
    """A closure or opening that now holds, and the bookings that it hits."""

    uid: UUID
    hits: tuple[Hit, ...]


class BookingsHit(Conflict):
    """Bookings lie in the way that whoever closes has not seen; `count` is of all that it hits."""

    code = "bookings-hit"
    msgid = N_("Bookings in this time: {count}. They stay until somebody moves or cancels them; look at them first.")


# Whoever changes when a unit is open takes the unit's lock, as bookings do, and raises its version: a verb that read the
# calendar before it got the lock sees that it must read again.
LOCK = """
UPDATE units SET version = version + 1 WHERE id IN (
    SELECT id FROM units WHERE id = ANY($1) OR calendar = $2 OR (site = $3 AND person IS NULL) ORDER BY id FOR NO KEY UPDATE)
RETURNING id, site"""
INSERT = """
INSERT INTO calendar_exceptions (uid, calendar, unit, site, is_open, starts_at, ends_at, reason, reason_en, created_by)
SELECT $1, $2, unit, $4, $5, $6, $7, $8, $9, $10 FROM unnest($3::bigint[]) AS w(unit) RETURNING id"""


async def add_calendar(actor: Actor, site_id: int, name: str, hours: Sequence[WeeklyHours]) -> int:
    """Add opening hours under a name, for units to share, and return the id.

    Raises:
        Forbidden: only managers and administrators may.
        Invalid: hours out of range, or a name too long.
    """
    if not rights.can_set_hours(actor, site_id):
        raise Forbidden()
    _check(hours)
    name = bounded(name, "name")
    async with database.transaction():
        calendar_id: int = await database.fetchval(
            "INSERT INTO calendars (site, name) VALUES ($1, $2) RETURNING id", site_id, name)
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
        await database.fetch(LOCK, [], calendar_id, None)
        await database.execute("DELETE FROM calendar_hours WHERE calendar = $1", calendar_id)
        await _write_hours(calendar_id, hours)
        await record(actor, "set_hours", "calendar", calendar_id, after={"hours": list(hours)})


TWIN = """
SELECT uid FROM calendar_exceptions
WHERE lifted_at IS NULL AND starts_at = $1 AND ends_at = $2 AND is_open = $3 AND reason = $4
  AND calendar IS NOT DISTINCT FROM $5 AND site IS NOT DISTINCT FROM $6
GROUP BY uid HAVING array_agg(unit ORDER BY unit) = $7::bigint[]"""


@database.retried
async def close(actor: Actor, extent: Extent, span: Span, *, reason: str, reason_en: str = "", is_open: bool = False,
                seen: Collection[UUID] | None = None) -> Closed:
    """Close what `extent` says for a span (`is_open`: open it instead), and return the bookings it hits; these stay.

    `seen` are the bookings that whoever closes was shown before; None means that it closes whatever it hits. A closure that is
    there already, word for word, is returned and not made twice.

    Raises:
        NotFound, Forbidden: no such unit or calendar, or not the actor's to close.
        Invalid: a span or reason that is none.
        BookingsHit: bookings in the way that were not seen.
    """
    span = _checked_span(span)
    reason, reason_en = bounded(reason, "reason"), bounded(reason_en, "reason_en")
    if not reason and not is_open:
        raise Invalid.field("reason", N_("Say why, so that people know what to expect."))
    if bool(extent.unit_ids) + (extent.calendar_id is not None) + (extent.site_id is not None) != 1:
        raise Invalid.field("unit_id", N_("Choose at least one room."))
    async with database.transaction():
        units = await _locked(actor, extent)
        hits = () if is_open else (await hits_of([([row["id"] for row in units], span)]))[0]
        if seen is not None and not {hit.uid for hit in hits} <= set(seen):
            raise BookingsHit(count=len(hits))
        twin = await _twin(extent, span, is_open, reason)
        if twin is not None:  # the same form sent twice: one closure, told once
            return Closed(twin, hits)
        uid = new_uid()
        rows = await database.fetch(
            INSERT, uid, extent.calendar_id, list(extent.unit_ids) or [None], extent.site_id, is_open, span.starts_at,
            span.ends_at, reason, reason_en or reason, actor.person_id)
        await record(actor, "close", "calendar_exception", rows[0]["id"], reason=reason, after={
            "units": list(extent.unit_ids), "calendar": extent.calendar_id, "site": extent.site_id, "open": is_open, "span": span,
            "hits": [hit.number for hit in hits]})
        await publish("RoomsClosed", {"closure": str(uid)}, actor.request_id)
    return Closed(uid, hits)


async def _twin(extent: Extent, span: Span, is_open: bool, reason: str) -> UUID | None:
    units: list[int | None] = [*sorted(extent.unit_ids)] or [None]
    found: UUID | None = await database.fetchval(
        TWIN, span.starts_at, span.ends_at, is_open, reason, extent.calendar_id, extent.site_id, units)
    return found


def _checked_span(span: Span) -> Span:
    span = span.checked()
    if span.ends_at <= clock.now():
        raise Invalid.field("ends_at", N_("This has passed. Choose a later end."))
    return span


@database.retried
async def lift(actor: Actor, uid: UUID) -> None:
    """End a closure or opening before its time; a second lift changes nothing.

    Raises:
        NotFound, Forbidden: no such closure, or not the actor's to lift.
    """
    async with database.transaction():
        rows = await database.fetch("SELECT id, unit, calendar, site FROM calendar_exceptions WHERE uid = $1 ORDER BY id", uid)
        if not rows:
            raise NotFound()
        units = tuple(row["unit"] for row in rows if row["unit"] is not None)
        await _locked(actor, Extent(units, rows[0]["calendar"], rows[0]["site"]))
        if await database.execute(
                "UPDATE calendar_exceptions SET lifted_at = $2 WHERE uid = $1 AND lifted_at IS NULL", uid, clock.now()):
            await record(actor, "lift", "calendar_exception", rows[0]["id"])
            await publish("ClosureLifted", {"closure": str(uid)}, actor.request_id)


async def _locked(actor: Actor, extent: Extent) -> Sequence[Any]:
    """Lock every unit that a closure covers, as bookings do, and raise their versions; refuse who may not close them."""
    units = await database.fetch(LOCK, list(extent.unit_ids), extent.calendar_id, extent.site_id)
    if len(units) < len(set(extent.unit_ids)):
        raise NotFound()
    if extent.calendar_id is not None and not units:
        await _site_of_calendar(actor, extent.calendar_id)
    sites = {row["site"] for row in units} | ({extent.site_id} if extent.site_id is not None else set())
    if not all(rights.can_close(actor, site_id) for site_id in sites):
        raise Forbidden()
    return units


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
