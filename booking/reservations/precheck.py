"""What would happen to a wish: everything that speaks for or against it, found without writing or locking anything."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from booking.calendars.rules import open_spans
from booking.offers.queries import alternatives_to
from booking.offers.rules import Alternative
from booking.policies.queries import quota_of
from booking.policies.rules import QUOTA_KINDS, Quota
from booking.reservations import planning, questions, rights, rules
from booking.reservations.entry import seen_by
from booking.reservations.planning import Plan
from booking.reservations.queries import held_by
from booking.reservations.refusals import CutOff, HasBegun, MerchantPaused, OverQuota, TooFarAhead, WrongState
from booking.reservations.service import Changes, Wish
from incubator.ground import clock
from incubator.ground.errors import N_, Forbidden, KaiboError
from incubator.ground.rights import Actor
from incubator.ground.values import Span

IN_AND_OUT = N_("In from {from_at:time} to set up, out by {to_at:time}")
SETUP_EARLY = N_("Setup begins before the doors open at {opens:time}: tell the front desk.")
TEARDOWN_LATE = N_("Teardown ends after the doors close at {closes:time}: tell the front desk.")
BEYOND = N_("Beyond the merchant’s quota; the front desk may book it all the same.")
NO_OTHER_TIME = (TooFarAhead, MerchantPaused, HasBegun, WrongState, CutOff)  # another time would be refused like this one


class Finding(msgspec.Struct, frozen=True):
    """One thing that was checked: it speaks `for` the wish, is something to `mind`, or `against` it under a refusal's code."""

    code: str
    msgid: str
    params: dict[str, Any]
    weight: Literal["for", "mind", "against"]

    @property
    def is_ok(self) -> bool:
        """Tell whether the wish can pass all the same."""
        return self.weight != "against"


class Precheck(msgspec.Struct, frozen=True):
    """Everything found: first what speaks against the wish, in the order in which the verb would refuse it.

    `quota` is the merchant's week without the wish, None where there is none; `alternatives` only when something speaks against.
    """

    findings: tuple[Finding, ...]
    quota: Quota | None
    alternatives: tuple[Alternative, ...]

    @property
    def is_ok(self) -> bool:
        """Tell whether the wish would pass now; a faster rival may still come."""
        return all(finding.is_ok for finding in self.findings)


async def precheck(actor: Actor, wish: Wish, page_key: str | None = None) -> Precheck:
    """Return all findings about a wish; what the page with `page_key` holds already is not in its own way.

    Raises:
        NotFound, Forbidden, Invalid: as for `reserve`; such a wish has no findings.
    """
    plan = await planning.plan_of_wish(actor, wish.unit_uid, wish.merchant_id)
    span, _ = rules.check_fields(wish.span, wish.title, plan.place)
    plan = await planning.with_calendar(plan, span)
    plan = await planning.with_host(actor, plan, wish.host_id, is_look=True)
    is_staff = rights.is_staff(actor, plan.unit.site_id)
    refused = list(rules.refusals(plan.place, span, clock.now(), is_staff=is_staff))
    return await _found(actor, plan, span, refused, await held_by(actor, page_key))


async def precheck_move(actor: Actor, uid: UUID, changes: Changes) -> Precheck:
    """Return all findings about a reservation's move; where nothing but the title would change, nothing speaks against it.

    Raises:
        NotFound, Forbidden, Invalid: as for `move`; such a wish has no findings.
    """
    seen = await seen_by(actor, uid)
    if not rights.can_change(actor, seen.site_id, seen.merchant_id, seen.person_id):
        raise Forbidden()
    wanted = await planning.plan_of_move(seen, changes.unit_uid, changes.starts_at, changes.ends_at, changes.title)
    plan, span = wanted.plan, wanted.span
    if not wanted.is_moved:
        as_it_is = Finding("unchanged", N_("Room and time stay as they are"), {}, "for")
        return Precheck((as_it_is,), await _quota(plan, span, [seen.id]), ())
    refused = list(planning.against_move(actor, seen, plan, span))
    cut_off = await questions.against_cut_off(seen.id)
    refused += [] if cut_off is None else [cut_off]
    return await _found(actor, plan, span, refused, [seen.id])


async def _found(actor: Actor, plan: Plan, span: Span, refused: Sequence[KaiboError], own: Sequence[int]) -> Precheck:
    """Return what is found when merchant, quota and neighbours are asked too, in the order in which the verbs do."""
    quota = await _quota(plan, span, own)
    is_counted = plan.demand(actor, span) is not None
    refused = [*refused, *_of_merchant(plan), *(_of_quota(quota, span) if is_counted else ()),
               *await planning.clashes_of(actor, plan, span, own)]
    against = [Finding(each.code, each.text, each.params, "against") for each in refused]
    codes = {each.code for each in refused}
    rest = [*_of_place(plan, span, codes), *_left(quota, span, is_counted=is_counted)]
    return Precheck((*against, *rest), quota, tuple(await _instead(plan, span, refused, own)))


async def _quota(plan: Plan, span: Span, own: Sequence[int]) -> Quota | None:
    if plan.merchant_id is None or plan.unit.kind not in QUOTA_KINDS:
        return None
    return await quota_of(plan.merchant_id, plan.unit.site_id, span.starts_at, clock.now(), tuple(own))


async def _instead(plan: Plan, span: Span, refused: Sequence[KaiboError], own: Sequence[int]) -> Sequence[Alternative]:
    """Return what would work: another time where that helps, a shorter one where the quota alone is short, else nothing."""
    if not refused or any(isinstance(each, NO_OTHER_TIME) for each in refused):
        return ()
    short = next((each for each in refused if isinstance(each, OverQuota)), None)
    if short is not None:
        return planning.shorter_within_quota(short, plan, span) if len(refused) == 1 else ()
    return await alternatives_to(plan.place.site, plan.unit, span, host_unit_id=plan.host_unit_id, except_ids=own)


def _of_merchant(plan: Plan) -> Iterator[KaiboError]:
    if plan.merchant_status not in (None, "active"):
        yield MerchantPaused(merchant=plan.merchant_name)


def _of_quota(quota: Quota | None, span: Span) -> Iterator[KaiboError]:
    if quota is not None and not quota.allows(span.minutes):
        yield OverQuota(**quota.figures(span.minutes))


def _of_place(plan: Plan, span: Span, against: set[str]) -> Iterator[Finding]:
    """Yield what the place says: open, and from when to when one is in it, with what lies before the doors open or after."""
    if against & {"outside-hours", "closed"}:
        return
    yield Finding("open", N_("Within opening hours"), {}, "for")
    if against & {"slot-taken", "past"}:
        return
    blocked, figures = plan.place.blocked(span), _doors(plan, span)
    yield Finding("free", IN_AND_OUT if blocked != span else N_("Free then"),
                  {"from_at": blocked.starts_at, "to_at": blocked.ends_at}, "for")
    if blocked.starts_at < figures["opens"]:
        yield Finding("setup-early", SETUP_EARLY, figures, "mind")
    if blocked.ends_at > figures["closes"]:
        yield Finding("teardown-late", TEARDOWN_LATE, figures, "mind")


def _doors(plan: Plan, span: Span) -> dict[str, Any]:
    opened = open_spans(plan.place.calendar, plan.place.site.zone, rules.calendar_window(span))
    doors = next(each for each in opened if each.covers(span))
    return {"opens": doors.starts_at, "closes": doors.ends_at}


def _left(quota: Quota | None, span: Span, *, is_counted: bool) -> Iterator[Finding]:
    """Yield what is left of the week afterwards, or that only staff, for whom nothing is counted, get beyond it."""
    if quota is None or quota.limit_min is None:
        return
    if quota.allows(span.minutes):
        figures = Quota(quota.limit_min, quota.used_min + span.minutes).figures(0)
        yield Finding("quota", N_("{left:duration} of {limit:duration} left in that week after this"),
                      {"left": figures["left"], "limit": figures["limit"]}, "for")
    elif not is_counted:
        yield Finding("beyond-quota", BEYOND, {}, "mind")
