"""How a verb enters: the reservation read before locking, everything locked at once, its row read again; and how it leaves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations import queries, rights, slots
from booking.reservations.queries import ReservationFacts
from booking.reservations.slots import Locked, Row
from booking.reservations.tables import State
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import NotFound, Stale
from incubator.ground.queue.service import publish
from incubator.ground.rights import Actor
from incubator.ground.values import Span


class Seen(msgspec.Struct, frozen=True):
    """A reservation read before locking, with the units to lock."""

    id: int
    site_id: int
    unit_id: int
    merchant_id: int | None
    person_id: int | None
    host_id: int | None
    host_name: str
    host_latin: str
    host_unit_id: int | None
    state: str
    title: str
    starts_at: datetime
    ends_at: datetime
    version: int

    @property
    def span(self) -> Span:
        """Return the time of use."""
        return Span(self.starts_at, self.ends_at)


async def seen_by(actor: Actor, uid: UUID) -> Seen:
    """Return a reservation as it is before locking.

    Raises:
        NotFound: unknown, or not visible to the actor.
    """
    row = await database.fetchrow(
        "SELECT r.id, r.site, r.unit, r.merchant, r.person, r.host, coalesce(h.name, ''), coalesce(h.name_latin, ''),"
        " hu.id, r.state, r.title, r.starts_at, r.ends_at, r.version FROM reservations r"
        " LEFT JOIN people h ON h.id = r.host LEFT JOIN units hu ON hu.person = r.host"
        " WHERE r.uid = $1", uid)
    seen = None if row is None else Seen(*row)
    if seen is None or not rights.can_see(actor, seen.merchant_id, seen.person_id, seen.host_id, seen.unit_id):
        raise NotFound()
    return seen


async def entered(seen: Seen, *, version: int | None, more: set[int] | None = None) -> tuple[Locked, Row]:
    """Lock everything that the reservation takes and read its row again.

    Raises:
        NotFound: it was a hold, and is deleted.
        Stale: changed since `version`, or moved to a unit that is not locked.
    """
    units = {seen.unit_id} | ({seen.host_unit_id} if seen.host_unit_id is not None else set()) | (more or set())
    locked = await slots.lock(units, seen.merchant_id, [seen.id])
    row = locked.rows.get(seen.id)
    if row is None:
        raise NotFound()
    if (version is not None and row.version != version) or row.unit != seen.unit_id:
        raise Stale()
    return locked, row


def as_person(actor: Actor, row: Row) -> Actor:
    """Return the actor as the audit names it: a tablet acts in the name of who checked in, if that is known."""
    return msgspec.structs.replace(actor, person_id=row.checked_in_by) if actor.device_id is not None else actor


async def close_row(actor: Actor, row: Row, state: State, verb: str, fact: str, *, ends_at: datetime | None = None,
                    reason: str = "") -> None:
    """Bring a reservation to an end in that state, with audit and fact; `ends_at` None leaves its time as it was."""
    await database.execute(
        "UPDATE reservations SET state = $2, closed_at = $3, reason = $4, ends_at = coalesce($5, ends_at),"
        " version = version + 1 WHERE id = $1", row.id, state.value, clock.now(), reason, ends_at)
    after: dict[str, Any] = {"state": state.value} | ({"ends_at": ends_at} if ends_at else {})
    before: dict[str, Any] = {"state": row.state} | ({"ends_at": row.ends_at} if ends_at else {})
    await record(actor, verb, "reservation", row.id, before=before, after=after, merchant_id=row.merchant, reason=reason)
    await publish(fact, {"reservation": row.id}, actor.request_id)


async def tell(actor: Actor, verb: str, fact: str, reservation_id: int, merchant_id: int | None, *,
               after: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> None:
    """Write the audit entry and the fact of a deed, inside its transaction; the fact names the columns that were changed."""
    await record(actor, verb, "reservation", reservation_id, before=before, after=after, merchant_id=merchant_id)
    changed = {} if before is None else {"changed": sorted(before)}
    await publish(fact, {"reservation": reservation_id, **changed}, actor.request_id)


async def as_it_is(reservation_id: int) -> ReservationFacts:
    """Return the reservation after the deed."""
    found = await queries.facts(reservation_id)
    assert found is not None
    return found
