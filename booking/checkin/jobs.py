"""What the queue does for tablets: forget those that nobody paired."""

from datetime import timedelta
from typing import Any

from booking.checkin.service import forget_unpaired
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import Registry


async def tidy(_args: dict[str, Any]) -> Outcome:
    """Delete tablets that were never paired."""
    return outcome("forgotten", count=await forget_unpaired())


def register(registry: Registry) -> None:
    """Register the handlers of this slice."""
    registry.every(timedelta(hours=1), "forget_unpaired_devices", tidy)
