"""The one door to allocations: every writer that takes, moves or gives back a unit's time passes here, and only here.

The steps are always the same:
1. lock the units, in the order of their ids, then the merchant, then the reservation rows (`FOR NO KEY UPDATE`: a child insert,
   which takes a key share lock on its parents, does not wait for it);
2. read what is there now, in a statement that begins after the locks were granted;
3. release holds that ran out and stand in the way;
4. refuse an overlap, a closure made meanwhile, or a quota exceeded; else write the allocations.
The exclusion constraint of the table stands behind all of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from booking.reservations.rules import Closed, HostTaken, OverQuota, SlotTaken, State
from incubator.ground import database
from incubator.ground.errors import NotFound, Stale
from incubator.ground.values import Span

CONSTRAINT = "allocation_once"


class Part(msgspec.Struct, frozen=True):
    """One unit to be allocated, and the interval that it is blocked; `person_name` where the unit is a person."""

    unit_id: int
    blocked: Span
    person_name: str = ""


class Quota(msgspec.Struct, frozen=True):
    """The merchant's limit in minutes for the week in which the use starts, and the use's own length."""

    week: Span
    limit_min: int
    use_min: int


class Claim(msgspec.Struct, frozen=True):
    """What one reservation wants; `quota` None: exempt, or not counted for this kind of unit."""

    reservation_id: int
    parts: tuple[Part, ...]
    merchant_id: int | None
    quota: Quota | None = None


async def lock_units(unit_ids: Sequence[int]) -> None:
    """Lock units in the order of their ids, until the end of the transaction."""
    await database.fetch("SELECT id FROM units WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", sorted(set(unit_ids)))


async def lock_merchants(merchant_ids: Sequence[int]) -> None:
    """Lock merchants in the order of their ids; after the units."""
    if merchant_ids:
        await database.fetch("SELECT id FROM merchants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", sorted(set(merchant_ids)))


async def lock_reservation(reservation_id: int, version: int | None, also_units: Sequence[int] = ()) -> Any:
    """Lock a reservation with its units (and others to which it moves) and return its row as it is now.

    Raises:
        NotFound: no such reservation.
        Stale: it changed since `version`, or its units changed while waiting; None takes any version.
    """
    before = await _units_of(reservation_id)
    await lock_units([*before, *also_units])
    row = await database.fetchrow("SELECT merchant FROM reservations WHERE id = $1", reservation_id)
    if row is None:
        raise NotFound()
    await lock_merchants([] if row["merchant"] is None else [row["merchant"]])
    row = await database.fetchrow("SELECT * FROM reservations WHERE id = $1 FOR NO KEY UPDATE", reservation_id)
    if row is None:
        raise NotFound()
    if (version is not None and row["version"] != version) or await _units_of(reservation_id) != before:
        raise Stale()
    return row


async def _units_of(reservation_id: int) -> list[int]:
    rows = await database.fetch("SELECT unit FROM allocations WHERE reservation = $1 AND holds ORDER BY unit", reservation_id)
    return [row["unit"] for row in rows]


async def occupy(claim: Claim, now: datetime) -> None:
    """Allocate what a new reservation wants; its row exists already in this transaction.

    Raises:
        SlotTaken, HostTaken: something else is there.
        OverQuota: the merchant's week is full.
    """
    await lock_units([part.unit_id for part in claim.parts])
    await _write([claim], now)


async def shift(claims: Sequence[Claim], now: datetime) -> None:
    """Give reservations other units or times, all at once, so that two may swap; the rows are locked already.

    Raises:
        SlotTaken, HostTaken, OverQuota: as `occupy`; then nothing is changed.
    """
    ids = [claim.reservation_id for claim in claims]
    await database.execute("DELETE FROM allocations WHERE reservation = ANY($1)", ids)
    await _write(claims, now)


async def free(reservation_ids: Sequence[int]) -> None:
    """Give back everything that the reservations hold; their rows are locked already."""
    await database.execute("UPDATE allocations SET holds = false WHERE reservation = ANY($1) AND holds", list(reservation_ids))


async def _write(claims: Sequence[Claim], now: datetime) -> None:
    await lock_merchants([claim.merchant_id for claim in claims if claim.merchant_id is not None and claim.quota is not None])
    for claim in claims:
        await _refuse_overlap(claim, now)
        if claim.quota is not None and claim.merchant_id is not None:
            await _refuse_over_quota(claim.merchant_id, claim.reservation_id, claim.quota, now)
    rows = [(c.reservation_id, p.unit_id, p.blocked.starts_at, p.blocked.ends_at) for c in claims for p in c.parts]
    try:
        await database.execute(
            "INSERT INTO allocations (reservation, unit, blocked, holds) SELECT r, u, tstzrange(s, e), true"
            " FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS t (r, u, s, e)",
            *(list(column) for column in zip(*rows, strict=True)))
    except asyncpg.ExclusionViolationError as error:
        if error.constraint_name == CONSTRAINT:
            raise SlotTaken() from error
        raise


OTHERS = """
SELECT a.reservation, a.unit, lower(a.blocked) AS starts_at, upper(a.blocked) AS ends_at, r.state, r.hold_until
FROM allocations a JOIN reservations r ON r.id = a.reservation
WHERE a.unit = ANY($1) AND a.holds AND a.blocked && tstzrange($2, $3) AND a.reservation <> $4"""
CLOSURES = """
SELECT e.ends_at, e.reason, e.reason_en FROM calendar_exceptions e
WHERE e.unit = ANY($1) AND e.lifted_at IS NULL AND NOT e.is_open AND e.starts_at < $3 AND e.ends_at > $2
ORDER BY e.ends_at DESC LIMIT 1"""


async def _refuse_overlap(claim: Claim, now: datetime) -> None:
    start = min(part.blocked.starts_at for part in claim.parts)
    end = max(part.blocked.ends_at for part in claim.parts)
    rows = await database.fetch(OTHERS, [part.unit_id for part in claim.parts], start, end, claim.reservation_id)
    ran_out = [row["reservation"] for row in rows if row["state"] == State.HELD and row["hold_until"] <= now]
    if ran_out:
        await release_holds(ran_out)
    for part in claim.parts:
        for row in rows:
            other = Span(row["starts_at"], row["ends_at"])
            if row["unit"] == part.unit_id and row["reservation"] not in ran_out and part.blocked.overlaps(other):
                raise HostTaken(name=part.person_name) if part.person_name else SlotTaken()


async def release_holds(reservation_ids: Sequence[int]) -> int:
    """Let holds run out, and return how many did; a hold confirmed meanwhile is left alone."""
    rows = await database.fetch(
        "UPDATE reservations SET state = 'expired', version = version + 1 WHERE id = ANY($1) AND state = 'held' RETURNING id",
        list(reservation_ids))
    await free([row["id"] for row in rows])
    return len(rows)


async def refuse_closed(unit_ids: Sequence[int], use: Span) -> None:
    """Refuse a use over which a closure was made; under the units' locks, which closing takes too.

    Raises:
        Closed: there is one.
    """
    row = await database.fetchrow(CLOSURES, list(unit_ids), use.starts_at, use.ends_at)
    if row is not None:
        raise Closed(until=row["ends_at"], reason=row["reason"], reason_en=row["reason_en"])


USED = """
SELECT coalesce(sum(extract(epoch FROM r.ends_at - r.starts_at)), 0)::bigint / 60 FROM reservations r JOIN units u ON u.id = r.unit
WHERE r.merchant = $1 AND u.kind = 'live_room' AND r.starts_at >= $2 AND r.starts_at < $3 AND r.id <> $4
  AND r.state NOT IN ('cancelled', 'expired') AND (r.state <> 'held' OR r.hold_until > $5)"""


async def used_min(merchant_id: int, week: Span, now: datetime, but_for: int = 0) -> int:
    """Return the minutes that a merchant has in live rooms in a week; no-shows count, cancelled and run-out ones do not."""
    used: int = await database.fetchval(USED, merchant_id, week.starts_at, week.ends_at, but_for, now)
    return used


async def _refuse_over_quota(merchant_id: int, reservation_id: int, quota: Quota, now: datetime) -> None:
    left = quota.limit_min - await used_min(merchant_id, quota.week, now, reservation_id)
    if quota.use_min > left:
        raise OverQuota(left=max(left, 0), extra={"left_min": max(left, 0), "week_min": quota.limit_min})
