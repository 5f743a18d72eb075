"""The verbs of live sessions: how it goes out, what people declare about the platform."""

from typing import Any
from uuid import UUID

from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.database import retried
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, NotFound, Stale
from incubator.ground.rights import Actor
from incubator.merchants.rules import PLATFORMS
from studio.destinations.rights import can_see
from studio.destinations.service import SessionOver
from studio.live_sessions import rights
from studio.live_sessions.preparation import booked, refresh_plan
from studio.live_sessions.rules import OVER, Output
from studio.rigs.rules import Cleanliness
from studio.rigs.service import poke, set_cleanliness


class OnAir(Conflict):
    """Something is being sent or recorded."""

    code = "on-air"
    msgid = N_("The session is on air. Stop first, then choose another way.")


class NotLeft(Conflict):
    """The key was wiped, or still can be."""

    code = "wrong-state"
    msgid = N_("This key was not left on the room’s computer, so it need not be reset.")


LOCKED = """
SELECT s.id, s.state, s.output, s.platform, s.version, s.rig, s.shown_live_at, s.account_left_at, s.key_reset_at,
       v.id AS reservation, v.merchant, v.person, v.site, v.unit
FROM live_sessions s JOIN reservations v ON v.id = s.reservation WHERE s.uid = $1 FOR NO KEY UPDATE OF s"""


async def _locked(actor: Actor, uid: UUID) -> Any:
    row = await database.fetchrow(LOCKED, uid)
    if row is None or not can_see(actor, row["merchant"], row["person"], row["unit"]):
        raise NotFound()
    return row


@retried
async def choose_output(actor: Actor, uid: UUID, output: str, platform: str, *, version: int) -> int:
    """Choose how a session goes out (`stream client record`) and on which platform ("" = not said); return the new version.

    Raises:
        NotFound: no such session, or not visible to this actor.
        Forbidden: neither of the merchant nor staff.
        Invalid: no such output or platform.
        SessionOver: it has ended or was cancelled.
        OnAir: something is being sent.
        Stale: somebody changed it meanwhile.
    """
    if output not in set(Output):
        raise Invalid.field("output", N_("Choose stream, platform client or record only."))
    if platform and platform not in PLATFORMS:
        raise Invalid.field("platform", N_("Choose one of the platforms, or none."))
    async with database.transaction():
        row = await _locked(actor, uid)
        if not rights.can_choose(actor, row["merchant"], row["person"], row["site"]):
            raise Forbidden()
        if row["state"] in OVER:
            raise SessionOver()
        if row["version"] != version:
            raise Stale()
        if output != row["output"] and await database.fetchval(
                "SELECT 1 FROM air_spans WHERE live_session = $1 AND stopped_at IS NULL AND kind <> 'record'", row["id"]):
            raise OnAir()
        await database.execute(
            "UPDATE live_sessions SET output = $2, platform = $3, version = version + 1 WHERE id = $1",
            row["id"], output, platform)
        before = {"output": row["output"], "platform": row["platform"]}
        await record(actor, "choose_output", "live_session", row["id"], merchant_id=row["merchant"], before=before,
                     after={"output": output, "platform": platform})
        found = await booked(row["id"])
        if found is not None:
            await refresh_plan(found)
    return version + 1


@retried
async def declare_shown(actor: Actor, uid: UUID) -> None:
    """Store a person's word that the platform shows the session; OBS cannot know it. A second word changes nothing.

    Raises:
        NotFound: no such session, or not visible to this actor.
        Forbidden: neither of the merchant nor staff.
    """
    await _declare(actor, uid, "shown_live")


@retried
async def account_left(actor: Actor, uid: UUID) -> None:
    """Store a person's word that the platform's account on the room's computer was signed out, so the room counts as clean.

    Raises:
        NotFound: no such session, or not visible to this actor.
        Forbidden: neither of the merchant nor staff.
    """
    async with database.transaction():
        rig_id = await _declare(actor, uid, "account_left")
        if rig_id is None:
            return
        state = await database.fetchval("SELECT cleanliness FROM rigs WHERE id = $1 FOR NO KEY UPDATE", rig_id)
        if state == Cleanliness.ACCOUNT_OPEN:
            await set_cleanliness(rig_id, Cleanliness.CLEAN)
            await poke(rig_id)


@retried
async def declare_key_reset(actor: Actor, uid: UUID) -> None:
    """Store a person's word that a key which could not be wiped was reset on the platform, so that the old one is void.

    The rig stays out of use until an operator has looked at it. A second word changes nothing.

    Raises:
        NotFound: no such session, or not visible to this actor.
        Forbidden: neither of the merchant nor staff.
        NotLeft: its key was wiped, or the session is not over.
    """
    async with database.transaction():
        rig_id = await _declare(actor, uid, "key_reset")
        left = await database.fetchval(
            "SELECT 1 FROM live_sessions s JOIN destinations d ON d.live_session = s.id WHERE s.uid = $1"
            " AND s.state = ANY($2) AND s.reason_code <> '' AND d.wiped_at IS NULL", uid, list(OVER))
        if left is None:
            raise NotLeft()
        if rig_id is not None:
            await poke(rig_id)


async def _declare(actor: Actor, uid: UUID, what: str) -> int | None:
    async with database.transaction():
        row = await _locked(actor, uid)
        if not rights.can_declare(actor, row["merchant"], row["person"], row["site"]):
            raise Forbidden()
        if row[f"{what}_at"] is None:
            await database.execute(
                f"UPDATE live_sessions SET {what}_at = $2, {what}_by = $3, version = version + 1 WHERE id = $1",
                row["id"], clock.now(), actor.person_id)
            await record(actor, what, "live_session", row["id"], merchant_id=row["merchant"])
        rig_id: int | None = row["rig"]
        return rig_id
