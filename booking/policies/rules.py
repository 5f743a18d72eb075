"""How the quota is judged; the sum itself is made under the merchant's lock."""

from datetime import timedelta
from typing import Any

import msgspec

QUOTA_KINDS = frozenset({"live_room"})


class Quota(msgspec.Struct, frozen=True):
    """A merchant's week, in minutes; `limit_min` None means without limit."""

    limit_min: int | None
    used_min: int

    @property
    def left_min(self) -> int | None:
        """Return what may still be booked, never below nothing; None without limit."""
        return None if self.limit_min is None else max(0, self.limit_min - self.used_min)

    def figures(self, wanted_min: int) -> dict[str, Any]:
        """Return what a message about the quota says: left, limit and wanted, as durations."""
        return {"left": timedelta(minutes=self.left_min or 0), "limit": timedelta(minutes=self.limit_min or 0),
                "wanted": timedelta(minutes=wanted_min)}

    def allows(self, minutes: int) -> bool:
        """Tell whether so many minutes more fit."""
        return self.limit_min is None or self.used_min + minutes <= self.limit_min
