"""What the queue does for live sessions: follow reservations, prepare before the start, verify the close."""

from datetime import timedelta
from typing import Any

from incubator.ground import clock, database
from incubator.ground.queue.registry import Registry, TryLater
from studio.live_sessions import preparation
from studio.live_sessions.rules import HOLDING, SessionState

SETTLE = timedelta(seconds=1)  # how soon the director's report is looked for again
ROOM_TAKEN = timedelta(seconds=5)
CLOSE_AGAIN = timedelta(seconds=5)
QUARANTINE_TRIES = 24  # two minutes after the cut-off a rig that nobody could empty is an alarm
PREPARE_TRIES = 2000


async def on_reservation(args: dict[str, Any]) -> str:
    """Bring the live session in line with its reservation, whatever happened to that."""
    return await preparation.follow(args["reservation"])


async def prepare(args: dict[str, Any]) -> str:
    """Point the rig at the session and wait for the director's report.

    1. Step aside when the session is over or its time is not yet here (the moved job does it then).
    2. Write the plan; while the session before still has the rig, try again.
    3. Wait for ready or waiting_for_key; a failure is told to the operators, and tried on: what they mend becomes ready.
    """
    found = await preparation.booked(args["session"])
    if found is None or not found.holds or found.session_state in {SessionState.ENDED, SessionState.CANCELLED}:
        return "not wanted any more"
    if clock.now() < found.prepare_at:
        return "moved"
    if clock.now() >= found.cut_off_at:
        return "over"
    if found.rig is None:
        await preparation.fail_without_rig(found)
        return "no rig in this room"
    if not await preparation.write_plan(found):
        raise TryLater(ROOM_TAKEN, "the session before still has the room")
    return await _settled(args["session"])


async def _settled(session_id: int) -> str:
    found = await preparation.booked(session_id)
    assert found is not None
    if found.session_state == SessionState.READY:
        return "ready"
    if found.session_state == SessionState.WAITING_FOR_KEY:
        await preparation.tell_waiting(found)
        return "waiting for key"
    code = await database.fetchval("SELECT reason_code FROM live_sessions WHERE id = $1", session_id)
    if found.session_state == SessionState.FAILED:
        await preparation.tell_failed(found, code)
    raise TryLater(SETTLE if found.session_state == SessionState.PREPARING else ROOM_TAKEN, code or "waiting for the director")


async def close(args: dict[str, Any]) -> str:
    """After the cut-off, see that the director emptied the rig; its own clock does it, this only looks."""
    found = await preparation.booked(args["session"])
    if found is None:
        return "gone"
    if clock.now() < found.cut_off_at:
        return "moved"
    state = await preparation.settle_close(found)
    if state in {"clean", "unclean", "never prepared"}:
        return state
    raise TryLater(CLOSE_AGAIN, f"the rig says {state}")


async def quarantine(args: dict[str, Any], _why: str) -> None:
    """Nobody could empty the rig: close it, tell the merchant to change the key."""
    await preparation.quarantine(args["session"])


async def sweep(_args: dict[str, Any]) -> str:
    """Find standing reservations whose session is missing or stands on another rig, and sessions past their time."""
    rows = await database.fetch(
        "SELECT v.id FROM reservations v JOIN units u ON u.id = v.unit AND u.kind = 'live_room'"
        " LEFT JOIN live_sessions s ON s.reservation = v.id LEFT JOIN rigs r ON r.unit = u.id AND r.is_enabled"
        " WHERE (v.state = ANY($2) AND v.ends_at > $1 AND (s.id IS NULL OR s.rig IS DISTINCT FROM r.id))"
        " OR (s.state IN ('planned', 'preparing', 'waiting_for_key', 'ready', 'failed') AND v.ends_at < $3) LIMIT 200",
        clock.now(), list(HOLDING), clock.now() - timedelta(hours=2))
    for row in rows:
        await preparation.follow(row["id"])
    return f"{len(rows)} followed"


def register(registry: Registry) -> None:
    """Register the handlers of this slice."""
    for kind in ("ReservationConfirmed", "ReservationMoved", "ReservationCancelled", "ReservationCheckedIn", "ReservationEnded"):
        registry.on(kind, f"live_session_on_{kind}", on_reservation)
    registry.job("prepare_session", prepare, tries=PREPARE_TRIES)
    registry.job("close_session", close, tries=QUARANTINE_TRIES, give_up=quarantine)
    registry.every(timedelta(minutes=1), "sweep_live_sessions", sweep)
