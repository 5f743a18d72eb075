"""What the queue does for tablets: forget those that nobody paired."""

from datetime import timedelta
from typing import Any

from booking.checkin.service import forget_unpaired
from incubator.ground.queue.registry import Registry


async def tidy(_args: dict[str, Any]) -> str:
    """Delete tablets that were never paired."""
    return f"{await forget_unpaired()} forgotten"


def register(registry: Registry) -> None:
    """Register the handlers of this slice."""
    registry.every(timedelta(hours=1), "forget_unpaired_devices", tidy)
