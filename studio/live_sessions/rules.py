"""The states of a live session and the arithmetic of its times."""

from datetime import datetime, timedelta
from enum import StrEnum


class SessionState(StrEnum):
    """How far a live session is prepared; whether it is on air is said by its rig, not here."""

    PLANNED = "planned"
    PREPARING = "preparing"
    WAITING_FOR_KEY = "waiting_for_key"
    READY = "ready"
    FAILED = "failed"
    ENDED = "ended"
    CANCELLED = "cancelled"


class Output(StrEnum):
    """How a session goes out: by stream, through the platform's own program, or not at all."""

    STREAM = "stream"
    CLIENT = "client"
    RECORD = "record"


PREPARED = (SessionState.PREPARING, SessionState.WAITING_FOR_KEY, SessionState.READY, SessionState.FAILED)
OPEN = (SessionState.PLANNED, *PREPARED)
OVER = (SessionState.ENDED, SessionState.CANCELLED)


def cut_off(ends_at: datetime, overrun_min: int, blocked_until: datetime | None) -> datetime:
    """Return when everything is stopped: `overrun_min` after the end, never beyond the session's own blocked interval."""
    latest = ends_at + timedelta(minutes=overrun_min)
    return latest if blocked_until is None else max(min(latest, blocked_until), ends_at)


def prepare_at(starts_at: datetime, lead_min: int) -> datetime:
    """Return when the preparation begins."""
    return starts_at - timedelta(minutes=lead_min)
