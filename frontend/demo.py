"""Fills an empty installation with a believable centre: through the service verbs, with the clock set back, from a fixed seed."""

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import structlog

from booking.calendars.queries import calendars_of
from booking.calendars.rules import WeeklyHours, clipped, open_spans, without
from booking.calendars.service import Extent, add_calendar, close
from booking.checkin.service import check_in
from booking.policies.service import set_quota
from booking.reservations import service as reservations
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from booking.units.queries import UnitFacts
from booking.units.service import NewUnit, add_unit
from frontend.composition import open_house
from frontend.demo_accounts import ACCOUNTS, PASSWORD
from frontend.demo_data import DESKS, MERCHANTS, ROOMS, DemoMerchant
from frontend.demo_spaces import Occupation, desk_days, events
from frontend.handlers import build_registry
from incubator.accounts import service as accounts
from incubator.accounts.queries import actor_of
from incubator.ground import clock, database
from incubator.ground.errors import Conflict
from incubator.ground.queue.relay import spread_facts
from incubator.ground.queue.runner import run_job
from incubator.ground.rights import MERCHANT_ROLES, Role, house
from incubator.ground.settings import Settings
from incubator.ground.values import Span
from incubator.merchants import service as merchants
from incubator.merchants.rules import check_character, organisation_check
from incubator.sites import service as sites
from incubator.sites.queries import SiteFacts
from studio.rigs import service as rigs

log = structlog.get_logger()
SEED = 20221117
HOUSE = house("demo")
WEEK_MIN = 600
DAYS = 14
OPENS_MIN, CLOSES_MIN = 8 * 60, 22 * 60
# busy mornings and afternoons, prime time free enough to try
STARTS = ((9, 0, 2), (10, 30, 2), (13, 0, 2), (14, 30, 2), (15, 30, 1), (16, 30, 2), (19, 0, 2), (20, 0, 2))
CHANCES = (0.5, 0.35, 0.5, 0.35, 0.2, 0.25, 0.25, 0.15)
HANDLED = ("live_session_on_",)  # the other handlers tell people, who would find two weeks of old news
SHOW_TITLE = "怀菊花茶秋季场"
SHOW_LEAST, SHOW_MOST = timedelta(hours=1), timedelta(hours=2)
SHOW_AWAY = timedelta(minutes=2)  # at least, so that the show is still to come when the demo is made
STEP_MIN = 15
QUIET_MIN = 60  # before and after the show the room stands empty: more than its setup and teardown
MORNING = range(4, 12)


class Town:
    """What was made so far."""

    def __init__(self, site: SiteFacts) -> None:
        self.site = site
        self.rooms: list[UnitFacts] = []
        self.others: dict[str, UnitFacts] = {}  # desks, meeting and training rooms by code
        self.desk = HOUSE  # whoever books for the merchants: the demo's centre staff, once they are on file
        self.merchants: list[tuple[int, DemoMerchant]] = []
        self.dice = random.Random(SEED)  # noqa: S311 -- the same centre every time


async def main(settings: Settings) -> int:
    """Make the demo, unless the installation has data already; return the exit status."""
    async with open_house(settings, connections=4):
        if await database.fetchval("SELECT count(*) FROM sites"):
            return 0
        async with database.transaction():  # one for all: a demo killed half-way leaves nothing behind
            await _make(clock.now())
    return 0


async def _make(started: datetime) -> None:
    await database.execute("UPDATE installation SET is_demo = true")
    with clock.frozen_at(started - timedelta(days=DAYS + 1)):
        town = await _open_centre()
    await _people(town)
    opened = await _opened(town, started)
    show = show_span(opened, started)
    await _weeks(town, started, show)
    await _other_spaces(town, started)
    await _show_soon(town, show, without([show], opened))
    await _handle_facts()


async def _open_centre() -> Town:
    site = await sites.open_site(HOUSE, name="沁阳市电子商务公共服务中心", name_en="Qinyang E-commerce Service Centre")
    town = Town(site)
    await set_quota(HOUSE, site.id, WEEK_MIN)
    hours = [WeeklyHours(weekday, OPENS_MIN, CLOSES_MIN) for weekday in range(7)]
    calendar = await add_calendar(HOUSE, site.id, "08:00–22:00", hours)
    for sort, room in enumerate(ROOMS):
        unit = await add_unit(HOUSE, site.id, NewUnit(
            room.kind, room.code, room.name, room.name_en, room.note, room.note_en, room.capacity, calendar,
            setup_min=room.setup_min, teardown_min=room.teardown_min, sort=sort))
        if room.canvas[0]:
            width, height = room.canvas
            await rigs.add(HOUSE, unit.id, rigs.SetUp("simulated", canvas_width=width, canvas_height=height))
            town.rooms.append(unit)
        else:
            town.others[unit.code] = unit
    for number in range(1, DESKS + 1):
        unit = await add_unit(HOUSE, site.id, NewUnit("desk", f"D{number:02}", f"{number} 号工位", f"Desk {number}",
                                                      calendar_id=calendar, sort=100 + number))
        town.others[unit.code] = unit
    return town


async def _people(town: Town) -> None:
    for merchant in MERCHANTS:
        town.merchants.append((await _merchant(town, merchant), merchant))
    first = town.merchants[0][0]
    for account in ACCOUNTS:
        person = await accounts.add_person(HOUSE, name=account.name, name_latin=account.name_latin, email=account.login,
                                           password=PASSWORD)
        if account.role in MERCHANT_ROLES:
            await accounts.grant(HOUSE, person, account.role, "merchant", first)
        elif account.role in (Role.AUDITOR, Role.ADMIN):
            await accounts.grant(HOUSE, person, account.role, "all")
        else:
            await accounts.grant(HOUSE, person, account.role, "site", town.site.id)
        if account.role is Role.STAFF:
            town.desk = await actor_of(person) or HOUSE


async def _merchant(town: Town, data: DemoMerchant) -> int:
    made = await merchants.register(HOUSE, town.site.id, merchants.Profile(
        data.name, data.short_name, data.kind, _code(data.code_body), data.owner, data.phone, data.town, data.products))
    if data is not MERCHANTS[0]:  # the first one's owner is the demo account
        owner = await accounts.add_person(HOUSE, name=data.owner, name_latin=data.owner_latin, phone=data.phone)
        await accounts.grant(HOUSE, owner, Role.OWNER, "merchant", made.id)
    for platform, name in data.shops:
        await merchants.add_shop(HOUSE, made.id, platform=platform, name=name, opened_on=date(2021, 6, 18))
    return made.id


def _code(body: str) -> str | None:
    """Return a credit code with both of its checks, None for a natural person."""
    if not body:
        return None
    whole = body + organisation_check(body[8:])
    return whole + check_character(whole)


def _slots(town: Town, day: date) -> Iterator[tuple[UnitFacts, Span]]:
    """Yield what might be booked on one day, room by room, as the dice fall."""
    for room in town.rooms:
        for (hour, minute, hours), chance in zip(STARTS, CHANCES, strict=True):
            if town.dice.random() < chance:
                start = datetime(day.year, day.month, day.day, hour, minute, tzinfo=town.site.zone)
                yield room, Span(start, start + timedelta(hours=hours))


async def _weeks(town: Town, now: datetime, show: Span) -> None:
    """Book two weeks back and two ahead; each booking was made two days before, and what is past took its course."""
    quiet = show.widened(QUIET_MIN, QUIET_MIN)
    today = town.site.local_date(now)
    for offset in range(-DAYS, DAYS + 1):
        for room, span in _slots(town, today + timedelta(days=offset)):
            if not (room is town.rooms[1] and span.overlaps(quiet)):
                await _book(town, room, span, now)
    await _closure(town, today)


async def _book(town: Town, room: UnitFacts, span: Span, now: datetime) -> None:
    # the demo account's merchant keeps most of its hours, so that there is something to book
    merchant_id, merchant = town.dice.choice(town.merchants if span.ends_at < now - timedelta(days=7) else town.merchants[1:])
    wish = Wish(room.uid, span.starts_at, span.ends_at, town.dice.choice(merchant.shows), merchant_id)
    try:
        made = await _reserved(town, wish, now)
    except Conflict:
        return  # the dice named a time that is taken
    await _take_course(town, made, now, "货没到")


async def _reserved(town: Town, wish: Wish, now: datetime) -> ReservationFacts:
    with clock.frozen_at(min(wish.starts_at - timedelta(days=2), now)):
        return await reservations.reserve(town.desk, wish)


async def _take_course(town: Town, made: ReservationFacts, now: datetime, why_not: str) -> None:
    """Let a past booking happen: most came, few did not, few were cancelled."""
    fate = town.dice.random()
    if fate < 0.05:
        with clock.frozen_at(min(made.starts_at - timedelta(hours=20), now)):
            await reservations.cancel(town.desk, made.uid, reason=why_not)
    elif made.ends_at < now and fate < 0.1:
        with clock.frozen_at(made.starts_at + timedelta(minutes=20)):
            await reservations.mark_no_show(town.desk, made.uid)
    else:
        await _come(town, made, now)


async def _come(town: Town, made: ReservationFacts, now: datetime) -> None:
    """Let the party arrive, and go a little early, as far as its time has come; nobody comes before setup begins."""
    if made.starts_at > now:
        return
    with clock.frozen_at(max(made.starts_at - timedelta(minutes=5), made.blocked.starts_at)):
        await check_in(town.desk, made.uid)
    if made.ends_at < now:
        with clock.frozen_at(made.ends_at - timedelta(minutes=town.dice.choice((1, 5, 12)))):
            await reservations.end_early(town.desk, made.uid)


async def _other_spaces(town: Town, now: datetime) -> None:
    """Book desks over the same weeks, which take their course, and what is held in the other rooms, which takes place."""
    today = town.site.local_date(now)
    for offset in range(-DAYS, DAYS + 1):
        for sitting in desk_days(town.site, today + timedelta(days=offset)):
            await _take_course(town, await _reserved(town, _wish(town, sitting), now), now, "改天来")
    for event in events(town.site, today, DAYS):
        await _come(town, await _reserved(town, _wish(town, event), now), now)


def _wish(town: Town, wanted: Occupation) -> Wish:
    ids = {merchant.short_name: merchant_id for merchant_id, merchant in town.merchants}
    span, merchant_id = wanted.span, ids[wanted.merchant] if wanted.merchant else None
    return Wish(town.others[wanted.unit].uid, span.starts_at, span.ends_at, wanted.title, merchant_id)


async def _closure(town: Town, today: date) -> None:
    day = today + timedelta(days=3)
    start = datetime(day.year, day.month, day.day, 8, tzinfo=town.site.zone)
    await close(town.desk, Extent((town.rooms[2].id,)), Span(start, start + timedelta(hours=4)), reason="排风检修",
                reason_en="Extractor repair")


async def _opened(town: Town, now: datetime) -> list[Span]:
    """Return when the show's room is open in the hours to come."""
    room = town.rooms[1]
    within = Span(now, now + timedelta(hours=12))
    return open_spans((await calendars_of([room], within))[room.id], town.site.zone, within)


def show_span(opened: Sequence[Span], now: datetime) -> Span:
    """Return the time of the coming show: from the next quarter of an hour, for up to two hours that the room is open.

    When less than an hour is left of these, it lasts two hours all the same, and the room must be opened for it.
    """
    first = now + SHOW_AWAY
    start = first.replace(minute=first.minute // STEP_MIN * STEP_MIN, second=0, microsecond=0) + timedelta(minutes=STEP_MIN)
    whole = Span(start, start + SHOW_MOST)
    usual = [each for each in clipped(opened, whole) if each.starts_at == start and each.length >= SHOW_LEAST]
    return usual[0] if usual else whole


async def _show_soon(town: Town, show: Span, shut: Sequence[Span]) -> None:
    """Book the demo merchant's show, and open its room where it is shut then: at any hour there is something to prepare."""
    room = town.rooms[1]
    is_early = show.starts_at.astimezone(town.site.zone).hour in MORNING
    reason, reason_en = ("早场", "Early show") if is_early else ("夜场", "Late show")
    for span in shut:
        await close(town.desk, Extent((room.id,)), span, reason=reason, reason_en=reason_en, is_open=True)
    await reservations.reserve(town.desk, Wish(room.uid, show.starts_at, show.ends_at, SHOW_TITLE, town.merchants[0][0]))


async def _handle_facts() -> None:
    """Do in this process what the worker would do for the facts, but tell nobody: planning of live sessions only."""
    registry = build_registry()
    while await spread_facts(registry, limit=500):
        pass
    muted = await database.execute(
        "UPDATE jobs SET state = 'cancelled' WHERE state = 'waiting' AND fact IS NOT NULL AND handler NOT LIKE $1",
        f"{HANDLED[0]}%")
    rows = await database.fetch("SELECT id FROM jobs WHERE state = 'waiting' AND fact IS NOT NULL ORDER BY id")
    for row in rows:
        await run_job(registry, row["id"])
    log.info("demo made", jobs=len(rows), muted=muted)
