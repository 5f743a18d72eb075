"""Taking back what was done a moment ago: a booking that was cancelled, or marked as no-show, stands again."""

from datetime import datetime, timedelta
from uuid import UUID

from booking.reservations import planning, rights, rules, slots
from booking.reservations.entry import Seen, as_it_is, entered, seen_by, tell
from booking.reservations.planning import Plan
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import Past, TooLate, WrongState
from booking.reservations.rules import STATE_NAMES
from booking.reservations.slots import Row
from booking.reservations.tables import State
from incubator.ground import clock, database
from incubator.ground.errors import Conflict, Forbidden
from incubator.ground.rights import Actor

UNDO = timedelta(minutes=10)  # how long a deed can be taken back


def can_restore(actor: Actor, one: Seen | ReservationFacts) -> bool:
    """May this actor let it stand again? Whoever may cancel it; a no-show only the desk."""
    if one.state == State.NO_SHOW:
        return rights.can_settle(actor, one.site_id)
    return rights.can_change(actor, one.site_id, one.merchant_id, one.person_id)


def against_restore(state: str, starts_at: datetime, closed_at: datetime | None, now: datetime) -> Conflict | None:
    """Return what speaks against taking it back: within ten minutes it can be, a cancelled one only before its time begins."""
    if state not in (State.CANCELLED, State.NO_SHOW):
        return WrongState(state=STATE_NAMES[state])
    if closed_at is None or closed_at + UNDO <= now:
        return TooLate(minutes=UNDO // timedelta(minutes=1))
    return Past() if state == State.CANCELLED and starts_at <= now else None


@database.retried
async def restore(actor: Actor, uid: UUID, *, version: int | None = None) -> ReservationFacts:
    """Let a booking that was just cancelled, or marked as no-show, stand again with its number and code, if its time is free.

    Raises:
        NotFound, Forbidden: unknown, or not the actor's to change.
        WrongState: neither cancelled nor a no-show.
        TooLate, Past: cancelled too long ago, or begun meanwhile.
        RoomClosed, OutsideHours, MerchantPaused, OverQuota, SlotTaken: what stands in the way now, as for `reserve`.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    if not can_restore(actor, seen):
        raise Forbidden()
    plan = await planning.with_calendar(await planning.plan_of(seen), seen.span)
    try:
        async with database.transaction():
            locked, row = await entered(seen, version=version)
            rules.refuse(against_restore(row.state, row.starts_at, row.closed_at, clock.now()))
            rules.first_of(rules.closed(plan.place, row.span))
            plan = await planning.still_true(plan, locked, row.span)
            await slots.shift(locked, {row.id: plan.claims(row.span)}, plan.demand(actor, row.span))
            await _write(actor, row, plan)
    except Conflict as refusal:
        raise await planning.explained(refusal, plan, seen.span, [seen.id]) from None
    return await as_it_is(seen.id)


async def _write(actor: Actor, row: Row, plan: Plan) -> None:
    await database.execute(
        "UPDATE reservations SET state = 'confirmed', closed_at = NULL, reason = '', checked_in_at = NULL, checked_in_by = NULL,"
        " version = version + 1 WHERE id = $1", row.id)
    await tell(actor, "restore", "ReservationConfirmed", row.id, plan.merchant_id, before={"state": row.state},
               after={"state": State.CONFIRMED.value})
