"""The verb of the centre's settings: set the quota."""

from incubator.ground import database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Forbidden, Invalid
from incubator.ground.rights import Actor, Role

LONGEST_WEEK_MIN = 7 * 24 * 60


async def set_quota(actor: Actor, site_id: int, week_min: int) -> None:
    """Set how many minutes of live rooms each merchant may use per week; what is booked already stays.

    Raises:
        Forbidden: only managers and administrators may.
        Invalid: below nothing, or longer than a week.
    """
    if not actor.has(Role.MANAGER, Role.ADMIN, site_id=site_id):
        raise Forbidden()
    if not 0 <= week_min <= LONGEST_WEEK_MIN:
        raise Invalid.field("week_min", N_("Between {least} and {most}."), least=0, most=LONGEST_WEEK_MIN)
    async with database.transaction():
        before = await database.fetchval("SELECT week_min FROM quota_policies WHERE site = $1 FOR NO KEY UPDATE", site_id)
        await database.execute(
            "INSERT INTO quota_policies (site, week_min) VALUES ($1, $2) ON CONFLICT (site) DO UPDATE SET week_min = $2",
            site_id, week_min)
        await record(actor, "set_quota", "quota_policy", site_id, before={"week_min": before}, after={"week_min": week_min})
