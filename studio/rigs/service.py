"""The verbs of rigs: set up, change, take out of use, call clean, bind the demo's OBS."""

from typing import Any
from uuid import UUID

import msgspec

from incubator.ground import database, secrets
from incubator.ground.audit.service import record
from incubator.ground.database import retried
from incubator.ground.errors import N_, Conflict, FieldError, Forbidden, Invalid, NotFound, Stale
from incubator.ground.rights import Actor, house
from incubator.ground.values import bounded, new_uid
from studio.rigs import rights, rules
from studio.rigs.queries import RigFacts, password_purpose, rig, rig_of_unit
from studio.rigs.rules import Cleanliness, Driver

POKE_CHANNEL = "studio_poke"


class RoomHasRig(Conflict):
    """A room has one rig at most."""

    code = "room-has-rig"
    msgid = N_("This room has a rig already.")


class RigInUse(Conflict):
    """A merchant's key lies on it."""

    code = "rig-in-use"
    msgid = N_("A session’s key lies on this rig. Change address or driver after the session.")


class NotQuarantined(Conflict):
    """The rig is clean, or a session is armed on it."""

    code = "not-quarantined"
    msgid = N_("Only a rig that is out of use because something may be left on it can be marked as clean.")


class SetUp(msgspec.Struct, frozen=True):
    """What the form of a rig says; `password` None keeps the stored one, times in minutes, canvas in pixels."""

    driver: str = Driver.OBS
    address: str = ""
    password: str | None = None
    stand_by_scene: str = ""
    lead_min: int = 15
    overrun_min: int = rules.OVERRUN_MIN
    audio_through_obs: bool = False
    canvas_width: int = 1080
    canvas_height: int = 1920
    zone: str = ""


def _checked(wanted: SetUp) -> dict[str, Any]:
    errors = [
        rules.address_error(wanted.driver, wanted.address.strip()),
        rules.range_error("lead_min", wanted.lead_min, 1, 240),
        rules.range_error("overrun_min", wanted.overrun_min, 0, 60),
        rules.range_error("canvas_width", wanted.canvas_width, 8, 8192),
        rules.range_error("canvas_height", wanted.canvas_height, 8, 8192),
        rules.length_error("stand_by_scene", wanted.stand_by_scene.strip(), rules.LONGEST_SCENE),
        None if wanted.driver in set(Driver) else FieldError("driver", N_("Choose OBS or simulated.")),
    ]
    found = [error for error in errors if error is not None]
    if found:
        raise Invalid(found)
    values: dict[str, Any] = msgspec.structs.asdict(wanted)
    values.pop("password")
    return values | {"address": wanted.address.strip(), "stand_by_scene": wanted.stand_by_scene.strip()}


@retried
async def add(actor: Actor, unit_id: int, wanted: SetUp) -> RigFacts:
    """Put a rig into a live room, and return it.

    Raises:
        Forbidden: only studio operators and administrators may.
        NotFound: no such live room.
        RoomHasRig: it has one.
        Invalid: fields of the form.
    """
    site_id = await database.fetchval("SELECT site FROM units WHERE id = $1 AND kind = 'live_room'", unit_id)
    if site_id is None:
        raise NotFound()
    if not rights.can_change_rig(actor, site_id):
        raise Forbidden()
    values = _checked(wanted)
    uid = new_uid()
    async with database.transaction():
        if await rig_of_unit(unit_id) is not None:
            raise RoomHasRig()
        columns = ["uid", "site", "unit", *values]
        marks = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
        rig_id: int = await database.fetchval(
            f"INSERT INTO rigs ({', '.join(columns)}) VALUES ({marks}) RETURNING id", uid, site_id, unit_id, *values.values())
        await _seal_password(rig_id, uid, wanted.password)
        await record(actor, "add", "rig", rig_id, after=values | {"password": bool(wanted.password)})
        await poke(rig_id)
    return await rig(rig_id)


async def _seal_password(rig_id: int, uid: UUID, password: str | None) -> None:
    if password is None:
        return
    sealed = secrets.current().seal(password, password_purpose(uid)) if password else None
    await database.execute("UPDATE rigs SET password_sealed = $2 WHERE id = $1", rig_id, sealed)


async def _locked(actor: Actor, uid: UUID, version: int | None) -> RigFacts:
    rig_id = await database.fetchval("SELECT id FROM rigs WHERE uid = $1 FOR NO KEY UPDATE", uid)
    if rig_id is None:
        raise NotFound()
    found = await rig(rig_id)
    if not rights.can_change_rig(actor, found.site):
        raise Forbidden()
    if version is not None and found.version != version:
        raise Stale()
    return found


@retried
async def update(actor: Actor, uid: UUID, wanted: SetUp, *, version: int) -> RigFacts:
    """Change how a rig is set up, and return it; the director connects anew when address or password changed.

    Raises:
        Forbidden: only studio operators and administrators may.
        NotFound: no such rig.
        Stale: somebody changed it meanwhile.
        RigInUse: another OBS while a key lies on this one.
        Invalid: fields of the form.
    """
    values = _checked(wanted)
    async with database.transaction():
        before = await _locked(actor, uid, version)
        is_other = (before.driver, before.address) != (values["driver"], values["address"])
        if is_other and before.cleanliness == Cleanliness.ARMED:
            raise RigInUse()
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, 2))
        await database.execute(f"UPDATE rigs SET {sets}, version = version + 1 WHERE id = $1", before.id, *values.values())
        await _seal_password(before.id, uid, wanted.password)
        changed = {name: value for name, value in values.items() if getattr(before, name) != value}
        old = {name: getattr(before, name) for name in changed}
        await record(actor, "update", "rig", before.id, before=old, after=changed | {"password": wanted.password is not None})
        await poke(before.id)
    return await rig(before.id)


@retried
async def set_enabled(actor: Actor, uid: UUID, is_enabled: bool, *, version: int) -> RigFacts:
    """Take a rig into use or out of it; out of use, the director lets go of it and sessions of its room fail to prepare.

    Raises:
        Forbidden: only studio operators and administrators may.
        NotFound: no such rig.
        Stale: somebody changed it meanwhile.
    """
    async with database.transaction():
        before = await _locked(actor, uid, version)
        await database.execute("UPDATE rigs SET is_enabled = $2, version = version + 1 WHERE id = $1", before.id, is_enabled)
        await record(actor, "set_enabled", "rig", before.id, before={"is_enabled": before.is_enabled},
                     after={"is_enabled": is_enabled})
        await poke(before.id)
    return await rig(before.id)


@retried
async def mark_clean(actor: Actor, uid: UUID, *, reason: str) -> RigFacts:
    """Take a rig out of quarantine on a person's word; `reason` says what was done to be sure.

    Raises:
        Forbidden: only studio operators and administrators may.
        NotFound: no such rig.
        NotQuarantined: it is not unclean.
        Invalid: no reason, or too long a one.
    """
    reason = bounded(reason, "reason")
    if not reason:
        raise Invalid.field("reason", N_("Say how you made sure."))
    async with database.transaction():
        before = await _locked(actor, uid, None)
        if before.cleanliness not in {Cleanliness.UNCLEAN, Cleanliness.ACCOUNT_OPEN}:
            raise NotQuarantined()
        await set_cleanliness(before.id, Cleanliness.CLEAN)
        await record(actor, "mark_clean", "rig", before.id, before={"cleanliness": before.cleanliness},
                     after={"cleanliness": Cleanliness.CLEAN}, reason=reason)
        await poke(before.id)
    return await rig(before.id)


async def set_cleanliness(rig_id: int, state: Cleanliness, *, session: int | None = None, mark: str | None = None,
                          reason: str = "") -> None:
    """Write what may be left on a rig; called by the director inside its transaction, armed with session and mark."""
    await database.execute(
        "UPDATE rigs SET cleanliness = $2, armed_session = $3, armed_mark = $4, unclean_reason = $5"
        " WHERE id = $1", rig_id, state, session, mark, reason[:500])


async def set_canvas(rig_id: int, width: int, height: int) -> None:
    """Write the canvas that the director found in OBS, in pixels."""
    await database.execute(
        "UPDATE rigs SET canvas_width = $2, canvas_height = $3 WHERE id = $1 AND (canvas_width, canvas_height) <> ($2, $3)",
        rig_id, width, height)


async def poke(rig_id: int) -> None:
    """Wake the rig's director when this transaction commits."""
    await database.execute("SELECT pg_notify($1, $2)", POKE_CHANNEL, str(rig_id))


async def bind_demo_obs(url: str, password: str | None) -> RigFacts | None:
    """Bind the first live room to a real OBS, as the environment names it; None when there is no live room yet."""
    actor = house("start")
    unit_id = await database.fetchval(
        "SELECT id FROM units WHERE kind = 'live_room' AND retired_at IS NULL ORDER BY sort, code, id LIMIT 1")
    if unit_id is None:
        return None
    found = await rig_of_unit(unit_id)
    if found is None:
        return await add(actor, unit_id, SetUp(address=url, password=password or ""))
    # a chosen stand-by scene of another driver need not exist in this OBS; the director looks for one by name then
    scene = found.stand_by_scene if found.driver == Driver.OBS else ""
    if found.driver == Driver.SIMULATED:
        await set_cleanliness(found.id, Cleanliness.CLEAN)  # what a simulated rig held went with its director
    wanted = SetUp(Driver.OBS, url, password or "", scene, found.lead_min, found.overrun_min, found.audio_through_obs,
                   found.canvas_width, found.canvas_height, found.zone)
    return await update(actor, found.uid, wanted, version=found.version)
