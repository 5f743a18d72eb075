"""The verbs of the controls: command, panic, who is in control, call for help, test a connection."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog

from incubator.accounts import queries as accounts
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.database import retried
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, NotFound
from incubator.ground.notices.service import tell
from incubator.ground.rights import Actor, Role
from incubator.ground.values import bounded, new_uid
from studio.control import rights
from studio.control.presence import UNHEARD_S
from studio.control.queries import Reason, Seat, seat
from studio.control.switchboard import RoomsAway, Switchboard
from studio.destinations.service import SessionOver
from studio.director import wire
from studio.director.wire import Answer, Found, Outcome, Sender
from studio.rigs.queries import rig
from studio.rigs.rights import can_change_rig
from studio.rigs.service import poke

log = structlog.get_logger()
PATIENCE = timedelta(seconds=15)  # how long the one in control may leave a request to take over unanswered
CLAIM_PATIENCE_S = 0.5
ROW_PATIENCE_S = 2.0  # the row of a panic; the other way is open meanwhile
LONGEST_NAME = 400


class NotInControl(Conflict):
    """Somebody else controls the room."""

    code = "not-in-control"
    msgid = N_("{name} is in control now. You can ask to take over.")
    by_tablet = N_("The room’s tablet is in control now. You can ask to take over.")


class NotCheckedIn(Forbidden):
    """Nobody checked in yet."""

    code = "not-checked-in"
    msgid = N_("Check in first; then the room can be controlled.")


class NobodyControls(Conflict):
    """There is nobody to ask."""

    code = "nobody-controls"
    msgid = N_("Nobody is in control. Take it.")


class AskFirst(Conflict):
    """Control is somebody else's, who was not asked, or may still answer."""

    code = "ask-first"
    msgid = N_("{name} is in control. Ask first; if nobody answers within 15 seconds you can take over.")
    by_tablet = N_("The room’s tablet is in control. Ask first; if nobody answers within 15 seconds you can take over.")


def checked(place: Seat) -> Seat:
    """Return the seat.

    Raises:
        NotCheckedIn, SessionOver, Forbidden: nothing can be commanded from it, and why.
    """
    if place.why == Reason.NOT_CHECKED_IN:
        raise NotCheckedIn()
    if place.why == Reason.SESSION_OVER or clock.now() >= place.until:
        raise SessionOver()
    if not place.may_command:
        raise Forbidden()
    return place


async def command(switchboard: Switchboard, place: Seat, wanted: wire.Command) -> Answer:
    """Send a command from a checked seat and return what became of it, within about two seconds.

    Needs no database, so that open controls go on without it. The first who commands a room that nobody controls takes control.

    Raises:
        NotCheckedIn, SessionOver, Forbidden: the seat may not command.
        NotInControl: somebody else controls the room.
        Invalid: a name or value that cannot be.
        RoomsAway: Redis does not answer, so nothing was sent.
    """
    checked(place)
    _check(wanted)
    snapshot = await switchboard.snapshot(place.rig_id)
    if snapshot is not None and snapshot.plan.session == place.session_id:
        plan = snapshot.plan
        if not plan.is_held and not snapshot.database_away:
            await _claim(place)
        elif not plan.is_controlled_by(place.sender) and not place.is_staff:
            raise NotInControl(None if plan.controller_device is None else NotInControl.by_tablet, name=plan.controller,
                               name_en=plan.controller_latin)
    return await switchboard.send(place.rig_id, place.session_id, place.sender, wanted)


async def command_session(switchboard: Switchboard, actor: Actor, session_uid: UUID, wanted: wire.Command) -> Answer:
    """Check the actor's seat and send a command, for callers without an open socket.

    Raises:
        NotFound: no such session, or not visible to this actor.
        NotCheckedIn, SessionOver, Forbidden, NotInControl, Invalid, RoomsAway: as `command`.
    """
    return await command(switchboard, await seat(actor, session_uid), wanted)


def _check(wanted: wire.Command) -> None:
    match wanted:
        case wire.SwitchScene(scene=name) | wire.SetMute(input=name) | wire.SetVolume(input=name):
            if not 0 < len(name) <= LONGEST_NAME:
                raise Invalid.field("name", N_("This name is empty or too long."))
    if isinstance(wanted, wire.SetVolume) and not -100 <= wanted.volume_db <= 26:
        raise Invalid.field("volume_db", N_("Give a volume from −100 to 26 dB."))


async def _claim(place: Seat) -> None:
    """Take control where nobody has it; without database the command goes on alone."""
    try:
        await asyncio.wait_for(_write_claim(place), CLAIM_PATIENCE_S)
    except (*database.LOST, *database.BUSY, TimeoutError) as error:
        log.warning("control not written", why=type(error).__name__)


async def _write_claim(place: Seat) -> None:
    async with database.transaction():
        taken = await database.execute(
            "UPDATE live_sessions SET controller_person = $2, controller_device = $3 WHERE id = $1"
            " AND controller_person IS NULL AND controller_device IS NULL",
            place.session_id, place.sender.person, place.sender.device)
        if taken:
            await poke(place.rig_id)


async def panic(switchboard: Switchboard, place: Seat, level: int) -> Answer:
    """Cover and mute (1), stop as well (2), or bring picture and sound back (0), by both ways at once.

    Goes to every owner of the rig that may still be alive, by Redis and by a row in PostgreSQL; whichever arrives first counts.

    Raises:
        NotCheckedIn, SessionOver, Forbidden: the seat may not command.
        Invalid: no such level.
        RoomsAway: neither way could be taken.
    """
    return await _panic(switchboard, checked(place).rig_id, place.sender, level, place.session_id)


async def panic_room(switchboard: Switchboard, actor: Actor, rig_uid: UUID, level: int) -> Answer:
    """Cover, stop or uncover a room from outside, as the staff's board offers.

    Raises:
        NotFound: no such rig.
        Forbidden: only staff, operators and administrators may.
        Invalid: no such level.
        RoomsAway: neither way could be taken.
    """
    row = await database.fetchrow("SELECT id, site FROM rigs WHERE uid = $1", rig_uid)
    if row is None:
        raise NotFound()
    if not rights.is_room_staff(actor, row["site"]):
        raise Forbidden()
    return await _panic(switchboard, row["id"], Sender(actor.person_id, actor.device_id, actor.request_id), level)


async def _panic(switchboard: Switchboard, rig_id: int, sender: Sender, level: int, session_id: int = 0) -> Answer:
    if level not in {0, 1, 2}:
        raise Invalid.field("level", N_("Choose 0, 1 or 2."))
    body = wire.PanicBody(uuid4(), rig_id, level, sender, session=session_id)
    by_redis, by_row = await asyncio.gather(
        switchboard.panic(body), asyncio.wait_for(_write_panic(body), ROW_PATIENCE_S), return_exceptions=True)
    for failed in (by_redis, by_row):
        if isinstance(failed, BaseException) and not isinstance(failed, (RoomsAway, *database.LOST)):
            raise failed
    if isinstance(by_redis, Answer) and (by_redis.code != "no_director" or isinstance(by_row, BaseException)):
        return by_redis
    if isinstance(by_row, BaseException):
        raise RoomsAway()
    return Answer(body.id, Outcome.UNKNOWN)


async def _write_panic(body: wire.PanicBody) -> None:
    async with database.transaction():
        await database.execute(
            "INSERT INTO panic_calls (id, rig, level, person, device, live_session, called_at)"
            " VALUES ($1, $2, $3, $4, $5, nullif($6, 0), now())"
            " ON CONFLICT (id) DO NOTHING",  # the director may have been told by Redis, and have written first
            body.id, body.rig, body.level, body.sender.person, body.sender.device, body.session)
        await database.execute("SELECT pg_notify($1, $2)", wire.PANIC_CHANNEL, f"{body.rig} {body.id}")


HOLDER = """
SELECT s.id, s.rig, s.controller_person, s.controller_device, s.control_asked_person, s.control_asked_device, s.control_asked_at,
       coalesce(d.label, p.name, '') AS name, coalesce(p.name_latin, '') AS name_latin
FROM live_sessions s LEFT JOIN people p ON p.id = s.controller_person LEFT JOIN devices d ON d.id = s.controller_device
WHERE s.id = $1 FOR NO KEY UPDATE OF s"""
GIVE = """
UPDATE live_sessions SET controller_person = $2, controller_device = $3, control_asked_person = NULL,
       control_asked_device = NULL, control_asked_at = NULL WHERE id = $1"""


def _is(row: Any, prefix: str, sender: Sender) -> bool:
    if row[f"{prefix}_device"] is not None:
        return bool(row[f"{prefix}_device"] == sender.device)
    return sender.device is None and sender.person is not None and bool(row[f"{prefix}_person"] == sender.person)


def _is_free(row: Any) -> bool:
    return row["controller_person"] is None and row["controller_device"] is None


@retried
async def ask_control(actor: Actor, session_uid: UUID) -> None:
    """Ask the one in control to hand over; the page shows the request there, and after 15 s without answer `take_control` works.

    Raises:
        NotFound, NotCheckedIn, SessionOver, Forbidden: as `command_session`.
        NobodyControls: there is nobody to ask.
    """
    place = checked(await seat(actor, session_uid))
    async with database.transaction():
        row = await database.fetchrow(HOLDER, place.session_id)
        if _is_free(row):
            raise NobodyControls()
        if _is(row, "controller", place.sender) or _is(row, "control_asked", place.sender):
            return
        await database.execute(
            "UPDATE live_sessions SET control_asked_person = $2, control_asked_device = $3, control_asked_at = $4 WHERE id = $1",
            place.session_id, place.sender.person, place.sender.device, clock.now())
        await poke(place.rig_id)


@retried
async def answer_control(actor: Actor, session_uid: UUID, *, hand_over: bool) -> None:
    """Hand control over to whoever asked, or keep it; only the one in control can.

    Raises:
        NotFound, NotCheckedIn, SessionOver, Forbidden: as `command_session`.
        NotInControl: it is not the actor's to give.
    """
    place = checked(await seat(actor, session_uid))
    async with database.transaction():
        row = await database.fetchrow(HOLDER, place.session_id)
        if not _is(row, "controller", place.sender):
            raise NotInControl(None if row["controller_device"] is None else NotInControl.by_tablet, name=row["name"],
                               name_en=row["name_latin"])
        if row["control_asked_at"] is None:
            return
        new = (row["control_asked_person"], row["control_asked_device"]) if hand_over else (
            row["controller_person"], row["controller_device"])
        await database.execute(GIVE, place.session_id, *new)
        await _audit_control(actor, place, row, "hand_over" if hand_over else "keep_control", "")
        await poke(place.rig_id)


class Gone(msgspec.Struct, frozen=True):
    """Whoever is in control and was not heard for so long that nobody need ask."""

    person: int | None
    device: int | None
    unheard_s: float

    def still_holds(self, row: Any) -> bool:
        """Tell whether nobody else took control meanwhile."""
        return (row["controller_person"], row["controller_device"]) == (self.person, self.device)


async def _gone_holder(switchboard: Switchboard, session_id: int) -> Gone | None:
    row = await database.fetchrow("SELECT controller_person, controller_device FROM live_sessions WHERE id = $1", session_id)
    if _is_free(row):
        return None
    person, device = row
    unheard_s = await switchboard.presence.unheard_s(session_id, person, device)
    return None if unheard_s is None or unheard_s < UNHEARD_S else Gone(person, device, unheard_s)


@retried
async def take_control(switchboard: Switchboard, actor: Actor, session_uid: UUID, *, reason: str = "") -> None:
    """Take control: where nobody has it, or its holder was not heard for 10 s, or 15 s after an unanswered request.

    Staff also take it by force, with a reason. While Redis is away nobody knows who was heard, so holders are asked first.

    Raises:
        NotFound, NotCheckedIn, SessionOver, Forbidden: as `command_session`.
        AskFirst: somebody else has it and may still answer.
        Invalid: staff give a reason, and not too long a one.
    """
    reason = bounded(reason, "reason")
    place = checked(await seat(actor, session_uid))
    gone = await _gone_holder(switchboard, place.session_id)  # before the transaction: nothing is waited for in it
    async with database.transaction():
        row = await database.fetchrow(HOLDER, place.session_id)
        if _is(row, "controller", place.sender):
            return
        if gone is not None and not gone.still_holds(row):
            gone = None
        has_waited = _is(row, "control_asked", place.sender) and clock.now() - row["control_asked_at"] >= PATIENCE
        if not _is_free(row) and not has_waited and gone is None:
            if not place.is_staff:
                raise AskFirst(None if row["controller_device"] is None else AskFirst.by_tablet, name=row["name"])
            if not reason:
                raise Invalid.field("reason", N_("Say why you take over."))
        await database.execute(GIVE, place.session_id, place.sender.person, place.sender.device)
        await _audit_control(actor, place, row, "take_control", reason, gone)
        await poke(place.rig_id)


async def _audit_control(actor: Actor, place: Seat, row: Any, verb: str, reason: str, gone: Gone | None = None) -> None:
    merchant = await database.fetchval(
        "SELECT v.merchant FROM live_sessions s JOIN reservations v ON v.id = s.reservation WHERE s.id = $1", place.session_id)
    before = {"controller": row["name"]} | ({} if gone is None else {"unheard_s": round(gone.unheard_s)})
    await record(actor, verb, "live_session", place.session_id, merchant_id=merchant, before=before, reason=reason)


@retried
async def call_staff(actor: Actor, unit_id: int, session_uid: UUID | None = None) -> UUID:
    """Call the operators to a room, and return the call; a second call while one is open is the same call.

    From the room's tablet also without session and before check-in.

    Raises:
        Forbidden: neither the room's tablet nor one of the session's people or those who look after rooms.
        NotFound: no such session, or not visible to this actor.
    """
    place = None if session_uid is None else await seat(actor, session_uid)
    may_call = rights.is_room_tablet(actor, unit_id) if place is None else place.why != Reason.NOT_YOURS
    if not may_call:
        raise Forbidden()
    room = place.unit_id if place is not None else unit_id
    async with database.transaction():
        unit = await database.fetchrow("SELECT id, name, name_en, site FROM units WHERE id = $1 FOR NO KEY UPDATE", room)
        open_call: UUID | None = await database.fetchval(
            "SELECT uid FROM help_calls WHERE unit = $1 AND answered_at IS NULL ORDER BY id DESC LIMIT 1", room)
        if open_call is not None:
            return open_call
        uid = new_uid()
        await database.execute(
            "INSERT INTO help_calls (uid, unit, live_session, called_at, called_by, device) VALUES ($1, $2, $3, $4, $5, $6)",
            uid, room, None if place is None else place.session_id, clock.now(),
            place.sender.person if place is not None else actor.person_id, actor.device_id)
        for person in await accounts.house_people(Role.OPERATOR):
            await tell(person, f"help:{uid}", N_("{room} calls for help."), {"room": unit["name"], "room_en": unit["name_en"]},
                       "/rigs")
    return uid


@retried
async def answer_help(actor: Actor, call_uid: UUID) -> None:
    """Say that somebody is coming; the room's tablet shows by whom and when.

    Raises:
        NotFound: no such call.
        Forbidden: only staff, operators and administrators answer.
    """
    async with database.transaction():
        row = await database.fetchrow(
            "SELECT h.id, u.site FROM help_calls h JOIN units u ON u.id = h.unit WHERE h.uid = $1 FOR NO KEY UPDATE OF h",
            call_uid)
        if row is None:
            raise NotFound()
        if not rights.is_room_staff(actor, row["site"]):
            raise Forbidden()
        await database.execute(
            "UPDATE help_calls SET answered_at = $2, answered_by = $3 WHERE id = $1 AND answered_at IS NULL",
            row["id"], clock.now(), actor.person_id)


class Tested(msgspec.Struct, frozen=True):
    """What a connection test brought: `found`, or the `code` of why not (`unreachable wrong_password ...`, `unknown`)."""

    code: str
    reason: str = ""
    found: Found | None = None


async def test_connection(switchboard: Switchboard, actor: Actor, rig_uid: UUID) -> Tested:
    """Have a director open a connection to a rig as it is stored, and return what it found; takes up to 12 s.

    Raises:
        NotFound: no such rig.
        Forbidden: only studio operators and administrators may.
        RoomsAway: Redis does not answer.
    """
    rig_id = await database.fetchval("SELECT id FROM rigs WHERE uid = $1", rig_uid)
    if rig_id is None:
        raise NotFound()
    facts = await rig(rig_id)
    if not can_change_rig(actor, facts.site):
        raise Forbidden()
    answer = await switchboard.probe(facts.id, facts.zone)
    if answer.outcome == Outcome.DONE:
        return Tested("", found=msgspec.convert(answer.detail, Found))
    return Tested(answer.code or answer.outcome, str(answer.detail.get("reason", "")))
