"""Reservations: making, moving and ending them by forms; one whole; the list with search."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from booking.checkin import service as desk
from booking.offers import queries as offers
from booking.offers.rules import Alternative
from booking.reservations import queries, service, undoing
from booking.reservations.queries import Filters, ReservationFacts
from booking.reservations.service import Changes
from booking.reservations.tables import State
from booking.units import queries as units
from frontend import i18n
from frontend.auth import signed_in
from frontend.errors import status_of
from frontend.feeds_days import announce_quietly
from frontend.pages.booking_sheet import Wanted, sheet_of, space_of, uid_of, wanted_of, wanted_span, wish_of
from frontend.pages.booking_words import CHIPS, day_of, field_texts, others, refusal_text, span_text
from frontend.pages.grid import Look, asked_day, can_book, show_day
from frontend.pages.live_view import live_chip
from frontend.pages.reservation_view import deeds_of, row_of, undo_of, unit_name, view_of, wants_key
from frontend.pages.twice import booked
from frontend.views import AnyRequest, app_redis, form, fragment, is_htmx, page, see_other, version_of, whole
from frontend.ways import bookings_word
from incubator.ground import clock
from incubator.ground.errors import N_, Conflict, Forbidden, Invalid, KaiboError
from incubator.ground.rights import Actor
from incubator.sites.queries import SiteFacts, first_site
from studio.live_sessions import queries as live_sessions

WHENS = {"coming": N_("From today"), "past": N_("Before today"), "all": N_("All times, latest first")}
LISTED = (State.CONFIRMED, State.CHECKED_IN, State.FINISHED, State.NO_SHOW, State.CANCELLED)
DONE = {
    "booked": N_("Booked: {room}, {span}."), "moved": N_("Moved: {room}, {span}."), "extended": N_("Extended: {room}, {span}."),
    "ended": N_("Ended: {room}, {span}."), "cancelled": N_("Cancelled: {room}, {span}."),
    "no-show": N_("Marked as no-show: {room}, {span}."), "checked-in": N_("Checked in: {room}, {span}."),
    "restored": N_("Restored: {room}, {span}."),
}
PAGE_ROWS = 30


def done_text(done: str, one: ReservationFacts) -> str:
    """Return what was done, with room and time; nothing for an unknown word."""
    msgid = DONE.get(done)
    return "" if msgid is None else i18n.translate(msgid, {"room": unit_name(one), "span": span_text(one.span)})


@get("/reservations/check", include_in_schema=False)
async def check(request: AnyRequest) -> Response[Any]:
    """Say what the house finds about a wish, before it is sent; changes nothing."""
    actor, site = signed_in(request), await first_site()
    fields = {name: value for name, value in request.query_params.multi_items() if isinstance(value, str)}
    move = uid_of(fields.get("move", ""))
    wanted = wanted_of(fields, await queries.reservation(actor, move) if move else None)
    return fragment(request, "_grid_check.html", sheet=await sheet_of(actor, site, wanted))


@post("/reservations/hold", include_in_schema=False, status_code=200)
async def hold(request: AnyRequest) -> Response[Any]:
    """Keep the time while the sheet is open; another time of the same page takes its place."""
    actor, site = signed_in(request), await first_site()
    wanted = wanted_of(await form(request))
    before = await queries.held_by(actor, wanted.page_key)
    made = await service.reserve(actor, await wish_of(actor, site, wanted), hold=True, page_key=wanted.page_key)
    await announce_quietly(app_redis(request), *before, made.id)
    return Response({"id": str(made.uid), "version": made.version})


@post("/reservations/release", include_in_schema=False, status_code=204)
async def release(request: AnyRequest) -> None:
    """Give the page's hold back when its sheet is closed."""
    actor, site = signed_in(request), await first_site()
    if not await can_book(actor, site):
        raise Forbidden()
    freed = await service.release(actor, (await form(request)).get("page_key", ""))
    await announce_quietly(app_redis(request), *freed)


@post("/reservations/new", include_in_schema=False, status_code=200)
async def book(request: AnyRequest) -> Response[Any]:
    """Book what the sheet says; a refusal brings the sheet back with what would work."""
    actor, site = signed_in(request), await first_site()
    fields = await form(request)
    wanted = wanted_of(fields)
    if fields.get("choose"):
        return await _sheet_again(request, actor, site, wanted, None)
    before = await queries.held_by(actor, wanted.page_key)
    try:
        made = await booked(actor, await wish_of(actor, site, wanted), wanted.page_key or None)
    except (Conflict, Invalid) as refusal:
        return await _sheet_again(request, actor, site, wanted, refusal)
    await announce_quietly(app_redis(request), *before, made.id)
    return await _after(request, actor, made, "booked")


async def _after(request: AnyRequest, actor: Actor, one: ReservationFacts, done: str) -> Response[Any]:
    """Answer after a deed: the schedule gets a toast with its undo, a plain form the reservation's page with the same."""
    if is_htmx(request):
        undo = await undo_of(actor, await first_site(), one)
        href = f"/reservations/{one.uid}" if done == "booked" else ""
        return fragment(request, "_grid_toast.html", text=done_text(done, one), href=href, undo=undo)
    return see_other(request, f"/reservations/{one.uid}?{urlencode({'done': done})}")


async def _sheet_again(request: AnyRequest, actor: Actor, site: SiteFacts, wanted: Wanted,
                       refusal: KaiboError | None) -> Response[Any]:
    """Show the sheet again with its input; alone for the module, within the whole page for a plain form."""
    sheet = await sheet_of(actor, site, wanted, refusal)
    status = 200 if refusal is None else status_of(refusal)
    if is_htmx(request):
        return fragment(request, "_grid_sheet.html", status=status, sheet=sheet)
    day = day_of(wanted.date) or site.local_date(clock.now())
    look = Look(wanted.kind or "live_room", False, wanted.merchant)
    return await show_day(request, actor, asked_day(str(day)), look, sheet, status)


@get("/reservations/{uid:uuid}", include_in_schema=False)
async def reservation_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show one reservation."""
    return await _show(request, signed_in(request), uid)


async def _show(request: AnyRequest, actor: Actor, uid: UUID, *, refusal: KaiboError | None = None,
                values: Mapping[str, str] | None = None) -> Response[Any]:
    """Render a reservation; after a refusal with the form as it was filled in."""
    one = await queries.reservation(actor, uid)
    site = await first_site()
    is_form = isinstance(refusal, Invalid)
    done = "" if refusal else done_text(request.query_params.get("done", ""), one)
    view = await view_of(actor, site, one)
    instead = (refusal.extra if refusal else {}).get("alternatives", []) or (await _instead(site, one) if view.closed else [])
    live = await live_sessions.of_reservation(actor, uid) if one.unit_kind == "live_room" else None
    return await page(
        request, "reservation.html", status=200 if refusal is None else status_of(refusal), r=view,
        history=await deeds_of(one), live=live, live_chip=live and live_chip(live), wants_key=wants_key(live),
        values=values or {}, errors={} if refusal is None else field_texts(refusal),
        refusal="" if refusal is None or is_form else refusal_text(refusal),
        undo=await undo_of(actor, site, one) if done else None, alternatives=others(instead[:4], site), done_text=done)


@get("/reservations/{uid:uuid}/key", include_in_schema=False)
async def key_place(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Go to where the stream key is pasted; the session is made a moment after its booking, till then the booking is shown."""
    actor = signed_in(request)
    one = await queries.reservation(actor, uid)
    live = await live_sessions.of_reservation(actor, one.uid)
    return see_other(request, f"/live-sessions/{live.uid}#key-text" if live else f"/reservations/{one.uid}")


async def _instead(site: SiteFacts, one: ReservationFacts) -> list[Alternative]:
    """Return where a reservation could go whose room was closed."""
    unit = await units.unit(one.unit_uid)
    host_unit = None if one.host_id is None else await units.unit_id_of_person(one.host_id)
    return await offers.alternatives_to(site, unit, one.span, host_unit_id=host_unit, except_ids=[one.id])


Verb = Callable[[Actor, UUID, Mapping[str, str]], Awaitable[ReservationFacts]]


async def _run(request: AnyRequest, uid: UUID, done: str, verb: Verb) -> Response[Any]:
    """Run one verb of the page; a refusal shows the page again with the form kept."""
    actor = signed_in(request)
    fields = await form(request)
    try:
        one = await verb(actor, uid, fields)
    except (Conflict, Invalid) as refusal:
        return await _refused(request, actor, uid, refusal, fields)
    await announce_quietly(app_redis(request), one.id)
    return await _after(request, actor, one, done)


async def _refused(request: AnyRequest, actor: Actor, uid: UUID, refusal: Conflict | Invalid,
                   fields: Mapping[str, str]) -> Response[Any]:
    """Answer a refusal: the schedule's undo gets its words, a plain form the page with the form kept."""
    if is_htmx(request):
        text = " ".join(field_texts(refusal).values()) or refusal_text(refusal)
        return fragment(request, "_grid_toast.html", status=status_of(refusal), text=text, href=f"/reservations/{uid}", undo=None,
                        is_refused=True)
    return await _show(request, actor, uid, refusal=refusal, values=fields)


@post("/reservations/{uid:uuid}/move", include_in_schema=False, status_code=200)
async def move(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Change room, time or title; from the schedule as from the page."""
    actor, site = signed_in(request), await first_site()
    fields = await form(request)
    before = await queries.reservation(actor, uid)
    wanted = wanted_of({**fields, "kind": before.unit_kind}, before)
    try:
        if fields.get("choose") and fields.get("back") != "grid":
            fields = {**fields, "space": wanted.space, "date": wanted.date, "from": wanted.starts, "to": wanted.ends}
        after = await service.move(actor, uid, await _changes(wanted, fields, site), version=version_of(fields))
    except (Conflict, Invalid) as refusal:
        if fields.get("back") == "grid":
            return await _sheet_again(request, actor, site, wanted, refusal)
        return await _refused(request, actor, uid, refusal, fields)
    await announce_quietly(app_redis(request), after.id)
    return await _after(request, actor, after, "moved")


async def _changes(wanted: Wanted, fields: Mapping[str, str], site: SiteFacts) -> Changes:
    span = await wanted_span(wanted, site)
    return Changes(span.starts_at, span.ends_at, (await space_of(wanted)).uid, fields.get("title"))


@post("/reservations/{uid:uuid}/extend", include_in_schema=False, status_code=200)
async def extend(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Let it end later."""
    return await _run(request, uid, "extended", _extend)


async def _extend(actor: Actor, uid: UUID, fields: Mapping[str, str]) -> ReservationFacts:
    return await service.extend(actor, uid, whole(fields.get("minutes", "")) or 0, version=version_of(fields))


@post("/reservations/{uid:uuid}/end", include_in_schema=False, status_code=200)
async def end(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """End it now."""
    return await _run(request, uid, "ended", _end)


async def _end(actor: Actor, uid: UUID, fields: Mapping[str, str]) -> ReservationFacts:
    return await service.end_early(actor, uid, version=version_of(fields))


@post("/reservations/{uid:uuid}/cancel", include_in_schema=False, status_code=200)
async def cancel(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Give it back."""
    return await _run(request, uid, "cancelled", _cancel)


async def _cancel(actor: Actor, uid: UUID, fields: Mapping[str, str]) -> ReservationFacts:
    return await service.cancel(actor, uid, reason=fields.get("reason", ""), version=version_of(fields))


@post("/reservations/{uid:uuid}/no-show", include_in_schema=False, status_code=200)
async def no_show(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Note that nobody came."""
    return await _run(request, uid, "no-show", _no_show)


async def _no_show(actor: Actor, uid: UUID, fields: Mapping[str, str]) -> ReservationFacts:
    return await service.mark_no_show(actor, uid, version=version_of(fields))


@post("/reservations/{uid:uuid}/check-in", include_in_schema=False, status_code=200)
async def check_in(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Check somebody in who stands at the desk."""
    return await _run(request, uid, "checked-in", _check_in)


async def _check_in(actor: Actor, uid: UUID, fields: Mapping[str, str]) -> ReservationFacts:
    return await desk.check_in(actor, uid, version=version_of(fields))


@post("/reservations/{uid:uuid}/restore", include_in_schema=False, status_code=200)
async def restore(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Let stand again what was just cancelled, or marked as no-show."""
    return await _run(request, uid, "restored", _restore)


async def _restore(actor: Actor, uid: UUID, fields: Mapping[str, str]) -> ReservationFacts:
    return await undoing.restore(actor, uid, version=version_of(fields))


@get("/reservations", include_in_schema=False)
async def list_page(request: AnyRequest) -> Response[Any]:
    """List what the reader may see, by search and filters that stand in the address."""
    actor, site = signed_in(request), await first_site()
    asked = request.query_params
    text, state, when = asked.get("q", "")[:80], asked.get("state", ""), asked.get("when", "coming")
    state, when = state if state in LISTED else "", when if when in WHENS else "coming"
    found = await queries.find(actor, site.id, text, _filters(site, state, when), asked.get("after"), PAGE_ROWS)
    chosen = {name: value for name, value in (("q", text), ("state", state), ("when", when)) if value}
    return await page(
        request, "reservations.html", heading=bookings_word(actor), rows=[row_of(one) for one in found.items],
        q=text, state=state, when=when,
        whens=[(key, i18n.gettext(word)) for key, word in WHENS.items()], states=[(str(one), CHIPS[one][2]) for one in LISTED],
        next=f"/reservations?{urlencode({**chosen, 'after': found.next})}" if found.next else "",
        first=f"/reservations?{urlencode(chosen)}" if asked.get("after") else "", can_book=await can_book(actor, site),
        book_href="/days?new=1" if actor.is_of_the_house else "/book")


def _filters(site: SiteFacts, state: str, when: str) -> Filters:
    today = site.day(site.local_date(clock.now()))
    states = (state,) if state else ()
    if when == "coming":
        return Filters(states=states, starts_after=today.starts_at, soonest_first=True)
    if when == "past":
        return Filters(states=states, starts_before=today.starts_at)
    return Filters(states=states)


HANDLERS = (check, hold, release, book, reservation_page, key_place, move, extend, end, cancel, no_show, check_in, restore,
            list_page)
