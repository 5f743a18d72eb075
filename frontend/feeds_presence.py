"""An open control page says that it is there, and hears for how long nobody heard of whoever is in control."""

from typing import Any

from studio.control.presence import UNHEARD_S
from studio.control.queries import Seat
from studio.control.switchboard import RoomsAway, Switchboard
from studio.director.wire import PlanNow

HERE = "here"
SHOWN_S = 5.0  # a page that is well says it every 2 s; shorter silence is nobody's concern


async def here(board: Switchboard, place: Seat) -> dict[str, Any]:
    """Note that a page is open and return what it is told: `unheard` in seconds, None while the holder is heard or nobody knows.

    From `after` seconds on the page offers to take over at once.
    """
    told: dict[str, Any] = {"type": "holder", "unheard": None, "after": UNHEARD_S}
    if not place.may_command:
        return told
    await board.presence.note(place.session_id, place.sender)
    plan = await _plan(board, place)
    if plan is None or not plan.is_held or plan.is_controlled_by(place.sender):
        return told
    unheard_s = await board.presence.unheard_s(place.session_id, plan.controller_person, plan.controller_device)
    return told if unheard_s is None or unheard_s < SHOWN_S else told | {"unheard": round(unheard_s, 1)}


async def _plan(board: Switchboard, place: Seat) -> PlanNow | None:
    try:
        snapshot = await board.snapshot(place.rig_id)
    except RoomsAway:
        return None
    return snapshot.plan if snapshot is not None and snapshot.plan.session == place.session_id else None
