"""The handlers of all floors in one registry: the only place that sees them together."""

from datetime import timedelta
from typing import Any

from booking.checkin import jobs as checkin_jobs
from booking.reservations import jobs as reservations_jobs
from frontend import feeds_days
from frontend.kept_answers import forget_old
from incubator.ground.audit.service import seal_minutes
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import Registry
from studio.control import jobs as control_jobs
from studio.live_sessions import jobs as live_sessions_jobs


def build_registry(redis: Any = None) -> Registry:
    """Return the handlers of all floors; without Redis nobody is told of changes."""
    registry = Registry()
    registry.every(timedelta(minutes=1), "seal_audit", _seal)
    registry.every(timedelta(hours=1), "forget_kept_answers", _forget)
    reservations_jobs.register(registry)
    checkin_jobs.register(registry)
    if redis is not None:
        feeds_days.register(registry, redis)
    live_sessions_jobs.register(registry)
    control_jobs.register(registry)
    return registry


async def _forget(_args: dict[str, Any]) -> Outcome:
    return outcome("forgotten", count=await forget_old())


async def _seal(_args: dict[str, Any]) -> Outcome:
    return outcome("sealed", count=await seal_minutes())
