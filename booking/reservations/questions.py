"""What reservations ask the floors above: composition fills the list; answers come in the asker's transaction."""

from collections.abc import Awaitable, Callable
from datetime import datetime

# When is everything in the room of this reservation stopped? None: nothing there is stopped by itself.
cut_offs: list[Callable[[int], Awaitable[datetime | None]]] = []


async def cut_off(reservation_id: int) -> datetime | None:
    """Return when a reservation's room is stopped, after which nothing of it can go on; None: it is not."""
    found = [moment for ask in cut_offs if (moment := await ask(reservation_id)) is not None]
    return min(found, default=None)
