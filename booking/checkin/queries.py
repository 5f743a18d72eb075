"""Tablets: whose token that is, what it shows, and which reservation of its room it may command."""

from datetime import datetime
from uuid import UUID

import msgspec

from booking.checkin.rights import can_see_devices
from booking.offers.queries import LONGEST
from booking.reservations.queries import FACTS, ReservationFacts, facts_of
from booking.reservations.questions import against_cut_off
from booking.reservations.tables import State
from incubator.accounts.service import token_hash
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden
from incubator.ground.rights import Actor


class DeviceFacts(msgspec.Struct, frozen=True):
    """One tablet; without unit it waits to be paired and shows its code until `pairing_until`."""

    id: int
    uid: UUID
    site_id: int
    unit_id: int | None
    unit_uid: UUID | None
    unit_name: str
    unit_name_en: str
    label: str
    pairing_code: str | None
    pairing_until: datetime | None
    paired_at: datetime | None
    paired_by: str
    revoked_at: datetime | None
    last_seen_at: datetime
    locked_until: datetime | None
    version: int

    @property
    def is_paired(self) -> bool:
        """Tell whether it may act for its room."""
        return self.unit_id is not None and self.revoked_at is None


DEVICE = """
SELECT d.id, d.uid, d.site, d.unit, u.uid, coalesce(u.name, ''), coalesce(u.name_en, ''), d.label, d.pairing_code,
       d.pairing_until, d.paired_at, coalesce(p.name, ''), d.revoked_at, d.last_seen_at, d.locked_until, d.version
FROM devices d LEFT JOIN units u ON u.id = d.unit LEFT JOIN people p ON p.id = d.paired_by"""
# last_seen is written at most every five minutes, in the same round trip that reads the device
ACTOR = """
WITH seen AS (
    UPDATE devices SET last_seen_at = $2 WHERE token_hash = $1 AND last_seen_at < $2::timestamptz - interval '5 minutes'
)
SELECT id, unit, label FROM devices WHERE token_hash = $1 AND unit IS NOT NULL AND revoked_at IS NULL"""


async def device_actor(token: str, request_id: str = "") -> Actor | None:
    """Return the actor of a paired tablet: no person, no roles, its device and room; None when unpaired, unknown or revoked."""
    row = await database.fetchrow(ACTOR, token_hash(token), clock.now())
    if row is None:
        return None
    return Actor(None, row["label"], device_id=row["id"], device_unit_id=row["unit"], request_id=request_id)


async def device_by_token(token: str) -> DeviceFacts | None:
    """Return the tablet with this token, paired or not; None when it is unknown (forgotten after a day unpaired)."""
    row = await database.fetchrow(f"{DEVICE} WHERE d.token_hash = $1", token_hash(token))
    return None if row is None else DeviceFacts(*row)


async def device_by_code(code: str) -> DeviceFacts | None:
    """Return the tablet that shows this pairing code now, for staff to compare before they confirm."""
    row = await database.fetchrow(f"{DEVICE} WHERE d.pairing_code = $1 AND d.pairing_until > $2", code, clock.now())
    return None if row is None else DeviceFacts(*row)


async def devices(actor: Actor, site_id: int) -> list[DeviceFacts]:
    """Return the site's paired tablets by room.

    Raises:
        Forbidden: only those who look after tablets, and who reads everything, see them.
    """
    if not can_see_devices(actor, site_id):
        raise Forbidden()
    rows = await database.fetch(
        f"{DEVICE} WHERE d.site = $1 AND d.unit IS NOT NULL AND d.revoked_at IS NULL ORDER BY u.sort, u.code, d.id", site_id)
    return [DeviceFacts(*row) for row in rows]


async def current_for(unit_id: int) -> ReservationFacts | None:
    """Return the reservation of a room that its tablet may command now: from check-in to cut-off; None: nobody's.

    Where nothing is stopped by itself, until the end of the reservation's own blocked interval.
    """
    now = clock.now()
    rows = await database.fetch(
        f"{FACTS} WHERE r.unit = $1 AND r.state = $2 AND r.starts_at > $3 AND a.holds AND a.blocked @> $4::timestamptz",
        unit_id, State.CHECKED_IN, now - LONGEST, now)
    return facts_of(rows[0]) if rows and await against_cut_off(rows[0]["id"]) is None else None


async def waiting_for(unit_id: int) -> ReservationFacts | None:
    """Return the reservation of a room that can be checked in now; None: nobody's, or too early."""
    now = clock.now()
    rows = await database.fetch(
        f"{FACTS} WHERE r.unit = $1 AND r.state = $2 AND r.starts_at > $3 AND a.holds AND a.blocked @> $4::timestamptz"
        " AND r.ends_at > $4", unit_id, State.CONFIRMED, now - LONGEST, now)
    return facts_of(rows[0]) if rows else None


async def coming_in(unit_id: int, limit: int = 3) -> tuple[ReservationFacts, ...]:
    """Return what follows in a room, soonest first, for its idle tablet; what runs or may be checked in now is left out."""
    now = clock.now()
    rows = await database.fetch(
        f"{FACTS} WHERE r.unit = $1 AND r.state = $2 AND r.starts_at > $3 AND lower(a.blocked) > $3"
        " ORDER BY r.starts_at LIMIT $4", unit_id, State.CONFIRMED, now, limit)
    return tuple(facts_of(row) for row in rows)
