"""What a verb knows before it locks: the place with its calendar, the merchant, the host; and how it explains a refusal."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from booking.calendars.queries import calendars_of
from booking.calendars.rules import CalendarFacts, last_on_grid
from booking.offers.queries import alternatives_to
from booking.offers.rules import Alternative
from booking.policies.rules import QUOTA_KINDS
from booking.reservations import clashes, rights, rules
from booking.reservations.clashes import Met
from booking.reservations.entry import Seen
from booking.reservations.refusals import HostTaken, MerchantPaused, OverQuota, SlotTaken
from booking.reservations.rules import Place
from booking.reservations.slots import Claim, Clash, Demand, Locked
from booking.units.queries import COLUMN_COUNT, COLUMNS, UnitFacts, unit_id_of_person
from booking.units.service import unit_of_person
from booking.units.tables import Kind
from incubator.ground import clock, database
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants.rights import can_see
from incubator.sites.queries import site

UNIT_AND_MERCHANT = f"""
SELECT {COLUMNS}, q.week_min, m.status, m.uid AS merchant_uid, m.short_name FROM units u
LEFT JOIN quota_policies q ON q.site = u.site LEFT JOIN merchants m ON m.id = $1 WHERE """


class Plan(msgspec.Struct, frozen=True):
    """One place and for whom; `limit_min` is the weekly quota of merchants (None: the site has none)."""

    place: Place
    merchant_id: int | None = None
    merchant_uid: UUID | None = None
    merchant_name: str = ""
    merchant_status: str | None = None
    limit_min: int | None = None
    host_id: int | None = None
    host_name: str = ""
    host_latin: str = ""
    host_unit_id: int | None = None

    @property
    def unit(self) -> UnitFacts:
        """Return the place's unit."""
        return self.place.unit

    @property
    def unit_ids(self) -> set[int]:
        """Return every unit that is taken."""
        return {self.unit.id} | ({self.host_unit_id} if self.host_unit_id is not None else set())

    def claims(self, span: Span) -> list[Claim]:
        """Return what a use takes: the place with setup and teardown, the host for the use itself."""
        wanted = [Claim(self.unit.id, self.place.blocked(span))]
        if self.host_unit_id is not None:
            wanted.append(Claim(self.host_unit_id, span))
        return wanted

    def demand(self, actor: Actor, span: Span) -> Demand | None:
        """Return what the use takes of the merchant's week; None for staff, without merchant, and for what has no quota."""
        if self.merchant_id is None or self.unit.kind not in QUOTA_KINDS or rights.is_staff(actor, self.unit.site_id):
            return None
        return Demand(self.place.site.week(span.starts_at), span.minutes, self.limit_min)


async def plan_for(unit: UUID | int, merchant_id: int | None) -> Plan:
    """Return the place (by uid or inner id) and the merchant, still without calendar; one round trip.

    Raises:
        NotFound: no such unit, or one that is retired or a person.
    """
    condition = "u.id = $2" if isinstance(unit, int) else "u.uid = $2"
    row = await database.fetchrow(UNIT_AND_MERCHANT + condition, merchant_id, unit)
    if row is None or row["kind"] == Kind.PERSON:
        raise NotFound()
    facts = UnitFacts(*list(row)[:COLUMN_COUNT])
    if facts.is_retired or (merchant_id is not None and row["status"] is None):
        raise NotFound()
    place = Place(facts, CalendarFacts(), await site(facts.site_id))
    return Plan(place, merchant_id, row["merchant_uid"], row["short_name"] or "", row["status"], row["week_min"])


async def plan_of_wish(actor: Actor, unit: UUID, merchant_id: int | None) -> Plan:
    """Return the plan of a wish that names this merchant, or none, still without calendar and host.

    Raises:
        NotFound: no such unit, or the merchant is not visible to the actor.
        Forbidden: the actor may not book there for that merchant.
    """
    plan = await plan_for(unit, _own_merchant(actor) if merchant_id is None else merchant_id)
    if plan.merchant_id != for_whom(actor, plan.unit.site_id, merchant_id):
        plan = Plan(plan.place, limit_min=plan.limit_min)
    _check_rights(actor, plan)
    return plan


def for_whom(actor: Actor, site_id: int, merchant_id: int | None) -> int | None:
    """Return for whom an actor books who names this merchant, or none: at the desk that is nobody, for others their own."""
    return _own_merchant(actor) if merchant_id is None and not rights.is_staff(actor, site_id) else merchant_id


def _own_merchant(actor: Actor) -> int | None:
    """Return the merchant acted for, else the only one that the actor belongs to."""
    if actor.merchant_id is not None or len(actor.merchant_ids) != 1:
        return actor.merchant_id
    return next(iter(actor.merchant_ids))


async def plan_of(seen: Seen, unit: UUID | None = None) -> Plan:
    """Return the plan of a reservation with its merchant and host, in its room or in another, still without calendar.

    Raises:
        NotFound: no such unit, or one that is retired or a person.
    """
    plan = await plan_for(seen.unit_id if unit is None else unit, seen.merchant_id)
    return msgspec.structs.replace(plan, host_id=seen.host_id, host_name=seen.host_name, host_latin=seen.host_latin,
                                   host_unit_id=seen.host_unit_id)


class Move(msgspec.Struct, frozen=True):
    """Where a reservation is to go; the plan has its calendar only when room or times change (`is_moved`)."""

    plan: Plan
    span: Span
    title: str
    is_moved: bool


async def plan_of_move(seen: Seen, unit: UUID | None, starts_at: datetime | None, ends_at: datetime | None,
                       title: str | None) -> Move:
    """Return a reservation's move; None leaves as it is.

    Raises:
        NotFound: no such unit.
        Invalid: fields, all at once.
    """
    kept = seen.title if title is None else rules.checked_title(title)
    span = Span(starts_at or seen.starts_at, ends_at or seen.ends_at)
    plan = await plan_of(seen, unit)
    is_moved = plan.unit.id != seen.unit_id or span != seen.span
    if is_moved:
        rules.check_fields(span, kept, plan.place)
        plan = await with_calendar(plan, span)
    return Move(plan, span, kept, is_moved)


async def with_calendar(plan: Plan, span: Span) -> Plan:
    """Return the plan with the calendar around a span, as it is now."""
    calendars = await calendars_of([plan.unit], rules.calendar_window(span))
    place = msgspec.structs.replace(plan.place, calendar=calendars[plan.unit.id])
    return msgspec.structs.replace(plan, place=place)


async def with_host(actor: Actor, plan: Plan, host_id: int | None, *, is_look: bool = False) -> Plan:
    """Return the plan with a host, whose unit is made at the first booking; `is_look` writes nothing, and leaves it out so far.

    Raises:
        Invalid: not a member of the merchant; staff may name anybody.
    """
    if host_id is None:
        return plan
    host = await database.fetchrow(
        "SELECT name, coalesce(name_latin, '') FROM people p WHERE id = $1 AND ($3 OR EXISTS ("
        "SELECT FROM grants g WHERE g.person = p.id AND g.merchant = $2 AND g.ended_at IS NULL))",
        host_id, plan.merchant_id, rights.is_staff(actor, plan.unit.site_id))
    if host is None:
        raise Invalid.field("host_id", N_("Choose a member of the merchant."))
    unit_id = await (unit_id_of_person(host_id) if is_look else unit_of_person(host_id, plan.unit.site_id))
    name, latin = host
    return msgspec.structs.replace(plan, host_id=host_id, host_name=name, host_latin=latin, host_unit_id=unit_id)


def _check_rights(actor: Actor, plan: Plan) -> None:
    """Refuse whoever may not book there for that merchant.

    Raises:
        NotFound: the merchant is not visible to the actor.
        Forbidden: it is, but the actor may not book for it.
    """
    if rights.can_reserve(actor, plan.unit.site_id, plan.merchant_id):
        return
    if plan.merchant_id is not None and not can_see(actor, plan.merchant_id):
        raise NotFound()
    raise Forbidden()


async def still_true(plan: Plan, locked: Locked, span: Span) -> Plan:
    """Return the plan as it is under the locks: read and judged again only when the unit's version has moved since.

    Raises:
        NotFound: the unit was retired meanwhile.
        MerchantPaused: the merchant may not book at present.
        RoomClosed, OutsideHours: hours or closures changed meanwhile.
    """
    if plan.merchant_id is not None and locked.merchant_status != "active":
        raise MerchantPaused(merchant=plan.merchant_name)
    if locked.units.get(plan.unit.id) == plan.unit.version:
        return plan
    fresh = await with_calendar(await plan_for(plan.unit.id, plan.merchant_id), span)
    rules.first_of(rules.closed(fresh.place, span))
    return msgspec.structs.replace(plan, place=fresh.place, limit_min=fresh.limit_min)


async def explained(refusal: Conflict, plan: Plan, span: Span, except_ids: Collection[int] = ()) -> Conflict:
    """Return a refusal in a person's words, with alternatives; called outside the transaction that failed."""
    if isinstance(refusal, OverQuota):
        refusal.extra["alternatives"] = shorter_within_quota(refusal, plan, span)
        return refusal
    if not isinstance(refusal, Clash):
        return refusal
    taken = {each.reservation_id for each in refusal.taken}
    met = [each for each in await clashes.in_the_way(None, plan.claims(span)) if each.reservation_id in taken]
    found = worded(met[0], plan, span) if met else refusal  # whoever was in the way may have gone since
    if type(found) is SlotTaken:
        found = refusal  # head on: after the deed one wants to know that what was entered is kept
    found.extra["alternatives"] = await alternatives_to(
        plan.place.site, plan.unit, span, host_unit_id=plan.host_unit_id, except_ids=except_ids)
    return found


def worded(met: Met, plan: Plan, span: Span) -> SlotTaken:
    """Return a clash in words: the host who is booked elsewhere, or how the room's times meet."""
    if met.unit_id == plan.host_unit_id:
        return HostTaken(name=plan.host_name, name_en=plan.host_latin, taken_from=met.use.starts_at, taken_to=met.use.ends_at)
    return clashes.worded(met, span, plan.place.blocked(span))


async def clashes_of(actor: Actor, plan: Plan, span: Span, except_ids: Collection[int]) -> list[SlotTaken]:
    """Return what a use would meet now, for whoever asks: the first booking in its room, and the first of its host."""
    first: dict[int, Met] = {}
    for met in await clashes.in_the_way(actor, plan.claims(span), except_ids):
        first.setdefault(met.unit_id, met)
    return [worded(met, plan, span) for met in first.values()]


def against_move(actor: Actor, seen: Seen, plan: Plan, span: Span) -> Iterator[KaiboError]:
    """Yield what state and calendar say against a reservation's move; once it has begun only its end can change."""
    now = clock.now()
    refusal = rules.against_move(seen.state, seen.span, span, now, is_same_unit=plan.unit.id == seen.unit_id)
    if refusal is not None:
        yield refusal
    if rules.has_begun(seen.state, seen.starts_at, now):
        yield from rules.closed(plan.place, span)
    else:
        yield from rules.refusals(plan.place, span, now, is_staff=rights.is_staff(actor, seen.site_id))


def shorter_within_quota(refusal: OverQuota, plan: Plan, span: Span) -> list[Alternative]:
    """Return the same slot as long as the quota lasts, when that is long enough to be of use."""
    unit, left = plan.unit, refusal.params["left"]
    end: datetime = last_on_grid(span.starts_at + left, unit.step_min, plan.place.site.zone)
    length = end - span.starts_at
    if length < timedelta(minutes=unit.min_use_min) or length >= span.length:
        return []
    less = Span(end, span.ends_at).minutes
    return [Alternative(unit.uid, unit.kind, unit.name, unit.name_en, span.starts_at, end, "shorter", less)]
