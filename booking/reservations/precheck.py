"""What would happen to a wish: everything that speaks for or against it, found without writing or locking anything."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from booking.offers.queries import alternatives_to, busy_spans
from booking.offers.rules import Alternative
from booking.policies.queries import quota_of
from booking.policies.rules import Quota
from booking.reservations import planning, rules
from booking.reservations.entry import seen_by
from booking.reservations.planning import Plan
from booking.reservations.refusals import MerchantPaused, OverQuota, TooFarAhead
from booking.reservations.rights import is_staff
from booking.reservations.service import Wish
from booking.reservations.slots import Clash, Taken
from incubator.ground import clock
from incubator.ground.errors import N_, KaiboError
from incubator.ground.rights import Actor
from incubator.ground.values import Span


class Finding(msgspec.Struct, frozen=True):
    """One thing that was checked: what speaks for the wish (`is_ok`), or a refusal with its code."""

    code: str
    msgid: str
    params: dict[str, Any]
    is_ok: bool


class Precheck(msgspec.Struct, frozen=True):
    """Everything found; `quota` None where none applies, `alternatives` only when something speaks against the wish."""

    findings: tuple[Finding, ...]
    quota: Quota | None
    alternatives: tuple[Alternative, ...]

    @property
    def is_ok(self) -> bool:
        """Tell whether the wish would pass now; a faster rival may still come."""
        return all(finding.is_ok for finding in self.findings)


async def precheck(actor: Actor, wish: Wish, except_uid: UUID | None = None) -> Precheck:
    """Return all findings about a wish; `except_uid` is the reservation that would be moved there.

    Raises:
        NotFound, Forbidden, Invalid: as for `reserve`; such a wish has no findings.
    """
    merchant_id = wish.merchant_id if wish.merchant_id is not None or actor.is_of_the_house else actor.merchant_id
    plan = await planning.plan_for(wish.unit_uid, merchant_id)
    planning.check_rights(actor, plan)
    span, _ = rules.check_fields(wish.span, wish.title, plan.place)
    plan = await planning.with_host(actor, await planning.with_calendar(plan, span), wish.host_id)
    own = [] if except_uid is None else [(await seen_by(actor, except_uid)).id]
    demand, now = plan.demand(actor, span), clock.now()
    quota = None
    if demand is not None and plan.merchant_id is not None:
        quota = await quota_of(plan.merchant_id, plan.unit.site_id, span.starts_at, now, tuple(own))
    refused = list(rules.refusals(plan.place, span, now, is_staff=is_staff(actor, plan.unit.site_id)))
    refused += [*_of_merchant(plan), *_of_quota(quota, span), *await _taken(plan, span, own)]
    instead = await _instead(plan, span, refused, own)
    against = [Finding(each.code, each.text, each.params, is_ok=False) for each in refused]
    return Precheck((*against, *_in_favour(plan, span, quota, {each.code for each in refused})), quota, tuple(instead))


async def _instead(plan: Plan, span: Span, refused: Sequence[KaiboError], own: Sequence[int]) -> Sequence[Alternative]:
    """Return what would work: another time where that helps, a shorter one where the quota alone is short, else nothing."""
    if not refused or any(isinstance(each, TooFarAhead | MerchantPaused) for each in refused):
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


async def _taken(plan: Plan, span: Span, own: Sequence[int]) -> list[KaiboError]:
    claims = plan.claims(span)
    busy = await busy_spans(plan.unit.site_id, claims[0].blocked, own)
    taken = [Taken(c.unit_id, 0, other) for c in claims for other in busy.get(c.unit_id, ()) if other.overlaps(c.blocked)]
    return [planning.worded(Clash(taken), plan, span)] if taken else []


def _in_favour(plan: Plan, span: Span, quota: Quota | None, against: set[str]) -> Iterator[Finding]:
    blocked = plan.place.blocked(span)
    if not against & {"outside-hours", "closed"}:
        yield Finding("open", N_("Open then."), {}, is_ok=True)
    if "slot-taken" not in against:
        yield Finding("free", N_("Free, with setup from {from_at:time} and teardown until {to_at:time}."),
                      {"from_at": blocked.starts_at, "to_at": blocked.ends_at}, is_ok=True)
    if quota is not None and quota.limit_min is not None and "over-quota" not in against:
        figures = Quota(quota.limit_min, quota.used_min + span.minutes).figures(0)
        yield Finding("quota", N_("{left:duration} of {limit:duration} left in that week after this."),
                      {"left": figures["left"], "limit": figures["limit"]}, is_ok=True)
