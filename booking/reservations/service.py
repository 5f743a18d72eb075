"""The verbs of reservations: reserve, hold, confirm, move, extend, end early, cancel, mark no-show.

Each one: who may, what holds, then one transaction (the door, the row, audit, fact). A refusal changes nothing.
"""

import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from booking.reservations import holding, planning, questions, rights, rules, slots
from booking.reservations.entry import Seen, as_it_is, as_person, close_row, entered, seen_by, tell
from booking.reservations.planning import Plan
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import HoldExpired, WrongState
from booking.reservations.rules import HOLD_MIN, STATE_NAMES
from booking.reservations.slots import Row
from booking.reservations.tables import State
from incubator.ground import clock, database
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, Stale
from incubator.ground.rights import Actor
from incubator.ground.values import Span, bounded, new_uid

NUMBER = "lpad(n, greatest(5, length(n)), '0') FROM (SELECT nextval('reservation_numbers')::text AS n) AS next"
INSERT = f"""
INSERT INTO reservations (uid, number, state, site, unit, merchant, person, host, title, starts_at, ends_at, page_key, hold_until,
                          check_in_code, created_at)
VALUES ($1, CASE WHEN $2::text IS NOT NULL THEN $2 || '-' || (SELECT {NUMBER}) END,
        $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
RETURNING id, number"""


class Wish(msgspec.Struct, frozen=True):
    """What is to be booked; `merchant_id` None means the merchant acted for, or the only one; for the desk nobody."""

    unit_uid: UUID
    starts_at: datetime
    ends_at: datetime
    title: str = ""
    merchant_id: int | None = None
    host_id: int | None = None

    @property
    def span(self) -> Span:
        """Return the time of use."""
        return Span(self.starts_at, self.ends_at)


class Changes(msgspec.Struct, frozen=True):
    """What is to be changed; None leaves it as it is."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    unit_uid: UUID | None = None
    title: str | None = None


@database.retried
async def reserve(actor: Actor, wish: Wish, *, hold: bool = False, page_key: str | None = None) -> ReservationFacts:
    """Book a space, or with `hold` keep it for 5 minutes while the page is filled in.

    A person has one hold per page: another wish with the same `page_key` replaces it. A hold has no number and no audit.

    Raises:
        NotFound: no such space, or the merchant is not visible to the actor.
        Forbidden: the actor may not book for this merchant.
        Invalid: fields, all at once.
        Past, TooFarAhead, RoomClosed, OutsideHours, MerchantPaused, OverQuota: the reason.
        Stale: the same page asked for another hold at the same moment.
        TooManyHolds: the person keeps twelve slots already, at the desk sixty.
        SlotTaken: somebody was faster; `extra["alternatives"]` says what would work.
    """
    plan, span, title = await _planned(actor, wish)
    if hold and not page_key:
        raise Invalid.field("page_key", N_("A hold needs the key of its page."))
    before = await holding.own_hold(actor, page_key)
    try:
        async with database.transaction():
            locked = await slots.lock(plan.unit_ids | set(before), plan.merchant_id)
            plan = await planning.still_true(plan, locked, span)
            await holding.replace(actor, page_key)
            if hold:
                await holding.check_count(actor, plan)
            made = await _insert(actor, plan, span, title, page_key if hold else None)
            await slots.occupy(locked, made.id, plan.claims(span), plan.demand(actor, span))
            if not hold:
                await tell(actor, "reserve", "ReservationConfirmed", made.id, plan.merchant_id, after=_shown(made))
    except Conflict as refusal:
        raise await planning.explained(refusal, plan, span) from None
    return made


async def _planned(actor: Actor, wish: Wish) -> tuple[Plan, Span, str]:
    """Return plan, span and title of a wish that nothing speaks against as far as is known before locking."""
    plan = await planning.plan_of_wish(actor, wish.unit_uid, wish.merchant_id)
    span, title = rules.check_fields(wish.span, wish.title, plan.place)
    plan = await planning.with_calendar(plan, span)
    is_staff = rights.is_staff(actor, plan.unit.site_id)
    rules.first_of(rules.refusals(plan.place, span, clock.now(), is_staff=is_staff))
    return await planning.with_host(actor, plan, wish.host_id), span, title


async def _insert(actor: Actor, plan: Plan, span: Span, title: str, page_key: str | None) -> ReservationFacts:
    now, uid, unit = clock.now(), new_uid(), plan.unit
    is_hold = page_key is not None
    state = State.HELD if is_hold else State.CONFIRMED
    hold_until = now + timedelta(minutes=HOLD_MIN) if is_hold else None
    values = (
        uid, None if is_hold else _prefix(plan, now), state.value, unit.site_id, unit.id, plan.merchant_id,
        actor.person_id, plan.host_id, title, span.starts_at, span.ends_at, page_key, hold_until, "" if is_hold else _code(), now)
    try:
        row = await database.fetchrow(INSERT, *values)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "hold_once":
            raise
        raise Stale() from error  # the same page asked for two rooms at the same moment
    return ReservationFacts(
        row["id"], uid, row["number"], state.value, unit.site_id, unit.id, unit.uid, unit.kind, unit.name, unit.name_en,
        plan.merchant_id, plan.merchant_uid, plan.merchant_name, actor.person_id, actor.name, plan.host_id, plan.host_name, title,
        span.starts_at, span.ends_at, plan.place.blocked(span), 1, hold_until, None, "", None, "", now)


def _prefix(plan: Plan, now: datetime) -> str:
    return f"R{plan.place.site.local_date(now):%y%m%d}"


def _code() -> str:
    return f"{secrets.randbelow(10_000):04}"


@database.retried
async def confirm(actor: Actor, uid: UUID, *, title: str | None = None, version: int | None = None) -> ReservationFacts:
    """Turn a hold into a booking with a number; a `title` given now replaces the hold's.

    Raises:
        NotFound, Forbidden: unknown, or somebody else's hold.
        Invalid: the title is too long.
        HoldExpired: its 5 minutes are over.
        WrongState: confirmed before, or cancelled.
        RoomClosed, OutsideHours, MerchantPaused: what changed since.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    if seen.person_id != actor.person_id and not rights.is_staff(actor, seen.site_id):
        raise Forbidden()
    plan = await planning.with_calendar(await planning.plan_of(seen), seen.span)
    kept = None if title is None else rules.checked_title(title)
    async with database.transaction():
        locked, row = await entered(seen, version=version)
        _check_hold(row)
        rules.first_of(rules.closed(plan.place, row.span))
        plan = await planning.still_true(plan, locked, seen.span)
        number = await database.fetchval(
            f"UPDATE reservations SET state = 'confirmed', number = $2::text || '-' || (SELECT {NUMBER}), check_in_code = $3,"
            " title = coalesce($4, title), page_key = NULL, hold_until = NULL, version = version + 1"
            " WHERE id = $1 RETURNING number",
            row.id, _prefix(plan, clock.now()), _code(), kept)
        after = {"number": number, "unit": row.unit, "starts_at": row.starts_at, "ends_at": row.ends_at}
        await tell(actor, "confirm", "ReservationConfirmed", row.id, row.merchant, after=after)
    return await as_it_is(row.id)


def _check_hold(row: Row) -> None:
    is_over = row.hold_until is not None and row.hold_until <= clock.now()
    if row.state == State.EXPIRED or (row.state == State.HELD and is_over):
        raise HoldExpired(minutes=HOLD_MIN)
    if row.state != State.HELD:
        raise WrongState(state=STATE_NAMES[row.state])


@database.retried
async def move(actor: Actor, uid: UUID, changes: Changes, *, version: int) -> ReservationFacts:
    """Change room, times or title. Once it has begun only the end and the title can change.

    Raises:
        NotFound, Forbidden: unknown, or not the actor's to change.
        Stale: changed since `version`.
        WrongState, HasBegun, CutOff: it is over, cancelled, runs already, or its room was stopped.
        Invalid, Past, TooFarAhead, RoomClosed, OutsideHours, OverQuota, SlotTaken: as for `reserve`.
    """
    seen = await seen_by(actor, uid)
    _check_change(actor, seen, version)
    wanted = await planning.plan_of_move(seen, changes.unit_uid, changes.starts_at, changes.ends_at, changes.title)
    plan, span = wanted.plan, wanted.span
    if wanted.is_moved:
        rules.first_of(planning.against_move(actor, seen, plan, span))
    try:
        async with database.transaction():
            locked, row = await entered(seen, version=version, more=plan.unit_ids)
            if wanted.is_moved:
                rules.refuse(await questions.against_cut_off(row.id))
                plan = await planning.still_true(plan, locked, span)
                await slots.shift(locked, {row.id: plan.claims(span)}, plan.demand(actor, span))
            await _write_move(actor, row, plan, span, wanted.title)
    except Conflict as refusal:
        raise await planning.explained(refusal, plan, span, [seen.id]) from None
    return await as_it_is(seen.id)


def _check_change(actor: Actor, seen: Seen, version: int | None) -> None:
    if not rights.can_change(actor, seen.site_id, seen.merchant_id, seen.person_id):
        raise Forbidden()
    if version is not None and seen.version != version:
        raise Stale()
    rules.refuse(rules.against_change(seen.state))


async def _write_move(actor: Actor, row: Row, plan: Plan, span: Span, title: str, *, verb: str = "move") -> None:
    await database.execute(
        "UPDATE reservations SET unit = $2, starts_at = $3, ends_at = $4, title = $5, version = version + 1 WHERE id = $1",
        row.id, plan.unit.id, span.starts_at, span.ends_at, title)
    after = {"unit": plan.unit.id, "starts_at": span.starts_at, "ends_at": span.ends_at, "title": title}
    before = {name: getattr(row, name) for name in after}
    changed = {name for name, value in after.items() if before[name] != value}
    await tell(actor, verb, "ReservationMoved", row.id, row.merchant, before={n: before[n] for n in changed},
                after={n: after[n] for n in changed})


@database.retried
async def extend(actor: Actor, uid: UUID, minutes: int, *, version: int | None = None) -> ReservationFacts:
    """Let it end `minutes` later (whole steps of the room); a tablet of its room may do this once somebody checked in.

    Raises:
        NotFound, Forbidden: unknown, or not the actor's to change.
        Invalid: not a whole number of steps, or longer than the room allows.
        WrongState: over, cancelled, or not confirmed.
        CutOff: everything in its room was stopped already.
        RoomClosed, OutsideHours, OverQuota, SlotTaken: as for `reserve`.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    _check_command(actor, seen)
    plan = await planning.plan_of(seen)
    if not 0 < minutes <= plan.unit.max_use_min or minutes % plan.unit.step_min:
        raise Invalid.field("minutes", N_("Times go in steps of {step} minutes."), step=plan.unit.step_min)
    span = Span(seen.starts_at, seen.ends_at + timedelta(minutes=minutes))
    rules.check_fields(span, seen.title, plan.place)
    plan = await planning.with_calendar(plan, span)
    rules.first_of(rules.closed(plan.place, span))
    try:
        async with database.transaction():
            locked, row = await entered(seen, version=seen.version if version is None else version)
            rules.refuse(rules.against_change(row.state))
            rules.refuse(await questions.against_cut_off(row.id))
            plan = await planning.still_true(plan, locked, span)
            await slots.shift(locked, {row.id: plan.claims(span)}, plan.demand(actor, span))
            await _write_move(as_person(actor, row), row, plan, span, row.title, verb="extend")
    except Conflict as refusal:
        raise await planning.explained(refusal, plan, span, [seen.id]) from None
    return await as_it_is(seen.id)


def _check_command(actor: Actor, seen: Seen) -> None:
    """Refuse whoever may neither change the reservation nor command it from the room's tablet."""
    if not rights.can_change(actor, seen.site_id, seen.merchant_id, seen.person_id) and not rights.can_command(
            actor, seen.unit_id, is_checked_in=seen.state == State.CHECKED_IN):
        raise Forbidden()


@database.retried
async def end_early(actor: Actor, uid: UUID, *, version: int | None = None) -> ReservationFacts:
    """End it now: what is left goes back to the room and the quota; teardown still follows. A tablet may do this, as in `extend`.

    Raises:
        NotFound, Forbidden: unknown, or not the actor's to change.
        NotBegun: it lies ahead; cancel it instead.
        CutOff: a tablet commands nothing any more.
        WrongState: over or cancelled already.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    _check_command(actor, seen)
    plan = await planning.plan_of(seen)
    async with database.transaction():
        locked, row = await entered(seen, version=version)
        now = clock.now()
        if actor.device_id is not None:
            rules.refuse(await questions.against_cut_off(row.id))
        rules.refuse(rules.against_end(row.state, row.starts_at, now))
        end = min(row.ends_at, now.replace(second=0, microsecond=0) + timedelta(minutes=1))
        await slots.shift(locked, {row.id: plan.claims(Span(row.starts_at, end))})
        await close_row(as_person(actor, row), row, State.FINISHED, "end_early", "ReservationEnded", ends_at=end)
    return await as_it_is(row.id)


@database.retried
async def cancel(actor: Actor, uid: UUID, *, reason: str = "", version: int | None = None) -> ReservationFacts:
    """Give a booking that has not begun back, or let go a hold.

    Raises:
        NotFound, Forbidden: unknown, or not the actor's to change.
        Invalid: a very long reason.
        HasBegun: end it early instead.
        WrongState: over or cancelled already.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    if not rights.can_change(actor, seen.site_id, seen.merchant_id, seen.person_id):
        raise Forbidden()
    reason = bounded(reason, "reason")
    async with database.transaction():
        _, row = await entered(seen, version=version)
        rules.refuse(rules.against_cancel(row.state, row.starts_at, clock.now()))
        if row.state == State.HELD:
            await slots.expire([row.id], clock.now())
        else:
            await close_row(actor, row, State.CANCELLED, "cancel", "ReservationCancelled", reason=reason)
        await slots.free([row.id])
    return await as_it_is(row.id)


async def release(actor: Actor, page_key: str) -> list[int]:
    """Give back what this page of the actor's holds, and return the inner ids; that nothing is held is fine."""
    freed = []
    for uid, version in await holding.of_page(actor, page_key):
        with suppress(Stale, WrongState):  # confirmed in between, and so no hold any more
            freed.append((await cancel(actor, uid, version=version)).id)
    return freed


@database.retried
async def mark_no_show(actor: Actor, uid: UUID, *, version: int | None = None) -> ReservationFacts:
    """Note that nobody came; what is left of the time becomes free, the quota stays used.

    Raises:
        NotFound, Forbidden: unknown, or the actor is not staff.
        NotYet: it has not begun.
        WrongState: somebody checked in, or it is cancelled.
        Stale: changed since `version`.
    """
    seen = await seen_by(actor, uid)
    if not rights.can_settle(actor, seen.site_id):
        raise Forbidden()
    async with database.transaction():
        _, row = await entered(seen, version=version)
        rules.refuse(rules.against_no_show(row.state, row.starts_at, row.checked_in_at, clock.now()))
        await slots.free([row.id])
        await close_row(actor, row, State.NO_SHOW, "mark_no_show", "ReservationEnded")
    return await as_it_is(row.id)


def _shown(made: ReservationFacts) -> dict[str, Any]:
    return {"number": made.number, "unit": made.unit_id, "starts_at": made.starts_at, "ends_at": made.ends_at,
            "title": made.title, "host": made.host_id}
