"""What reservations ask the floors above: composition fills the list; answers come in the asker's transaction."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from booking.reservations.refusals import CutOff
from incubator.ground import clock

# When is everything in the room of this reservation stopped? None: nothing there is stopped by itself.
cut_offs: list[Callable[[int], Awaitable[datetime | None]]] = []


async def cut_off(reservation_id: int) -> datetime | None:
    """Return when a reservation's room is stopped, after which nothing of it can go on; None: it is not."""
    found = [moment for ask in cut_offs if (moment := await ask(reservation_id)) is not None]
    return min(found, default=None)


async def against_cut_off(reservation_id: int) -> CutOff | None:
    """Return the refusal of what would go on after everything in the room was stopped; None while it may."""
    cut_off_at = await cut_off(reservation_id)
    return None if cut_off_at is None or clock.now() < cut_off_at else CutOff(cut_off_at=cut_off_at)
