"""A form that was sent twice, by a double tap or on a weak line, books once and is answered twice alike."""

from booking.reservations import queries, service
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from incubator.ground.errors import Conflict
from incubator.ground.rights import Actor


async def booked(actor: Actor, wish: Wish, page_key: str | None = None) -> ReservationFacts:
    """Book; where only the actor's own booking of a moment ago stands in the way, return that one.

    Raises:
        NotFound, Forbidden, Invalid, Conflict: as `service.reserve`.
    """
    try:
        return await service.reserve(actor, wish, page_key=page_key)
    except Conflict:  # taken by the first one; or beyond the quota that the first one used up, or past since
        before = await queries.just_booked(actor, wish.unit_uid, wish.span, wish.merchant_id)
        if before is None:
            raise
        return before
