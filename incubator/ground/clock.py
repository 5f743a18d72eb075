"""Business time: the only place that asks what time it is, so that demo and tests can shift it without touching the system."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta(0)
_frozen: datetime | None = None


def now() -> datetime:
    """Return the present moment of business, aware, in UTC."""
    return _frozen if _frozen is not None else datetime.now(UTC) + _offset


def set_offset(seconds: int) -> None:
    """Shift business time by whole seconds; only demo and test installations call this."""
    global _offset  # noqa: PLW0603 -- one clock per process is the point
    _offset = timedelta(seconds=seconds)


@contextmanager
def frozen_at(moment: datetime) -> Iterator[None]:
    """Hold business time at one moment (aware), for tests and for the making of demo data."""
    global _frozen  # noqa: PLW0603 -- one clock per process is the point
    before, _frozen = _frozen, moment.astimezone(UTC)
    try:
        yield
    finally:
        _frozen = before
