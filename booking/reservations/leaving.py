"""Booking's answer when a merchant is to leave: not while it has bookings to come."""

from booking.reservations.rules import STANDING
from booking.reservations.tables import State
from incubator.ground import clock, database
from incubator.ground.errors import N_, Conflict


class StillBooked(Conflict):
    """The merchant has bookings that run or are to come."""

    code = "still-booked"
    msgid = N_("These bookings still stand: {bookings}. Cancel or end them first; until then the merchant can be paused.")


async def refuse_while_booked(merchant_id: int) -> None:
    """Say no while something stands; holds do not count, since a merchant that left cannot confirm them.

    Called under the merchant's lock, so that nothing is booked in between.

    Raises:
        StillBooked: names the bookings, soonest first.
    """
    rows = await database.fetch(
        "SELECT number FROM reservations WHERE merchant = $1 AND state = ANY($2) AND ends_at > $3 ORDER BY starts_at",
        merchant_id, [State.PENDING, *STANDING], clock.now())
    if rows:
        raise StillBooked(bookings=[row["number"] for row in rows])
