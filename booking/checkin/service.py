"""The verbs at the room: check in by four digits or a staff tap; pair a tablet and revoke it."""

import hmac
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from booking.checkin import rights, rules
from booking.reservations.entry import Seen, as_it_is, entered, seen_by, tell
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import TooManyMisses, WrongCode
from booking.reservations.rights import can_settle
from booking.reservations.rules import against_check_in, refuse
from booking.reservations.slots import Row
from booking.reservations.tables import State
from booking.units.queries import units_by_id
from incubator.accounts.queries import actor_of, house_people
from incubator.accounts.service import token_hash
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Conflict, Forbidden, NotFound, Stale
from incubator.ground.notices.service import tell as notice
from incubator.ground.queue.service import publish
from incubator.ground.rights import Actor, Role
from incubator.ground.values import Span, bounded, new_uid
from incubator.sites.queries import SiteFacts

LONGEST_LABEL = 40
GUESSED = N_("{room}: wrong codes again and again at the tablet. It takes none until {until:time}; see who is at the door.")


class PairingExpired(Conflict):
    """No tablet shows this code now."""

    code = "pairing-expired"
    msgid = N_("No tablet shows this code now. Codes are valid for 10 minutes; take the one on the screen.")


class Pairing(msgspec.Struct, frozen=True):
    """A new tablet: its token (shown once, kept in its cookie) and the code that staff confirm until `minutes` are over."""

    uid: UUID
    token: str
    code: str
    minutes: int


@database.retried
async def check_in(actor: Actor, uid: UUID, code: str | None = None, *, version: int | None = None) -> ReservationFacts:
    """Note that the party is here: by the four digits on the room's tablet, or without by a tap of staff.

    Open from the beginning of the blocked interval to the end of the booking. A tablet acts in the booker's name, and in its
    own where the desk booked for a merchant: nobody of the desk stood at the door.

    Raises:
        NotFound: unknown, or of another room than the tablet's.
        Forbidden: neither a tablet nor staff.
        NotYet: too early; says from when.
        AlreadyCheckedIn, WrongState: done before, cancelled, or over.
        WrongCode, TooManyMisses: other digits; after 5 misses the keypad rests, for longer each time in a row, and from the
            second rest on the front desk is told.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    if actor.device_id is None and not can_settle(actor, seen.site_id):
        raise Forbidden()
    async with database.transaction():
        miss = await _miss(actor, seen, code)
        if miss is None:
            _, row = await entered(seen, version=version)
            await _check_moment(row)
            await _write(actor, row)
    if miss is not None:  # outside the transaction, so that the miss is counted
        raise miss
    return await as_it_is(seen.id)


async def _miss(actor: Actor, seen: Seen, code: str | None) -> Conflict | None:
    """Count a wrong code on the tablet and return the refusal; None when the digits fit or none are needed."""
    if actor.device_id is None:
        return None
    device = await database.fetchrow("SELECT id, misses, rests, locked_until FROM devices WHERE id = $1 FOR NO KEY UPDATE",
                                     actor.device_id)
    now = clock.now()
    if device["locked_until"] is not None and device["locked_until"] > now:
        return TooManyMisses(until=device["locked_until"])
    right = await database.fetchval("SELECT check_in_code FROM reservations WHERE id = $1", seen.id)
    if right and hmac.compare_digest(right.encode(), (code or "").strip().encode(errors="replace")):
        await database.execute("UPDATE devices SET misses = 0, rests = 0, locked_until = NULL WHERE id = $1", actor.device_id)
        return None
    misses = device["misses"] + 1
    if misses >= rules.MOST_MISSES:
        return TooManyMisses(until=await _rested(device, seen, now))
    await database.execute("UPDATE devices SET misses = $2 WHERE id = $1", actor.device_id, misses)
    return WrongCode(left=rules.MOST_MISSES - misses)


async def _rested(device: Any, seen: Seen, now: datetime) -> datetime:
    """Let the keypad rest, and tell the front desk when that becomes a habit; return until when."""
    is_anew = device["locked_until"] is None or device["locked_until"] < now - rules.FORGIVEN
    number = 1 if is_anew else device["rests"] + 1
    until = now + rules.rest(number)
    await database.execute("UPDATE devices SET misses = 0, rests = $2, locked_until = $3 WHERE id = $1",
                           device["id"], number, until)
    if number >= rules.TOLD_FROM:
        unit = (await units_by_id([seen.unit_id]))[seen.unit_id]
        for person in await house_people(Role.STAFF):
            await notice(person, f"keypad:{device['id']}:{until.isoformat()}", GUESSED,
                         {"room": unit.name, "room_en": unit.name_en, "until": until.isoformat()}, "/devices")
    return until


async def _check_moment(row: Row) -> None:
    opens_at = await database.fetchval(
        "SELECT lower(blocked) FROM allocations WHERE reservation = $1 AND unit = $2", row.id, row.unit)
    refuse(against_check_in(row.state, Span(opens_at or row.starts_at, row.ends_at), row.checked_in_at, clock.now()))


async def _write(actor: Actor, row: Row) -> None:
    person_id = await _booker(row) if actor.device_id is not None else actor.person_id
    await database.execute(
        "UPDATE reservations SET state = 'checked_in', checked_in_at = $2, checked_in_by = $3, version = version + 1"
        " WHERE id = $1", row.id, clock.now(), person_id)
    named = msgspec.structs.replace(actor, person_id=person_id)
    await tell(named, "check_in", "ReservationCheckedIn", row.id, row.merchant,
               before={"state": row.state}, after={"state": State.CHECKED_IN.value})


async def _booker(row: Row) -> int | None:
    """Return who booked, None when that is not one of the merchant's people; without merchant the booking is the booker's own."""
    if row.merchant is None or row.person is None:
        return row.person
    booker = await actor_of(row.person)
    return row.person if booker is not None and booker.belongs_to(row.merchant) else None


async def show_pairing(site: SiteFacts) -> Pairing:
    """Put a new tablet on file that shows a pairing code; anybody may, it can do nothing until staff confirm."""
    token = secrets.token_urlsafe(32)
    uid = new_uid()
    while True:
        code = rules.new_code()
        if await database.execute(
                "INSERT INTO devices (uid, site, token_hash, pairing_code, pairing_until, last_seen_at)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (pairing_code) DO NOTHING",
                uid, site.id, token_hash(token), code, clock.now() + rules.PAIRING, clock.now()):
            return Pairing(uid, token, code, int(rules.PAIRING.total_seconds()) // 60)


async def renew_pairing(token: str) -> Pairing:
    """Give a tablet that is not paired a new code; its token stays.

    Raises:
        NotFound: unknown token, or paired already.
    """
    while True:
        code = rules.new_code()
        if await database.fetchval("SELECT 1 FROM devices WHERE pairing_code = $1", code):
            continue
        uid = await database.fetchval(
            "UPDATE devices SET pairing_code = $2, pairing_until = $3, last_seen_at = $4 WHERE token_hash = $1 AND unit IS NULL"
            " AND revoked_at IS NULL RETURNING uid", token_hash(token), code, clock.now() + rules.PAIRING, clock.now())
        if uid is None:
            raise NotFound()
        return Pairing(uid, token, code, int(rules.PAIRING.total_seconds()) // 60)


async def pair(actor: Actor, code: str, unit_id: int, label: str) -> UUID:
    """Bind the tablet that shows this code to a room, and return its uid; staff stand beside it and compare.

    Raises:
        NotFound: no such room.
        Forbidden: not staff of the site.
        Invalid: a label too long.
        PairingExpired: no tablet shows the code now.
    """
    site_id = await database.fetchval("SELECT site FROM units WHERE id = $1 AND retired_at IS NULL AND kind <> 'person'", unit_id)
    if site_id is None:
        raise NotFound()
    if not rights.can_pair(actor, site_id):
        raise Forbidden()
    label = bounded(label, "label", LONGEST_LABEL)
    async with database.transaction():
        row = await database.fetchrow(
            "UPDATE devices SET unit = $2, label = $3, paired_by = $4, paired_at = $5, pairing_code = NULL, pairing_until = NULL,"
            " version = version + 1 WHERE pairing_code = $1 AND pairing_until > $5 AND site = $6 AND unit IS NULL"
            " RETURNING id, uid", rules.as_typed(code), unit_id, label, actor.person_id, clock.now(), site_id)
        if row is None:
            raise PairingExpired()
        await record(actor, "pair", "device", row["id"], after={"unit": unit_id, "label": label})
    uid: UUID = row["uid"]
    return uid


async def revoke(actor: Actor, uid: UUID, *, version: int | None = None) -> None:
    """Take a tablet's rights away at once; a second time changes nothing.

    Raises:
        NotFound: no such tablet.
        Forbidden: not staff of the site.
        Stale: changed since `version`.
    """
    async with database.transaction():
        row = await database.fetchrow("SELECT id, site, version, revoked_at FROM devices WHERE uid = $1 FOR NO KEY UPDATE", uid)
        if row is None:
            raise NotFound()
        if not rights.can_pair(actor, row["site"]):
            raise Forbidden()
        if version is not None and row["version"] != version:
            raise Stale()
        if row["revoked_at"] is None:
            await database.execute(
                "UPDATE devices SET revoked_at = $2, version = version + 1 WHERE id = $1", row["id"], clock.now())
            await record(actor, "revoke", "device", row["id"])
            await publish("DeviceRevoked", {"device": row["id"]}, actor.request_id)


async def forget_unpaired() -> int:
    """Delete tablets that showed a code a day ago and were never paired; return how many."""
    return await database.execute(
        "DELETE FROM devices WHERE unit IS NULL AND pairing_until < $1::timestamptz - interval '1 day'", clock.now())
