"""What the director reads from the database: rig, plan, key and control in one go; and its few writes that must be first."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from incubator.accounts import queries as accounts
from incubator.ground import database
from incubator.ground.errors import N_
from incubator.ground.jsons import loads
from incubator.ground.notices.service import tell
from incubator.ground.rights import Role
from studio.director.journal import Alarmed, Closed, NotWiped, Stuck, stuck_key
from studio.live_sessions.preparation import Reported, quarantine, report
from studio.rigs.queries import COUNT, FACTS, RigFacts
from studio.rigs.rules import Cleanliness
from studio.rigs.service import poke, set_cleanliness


class Plan(msgspec.Struct, frozen=True):
    """What a rig is wanted for; `mark` None: no key was pasted."""

    session: int
    session_uid: UUID
    version: int
    output: str
    starts_at: datetime
    cut_off_at: datetime
    number: str
    session_state: str
    mark: str | None
    key_shown: str
    controller: str = ""
    controller_person: int | None = None
    controller_device: int | None = None
    asked_by: str = ""
    asked_person: int | None = None
    asked_device: int | None = None
    asked_at: datetime | None = None
    controller_latin: str = ""
    asked_by_latin: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """One rig with its plan as of now; None: nobody has the room. `closed` tells whether that session was reported clean."""

    rig: RigFacts
    plan: Plan | None
    closed: bool = False


WANTED = f"""
SELECT {FACTS}, p.live_session, s.uid AS session_uid, p.version AS plan_version, s.output, p.starts_at, p.cut_off_at, p.number,
       s.state, d.mark, coalesce(d.shown, '') AS shown, coalesce(cd.label, cp.name, '') AS controller, s.controller_person,
       s.controller_device, coalesce(ad.label, ap.name, '') AS asked_by, s.control_asked_person, s.control_asked_device,
       s.control_asked_at,
       CASE WHEN cd.id IS NULL THEN coalesce(cp.name_latin, '') ELSE '' END AS controller_latin,
       CASE WHEN ad.id IS NULL THEN coalesce(ap.name_latin, '') ELSE '' END AS asked_by_latin,
       coalesce(t.live_session = p.live_session AND t.state = 'clean' AND t.plan_version >= p.version, false) AS closed
FROM rigs r LEFT JOIN rig_plans p ON p.rig = r.id LEFT JOIN live_sessions s ON s.id = p.live_session
LEFT JOIN rig_reports t ON t.rig = r.id
LEFT JOIN destinations d ON d.live_session = s.id AND d.key_sealed IS NOT NULL
LEFT JOIN people cp ON cp.id = s.controller_person LEFT JOIN devices cd ON cd.id = s.controller_device
LEFT JOIN people ap ON ap.id = s.control_asked_person LEFT JOIN devices ad ON ad.id = s.control_asked_device
WHERE r.id = $1"""


async def wanted(rig_id: int) -> Wanted | None:
    """Return a rig with its plan, None when there is no such rig."""
    row = await database.fetchrow(WANTED, rig_id)
    if row is None:
        return None
    values = list(row)
    plan = None if row["live_session"] is None else Plan(*values[COUNT:-1])
    return Wanted(RigFacts(*values[:COUNT]), plan, row["closed"])


async def arm(rig_id: int, fence: int, session: int, mark: str) -> bool:
    """Write that a key is about to lie on a rig, before it does; False when the rig is another owner's, or not clean."""
    async with database.transaction():
        row = await database.fetchrow(
            "SELECT r.cleanliness, r.armed_session, l.fence FROM rigs r JOIN rig_leases l ON l.rig = r.id"
            " WHERE r.id = $1 AND l.expires_at > now() FOR NO KEY UPDATE", rig_id)
        if row is None or row["fence"] != fence or row["cleanliness"] == Cleanliness.UNCLEAN:
            return False
        if row["cleanliness"] == Cleanliness.ARMED and row["armed_session"] != session:
            return False
        await set_cleanliness(rig_id, Cleanliness.ARMED, session=session, mark=mark)
        return True


async def write_closed(entry: Closed) -> None:
    """Write that a rig was emptied after a session, unless it was armed for another one meanwhile."""
    armed = await database.fetchval("SELECT armed_session FROM rigs WHERE id = $1 FOR NO KEY UPDATE", entry.rig)
    if armed is None or armed == entry.session:
        account_open = await database.fetchval(
            "SELECT 1 FROM live_sessions s WHERE s.rig = $1 AND s.account_left_at IS NULL AND (s.id = $2 OR s.state = 'ended')"
            " AND EXISTS (SELECT FROM air_spans a WHERE a.live_session = s.id AND a.kind = 'client')", entry.rig, entry.session)
        await set_cleanliness(entry.rig, Cleanliness.ACCOUNT_OPEN if account_open else Cleanliness.CLEAN)
    await report(Reported(entry.rig, entry.fence, entry.session, entry.plan_version, "clean"))
    await poke(entry.rig)


FOREIGN_WORDS = N_("{room}: a stream was started at the computer, with a key that is not this session’s. It is stopped.")
STUCK_WORDS = N_("{room}: OBS cannot end its recording. Restart OBS at the room’s computer; on air, after the show.")


async def tell_alarmed(entry: Alarmed | NotWiped | Stuck) -> None:
    """Tell people, once per incident.

    Operators hear of a stream that was started at a room's computer and is being stopped, and of a recording that OBS cannot
    end; merchant and operators of a key that OBS kept, and that room is closed.
    """
    if isinstance(entry, NotWiped):
        await quarantine(entry.session, "not_wiped")
        return
    room = await database.fetchrow(
        "SELECT r.uid, u.name, u.name_en FROM rigs r JOIN units u ON u.id = r.unit WHERE r.id = $1", entry.rig)
    once_key, words = (stuck_key(entry.span), STUCK_WORDS) if isinstance(entry, Stuck) else (f"alarm:{entry.uid}", FOREIGN_WORDS)
    for person in await accounts.house_people(Role.OPERATOR):
        await tell(person, once_key, words, {"room": room["name"], "room_en": room["name_en"]}, f"/rigs/{room['uid']}")


async def write_unarmed(rig_id: int, session: int) -> None:
    """Write that the key of a session that goes on was taken from its rig again."""
    await database.execute(
        "UPDATE rigs SET cleanliness = 'clean', armed_session = NULL, armed_mark = NULL WHERE id = $1 AND armed_session = $2"
        " AND cleanliness = 'armed'", rig_id, session)


class OpenSpan(msgspec.Struct, frozen=True):
    """A span that a former owner saw begin."""

    uid: UUID
    session: int | None
    kind: str
    started_at: datetime


async def open_spans(rig_id: int) -> list[OpenSpan]:
    """Return the spans of a rig whose end nobody has seen yet."""
    rows = await database.fetch(
        "SELECT uid, live_session, kind, started_at FROM air_spans WHERE rig = $1 AND stopped_at IS NULL", rig_id)
    return [OpenSpan(*row) for row in rows]


class PanicCall(msgspec.Struct, frozen=True):
    """A panic as it lies in the database."""

    id: UUID
    level: int
    person: int | None
    device: int | None
    session: int


async def panics_waiting(rig_id: int, life_s: int) -> list[PanicCall]:
    """Return the panics of a rig that nobody has handled and that are not too old to be meant still, oldest first."""
    rows = await database.fetch(
        "SELECT id, level, person, device, coalesce(live_session, 0) FROM panic_calls WHERE rig = $1 AND handled_at IS NULL"
        " AND called_at > now() - $2 * interval '1 second' ORDER BY called_at", rig_id, life_s)
    return [PanicCall(*row) for row in rows]


async def panic_in_force(rig_id: int, session: int | None) -> tuple[int, dict[str, Any] | None]:
    """Return level and what to bring back of the last panic handled for the session; (0, None): none."""
    row = await database.fetchrow(
        "SELECT level, before FROM panic_calls WHERE rig = $1 AND live_session IS NOT DISTINCT FROM $2 AND handled_at IS NOT NULL"
        " AND called_at > now() - interval '12 hours' ORDER BY called_at DESC LIMIT 1", rig_id, session)
    return (0, None) if row is None else (row["level"], loads(row["before"]))
