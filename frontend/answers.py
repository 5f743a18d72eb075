"""What programs are told, whatever the floor that says it: times in UTC, which JSON then writes with `Z`."""

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

Told = TypeVar("Told", bound=msgspec.Struct)


def in_utc(told: Told) -> Told:
    """Return the same with its times in UTC; the floors below reckon in the zone of the site, or as they were asked."""
    given = {name: getattr(told, name) for name in told.__struct_fields__}
    times = {name: value.astimezone(UTC) for name, value in given.items() if isinstance(value, datetime)}
    return msgspec.structs.replace(told, **times)
