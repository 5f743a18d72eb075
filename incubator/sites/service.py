"""The verbs of sites: opened at set-up; and the installation's own row with its clock offset."""

from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Forbidden, Invalid
from incubator.ground.rights import Actor, Role
from incubator.ground.values import new_uid
from incubator.sites import queries
from incubator.sites.queries import SiteFacts

CLOCK_CHANNEL = "kaibo_clock"


async def open_site(actor: Actor, *, name: str, name_en: str, time_zone: str = "Asia/Shanghai") -> SiteFacts:
    """Open a site.

    Raises:
        Forbidden: only administrators may.
    """
    if not actor.has(Role.ADMIN):
        raise Forbidden()
    async with database.transaction():
        site_id = await database.fetchval(
            "INSERT INTO sites (uid, name, name_en, time_zone) VALUES ($1, $2, $3, $4) RETURNING id",
            new_uid(), name, name_en, time_zone,
        )
        await record(actor, "open_site", "site", site_id, after={"name": name, "time_zone": time_zone})
    queries.forget()
    return await queries.site(site_id)


async def load_clock() -> bool:
    """Set this process's clock as the installation says, and return whether the installation is a demo."""
    row = await database.fetchrow("SELECT clock_offset_s, is_demo FROM installation")
    clock.set_offset(row["clock_offset_s"])
    return bool(row["is_demo"])


async def shift_clock(actor: Actor, offset_s: int) -> None:
    """Let business time run `offset_s` seconds ahead of real time, in every process; demo installations only.

    Raises:
        Forbidden: only administrators may.
        Invalid: the installation is not a demo.
    """
    if not actor.has(Role.ADMIN):
        raise Forbidden()
    async with database.transaction():
        before = await database.fetchrow("SELECT clock_offset_s, is_demo FROM installation FOR NO KEY UPDATE")
        if not before["is_demo"]:
            raise Invalid.field("offset_s", N_("Only a demo may shift its clock."))
        await database.execute("UPDATE installation SET clock_offset_s = $1", offset_s)
        await record(actor, "shift_clock", "installation", 1,
                     before={"offset_s": before["clock_offset_s"]}, after={"offset_s": offset_s})
        await database.execute(f"NOTIFY {CLOCK_CHANNEL}")
    clock.set_offset(offset_s)
