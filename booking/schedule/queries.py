"""The day of all rooms and the week of one, shaped for the grid: open spans, closures with reasons, and blocks; three queries."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from booking.calendars.queries import calendars_of
from booking.calendars.rules import Closure, open_spans
from booking.offers.queries import ALLOCATED, LONGEST, SETUP
from booking.reservations import rights
from booking.units.queries import UnitFacts, counts_at, spaces, unit
from incubator.ground import clock, database
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts, site


class Block(msgspec.Struct, frozen=True):
    """One reservation on the grid. What the actor may not see has no title and merchant: it reads as taken."""

    uid: UUID | None
    title: str
    merchant_id: int | None
    merchant_name: str
    starts_at: datetime
    ends_at: datetime
    blocked_from: datetime
    blocked_to: datetime
    state: str
    hold_until: datetime | None
    version: int
    is_mine: bool
    may_change: bool


class UnitDay(msgspec.Struct, frozen=True):
    """One unit within the span: when it is open, why it is closed, who has it."""

    unit: UnitFacts
    open: tuple[Span, ...]
    closures: tuple[Closure, ...]
    blocks: tuple[Block, ...]


class Schedule(msgspec.Struct, frozen=True):
    """All units of a day, or one unit over a week; `as_of` is when it was read."""

    span: Span
    units: tuple[UnitDay, ...]
    as_of: datetime


# The lower bound on starts_at keeps the index scan to two days, however long the past is; no use is longer than that.
BLOCKS = f"""
SELECT r.uid, r.title, r.merchant, coalesce(m.short_name, ''), r.starts_at, r.ends_at, lower(a.blocked), upper(a.blocked),
       r.state, r.hold_until, r.version, r.person, r.host, a.unit
FROM reservations r CROSS JOIN LATERAL ({ALLOCATED}) AS a
LEFT JOIN merchants m ON m.id = r.merchant
WHERE r.site = $1 AND r.starts_at >= $2 AND r.starts_at < $3 AND ($6::bigint IS NULL OR r.unit = $6)
  AND {counts_at("$7")}
ORDER BY r.starts_at"""


async def day(actor: Actor, site_id: int, on: date, kinds: Sequence[str] | None = None) -> Schedule:
    """Return one of the site's days; `kinds` None means every kind of place."""
    facts = await site(site_id)
    span = facts.day(on)
    units, rows = await database.together(spaces(site_id, kinds), _rows(facts, span, None))
    return await _schedule(actor, facts, units, span, rows)


async def week(actor: Actor, unit_uid: UUID, on: date) -> Schedule:
    """Return the week (Monday to Sunday) of one unit in which the day lies.

    Raises:
        NotFound: no such unit.
    """
    found = await unit(unit_uid)
    facts = await site(found.site_id)
    span = facts.week(facts.day(on).starts_at + timedelta(hours=12))
    return await _schedule(actor, facts, [found], span, await _rows(facts, span, found.id))


async def _rows(facts: SiteFacts, span: Span, unit_id: int | None) -> list[Any]:
    return await database.fetch(
        BLOCKS, facts.id, span.starts_at - LONGEST, span.ends_at + SETUP, span.starts_at, span.ends_at, unit_id, clock.now())


async def _schedule(actor: Actor, facts: SiteFacts, units: Sequence[UnitFacts], span: Span, rows: Sequence[Any]) -> Schedule:
    now, is_staff = clock.now(), rights.is_staff(actor, facts.id)
    calendars = await calendars_of(units, span)
    blocks: dict[int, list[Block]] = {each.id: [] for each in units}
    for row in rows:
        if row["unit"] in blocks:
            blocks[row["unit"]].append(_block(actor, facts.id, row, is_staff))
    opened: dict[object, tuple[Span, ...]] = {}  # many rooms share one calendar: its hours are worked out once
    days = []
    for each in units:
        calendar = calendars[each.id]
        if calendar not in opened:
            opened[calendar] = tuple(open_spans(calendar, facts.zone, span))
        days.append(UnitDay(each, opened[calendar], tuple(calendar.closures), tuple(blocks[each.id])))
    return Schedule(span, tuple(days), now)


def _block(actor: Actor, site_id: int, row: Any, is_staff: bool) -> Block:
    (uid, title, merchant_id, merchant_name, starts_at, ends_at, blocked_from, blocked_to, state, hold_until, version,
     person_id, host_id, unit_id) = row
    times = (starts_at, ends_at, blocked_from, blocked_to)
    if not rights.can_see(actor, merchant_id, person_id, host_id, unit_id):
        return Block(None, "", None, "", *times, state, hold_until, 0, is_mine=False, may_change=False)
    is_mine = rights.is_of_the_party(actor, merchant_id, person_id, host_id)
    may_change = is_staff or rights.can_change(actor, site_id, merchant_id, person_id)
    return Block(uid, title, merchant_id, merchant_name, *times, state, hold_until, version, is_mine, may_change)
