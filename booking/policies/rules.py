"""How the quota is judged; the sum itself is made under the merchant's lock."""

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

    def allows(self, minutes: int) -> bool:
        """Tell whether so many minutes more fit."""
        return self.limit_min is None or self.used_min + minutes <= self.limit_min
