"""What the queue does for live sessions: follow reservations, prepare before the start, verify the close."""

from datetime import timedelta
from typing import Any

from booking.reservations.rules import STANDING
from incubator.ground import clock, database
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import Registry, TryLater
from studio.live_sessions import preparation
from studio.live_sessions.rules import OVER, SessionState

SETTLE = timedelta(seconds=1)  # how soon the director's report is looked for again
ROOM_TAKEN = timedelta(seconds=5)
QUARANTINE_TRIES = 24  # two minutes after the cut-off a rig that nobody could empty is an alarm
PREPARE_TRIES = 2000


async def on_reservation(args: dict[str, Any]) -> Outcome:
    """Bring the live session in line with its reservation, whatever happened to that."""
    return await preparation.follow(args["reservation"])


async def prepare(args: dict[str, Any]) -> Outcome:
    """Point the rig at the session and wait for the director's report.

    1. Step aside when the session is over or its time is not yet here (the moved job does it then).
    2. Write the plan; while the session before still has the rig, try again.
    3. Wait for ready or waiting_for_key; a failure is told to the operators, and tried on: what they mend becomes ready.
    """
    found = await preparation.booked(args["session"])
    if found is None or not found.holds or found.session_state in OVER:
        return outcome("not_wanted")
    if clock.now() < found.prepare_at:
        return outcome("moved")
    if clock.now() >= found.cut_off_at:
        return outcome("over")
    if found.rig is None:
        await preparation.fail_without_rig(found)
        return outcome("no_rig")
    if not await preparation.write_plan(found):
        raise TryLater(ROOM_TAKEN, outcome("room_taken"))
    return await _settled(args["session"])


async def _settled(session_id: int) -> Outcome:
    found = await preparation.booked(session_id)
    assert found is not None
    if found.session_state == SessionState.READY:
        return outcome("ready")
    if found.session_state == SessionState.WAITING_FOR_KEY:
        await preparation.tell_waiting(found)
        return outcome("waiting_for_key")
    code = await database.fetchval("SELECT reason_code FROM live_sessions WHERE id = $1", session_id)
    if found.session_state == SessionState.FAILED:
        await preparation.tell_failed(found, code)
    wait = SETTLE if found.session_state == SessionState.PREPARING else ROOM_TAKEN
    raise TryLater(wait, outcome(code or "waiting_for_director"))


async def close(args: dict[str, Any]) -> Outcome:
    """After the cut-off, see that the director emptied the rig; its own clock does it, this only looks."""
    found = await preparation.booked(args["session"])
    if found is None:
        return outcome("gone")
    if clock.now() < found.cut_off_at:
        return outcome("moved")
    return await preparation.settle_close(found)


async def quarantine(args: dict[str, Any], _why: str) -> None:
    """Nobody could empty the rig: close it, tell the merchant to change the key."""
    await preparation.quarantine(args["session"])


async def sweep(_args: dict[str, Any]) -> Outcome:
    """Find standing reservations whose session is missing or stands on another rig, and sessions past their time."""
    rows = await database.fetch(
        "SELECT v.id FROM reservations v JOIN units u ON u.id = v.unit AND u.kind = 'live_room'"
        " LEFT JOIN live_sessions s ON s.reservation = v.id LEFT JOIN rigs r ON r.unit = u.id AND r.is_enabled"
        " WHERE (v.state = ANY($2) AND v.ends_at > $1 AND (s.id IS NULL OR s.rig IS DISTINCT FROM r.id))"
        " OR (s.state IN ('planned', 'preparing', 'waiting_for_key', 'ready', 'failed') AND v.ends_at < $3) LIMIT 200",
        clock.now(), list(STANDING), clock.now() - timedelta(hours=2))
    for row in rows:
        await preparation.follow(row["id"])
    return outcome("followed", count=len(rows))


def register(registry: Registry) -> None:
    """Register the handlers of this slice."""
    for kind in ("ReservationConfirmed", "ReservationMoved", "ReservationCancelled", "ReservationCheckedIn", "ReservationEnded"):
        registry.on(kind, f"live_session_on_{kind}", on_reservation)
    registry.job("prepare_session", prepare, tries=PREPARE_TRIES)
    registry.job("close_session", close, tries=QUARANTINE_TRIES, give_up=quarantine)
    registry.every(timedelta(minutes=1), "sweep_live_sessions", sweep)
