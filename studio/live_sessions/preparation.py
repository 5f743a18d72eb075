"""How a live session follows its reservation, and the one writer of rig plans: intent is a row that the director makes true."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations.rules import STANDING
from incubator.accounts import queries as accounts
from incubator.ground import clock, database
from incubator.ground.errors import N_
from incubator.ground.jsons import dumps
from incubator.ground.notices.service import tell
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import TryLater
from incubator.ground.queue.service import plan as plan_job, unplan
from incubator.ground.rights import Role
from incubator.ground.values import new_uid
from incubator.merchants.queries import members
from studio.destinations.service import drop_sealed
from studio.live_sessions.queries import TURN
from studio.live_sessions.rules import OPEN, PREPARED, SessionState, cut_off, prepare_at
from studio.rigs.rules import Cleanliness
from studio.rigs.service import poke, set_cleanliness

CLOSE_AGAIN = timedelta(seconds=5)  # how soon after a cut-off the director's report is looked for again


class Booked(msgspec.Struct, frozen=True):
    """A live-room reservation with its session and rig, as of now; session and rig None while there are none."""

    reservation: int
    state: str
    number: str
    unit: int
    unit_name: str
    unit_name_en: str
    merchant: int | None
    starts_at: datetime
    ends_at: datetime
    closed_at: datetime | None
    blocked_until: datetime | None
    rig: int | None
    lead_min: int
    overrun_min: int
    session: int | None
    session_uid: UUID | None
    session_state: str
    session_rig: int | None
    output: str

    @property
    def told(self) -> dict[str, str]:
        """Return what a notice about it says: the room in both languages, and the number."""
        return {"room": self.unit_name, "room_en": self.unit_name_en, "number": self.number}

    @property
    def holds(self) -> bool:
        """Tell whether the reservation stands."""
        return self.state in STANDING

    @property
    def cut_off_at(self) -> datetime:
        """Return when everything is stopped: at once when the reservation no longer stands."""
        latest = cut_off(self.ends_at, self.overrun_min, self.blocked_until)
        return latest if self.holds else min(latest, self.closed_at or clock.now())

    @property
    def prepare_at(self) -> datetime:
        """Return when the preparation begins."""
        return prepare_at(self.starts_at, self.lead_min)


BOOKED = f"""
SELECT v.id, v.state, coalesce(v.number, ''), v.unit, u.name, u.name_en, v.merchant, v.starts_at, v.ends_at, v.closed_at,
       turn.blocked_until, r.id, coalesce(r.lead_min, 15), turn.overrun_min, s.id, s.uid, coalesce(s.state, ''), s.rig,
       coalesce(s.output, 'stream')
FROM reservations v JOIN units u ON u.id = v.unit LEFT JOIN rigs r ON r.unit = u.id AND r.is_enabled
LEFT JOIN live_sessions s ON s.reservation = v.id {TURN} WHERE u.kind = 'live_room' AND """


async def _booked(condition: str, *args: Any) -> Booked | None:
    row = await database.fetchrow(BOOKED + condition, *args)
    return None if row is None else Booked(*row)


async def booked(session_id: int) -> Booked | None:
    """Return a session's reservation and rig as of now, None when there is no such session."""
    return await _booked("s.id = $1", session_id)


async def cut_off_of(reservation_id: int) -> datetime | None:
    """Return when everything in a reservation's live room is stopped, None where it is no live room; booking asks this."""
    found = await _booked("v.id = $1", reservation_id)
    return None if found is None else found.cut_off_at


async def follow(reservation_id: int) -> Outcome:
    """Bring the session of a reservation in line with what is true now, and return what was done.

    1. A standing live-room reservation has one session with jobs for preparation and close, moved when it moves.
    2. What is prepared already gets its plan changed: other times, another cut-off, or an end at once.
    3. One that fell away is cancelled; an armed rig is emptied by its director.
    """
    async with database.transaction():
        found = await _booked("v.id = $1", reservation_id)
        if found is None:
            return outcome("no_live_room")
        if not found.holds:
            return await _let_go(found)
        if found.session is None:
            await database.execute(
                "INSERT INTO live_sessions (uid, reservation, rig, created_at) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (reservation) DO NOTHING", new_uid(), reservation_id, found.rig, clock.now())
            found = await _booked("v.id = $1", reservation_id)
            assert found is not None
        return await _keep_up(found)


async def _keep_up(found: Booked) -> Outcome:
    assert found.session is not None
    if found.session_state == SessionState.ENDED:
        return outcome("over")
    if found.session_rig != found.rig:
        await _withdraw(found.session_rig, found.session)
        await database.execute("UPDATE live_sessions SET rig = $2, state = 'planned' WHERE id = $1", found.session, found.rig)
    elif found.session_state == SessionState.CANCELLED or (
            clock.now() < found.prepare_at and found.session_state in PREPARED):
        await _withdraw(found.rig, found.session)
        await database.execute("UPDATE live_sessions SET state = 'planned', ended_at = NULL WHERE id = $1", found.session)
    else:
        await refresh_plan(found)
    await plan_job("prepare_session", f"prepare:{found.session}", max(found.prepare_at, clock.now()), {"session": found.session})
    await plan_job("close_session", f"close:{found.session}", found.cut_off_at, {"session": found.session})
    return outcome("planned")


async def _let_go(found: Booked) -> Outcome:
    """End or cancel the session of a reservation that no longer stands; the director empties what it armed."""
    if found.session is None:
        return outcome("never_planned")
    await unplan(f"prepare:{found.session}")
    state = SessionState.ENDED if found.state == "finished" else SessionState.CANCELLED
    if found.session_state == SessionState.PLANNED:
        await database.execute(
            "UPDATE live_sessions SET state = $2, ended_at = $3 WHERE id = $1", found.session, state, clock.now())
        await unplan(f"close:{found.session}")
        return _let_gone(state)
    if state == SessionState.CANCELLED:
        await database.execute("UPDATE live_sessions SET state = $2 WHERE id = $1", found.session, state)
    await refresh_plan(found)
    await plan_job("close_session", f"close:{found.session}", clock.now(), {"session": found.session})
    return _let_gone(state)


def _let_gone(state: SessionState) -> Outcome:
    return outcome("ended") if state == SessionState.ENDED else outcome("cancelled")


async def refresh_plan(found: Booked) -> bool:
    """Write changed times or output into the plan, if the rig is there for this session, and wake its director."""
    changed = await database.execute(
        "UPDATE rig_plans SET output = $3, starts_at = $4, ends_at = $5, cut_off_at = $6, version = version + 1, updated_at = $7"
        " WHERE rig = $1 AND live_session = $2 AND (output, starts_at, ends_at, cut_off_at) IS DISTINCT FROM ($3, $4, $5, $6)",
        found.session_rig, found.session, found.output, found.starts_at, found.ends_at, found.cut_off_at, clock.now())
    if changed and found.session_rig is not None:
        await poke(found.session_rig)
    return bool(changed)


async def _withdraw(rig_id: int | None, session_id: int) -> None:
    """Let the director empty a rig that is no longer meant for the session."""
    changed = await database.execute(
        "UPDATE rig_plans SET cut_off_at = $3, version = version + 1, updated_at = $3 WHERE rig = $1 AND live_session = $2"
        " AND cut_off_at > $3", rig_id, session_id, clock.now())
    if changed and rig_id is not None:
        await poke(rig_id)


async def write_plan(found: Booked) -> bool:
    """Point the rig at this session, and return whether it could be: not while another session still has it."""
    async with database.transaction():
        current = await database.fetchrow(
            "SELECT live_session, cut_off_at FROM rig_plans WHERE rig = $1 FOR NO KEY UPDATE", found.rig)
        if current is not None and current["live_session"] == found.session:
            await refresh_plan(found)
            return True
        if current is not None and current["cut_off_at"] is not None and current["cut_off_at"] > clock.now():
            return False
        await database.execute(
            "INSERT INTO rig_plans (rig, live_session, output, starts_at, ends_at, cut_off_at, number, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (rig) DO UPDATE SET live_session = $2, output = $3,"
            " starts_at = $4, ends_at = $5, cut_off_at = $6, number = $7, version = rig_plans.version + 1, updated_at = $8",
            found.rig, found.session, found.output, found.starts_at, found.ends_at, found.cut_off_at, found.number, clock.now())
        await database.execute("UPDATE live_sessions SET state = 'preparing' WHERE id = $1 AND state = 'planned'", found.session)
        assert found.rig is not None
        await poke(found.rig)
        return True


async def fail_without_rig(found: Booked) -> None:
    """Say that a session cannot be prepared because its room has no rig in use."""
    await database.execute(
        "UPDATE live_sessions SET state = 'failed', reason_code = 'no_rig' WHERE id = $1 AND state = 'planned'", found.session)
    await tell_failed(found, "no_rig")


async def settle_close(found: Booked) -> Outcome:
    """Return that the rig is clean after the session's cut-off; one that was never prepared simply ends.

    Raises:
        TryLater: its director has not reported it clean yet.
    """
    where = "WHERE rig = $1 AND live_session = $2"
    planned = await database.fetchval(f"SELECT 1 FROM rig_plans {where}", found.session_rig, found.session)
    report_row = await database.fetchrow(f"SELECT state FROM rig_reports {where}", found.session_rig, found.session)
    if report_row is None and planned:
        raise TryLater(CLOSE_AGAIN, outcome("nothing_yet"))
    if report_row is None or found.session_state == SessionState.PLANNED:
        await database.execute(
            "UPDATE live_sessions SET state = 'ended', ended_at = $2 WHERE id = $1 AND state = ANY($3)",
            found.session, clock.now(), list(OPEN))
        return outcome("never_prepared")
    if report_row["state"] != "clean":
        raise TryLater(CLOSE_AGAIN, outcome("not_clean_yet"))
    return outcome("clean")


async def quarantine(session_id: int, reason: str = "not_emptied") -> None:
    """Close a rig that could not be emptied after the cut-off, and have the merchant change the key; `reason` says why."""
    async with database.transaction():
        found = await booked(session_id)
        if found is None or found.session_rig is None:
            return
        row = await database.fetchrow(
            "SELECT cleanliness, armed_session FROM rigs WHERE id = $1 FOR NO KEY UPDATE", found.session_rig)
        if row["cleanliness"] != Cleanliness.ARMED or row["armed_session"] != session_id:
            return
        mark = await database.fetchval("SELECT armed_mark FROM rigs WHERE id = $1", found.session_rig)
        await set_cleanliness(found.session_rig, Cleanliness.UNCLEAN, session=session_id, mark=mark, reason=reason)
        await database.execute(
            "UPDATE live_sessions SET state = 'ended', reason_code = 'unclean', ended_at = coalesce(ended_at, $2)"
            " WHERE id = $1 AND state = ANY($3)", session_id, clock.now(), list(PREPARED))
        await poke(found.session_rig)
        await _tell_unclean(session_id, reason)


class Reported(msgspec.Struct, frozen=True):
    """What a director says of a rig: ready, waiting_for_key, preparing, failed, cleaning, clean, idle."""

    rig: int
    fence: int
    session: int | None
    plan_version: int
    state: str
    code: str = ""
    detail: Mapping[str, Any] = {}


async def report(said: Reported) -> bool:
    """Write a director's report and what it means for the session; False when a later owner has spoken already."""
    async with database.transaction():
        taken = await database.execute(
            "INSERT INTO rig_reports (rig, live_session, plan_version, state, code, detail, fence, reported_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (rig) DO UPDATE SET live_session = $2, plan_version = $3,"
            " state = $4, code = $5, detail = $6, fence = $7, reported_at = $8 WHERE rig_reports.fence <= $7",
            said.rig, said.session, said.plan_version, said.state, said.code, dumps(dict(said.detail)), said.fence, clock.now())
        if not taken:
            return False
        if said.session is not None:
            await _follow_report(said, said.session)
    return True


async def _follow_report(said: Reported, session_id: int) -> None:
    if said.state in set(PREPARED):
        await database.execute(
            "UPDATE live_sessions SET state = $2, reason_code = $3, reason_params = $4 WHERE id = $1 AND state = ANY($5)",
            session_id, said.state, said.code, dumps(dict(said.detail)), list(PREPARED))
    elif said.state == "clean":
        await database.execute(
            "UPDATE live_sessions SET state = CASE WHEN state = ANY($3) THEN 'ended' ELSE state END, reason_code = '',"
            " ended_at = coalesce(ended_at, $2) WHERE id = $1 AND state <> 'planned'", session_id, clock.now(), list(PREPARED))
        await drop_sealed(session_id, clock.now())


UNCLEAN_WORDS = {
    "not_emptied": N_("{room} could not be reached to wipe your stream key. Change the key on the platform."),
    "not_wiped": N_("{room}: OBS kept your stream key although it was wiped. Change the key on the platform."),
}


async def _tell_unclean(session_id: int, reason: str) -> None:
    """Tell the merchant to change the key, and the operators that the room is closed."""
    found = await booked(session_id)
    if found is None:
        return
    params = found.told
    if found.merchant is not None:
        for member in await members(found.merchant):
            await tell(member.person_id, f"unclean:{session_id}", UNCLEAN_WORDS[reason], params,
                       f"/live-sessions/{found.session_uid}")
    for person in await accounts.house_people(Role.OPERATOR):
        await tell(person, f"unclean:{session_id}", N_("{room} is closed: the key of {number} may still be on it."), params,
                   "/rigs")


async def tell_waiting(found: Booked) -> None:
    """Tell the merchant's people once that the room is ready but for the key."""
    if found.merchant is None:
        return
    for member in await members(found.merchant):
        await tell(member.person_id, f"waiting_for_key:{found.session}",
                   N_("{room} is ready for {number}. Only the stream key is missing; paste it."),
                   found.told, f"/live-sessions/{found.session_uid}")


async def tell_failed(found: Booked, code: str) -> None:
    """Tell the operators once per cause that a session is not prepared."""
    for person in await accounts.house_people(Role.OPERATOR):
        await tell(person, f"not_prepared:{found.session}:{code}", N_("{room} is not ready for {number}. Its rig says why."),
                   found.told, "/rigs")
