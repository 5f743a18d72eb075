"""The one door to allocations: locks in one order, quota summed under the lock, allocations written; and nothing else.

Whoever changes what is taken calls `lock` first, with everything that it touches at once: units by id, then the merchant,
then reservation rows by id, always FOR NO KEY UPDATE. What `lock` returns is read after the locks were granted, so it is true
until the transaction ends. Two writers that touch the same unit or the same merchant's quota follow each other; the database's
exclusion constraint stands behind this for whoever forgets.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from booking.policies.queries import used_sql
from booking.policies.rules import Quota
from booking.reservations.refusals import OverQuota, SlotTaken
from booking.units.queries import MEETS
from incubator.ground import clock, database
from incubator.ground.errors import N_
from incubator.ground.values import Span

CONSTRAINT = "allocation_once"
JUST_TAKEN = N_("This slot was just taken. What you entered is kept; choose another time.")
ROW = (
    "id, uid, number, state, site, unit, merchant, person, host, title, starts_at, ends_at, hold_until, check_in_code,"
    " checked_in_at, checked_in_by, closed_at, version"
)
# Each step waits for those before: its filter is evaluated first, once. The last one names both, since the planner drops the
# middle step altogether when there is no merchant.
LOCK = f"""
WITH locked_units AS MATERIALIZED (
    SELECT id, version FROM units WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE
), locked_merchant AS MATERIALIZED (
    SELECT id, status FROM merchants WHERE id = $2 AND (SELECT count(*) FROM locked_units) >= 0 FOR NO KEY UPDATE
), locked_reservations AS MATERIALIZED (
    SELECT {ROW} FROM reservations
    WHERE id = ANY($3) AND (SELECT count(*) FROM locked_units) + (SELECT count(*) FROM locked_merchant) >= 0
    ORDER BY id FOR NO KEY UPDATE
)
SELECT (SELECT array_agg(id ORDER BY id) FROM locked_units) AS unit_ids,
       (SELECT array_agg(version ORDER BY id) FROM locked_units) AS versions,
       (SELECT status FROM locked_merchant) AS status, r.*
FROM (SELECT 1) AS one LEFT JOIN locked_reservations r ON true"""
CLASHES = f"""
SELECT used.minutes, c.* FROM (
    SELECT CASE WHEN $4::bigint IS NULL THEN 0 ELSE ({used_sql("$4", "$5", "$6", "$7", "$8")}) END AS minutes
) AS used LEFT JOIN LATERAL (
    SELECT a.unit, a.reservation, lower(a.blocked) AS taken_from, upper(a.blocked) AS taken_to,
           r.state = 'held' AND r.hold_until <= $7 AS is_run_out
    FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS w(unit, starts_at, ends_at)
    JOIN allocations a ON {MEETS}
    JOIN reservations r ON r.id = a.reservation WHERE r.id <> ALL($8::bigint[])
) AS c ON true"""


class Row(msgspec.Struct, frozen=True):
    """A reservation's own columns, read under its lock."""

    id: int
    uid: Any
    number: str | None
    state: str
    site: int
    unit: int
    merchant: int | None
    person: int | None
    host: int | None
    title: str
    starts_at: datetime
    ends_at: datetime
    hold_until: datetime | None
    check_in_code: str
    checked_in_at: datetime | None
    checked_in_by: int | None
    closed_at: datetime | None
    version: int

    @property
    def span(self) -> Span:
        """Return the time of use."""
        return Span(self.starts_at, self.ends_at)


class Locked(msgspec.Struct, frozen=True):
    """What is locked until the transaction ends, as it is now: units with their versions, the merchant, reservation rows."""

    units: Mapping[int, int]
    merchant_id: int | None
    merchant_status: str | None
    rows: Mapping[int, Row]


class Claim(msgspec.Struct, frozen=True):
    """One unit wanted for one blocked interval."""

    unit_id: int
    blocked: Span


class Demand(msgspec.Struct, frozen=True):
    """Minutes wanted of a merchant's week; `limit_min` None: nothing is summed, as for staff."""

    week: Span
    minutes: int
    limit_min: int | None


class Taken(msgspec.Struct, frozen=True):
    """Who stands in the way."""

    unit_id: int
    reservation_id: int
    span: Span


class Clash(SlotTaken):
    """A claim meets what others hold; `taken` says what, empty when only the constraint noticed."""

    def __init__(self, taken: Sequence[Taken]) -> None:
        self.taken = tuple(taken)
        if taken:
            super().__init__(taken_from=taken[0].span.starts_at, taken_to=taken[0].span.ends_at)
        else:
            super().__init__(JUST_TAKEN)


async def lock(units: Collection[int], merchant_id: int | None = None, reservations: Collection[int] = ()) -> Locked:
    """Lock everything that a verb touches, in the one order, and return it as it is from now on; in one round trip."""
    rows = await database.fetch(LOCK, sorted(units), merchant_id, sorted(reservations))
    first = rows[0]
    found = dict(zip(first["unit_ids"] or (), first["versions"] or (), strict=True))
    kept = {row["id"]: Row(*list(row)[3:]) for row in rows if row["id"] is not None}
    return Locked(found, merchant_id, first["status"], kept)


async def occupy(locked: Locked, reservation_id: int, claims: Sequence[Claim], demand: Demand | None) -> None:
    """Take the units for a new reservation: all or none.

    Raises:
        Clash: somebody holds one of them then.
        OverQuota: the merchant's week does not hold the demand.
    """
    await shift(locked, {reservation_id: claims}, demand)


async def shift(locked: Locked, changes: Mapping[int, Sequence[Claim]], demand: Demand | None = None) -> None:
    """Give each reservation the units that it claims now instead of those it had: all old rows off, then the new ones.

    1. Look for what stands in the way, under the locks; the changed reservations themselves do not.
    2. Let go holds that ran out: their job may come later.
    3. Write. The constraint notices a claim whose unit was not locked.
    """
    ids = list(changes)
    claims = [(reservation_id, claim) for reservation_id, wanted in changes.items() for claim in wanted]
    assert all(claim.unit_id in locked.units for _, claim in claims), "a claim without its lock"
    taken = await _in_the_way(locked, ids, [claim for _, claim in claims], demand)
    if taken:
        raise Clash(taken)
    try:
        if locked.rows.keys() & changes.keys():
            await database.execute("DELETE FROM allocations WHERE reservation = ANY($1)", ids)
        await database.execute(
            "INSERT INTO allocations (reservation, unit, blocked, holds)"
            " SELECT reservation, unit, tstzrange(starts_at, ends_at), true"
            " FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])"
            " AS w(reservation, unit, starts_at, ends_at)",
            [reservation_id for reservation_id, _ in claims], [c.unit_id for _, c in claims],
            [c.blocked.starts_at for _, c in claims], [c.blocked.ends_at for _, c in claims])
    except asyncpg.ExclusionViolationError as error:
        if error.constraint_name != CONSTRAINT:
            raise
        raise Clash(()) from error


async def free(reservation_ids: Collection[int]) -> None:
    """Let go what the reservations hold; the rows stay to show what was."""
    await database.execute("UPDATE allocations SET holds = false WHERE reservation = ANY($1) AND holds", list(reservation_ids))


async def expire(reservation_ids: Collection[int], now: datetime, *, only_run_out: bool = False) -> int:
    """Let go holds, or of these those alone that ran out, and return how many; under the lock of a unit that they take."""
    if not reservation_ids:
        return 0
    rows = await database.fetch(
        "UPDATE reservations SET state = 'expired', closed_at = $2, version = version + 1"
        " WHERE id = ANY($1) AND state = 'held' AND (NOT $3 OR hold_until <= $2) RETURNING id",
        list(reservation_ids), now, only_run_out)
    if rows:
        await free([row["id"] for row in rows])
    return len(rows)


async def _in_the_way(locked: Locked, ids: list[int], claims: Sequence[Claim], demand: Demand | None) -> list[Taken]:
    now = clock.now()
    counted = demand is not None and demand.limit_min is not None and locked.merchant_id is not None
    week = demand.week if demand is not None and counted else Span(now, now)
    rows = await database.fetch(
        CLASHES, [c.unit_id for c in claims], [c.blocked.starts_at for c in claims], [c.blocked.ends_at for c in claims],
        locked.merchant_id if counted else None, week.starts_at, week.ends_at, now, ids)
    if demand is not None and counted:
        quota = Quota(demand.limit_min, rows[0]["minutes"])
        if not quota.allows(demand.minutes):
            raise OverQuota(**quota.figures(demand.minutes))
    run_out = {row["reservation"] for row in rows if row["is_run_out"]}
    if run_out:
        await expire(run_out, now, only_run_out=True)
    return [
        Taken(row["unit"], row["reservation"], Span(row["taken_from"], row["taken_to"]))
        for row in rows if row["reservation"] is not None and not row["is_run_out"]
    ]

