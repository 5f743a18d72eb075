"""Rigs as pages and the director read them; a password leaves this file only towards the director."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from incubator.ground import clock, database, secrets
from incubator.ground.errors import Forbidden, NotFound
from incubator.ground.jsons import loads
from incubator.ground.rights import Actor
from studio.rigs import rights


class RigFacts(msgspec.Struct, frozen=True):
    """One rig as it is set up; canvas in pixels, times in minutes."""

    id: int
    uid: UUID
    site: int
    unit: int
    zone: str
    driver: str
    address: str
    canvas_width: int
    canvas_height: int
    stand_by_scene: str
    lead_min: int
    overrun_min: int
    audio_through_obs: bool
    is_enabled: bool
    cleanliness: str
    armed_session: int | None
    armed_mark: str | None
    unclean_reason: str
    version: int

    @property
    def is_portrait(self) -> bool:
        """Tell whether the canvas is higher than wide."""
        return self.canvas_height > self.canvas_width


class Report(msgspec.Struct, frozen=True):
    """What the director last reported of a rig."""

    session: int | None
    plan_version: int
    state: str
    code: str
    detail: dict[str, Any]
    reported_at: datetime


class RigPage(msgspec.Struct, frozen=True):
    """One rig for its page: set-up, room, who owns it now, last report; the password shows only as being there."""

    rig: RigFacts
    unit_uid: UUID
    unit_name: str
    unit_name_en: str
    has_password: bool
    owner: str
    fence: int
    is_owned: bool
    report: Report | None
    can_change: bool


class Incident(msgspec.Struct, frozen=True):
    """Something that was done at a room's computer by hand; `number` is of the booking that had the room, "" for none."""

    at: datetime
    code: str
    number: str


class LinkFacts(msgspec.Struct, frozen=True):
    """What is needed to open a connection; never shown, never logged."""

    driver: str
    address: str
    password: str

    def __repr__(self) -> str:
        """Say nothing that may not stand in a log."""
        return f"LinkFacts({self.driver} {self.address})"


FACTS = (
    "r.id, r.uid, r.site, r.unit, r.zone, r.driver, r.address, r.canvas_width, r.canvas_height, r.stand_by_scene, r.lead_min,"
    " r.overrun_min, r.audio_through_obs, r.is_enabled, r.cleanliness, r.armed_session, r.armed_mark, r.unclean_reason, r.version"
)
COUNT = len(FACTS.split(","))
PAGE = f"""
SELECT {FACTS}, u.uid AS unit_uid, u.name, u.name_en, r.password_sealed IS NOT NULL AS has_password,
       coalesce(l.owner, '') AS owner, coalesce(l.fence, 0) AS fence, coalesce(l.expires_at > now(), false) AS is_owned,
       p.live_session, p.plan_version, p.state, p.code AS report_code, p.detail, p.reported_at
FROM rigs r JOIN units u ON u.id = r.unit LEFT JOIN rig_leases l ON l.rig = r.id LEFT JOIN rig_reports p ON p.rig = r.id"""


def _page(actor: Actor, row: Any) -> RigPage:
    report = None
    if row["reported_at"] is not None:
        report = Report(row["live_session"], row["plan_version"], row["state"], row["report_code"], loads(row["detail"]),
                        row["reported_at"])
    facts = RigFacts(*list(row)[:COUNT])
    return RigPage(
        rig=facts, unit_uid=row["unit_uid"], unit_name=row["name"], unit_name_en=row["name_en"],
        has_password=row["has_password"], owner=row["owner"], fence=row["fence"], is_owned=row["is_owned"], report=report,
        can_change=rights.can_change_rig(actor, facts.site),
    )


async def rig_page(actor: Actor, uid: UUID) -> RigPage:
    """Return one rig for its page.

    Raises:
        Forbidden: only the house and its auditors look at rigs.
        NotFound: no such rig.
    """
    if not rights.can_see_rigs(actor):
        raise Forbidden()
    row = await database.fetchrow(f"{PAGE} WHERE r.uid = $1", uid)
    if row is None:
        raise NotFound()
    return _page(actor, row)


async def rig_pages(actor: Actor, site_id: int) -> list[RigPage]:
    """Return all rigs of a site in the order of their rooms.

    Raises:
        Forbidden: only the house and its auditors look at rigs.
    """
    if not rights.can_see_rigs(actor):
        raise Forbidden()
    rows = await database.fetch(f"{PAGE} WHERE r.site = $1 ORDER BY u.sort, u.code", site_id)
    return [_page(actor, row) for row in rows]


INCIDENTS_SHOWN = timedelta(days=7)


async def incidents(rig_ids: Collection[int]) -> dict[int, list[Incident]]:
    """Return what was done at the computers of these rigs by hand within a week, newest first, at most 20 of each rig."""
    found: dict[int, list[Incident]] = {rig_id: [] for rig_id in rig_ids}
    rows = await database.fetch(
        "SELECT a.rig, a.at, coalesce(a.detail->>'code', '') AS code, coalesce(v.number, '') AS number FROM as_run a"
        " LEFT JOIN live_sessions s ON s.id = a.live_session LEFT JOIN reservations v ON v.id = s.reservation"
        " WHERE a.what = 'alarm' AND a.rig = ANY($1) AND a.at > $2 ORDER BY a.at DESC LIMIT 1000",
        list(rig_ids), clock.now() - INCIDENTS_SHOWN)
    for row in rows:
        if len(found[row["rig"]]) < 20:
            found[row["rig"]].append(Incident(row["at"], row["code"], row["number"]))
    return found


async def rig(rig_id: int) -> RigFacts:
    """Return one rig as it is set up.

    Raises:
        NotFound: no such rig.
    """
    row = await database.fetchrow(f"SELECT {FACTS} FROM rigs r WHERE r.id = $1", rig_id)
    if row is None:
        raise NotFound()
    return RigFacts(*row)


async def rig_of_unit(unit_id: int) -> RigFacts | None:
    """Return the rig that stands in a room, None when there is none."""
    row = await database.fetchrow(f"SELECT {FACTS} FROM rigs r WHERE r.unit = $1", unit_id)
    return None if row is None else RigFacts(*row)


async def link_of(rig_id: int) -> LinkFacts:
    """Return what the director needs to reach a rig.

    Raises:
        NotFound: no such rig.
    """
    row = await database.fetchrow("SELECT uid, driver, address, password_sealed FROM rigs WHERE id = $1", rig_id)
    if row is None:
        raise NotFound()
    sealed = row["password_sealed"]
    password = "" if sealed is None else secrets.current().open(sealed, password_purpose(row["uid"]))
    return LinkFacts(row["driver"], row["address"], password)


def password_purpose(uid: UUID) -> str:
    """Return what binds a sealed password to its rig."""
    return f"rig-password:{uid}"
