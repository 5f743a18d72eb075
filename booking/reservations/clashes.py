"""What stands in the way of a use: the bookings that it meets, and the words in which a person is told which and by how much."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from booking.reservations import rights
from booking.reservations.refusals import BeingFilledIn, SetupOverlaps, SlotTaken, TeardownOverlaps
from booking.reservations.rules import HOLD_MIN
from booking.reservations.slots import Claim
from booking.units.queries import MEETS, counts_at
from incubator.ground import clock, database
from incubator.ground.rights import Actor
from incubator.ground.values import Span

# The claims in their order, then by time: of a room and its host the room is named first, as in the refusal so in the pre-check.
IN_THE_WAY = f"""
SELECT a.reservation, a.unit, lower(a.blocked) AS blocked_from, upper(a.blocked) AS blocked_to, r.starts_at, r.ends_at,
       r.state = 'held' AS is_held, r.title, r.merchant, r.person, r.host, r.unit AS place
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS w(unit, starts_at, ends_at, number)
JOIN allocations a ON {MEETS}
JOIN reservations r ON r.id = a.reservation
WHERE r.id <> ALL($4::bigint[]) AND {counts_at("$5")}
ORDER BY w.number, lower(a.blocked)"""


class Met(msgspec.Struct, frozen=True):
    """A booking in the way; `use` lies within `blocked`, `title` is empty for whoever may not see it."""

    reservation_id: int
    unit_id: int
    blocked: Span
    use: Span
    is_held: bool
    title: str


async def in_the_way(actor: Actor | None, claims: Sequence[Claim], except_ids: Collection[int] = ()) -> list[Met]:
    """Return what the claims meet now, without locking; `actor` None sees no titles, `except_ids` do not count."""
    rows = await database.fetch(
        IN_THE_WAY, [c.unit_id for c in claims], [c.blocked.starts_at for c in claims], [c.blocked.ends_at for c in claims],
        list(except_ids), clock.now())
    return [Met(row["reservation"], row["unit"], Span(row["blocked_from"], row["blocked_to"]),
                Span(row["starts_at"], row["ends_at"]), row["is_held"], _title(actor, row)) for row in rows]


def _title(actor: Actor | None, row: Any) -> str:
    is_seen = actor is not None and rights.can_see(actor, row["merchant"], row["person"], row["host"], row["place"])
    return row["title"] if is_seen else ""


def worded(met: Met, span: Span, blocked: Span) -> SlotTaken:
    """Return how a use meets another booking: teardown into its setup, setup into its teardown, or head on.

    `blocked` is the use's own interval with setup and teardown.
    """
    overlap = min(blocked.ends_at, met.blocked.ends_at) - max(blocked.starts_at, met.blocked.starts_at)
    if met.use.starts_at >= span.ends_at:
        return _told(TeardownOverlaps, met, till=blocked.ends_at, overlap=overlap)
    if met.use.ends_at <= span.starts_at:
        return _told(SetupOverlaps, met, from_at=blocked.starts_at, overlap=overlap)
    if met.is_held:
        return BeingFilledIn(minutes=HOLD_MIN)
    return _told(SlotTaken, met, taken=met.use)


def _told(kind: type[SlotTaken], met: Met, **params: Any) -> SlotTaken:
    times: dict[str, Any] = {"taken_from": met.blocked.starts_at, "taken_to": met.blocked.ends_at}
    return kind(kind.named if met.title else kind.unnamed, title=met.title, **times, **params)
