"""What an open control page is told: the rig as its director sees it, and the session around it, as this viewer may see them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations import queries as reservations
from booking.reservations.queries import Follower
from frontend import formats, i18n
from frontend.pages.reasons import reason_text
from frontend.pages.reservation_view import EXTENSIONS_MIN
from incubator.ground import clock
from incubator.ground.errors import N_
from incubator.ground.rights import Actor
from studio.control import queries as control
from studio.control.queries import Seat
from studio.control.switchboard import Seen
from studio.director.wire import OutputNow, RigSnapshot
from studio.live_sessions import queries as live_sessions
from studio.live_sessions.queries import LiveSession

OFFERED_BEFORE = timedelta(minutes=12)
SAME_DAY = timedelta(hours=12)
TAKEN = N_("Taken")
TAKEN_FROM = N_("setup at {at:time}")
CLOSED = N_("the room closes")
_encoder = msgspec.json.Encoder()


def encode(message: Mapping[str, Any]) -> str:
    """Return a message as it goes over the socket."""
    return _encoder.encode(message).decode()


def ms(moment: datetime | None) -> int | None:
    """Return a moment of business time in milliseconds, as the page's clocks count."""
    return None if moment is None else int(moment.timestamp() * 1000)


def canvas_of(width: int, height: int) -> str:
    """Return the shape of the pictures: 9x16 or 16x9."""
    return "9x16" if height > width else "16x9"


def _output(now: OutputNow) -> dict[str, Any]:
    return {"phase": now.phase, "since": ms(now.since)}


def rig_message(seen: Seen | None, place: Seat) -> dict[str, Any]:
    """Return what this viewer may see of the rig, with its age; of a rig that is there for somebody else, only that it is."""
    message: dict[str, Any] = {"type": "rig", "now": ms(clock.now()), "mine": False}
    if seen is None:
        return message
    snapshot = seen.snapshot
    message |= {
        "driver": snapshot.driver, "canvas": canvas_of(snapshot.canvas_width, snapshot.canvas_height),
        "age": round(seen.age_s, 3),
        "link": {"state": snapshot.link.state, "heard": round(snapshot.link.heard_s, 3)},
    }
    if snapshot.plan.session != place.session_id:
        return message
    return message | _what_obs_said(snapshot) | _what_is_planned(snapshot, place) | {"mine": True}


def _what_obs_said(snapshot: RigSnapshot) -> dict[str, Any]:
    return {
        "order": snapshot.order, "scenes": snapshot.scenes, "program": snapshot.program, "pictures": snapshot.pictures_at,
        "slow": snapshot.is_lagging,
        "stand_by": snapshot.stand_by_scene, "inputs": [(one.name, one.muted, one.volume_db) for one in snapshot.inputs],
        "sending": _output(snapshot.sending), "record": _output(snapshot.record),
        "stats": {"kbit": snapshot.stats.kbit_s, "dropped": snapshot.stats.dropped_percent,
                  "left": snapshot.stats.record_min_left},
        "panic": {"level": snapshot.panic.level, "held": snapshot.panic.held}, "audio": snapshot.audio_through_obs,
        "camera": snapshot.virtual_camera.phase != "absent",
    }


def _what_is_planned(snapshot: RigSnapshot, place: Seat) -> dict[str, Any]:
    plan = snapshot.plan
    is_mine = plan.is_controlled_by(place.sender)
    return {
        "plan": {"state": plan.state, "code": plan.code, "why": reason_text(plan.code, plan.detail), "output": plan.output,
                 "key": plan.key_shown, "armed": plan.is_armed, "cut_off": ms(plan.cut_off_at)},
        "control": {"holder": i18n.person(plan.controller, plan.controller_latin),
                    "device": plan.controller_device is not None, "mine": is_mine,
                    "free": not plan.is_held,
                    "asked_by": i18n.person(plan.asked_by, plan.asked_by_latin) if is_mine else "",
                    "asked_device": is_mine and plan.asked_device is not None,
                    "asking": plan.asked_at is not None and (plan.asked_person, plan.asked_device) == (
                        place.sender.person, place.sender.device)},
        "database_away": snapshot.database_away,
    }


class Around(msgspec.Struct, frozen=True):
    """A session with what lies around it: who follows that day, how far it can be extended, the last call for help."""

    session: LiveSession
    follower: Follower | None
    room_min: int
    help: control.HelpCall | None
    actor: Actor


async def around(actor: Actor, uid: UUID) -> Around:
    """Return a session and what lies around it; how far it can be extended is looked up near its end only.

    Raises:
        NotFound: no such session, or not visible to this actor.
    """
    session = await live_sessions.live_session(actor, uid)
    follower = await reservations.next_on(session.unit_id, session.ends_at)
    if follower is not None and follower.starts_at - session.ends_at > SAME_DAY:
        follower = None
    room_min = 0
    if clock.now() > session.ends_at - OFFERED_BEFORE and session.ended_at is None:
        room_min = await reservations.extension_room(await reservations.reservation(actor, session.reservation_uid))
    return Around(session, follower, room_min, await control.help_in(session.unit_id), actor)


def room_name(name: str, name_en: str) -> str:
    """Return the name of a room in the present language."""
    return i18n.either(name, name_en)


def session_message(found: Around, place: Seat, viewers: int) -> dict[str, Any]:
    """Return the session as this viewer may see it; times in milliseconds of business time."""
    session = found.session
    return {
        "type": "session", "now": ms(clock.now()), "starts": ms(session.starts_at), "ends": ms(session.ends_at),
        "cut_off": ms(session.cut_off_at), "until": _hour(session.ends_at), "state": session.state, "output": session.output,
        "why": reason_text(session.reason_code, session.reason_params), "title": session.title, "merchant": session.merchant_name,
        "may": place.may_command, "why_not": str(place.why), "staff": place.is_staff,
        "name": i18n.person(place.name, place.name_latin),
        "paste": session.may_paste, "key": _key(session), "follows": _follows(found), "extend": extensions(found),
        "help": _help(found.help), "room": room_name(session.unit_name, session.unit_name_en), "viewers": viewers,
        "aired": session.seconds_on_air(),
        "stopped": next((_hour(span.stopped_at) for span in reversed(session.on_air) if span.stopped_at), ""),
        "stopped_for": session.on_air[-1].stop_reason if session.on_air else "",
        "shown_live": _hour(session.shown_live_at), "may_declare": session.may_declare,
    }


def _hour(moment: datetime | None) -> str:
    return "" if moment is None else formats.hour(moment, i18n.speech())


def _key(session: LiveSession) -> dict[str, Any] | None:
    key = session.key
    if key is None:
        return None
    by = i18n.person(key.pasted_by, key.pasted_by_latin)
    return {"shown": key.shown, "by": by, "at": _hour(key.pasted_at), "version": key.version,
            "ends": _hour(key.expires_at)}


def extensions(found: Around) -> list[dict[str, Any]]:
    """Return what is offered near the end: how long, until when, why not, and the version that it extends."""
    ends_at = found.session.ends_at
    follower = found.follower
    setup = TAKEN_FROM if follower is not None else CLOSED
    why = i18n.translate(setup, {"at": follower.blocked_from if follower else ends_at})
    return [{"minutes": minutes, "free": minutes <= found.room_min, "until": _hour(ends_at + timedelta(minutes=minutes)),
             "why": "" if minutes <= found.room_min else why, "version": found.session.reservation_version}
            for minutes in EXTENSIONS_MIN]


def next_at(moment: datetime, speech: formats.Speech) -> str:
    """Return when the next party begins: `19:00` today, `明天 09:00` on another day."""
    is_today = speech.date_of(moment) == speech.today()
    return formats.hour(moment, speech) if is_today else formats.moment(moment, speech)


def follower_name(actor: Actor, follower: Follower) -> str:
    """Return who follows, for those who may know: the house, the room's tablet, the follower's own people."""
    knows = actor.may_read_all or actor.device_id is not None
    if knows or (follower.merchant_id is not None and actor.belongs_to(follower.merchant_id)):
        return follower.merchant_name or follower.title
    return i18n.gettext(TAKEN)


def _follows(found: Around) -> dict[str, str] | None:
    follower = found.follower
    if follower is None:
        return None
    at = next_at(follower.starts_at, i18n.speech())
    return {"at": at, "who": follower_name(found.actor, follower), "setup": _hour(follower.blocked_from)}


def _help(call: control.HelpCall | None) -> dict[str, str] | None:
    if call is None:
        return None
    by = i18n.person(call.answered_by, call.answered_by_latin)
    return {"at": _hour(call.called_at), "by": by, "seen": _hour(call.answered_at)}
