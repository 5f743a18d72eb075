"""What the queue does for reservations: let go holds that ran out, finish what is over, tell the people concerned."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from booking.calendars.queries import Hit, closure, hits_of
from booking.reservations import rights, slots
from booking.reservations.entry import close_row
from booking.reservations.queries import ReservationFacts, facts
from booking.reservations.rules import STANDING
from booking.reservations.tables import State
from incubator.accounts import queries as accounts
from incubator.ground import clock, database
from incubator.ground.errors import N_
from incubator.ground.notices.service import tell
from incubator.ground.queue.outcomes import Outcome, outcome
from incubator.ground.queue.registry import Registry
from incubator.ground.rights import Role, house
from incubator.merchants.queries import members

KEPT = timedelta(days=1)  # how long a hold that ran out is kept, for whoever asks why
AT_ONCE = 200  # how many are taken per round; the next round follows soon
CHANGED = N_("{number} was changed and is now {starts_at}.")  # for what was changed before facts named it, and was told so
# What is said of a change: by whether the room is another, and which time.
MOVED: Mapping[tuple[bool, str], str] = {
    (False, "starts_at"): N_("{number} was moved and now begins {starts_at} and ends {ends_at:time}."),
    (False, "ends_at"): N_("{number} now ends {ends_at}."),
    (True, ""): N_("{number} was moved to {room}."),
    (True, "starts_at"): N_("{number} was moved to {room} and now begins {starts_at} and ends {ends_at:time}."),
    (True, "ends_at"): N_("{number} was moved to {room} and now ends {ends_at}."),
}


async def release_holds(_args: dict[str, Any]) -> Outcome:
    """Let go holds that ran out, unless a writer did so before; delete old ones."""
    now = clock.now()
    rows = await database.fetch(
        "SELECT r.id, array_agg(a.unit) AS units FROM reservations r JOIN allocations a ON a.reservation = r.id"
        " WHERE r.state = 'held' AND r.hold_until <= $1 GROUP BY r.id LIMIT $2", now, AT_ONCE)
    released = 0
    for row in rows:
        async with database.transaction():
            await slots.lock(row["units"], None, [row["id"]])
            released += await slots.expire([row["id"]], now, only_run_out=True)
    deleted = await database.execute(
        "DELETE FROM reservations WHERE state = 'expired' AND number IS NULL AND hold_until < $1", now - KEPT)
    return outcome("released", count=released, deleted=deleted)


async def finish(_args: dict[str, Any]) -> Outcome:
    """Finish reservations whose blocked interval is over; whoever never checked in is left to staff to judge."""
    now = clock.now()
    rows = await database.fetch(
        "SELECT r.id, array_agg(a.unit) AS units FROM reservations r JOIN allocations a ON a.reservation = r.id"
        " WHERE r.state IN ('confirmed', 'checked_in') AND r.ends_at <= $1 GROUP BY r.id"
        " HAVING max(upper(a.blocked)) <= $1 LIMIT $2", now, AT_ONCE)
    return outcome("finished", count=sum([await _finish(row["id"], row["units"]) for row in rows]))


async def _finish(reservation_id: int, units: list[int]) -> int:
    async with database.transaction():
        row = (await slots.lock(units, None, [reservation_id])).rows.get(reservation_id)
        over = await database.fetchval("SELECT max(upper(blocked)) FROM allocations WHERE reservation = $1", reservation_id)
        if row is None or row.state not in STANDING or over > clock.now():  # extended or ended meanwhile
            return 0
        await close_row(house("finish"), row, State.FINISHED, "finish", "ReservationEnded")
    return 1


async def tell_confirmed(args: dict[str, Any]) -> Outcome:
    """Tell the people concerned that a booking stands; again when it was restored."""
    found = await facts(args["reservation"])
    version = 0 if found is None else found.version
    return await _tell(args, STANDING, f"confirmed-{version}", N_("{number} is booked: {starts_at}."))


async def tell_moved(args: dict[str, Any]) -> Outcome:
    """Tell the people concerned of a new room and new times, and of nothing else that was changed.

    Only what is true by now counts, so each version is told once; of two changes at once each may have something to say.
    """
    changed = set(args.get("changed", ()))
    when = "starts_at" if "starts_at" in changed else "ends_at" if "ends_at" in changed else ""
    msgid = MOVED.get(("unit" in changed, when)) if "changed" in args else CHANGED
    if msgid is None:
        return outcome("told", count=0)  # renamed
    found = await facts(args["reservation"])
    version = 0 if found is None else found.version
    what = "-".join(part for part in ("unit" if "unit" in changed else "", when) if part)
    return await _tell(args, STANDING, f"moved-{version}-{what}", msgid)


async def tell_cancelled(args: dict[str, Any]) -> Outcome:
    """Tell the people concerned that a booking is cancelled; one that was restored and cancelled again is told again."""
    found = await facts(args["reservation"])
    version = 0 if found is None else found.version
    return await _tell(args, (State.CANCELLED,), f"cancelled-{version}", N_("{number}, {starts_at}, was cancelled. {reason}"))


async def _tell(args: dict[str, Any], states: Collection[State], occasion: str, msgid: str) -> Outcome:
    found = await facts(args["reservation"])
    if found is None or found.state not in states:
        return outcome("no_longer_so")
    told = 0
    for person_id in await _concerned(found):
        told += await tell(person_id, f"reservation-{occasion}:{found.number}", msgid, _params(found),
                           link=f"/reservations/{found.uid}")
    return outcome("told", count=told)


async def _concerned(found: ReservationFacts | Hit, *, always_owners: bool = False) -> set[int]:
    """Return booker and host, as far as it still is their concern; and the merchant's owners, where it was booked for them."""
    of_merchant = [] if found.merchant_id is None else await members(found.merchant_id)
    needs_owners = always_owners or all(member.person_id != found.person_id for member in of_merchant)
    owners = [member.person_id for member in of_merchant if needs_owners and Role.OWNER in member.roles]
    return {*owners, *[one for one in (found.person_id, found.host_id) if one is not None and await _may_know(one, found)]}


async def _may_know(person_id: int, found: ReservationFacts | Hit) -> bool:
    """Tell whether a booker or host may still know of it: not after leaving the merchant."""
    actor = await accounts.actor_of(person_id)
    if actor is None:
        return False
    return actor.may_read_all or rights.is_of_the_party(actor, found.merchant_id, found.person_id, found.host_id)


def _params(found: ReservationFacts) -> dict[str, Any]:
    return {"number": found.number, "starts_at": found.starts_at, "ends_at": found.ends_at, "reason": found.reason,
            "room": found.unit_name, "room_en": found.unit_name_en}


async def tell_closed(args: dict[str, Any]) -> Outcome:
    """Tell whose bookings lie in a closure that they have to move; nothing is cancelled by itself."""
    return await _tell_hits(args, is_lifted=False, msgid=N_(
        "{room} is closed from {closed_from:moment} to {closed_until:moment}: {reason}. Your booking {number} at"
        " {starts_at:moment} falls into it; move or cancel it."))


async def tell_lifted(args: dict[str, Any]) -> Outcome:
    """Tell whose bookings lay in a closure that these can take place after all."""
    return await _tell_hits(args, is_lifted=True, msgid=N_(
        "{room} is open again, the closure was lifted. Your booking {number} at {starts_at:moment} can take place."))


async def _tell_hits(args: dict[str, Any], *, is_lifted: bool, msgid: str) -> Outcome:
    found = await closure(UUID(args["closure"]))
    if found is None or (found.lifted_at is not None) != is_lifted:
        return outcome("no_longer_so")
    told = 0
    for hit in (await hits_of([(found.unit_ids, found.span)]))[0]:
        if found.lifted_at is not None and hit.created_at > found.lifted_at:
            continue  # booked after the closure was gone
        params = {"room": hit.unit_name, "room_en": hit.unit_name_en, "reason": found.reason, "reason_en": found.reason_en,
                  "number": hit.number, "closed_from": found.span.starts_at, "closed_until": found.span.ends_at,
                  "starts_at": hit.starts_at}
        for person_id in await _concerned(hit, always_owners=True):
            told += await tell(person_id, f"{'lifted' if is_lifted else 'closed'}:{found.uid}:{hit.number}", msgid, params,
                               link=f"/reservations/{hit.uid}#move")
    return outcome("told", count=told)


def register(registry: Registry) -> None:
    """Register the handlers of this slice."""
    registry.every(timedelta(seconds=10), "release_holds", release_holds)
    registry.every(timedelta(seconds=20), "finish_reservations", finish)
    registry.on("ReservationConfirmed", "tell_confirmed", tell_confirmed)
    registry.on("ReservationMoved", "tell_moved", tell_moved)
    registry.on("ReservationCancelled", "tell_cancelled", tell_cancelled)
    registry.on("RoomsClosed", "tell_closed", tell_closed)
    registry.on("ClosureLifted", "tell_lifted", tell_lifted)
