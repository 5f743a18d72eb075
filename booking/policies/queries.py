"""What a merchant has left in a week."""

from datetime import datetime

from booking.policies.rules import QUOTA_KINDS, Quota
from booking.units.queries import counts_at
from incubator.ground import database
from incubator.ground.values import Span
from incubator.sites.queries import site


def used_sql(merchant: str, starts_at: str, ends_at: str, now: str, without: str) -> str:
    """Return the query of the minutes used in a week, its parameters placed as named.

    A reservation counts in the week in which it starts, with its time of use. No-shows count; cancelled, expired and run-out
    ones do not.
    """
    kinds = ", ".join(f"'{kind}'" for kind in sorted(QUOTA_KINDS))
    return f"""
SELECT coalesce(sum(extract(epoch FROM r.ends_at - r.starts_at))::int / 60, 0)
FROM reservations r JOIN units u ON u.id = r.unit AND u.kind IN ({kinds})
WHERE r.merchant = {merchant} AND r.starts_at >= {starts_at} AND r.starts_at < {ends_at}
  AND r.state NOT IN ('cancelled', 'expired') AND {counts_at(now)}
  AND r.id <> ALL({without}::bigint[])"""


USED = used_sql("$1", "$2", "$3", "$4", "$5")


async def week_min(site_id: int) -> int | None:
    """Return the weekly quota of merchants in minutes, None when the site has none."""
    found: int | None = await database.fetchval("SELECT week_min FROM quota_policies WHERE site = $1", site_id)
    return found


async def used_min(merchant_id: int, week: Span, now: datetime, except_ids: tuple[int, ...] = ()) -> int:
    """Return the minutes that the merchant uses in the week of what has a quota; only under the merchant's lock is it certain."""
    found: int = await database.fetchval(USED, merchant_id, week.starts_at, week.ends_at, now, list(except_ids))
    return found


async def quota_of(merchant_id: int, site_id: int, moment: datetime, now: datetime, except_ids: tuple[int, ...] = ()) -> Quota:
    """Return the quota of the merchant for the week in which the moment lies, for showing before a booking."""
    week = (await site(site_id)).week(moment)
    return Quota(await week_min(site_id), await used_min(merchant_id, week, now, except_ids))
