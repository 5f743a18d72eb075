"""What the queue does for the controls: nobody stays in control, or stays asking for it, whose right has ended."""

from typing import Any

from incubator.accounts import queries as accounts
from incubator.ground import database
from incubator.ground.audit.service import record
from incubator.ground.errors import NotFound
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import Registry
from incubator.ground.rights import house
from studio.control.queries import Reason, seat
from studio.live_sessions.rules import OPEN
from studio.rigs.service import poke

HELD = """
SELECT s.id, s.uid FROM live_sessions s WHERE s.state = ANY($2)
AND ((s.controller_person = $1 AND s.controller_device IS NULL)
     OR (s.control_asked_person = $1 AND s.control_asked_device IS NULL)) ORDER BY s.id"""
HELD_BY_DEVICE = """
SELECT s.id FROM live_sessions s WHERE s.state = ANY($2) AND (s.controller_device = $1 OR s.control_asked_device = $1)
AND NOT EXISTS (SELECT FROM devices d WHERE d.id = $1 AND d.revoked_at IS NULL) ORDER BY s.id"""
LOCK = """
SELECT s.id, s.rig, v.merchant, coalesce(p.name, d.label, '') AS name,
       CASE WHEN $2 THEN s.controller_device = $3 ELSE s.controller_person = $3 AND s.controller_device IS NULL END AS holds,
       CASE WHEN $2 THEN s.control_asked_device = $3
            ELSE s.control_asked_person = $3 AND s.control_asked_device IS NULL END AS asks
FROM live_sessions s JOIN reservations v ON v.id = s.reservation LEFT JOIN people p ON p.id = s.controller_person
LEFT JOIN devices d ON d.id = s.controller_device WHERE s.id = $1 FOR NO KEY UPDATE OF s"""
FREE = """
UPDATE live_sessions SET controller_person = CASE WHEN $2 THEN NULL ELSE controller_person END,
    controller_device = CASE WHEN $2 THEN NULL ELSE controller_device END,
    control_asked_person = CASE WHEN $3 THEN NULL ELSE control_asked_person END,
    control_asked_device = CASE WHEN $3 THEN NULL ELSE control_asked_device END,
    control_asked_at = CASE WHEN $3 THEN NULL ELSE control_asked_at END WHERE id = $1"""


async def on_rights_ended(args: dict[str, Any]) -> Outcome:
    """Free the rooms that a person controls, or asks for, and may command no longer."""
    person = int(args["person"])
    rows = await database.fetch(HELD, person, list(OPEN))
    ended = [row["id"] for row in rows if not await _may_command(person, row["uid"])]
    return await _free(ended, person, is_device=False)


async def on_device_revoked(args: dict[str, Any]) -> Outcome:
    """Free the room that a revoked tablet controls, or asks for."""
    device = int(args["device"])
    rows = await database.fetch(HELD_BY_DEVICE, device, list(OPEN))
    return await _free([row["id"] for row in rows], device, is_device=True)


async def _may_command(person: int, session_uid: Any) -> bool:
    if not await database.fetchval("SELECT 1 FROM accounts WHERE person = $1 AND disabled_at IS NULL", person):
        return False
    actor = await accounts.actor_of(person)
    assert actor is not None
    try:
        return (await seat(actor, session_uid)).why != Reason.NOT_YOURS
    except NotFound:
        return False


async def _free(sessions: list[int], whose: int, *, is_device: bool) -> Outcome:
    for session in sessions:
        async with database.transaction():
            row = await database.fetchrow(LOCK, session, is_device, whose)
            await database.execute(FREE, session, bool(row["holds"]), bool(row["asks"]))
            if row["holds"]:
                await record(house("rights ended"), "free_control", "live_session", session, merchant_id=row["merchant"],
                             before={"controller": row["name"]})
            if row["rig"] is not None:
                await poke(row["rig"])
    return outcome("freed", count=len(sessions))


def register(registry: Registry) -> None:
    """Register the handlers of this slice."""
    registry.on("RightsEnded", "control_on_RightsEnded", on_rights_ended)
    registry.on("DeviceRevoked", "control_on_DeviceRevoked", on_device_revoked)
