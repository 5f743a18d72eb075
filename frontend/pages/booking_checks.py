"""What the house finds about a place and a time: opening hours, setup and teardown beyond them, who is in the way."""

from collections.abc import Collection

from booking.calendars.queries import calendars_of
from booking.calendars.rules import open_spans
from booking.reservations import rights, rules
from booking.schedule import queries as schedule
from booking.schedule.queries import Block
from booking.units.queries import UnitFacts
from frontend import i18n
from frontend.pages.booking_words import Finding, refusal_text
from incubator.ground import clock
from incubator.ground.errors import N_
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

IN_AND_OUT = N_("In from {from:time} to set up, out by {to:time}")
SETUP_EARLY = N_("Setup begins before the doors open at {opens:time}: tell the front desk.")
TEARDOWN_LATE = N_("Teardown ends after the doors close at {closes:time}: tell the front desk.")


async def place_of(site: SiteFacts, unit: UnitFacts, span: Span) -> rules.Place:
    """Return a unit with its calendar around a span."""
    calendars = await calendars_of([unit], rules.calendar_window(span))
    return rules.Place(unit, calendars[unit.id], site)


async def place_findings(actor: Actor, site: SiteFacts, unit: UnitFacts, span: Span, own: Collection[str]) -> list[Finding]:
    """Return what opening hours and other reservations say; `own` are uids that do not count: what moves, the page's hold."""
    place = await place_of(site, unit, span)
    refusals = list(rules.refusals(place, span, clock.now(), is_staff=rights.is_staff(actor, site.id)))
    found = [Finding("alarm", refusal_text(refusal)) for refusal in refusals]
    if not refusals:
        found.append(Finding("ok", i18n.gettext(N_("Within opening hours"))))
    clash = await _clash(actor, site, unit, span, own)
    if clash:
        return [Finding("alarm", clash), *found]
    return [*found, *_in_and_out(place, span)]


def _in_and_out(place: rules.Place, span: Span) -> list[Finding]:
    """Return from when to when one is in the room, and what of it lies before the doors open or after they close."""
    blocked = place.blocked(span)
    if blocked == span:
        return []
    opened = open_spans(place.calendar, place.site.zone, rules.calendar_window(span))
    doors = next((each for each in opened if each.covers(span)), blocked)
    figures = {"from": blocked.starts_at, "to": blocked.ends_at, "opens": doors.starts_at, "closes": doors.ends_at}
    told = [(SETUP_EARLY, blocked.starts_at < doors.starts_at), (TEARDOWN_LATE, blocked.ends_at > doors.ends_at)]
    return [Finding("ok", i18n.translate(IN_AND_OUT, figures)),
            *(Finding("wait", i18n.translate(text, figures)) for text, is_so in told if is_so)]


async def _clash(actor: Actor, site: SiteFacts, unit: UnitFacts, span: Span, own: Collection[str]) -> str:
    """Return what stands in the way, with figures; empty when nothing does."""
    blocked = span.widened(unit.setup_min, unit.teardown_min)
    found = await schedule.week(actor, unit.uid, site.local_date(span.starts_at))
    for block in found.units[0].blocks:
        taken = Span(block.blocked_from, block.blocked_to)
        if taken.overlaps(blocked) and str(block.uid) not in own:
            return clash_text(block, span, blocked)
    return ""


def clash_text(block: Block, span: Span, blocked: Span) -> str:
    """Return how a wish meets another reservation: teardown into its setup, setup into its teardown, or head on."""
    who = i18n.translate(N_("“{title}”"), {"title": block.title}) if block.title else i18n.gettext(N_("another booking"))
    if block.starts_at >= span.ends_at and block.blocked_from < blocked.ends_at:
        overlap = blocked.ends_at - max(block.blocked_from, span.ends_at)
        return i18n.translate(
            N_("Teardown would run to {till:time}, but {who} starts setting up at {from:time}: {overlap} overlap."),
            {"till": blocked.ends_at, "who": who, "from": block.blocked_from, "overlap": overlap})
    if block.ends_at <= span.starts_at and blocked.starts_at < block.blocked_to:
        overlap = min(block.blocked_to, span.starts_at) - blocked.starts_at
        return i18n.translate(
            N_("Setup would begin at {from:time}, but {who} is being cleared until {till:time}: {overlap} overlap."),
            {"from": blocked.starts_at, "who": who, "till": block.blocked_to, "overlap": overlap})
    if block.state == "held":
        return i18n.gettext(N_("Somebody is filling in a booking for this time. It is free again in five minutes at most."))
    taken = Span(block.starts_at, block.ends_at)
    return i18n.translate(N_("Taken {span:hours} by {who}."), {"span": taken, "who": who})
