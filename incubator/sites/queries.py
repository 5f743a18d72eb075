"""Sites as other floors see them; they hardly ever change, so each process keeps them."""

from datetime import date, datetime, timedelta
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from incubator.ground import database
from incubator.ground.errors import NotFound
from incubator.ground.values import Span


class SiteFacts(msgspec.Struct, frozen=True, dict=True):
    """One site; its day begins `day_starts_min` minutes after local midnight."""

    id: int
    uid: UUID
    name: str
    name_en: str
    time_zone: str
    day_starts_min: int = 0

    @cached_property
    def zone(self) -> ZoneInfo:
        """Return the time zone."""
        return ZoneInfo(self.time_zone)

    def local_date(self, moment: datetime) -> date:
        """Return the site's day in which the moment lies."""
        return (moment.astimezone(self.zone) - timedelta(minutes=self.day_starts_min)).date()

    def day(self, day: date) -> Span:
        """Return the site's day as a span; 23 or 25 hours long where the clocks change."""
        return Span(self._start_of(day), self._start_of(day + timedelta(days=1)))

    def week(self, moment: datetime) -> Span:
        """Return the week, from Monday 00:00 local time, in which the moment lies."""
        local = moment.astimezone(self.zone)
        monday = local.date() - timedelta(days=local.weekday())
        return Span(self._midnight(monday), self._midnight(monday + timedelta(days=7)))

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    def _start_of(self, day: date) -> datetime:
        return self._midnight(day).replace(hour=self.day_starts_min // 60, minute=self.day_starts_min % 60)


COLUMNS = "id, uid, name, name_en, time_zone, day_starts_min"
_kept: dict[int, SiteFacts] = {}
_first: list[int] = []


async def site(site_id: int) -> SiteFacts:
    """Return a site, read once per process.

    Raises:
        NotFound: no such site.
    """
    if site_id not in _kept:
        row = await database.fetchrow(f"SELECT {COLUMNS} FROM sites WHERE id = $1", site_id)
        if row is None:
            raise NotFound()
        _kept[site_id] = SiteFacts(*row)
    return _kept[site_id]


async def first_site() -> SiteFacts:
    """Return the installation's first site; the interface shows only one.

    Raises:
        NotFound: the installation was not set up yet.
    """
    if not _first:  # sites are never deleted, so the first one stays the first
        site_id = await database.fetchval("SELECT min(id) FROM sites")
        if site_id is None:
            raise NotFound()
        _first.append(site_id)
    return await site(_first[0])


def forget() -> None:
    """Drop what was kept; `open_site` and tests call it."""
    _kept.clear()
    _first.clear()
