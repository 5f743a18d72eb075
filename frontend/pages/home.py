"""Home: what do I do now, for merchants and for the house."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get

from booking.offers import queries as offers
from booking.offers.queries import Offer
from booking.policies.queries import quota_of
from booking.policies.rules import Quota
from booking.reservations import queries as reservations
from booking.reservations.queries import ReservationFacts
from booking.reservations.tables import State
from booking.schedule import queries as schedule
from booking.schedule.queries import Block
from frontend import formats, i18n
from frontend.auth import signed_in
from frontend.pages.booking_sheet import QuotaBar, merchant_for, quota_bar
from frontend.pages.booking_words import Chip, chip, hours_text, name_of, near_day
from frontend.pages.grid import can_book
from frontend.pages.live_view import live_chip
from frontend.pages.mentor_desk import Desk, desk_of
from frontend.pages.phone_booking import again_href
from frontend.pages.reservation_view import May, Row, code_hint, code_of, may, row_of, unit_name, who_of
from frontend.pages.schedule import Frame, frame_of, hour_marks
from frontend.views import AnyRequest, page
from frontend.ways import looks_on, ways_of
from incubator.ground import clock
from incubator.ground.errors import N_
from incubator.ground.rights import ROLE_NAMES, Actor
from incubator.invitations import queries as invitations
from incubator.sites.queries import SiteFacts, first_site
from studio.live_sessions import queries as live_sessions
from studio.live_sessions.queries import LiveSession

MOST_COMING = 6
SUGGESTED = 3
DAYS_AHEAD = 4
HOURS_APART = 3
SOON = timedelta(minutes=30)
GREETINGS = ((5, N_("Hello, {name}")), (12, N_("Good morning, {name}")), (18, N_("Good afternoon, {name}")),
             (23, N_("Good evening, {name}")), (24, N_("Hello, {name}")))


class Next(msgspec.Struct, frozen=True):
    """The next booking, large."""

    chip: Chip
    away: str
    hours: str
    day: str
    room: str
    title: str
    href: str
    code: str
    code_spoken: str
    code_hint: str
    acts: Sequence["Act"]


class Again(msgspec.Struct, frozen=True):
    """A slot that would suit again."""

    href: str
    hours: str
    note: str


class Act(msgspec.Struct, frozen=True):
    """What can be done: with the next booking a link, with a row of today a form of one button."""

    text: str
    href: str
    name: str
    kind: str = ""
    busy: str = ""
    fields: Mapping[str, str] = {}


class Task(msgspec.Struct, frozen=True):
    """One row, a link to its booking: cause, date, verb; `show` is left out where there is little room."""

    icon: str
    tone: str
    title: str
    text: str
    show: str
    href: str
    acts: Sequence[Act]


class Group(msgspec.Struct, frozen=True):
    """Rows that belong to the same stretch of time."""

    title: str
    note: str
    rows: Sequence[Task]
    icon: str
    empty: str


class MiniLane(msgspec.Struct, frozen=True):
    """One room in small."""

    name: str
    blocks: Sequence[str]


class Home(msgspec.Struct, frozen=True):
    """Everything on the page; what does not concern a reader is empty."""

    greeting: str
    sub: str
    is_merchant: bool
    may_walk_in: bool = False
    next: Next | None = None
    again: Sequence[Again] = ()
    quota: QuotaBar | None = None
    quota_left: str = ""
    coming: Sequence[Row] = ()
    groups: Sequence[Group] = ()
    rooms: Sequence[MiniLane] = ()
    rooms_text: str = ""
    hours: Sequence[tuple[str, str]] = ()
    steps: int = 0
    now_cls: str = ""
    figures: Sequence[tuple[str, str]] = ()
    figures_title: str = ""
    links: Sequence[tuple[str, str, str]] = ()
    desk: Desk | None = None


@get("/", include_in_schema=False)
async def home_page(request: AnyRequest) -> Response[Any]:
    """Show what the reader does now."""
    actor, site = signed_in(request), await first_site()
    home = await (house_home(actor, site) if looks_on(actor) else merchant_home(actor, site))
    return await page(request, "home.html", home=home, invitations=await invitations.received(actor), role_names=ROLE_NAMES)


def greeting(actor: Actor, site: SiteFacts, now: datetime) -> str:
    """Return a greeting that suits the hour of the site; at night one that suits any."""
    hour = now.astimezone(site.zone).hour
    word = next(word for till, word in GREETINGS if hour < till)
    return i18n.translate(word, {"name": i18n.person(actor.name, actor.name_latin)})


async def merchant_home(actor: Actor, site: SiteFacts) -> Home:
    """Return a merchant's home."""
    now = clock.now()
    merchant_id = await merchant_for(actor, site, "")
    found_coming = await reservations.coming(msgspec.structs.replace(actor, merchant_id=merchant_id), MOST_COMING + 1)
    shows = await live_sessions.of_reservations(actor, [one.uid for one in found_coming])
    coming = sorted(found_coming, key=lambda one: _turn(one, shows.get(one.uid)))
    quota, quota_left = None, ""
    if merchant_id is not None:
        found = await quota_of(merchant_id, site.id, now, now)
        quota, quota_left = quota_bar(found.limit_min, found.used_min), _left(found)
    rest = [msgspec.structs.replace(row_of(one), chip=_chip(one, shows.get(one.uid))) for one in coming[1:]]
    return Home(
        greeting(actor, site, now), i18n.translate(N_("{now:day} · {now:time}"), {"now": now}), is_merchant=True,
        next=await _next(actor, coming[0], shows.get(coming[0].uid), now) if coming else None,
        again=await _again(actor, site, merchant_id, now), quota=quota,
        quota_left=quota_left, coming=rest)


def _turn(one: ReservationFacts, show: LiveSession | None) -> int:
    """Return how soon somebody has to deal with a booking: on air, then checked in, then by time."""
    if show is not None and show.is_sending:
        return 0
    return 1 if one.state == State.CHECKED_IN else 2


def _chip(one: ReservationFacts, show: LiveSession | None) -> Chip:
    """Return how a booking stands; once its show is being prepared, how far that is."""
    is_ahead = show is None or (show.state == "planned" and not show.is_sending)
    return chip(one.state) if show is None or is_ahead else live_chip(show)


def _next_acts(one: ReservationFacts, show: LiveSession | None, can: May, *, has_code: bool) -> list[Act]:
    """Return what to do with the first booking; one verb is the chief one: the key, the controls, else the booking itself."""
    acts = []
    if show is not None:
        href = f"/live-sessions/{show.uid}"
        is_due = show.state == "waiting_for_key" or one.state == State.CHECKED_IN
        if is_due and show.output == "stream" and show.key is None and show.may_paste:
            acts.append((N_("Paste the key"), f"{href}#key-text"))
        if one.state == State.CHECKED_IN:
            acts.append((N_("Open the controls"), f"{href}/control"))
    is_chief = has_code or one.state == State.CHECKED_IN
    acts.append((N_("Open the booking"), f"/reservations/{one.uid}"))
    if can.move:
        acts.append((N_("Move"), f"/reservations/{one.uid}#move"))
    return [Act(i18n.gettext(word), href, i18n.gettext(word), "pri" if is_chief and place == 0 else "")
            for place, (word, href) in enumerate(acts)]


async def _next(actor: Actor, one: ReservationFacts, show: LiveSession | None, now: datetime) -> Next:
    if one.starts_at > now:
        away = i18n.translate(N_("begins in {left}"), {"left": _rounded(one.starts_at - now)})
    else:
        away = i18n.translate(N_("{left} left"), {"left": _rounded(one.ends_at - now)})
    code = await code_of(actor, one, now)
    acts = _next_acts(one, show, may(actor, one, now), has_code=bool(code))
    return Next(_chip(one, show), away, hours_text(one.span), near_day(one.starts_at), unit_name(one), one.title,
                f"/reservations/{one.uid}", code, " ".join(code), code_hint(one, now) if code else "", acts)


def _left(quota: Quota) -> str:
    """Return what is left of the week, and of how much; nothing without limit."""
    if quota.limit_min is None:
        return ""
    left = timedelta(minutes=max(quota.limit_min - quota.used_min, 0))
    return i18n.translate(N_("{left} left of {limit}"), {"left": left, "limit": timedelta(minutes=quota.limit_min)})


def _rounded(length: timedelta) -> timedelta:
    """Return a length in whole minutes, from a day on in whole hours."""
    unit = timedelta(hours=1) if length >= timedelta(days=1) else timedelta(minutes=1)
    return max(length // unit * unit, timedelta(minutes=1))


async def _again(actor: Actor, site: SiteFacts, merchant_id: int | None, now: datetime) -> list[Again]:
    """Return a slot on each of the next days that is most like the last booking."""
    if not await can_book(actor, site):
        return []
    past = await reservations.of_merchant(actor, merchant_id, 1) if merchant_id is not None else ()
    last = past[0] if past and past[0].unit_kind == "live_room" else None
    length_min = last.span.minutes if last else 120
    found = []
    for number in range(1, DAYS_AHEAD + 1):
        day = site.local_date(now) + timedelta(days=number)
        choices = [one for group in (await offers.offers(site, day, length_min)).groups for one in group.offers]
        best = min(choices, key=lambda one: _unlike(one, last, site), default=None)
        if best is not None:
            found.append(Again(again_href(best, site), hours_text(best.span), _why(best, last, site)))
    return found[:SUGGESTED]


def _unlike(one: Offer, last: ReservationFacts | None, site: SiteFacts) -> tuple[int, int]:
    """Return how far an offer is from the last booking: minutes of the day, then the room; without one, evenings first."""
    minutes = _minute(one.span.starts_at, site)
    if last is None:
        return abs(minutes - 19 * 60), 0
    return abs(minutes - _minute(last.starts_at, site)), int(one.space_id != last.unit_uid)


def _minute(moment: datetime, site: SiteFacts) -> int:
    local = moment.astimezone(site.zone)
    return local.hour * 60 + local.minute


def _why(one: Offer, last: ReservationFacts | None, site: SiteFacts) -> str:
    parts = [near_day(one.span.starts_at), name_of(one)]
    if last and _minute(last.starts_at, site) == _minute(one.span.starts_at, site):
        parts.append(i18n.gettext(N_("your usual time")))
    elif last and one.space_id == last.unit_uid:
        parts.append(i18n.gettext(N_("the same room as last time")))
    return " · ".join(parts)


async def house_home(actor: Actor, site: SiteFacts) -> Home:
    """Return the home of whoever works for the centre, or looks at it from outside."""
    now = clock.now()
    sub = i18n.translate(N_("{now:day} · {now:time}"), {"now": now})
    if not actor.may_read_all:
        small = await _rooms(actor, site, now, await live_sessions.on_air(site.id))
        return Home(greeting(actor, site, now), sub, is_merchant=False, desk=await desk_of(actor), **small)
    today = await reservations.arrivals(site.id, site.local_date(now))
    codes, on_air = await reservations.check_in_codes(actor, today), await live_sessions.on_air(site.id)
    soon = [one for one in today if _is_now(one, now)]
    later = [one for one in today if one.state == State.CONFIRMED and one not in soon and one.starts_at > now]
    groups = [
        Group(i18n.gettext(N_("Now")), i18n.gettext(N_("running, leaving, or due within 30 minutes")),
              [_task(actor, one, codes.get(one.uid, ""), now, is_on_air=one.uid in on_air) for one in soon], "check",
              i18n.gettext(N_("Nobody is due just now"))),
        Group(i18n.gettext(N_("Later today")), "", [_task(actor, one, codes.get(one.uid, ""), now) for one in later], "cal",
              i18n.gettext(N_("Nothing more is booked today"))),
    ]
    return Home(
        greeting(actor, site, now), sub, is_merchant=False, may_walk_in=await can_book(actor, site), groups=groups,
        figures=_figures(today, now), figures_title=i18n.gettext(N_("Today")), links=_links(actor),
        **await _rooms(actor, site, now, on_air))


def _is_now(one: ReservationFacts, now: datetime) -> bool:
    """Tell whether somebody at the desk deals with this at present."""
    if one.state == State.CONFIRMED:
        return one.blocked.starts_at - SOON <= now < one.blocked.ends_at
    return one.state in (State.CHECKED_IN, State.FINISHED) and one.blocked.starts_at <= now < one.blocked.ends_at


def _task(actor: Actor, one: ReservationFacts, code: str, now: datetime, *, is_on_air: bool = False) -> Task:
    icon, tone, what = _on_air(one) if is_on_air else _condition(one, now)
    title = f"{hours_text(one.span)} {unit_name(one)} · {who_of(one)}"
    parts = [what, i18n.translate(N_("code {code}"), {"code": code}) if code and one.state == State.CONFIRMED else ""]
    text, href = " · ".join(part for part in parts if part), f"/reservations/{one.uid}"
    return Task(icon, tone, title, text, one.title, href, _acts(actor, one, href, title, now))


def _on_air(one: ReservationFacts) -> tuple[str, str, str]:
    return "cast", "air", i18n.translate(N_("on air, until {till:time}"), {"till": one.ends_at})


def _condition(one: ReservationFacts, now: datetime) -> tuple[str, str, str]:
    """Return icon, tone and words for how a reservation stands now."""
    if one.ends_at <= now:
        return "exit", "", i18n.translate(N_("clearing out until {till:time}"), {"till": one.blocked.ends_at})
    if one.state == State.CHECKED_IN:
        return "door", "brand", i18n.translate(N_("in the room, until {till:time}"), {"till": one.ends_at})
    if one.starts_at <= now:
        return "clock", "wait", i18n.translate(N_("not checked in, {late} late"), {"late": _rounded(now - one.starts_at)})
    if one.blocked.starts_at <= now:
        return "door", "ok", i18n.gettext(N_("may check in now"))
    return "clock", "", i18n.translate(N_("check-in from {opens:time}"), {"opens": one.blocked.starts_at})


def _acts(actor: Actor, one: ReservationFacts, href: str, title: str, now: datetime) -> list[Act]:
    can = may(actor, one, now)
    fields = {"version": str(one.version)}

    def named(word: str) -> str:
        return f"{word}: {title}"

    acts = []
    if can.no_show and one.ends_at > now:
        word = i18n.gettext(N_("No-show"))
        acts.append(Act(word, f"{href}/no-show", named(word), busy=i18n.gettext(N_("Marking")), fields=fields))
    if can.check_in:
        word = i18n.gettext(N_("Check in"))
        busy = i18n.gettext(N_("Checking in"))
        acts.append(Act(word, f"{href}/check-in", named(word), "pri", busy=busy, fields=fields))
    return acts


async def _rooms(actor: Actor, site: SiteFacts, now: datetime, on_air: Collection[UUID]) -> dict[str, Any]:
    """Return the live rooms of today in small, as fields of Home: lanes, a sentence for who cannot see them, hours, now."""
    found = await schedule.day(actor, site.id, site.local_date(now), ["live_room"])
    frame = frame_of(site, site.local_date(now), {span for unit in found.units for span in unit.open})
    lanes = [MiniLane(name_of(unit.unit), [_look(one, on_air, frame) for one in unit.blocks]) for unit in found.units]
    count = sum(len(unit.blocks) for unit in found.units)
    text = i18n.translate(
        N_("{rooms} live rooms from {from:time} to {to:time}, {count} bookings, {live} on air"),
        {"rooms": len(lanes), "from": frame.span.starts_at, "to": frame.span.ends_at, "count": count, "live": len(on_air)})
    hours = [mark for mark in hour_marks(frame, site)[1:] if int(mark[1][:2]) % HOURS_APART == 0]
    return {"rooms": lanes, "rooms_text": text, "steps": frame.steps, "hours": hours,
            "now_cls": f"s{frame.at(now)}" if frame.span.contains(now) else ""}


def _look(one: Block, on_air: Collection[UUID], frame: Frame) -> str:
    """Return the classes of a block in small: how it stands and where it lies."""
    start = frame.at(one.starts_at)
    kind = "air " if one.uid in on_air else "held " if one.state == "held" else ""
    return f"{kind}s{start} w{max(frame.at(one.ends_at) - start, 1)}"


def _figures(today: Sequence[ReservationFacts], now: datetime) -> list[tuple[str, str]]:
    """Return the day in figures; cancelled ones count only as such."""
    standing = [one for one in today if one.state != State.CANCELLED]
    hours = sum((one.span.length for one in standing if one.unit_kind == "live_room"), timedelta())
    told = [
        (N_("Bookings"), formats.number(len(standing), i18n.speech())),
        (N_("Hours in live rooms"), formats.duration(hours, i18n.speech())),
        (N_("Checked in"), str(sum(one.checked_in_at is not None for one in standing))),
        (N_("Still to come"), str(sum(one.state == State.CONFIRMED and one.starts_at > now for one in standing))),
        (N_("No-shows"), str(sum(one.state == State.NO_SHOW for one in standing))),
        (N_("Cancelled"), str(len(today) - len(standing))),
    ]
    return [(i18n.gettext(term), text) for term, text in told]


def _links(actor: Actor) -> list[tuple[str, str, str]]:
    """Return where this reader works besides this page and the schedule beside it."""
    ways = [(way.href, way.icon, way.text) for way in ways_of(actor) if way.href not in ("/", "/days")]
    return [*ways, ("/closures", "lock", i18n.gettext(N_("Closures")))]


HANDLERS = (home_page,)
