"""Examples of the API's description: one centre, one room, one evening."""

from typing import Any

from frontend.errors import TITLES

ROOM = "01935a3c-7c00-7000-8000-000000000001"
MERCHANT = "01935a3c-7c00-7000-8000-000000000002"
BOOKING = "01935a3c-7c00-7000-8000-000000000003"
SESSION = "01935a3c-7c00-7000-8000-000000000004"
EVENING = {"starts_at": "2026-11-24T19:00:00+08:00", "ends_at": "2026-11-24T21:00:00+08:00"}
TOLD_EVENING = {"starts_at": "2026-11-24T11:00:00Z", "ends_at": "2026-11-24T13:00:00Z"}

BODIES: dict[str, dict[str, Any]] = {
    "SignIn": {"by phone": {"login": "13800000001", "password": "a good long password"}},
    "NewReservation": {
        "a booking": {"space_id": ROOM, **EVENING, "title": "铁棍山药专场", "merchant_id": MERCHANT},
        "a hold": {"space_id": ROOM, **EVENING, "hold": True, "page_key": "page 7"},
    },
    "ReservationChange": {"an hour longer": {"version": 1, "ends_at": "2026-11-24T22:00:00+08:00"}},
    "Confirmation": {"with a title": {"title": "菊花茶", "version": 1}},
    "CheckIn": {"from the tablet": {"code": "4711"}, "by staff": {}},
    "Extension": {"half an hour": {"minutes": 30, "version": 2}},
    "Versioned": {"as seen": {"version": 2}},
    "Cancellation": {"with a reason": {"reason": "主播生病", "version": 1}},
    "CommandBody": {
        "a scene": {"type": "switch_scene", "params": {"scene": "主播全景"}},
        "a fader": {"type": "set_volume", "params": {"input": "主播麦", "volume_db": -6}},
    },
}

RESERVATION: dict[str, Any] = {
    "id": BOOKING, "number": "R261123-00042", "state": "confirmed", "version": 1, "space_id": ROOM, "merchant_id": MERCHANT,
    "title": "铁棍山药专场", **TOLD_EVENING, "blocked_from": "2026-11-24T10:45:00Z", "blocked_until": "2026-11-24T13:15:00Z",
    "hold_until": None, "checked_in_at": None,
}
SPACE: dict[str, Any] = {
    "id": ROOM, "kind": "live_room", "code": "L1", "name": "1 号直播间", "name_en": "Live room 1", "note": "", "note_en": "",
    "capacity": 4, "step_min": 15, "setup_min": 15, "teardown_min": 15, "version": 1,
}
ANSWERS: dict[str, Any] = {
    "SignedIn": {"person_id": MERCHANT, "name": "Alice"},
    "ReservationOut": RESERVATION,
    "Reservations": {"items": [RESERVATION], "next": None},
    "Spaces": {"items": [SPACE], "next": None},
    "Availability": {"items": [{"space_id": ROOM, "free": [TOLD_EVENING]}], "next": None},
    "LiveSessionOut": {
        "id": SESSION, "version": 1, "state": "ready", "reason": "", "output": "stream", "platform": "taobao",
        "reservation_id": BOOKING, "number": "R261123-00042", "title": "铁棍山药专场", "space_id": ROOM, **TOLD_EVENING,
        "cut_off_at": "2026-11-24T13:05:00Z", "checked_in_at": None, "has_key": True,
        "spans": [{"kind": "stream", "started_at": "2026-11-24T11:02:11Z", "stopped_at": None}],
    },
    "OutcomeOut": {"id": SESSION, "outcome": "done", "code": ""},
}
DETAILS = {
    "slot-taken": "This slot is taken from 19:00 to 21:00. What you entered is kept; choose another time.",
    "stale": "Somebody changed this meanwhile. Look at the current state and try again.",
    "invalid": "Some fields need another look.",
}
OTHER_ROOM = {
    "space_id": "01935a3c-7c00-7000-8000-000000000005", "kind": "live_room", "name": "2 号直播间", "name_en": "Live room 2",
    "change": "other_space", "minutes": 0, **TOLD_EVENING,
}


def problem(code: str, status: int) -> dict[str, Any]:
    """Return what a refusal looks like."""
    detail = DETAILS.get(code, "What happened, and what to do now, in the reader's language.")
    body: dict[str, Any] = {
        "type": f"/problems/{code}", "title": TITLES[code], "status": status, "detail": detail, "code": code,
        "instance": "/api/v1/reservations",
    }
    if code == "invalid":
        body["errors"] = [{"field": "ends_at", "message": "The end must lie after the start."}]
    if code == "slot-taken":
        body["alternatives"] = [OTHER_ROOM]
    return body
