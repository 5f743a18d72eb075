"""What somebody may do at a session's controls right now; an open control socket keeps it and reads it again every 5 s."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations.rights import is_of_the_party
from booking.reservations.rules import STANDING
from incubator.ground import clock, database
from incubator.ground.errors import NotFound
from incubator.ground.rights import Actor
from studio.control import rights
from studio.destinations.rights import can_see
from studio.director.wire import Sender
from studio.live_sessions.queries import TURN
from studio.live_sessions.rights import is_kept_from
from studio.live_sessions.rules import OVER, cut_off


class Reason(StrEnum):
    """Why somebody only watches."""

    NONE = ""
    NOT_CHECKED_IN = "not_checked_in"
    SESSION_OVER = "session_over"
    NOT_YOURS = "not_yours"
    NO_RIG = "no_rig"


class Seat(msgspec.Struct, frozen=True):
    """One actor's checked right at one session; valid until `until` (the cut-off) even while the database is away.

    `why` says why there is no command. Panic and call for help are open to whoever may command, in control or not.
    """

    session_id: int
    session_uid: UUID
    rig_id: int
    unit_id: int
    site_id: int
    sender: Sender
    name: str
    is_staff: bool
    may_command: bool
    why: Reason
    until: datetime
    name_latin: str = ""

    def is_open(self, now: datetime) -> bool:
        """Tell whether commands are allowed at this moment."""
        return self.may_command and now < self.until


SEAT = f"""
SELECT s.id, s.uid, s.state, r.id AS rig_id,
       v.unit, v.site, v.merchant, v.person, v.state AS reservation_state, v.checked_in_at, v.checked_in_by, v.ends_at,
       turn.overrun_min, turn.blocked_until, turn.blocked_from
FROM live_sessions s JOIN reservations v ON v.id = s.reservation LEFT JOIN rigs r ON r.id = s.rig {TURN}
WHERE s.uid = $1"""


async def seat(actor: Actor, session_uid: UUID) -> Seat:
    """Return what the actor may do at a session's controls.

    Raises:
        NotFound: no such session, or not visible to this actor.
    """
    row = await database.fetchrow(SEAT, session_uid)
    if row is None or not can_see(actor, row["merchant"], row["person"], row["unit"]):
        raise NotFound()
    until = cut_off(row["ends_at"], row["overrun_min"], row["blocked_until"])
    if is_kept_from(actor, clock.now(), row["blocked_from"], until):
        raise NotFound()
    is_staff = rights.is_room_staff(actor, row["site"])
    why = _why(actor, row, until, is_staff)
    # a tablet acts in the name of the person who checked in, or in its own where the desk had booked
    person = row["checked_in_by"] if actor.device_id is not None and actor.person_id is None else actor.person_id
    return Seat(
        session_id=row["id"], session_uid=row["uid"], rig_id=row["rig_id"] or 0,
        unit_id=row["unit"], site_id=row["site"], sender=Sender(person, actor.device_id, actor.request_id), name=actor.name,
        is_staff=is_staff, may_command=why == Reason.NONE, why=why, until=until,
        name_latin=actor.name_latin,
    )


def _why(actor: Actor, row: Any, until: datetime, is_staff: bool) -> Reason:
    if row["rig_id"] is None:
        return Reason.NO_RIG
    if row["state"] in OVER or row["reservation_state"] not in STANDING or clock.now() >= until:
        return Reason.SESSION_OVER
    if is_staff:
        return Reason.NONE
    is_tablet = rights.is_room_tablet(actor, row["unit"])
    if not is_tablet and not is_of_the_party(actor, row["merchant"], row["person"]):
        return Reason.NOT_YOURS
    has_begun = row["blocked_from"] is not None and row["blocked_from"] <= clock.now()
    return Reason.NONE if row["reservation_state"] == "checked_in" and has_begun else Reason.NOT_CHECKED_IN


class HelpCall(msgspec.Struct, frozen=True):
    """One call for help from a room."""

    uid: UUID
    unit_name: str
    unit_name_en: str
    session_uid: UUID | None
    called_at: datetime
    called_by: str
    answered_at: datetime | None
    answered_by: str
    called_by_latin: str
    answered_by_latin: str


HELP = """
SELECT h.uid, u.name, u.name_en, s.uid AS session_uid, h.called_at, coalesce(p.name, d.label, '') AS called_by, h.answered_at,
       coalesce(a.name, '') AS answered_by,
       coalesce(p.name_latin, '') AS called_by_latin, coalesce(a.name_latin, '') AS answered_by_latin
FROM help_calls h JOIN units u ON u.id = h.unit LEFT JOIN live_sessions s ON s.id = h.live_session
LEFT JOIN people p ON p.id = h.called_by LEFT JOIN devices d ON d.id = h.device LEFT JOIN people a ON a.id = h.answered_by"""
HELP_SHOWN = timedelta(hours=2)


async def help_in(unit_id: int) -> HelpCall | None:
    """Return the last call for help from a room within two hours; None when nobody called."""
    row = await database.fetchrow(f"{HELP} WHERE h.unit = $1 AND h.called_at > $2 ORDER BY h.id DESC LIMIT 1", unit_id,
                                  clock.now() - HELP_SHOWN)
    return None if row is None else HelpCall(*row)


async def open_help(site_id: int) -> list[HelpCall]:
    """Return the calls of a site that nobody answered yet, oldest first."""
    rows = await database.fetch(f"{HELP} WHERE u.site = $1 AND h.answered_at IS NULL ORDER BY h.id", site_id)
    return [HelpCall(*row) for row in rows]
