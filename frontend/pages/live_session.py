"""The session on the phone of its people: state, key, output, extension, end, and what is declared by a person's word."""

import asyncio
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import MediaType, Response, WebSocket, get, post, websocket
from litestar.params import FromPath, FromQuery, JSONBody
from markupsafe import Markup

from booking.reservations import queries as reservation_queries, service as reservations
from booking.reservations.rules import STANDING
from frontend import feeds, i18n
from frontend.auth import actor_or_device, signed_in, who
from frontend.composition import AWAY
from frontend.errors import status_of
from frontend.pages.booking_words import Chip, day_of
from frontend.pages.control_state import around, canvas_of, encode, ms, rig_message, room_name, session_message
from frontend.pages.live_view import OUTPUT_NAMES, OUTPUT_NOTES, LiveView, live_chip, state_of, view_of
from frontend.pages.reservation_view import code_hint, wants_key
from frontend.views import ANSWERS_JSON, AnyRequest, form, fragment, is_htmx, mark_of, page, see_other, version_of, whole
from incubator.ground import clock
from incubator.ground.errors import N_, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants.rules import PLATFORMS
from incubator.sites.queries import SiteFacts, first_site
from studio.control import service as control
from studio.control.queries import seat
from studio.control.switchboard import RoomsAway, Seen
from studio.destinations import service as destinations
from studio.live_sessions import queries as live_sessions, service as live_service
from studio.live_sessions.queries import LiveSession

PICTURE_HEADERS = {"Cache-Control": "private, max-age=300, immutable"}
DAYS_SHOWN = 3
FRESH_S = 0.8
PATIENCE_S = 0.5  # with Redis; a page that waits for it longer would itself be late to say that nobody knows


async def seen_of(request: Any, rig_id: int | None) -> Seen | None:
    """Return what the director last said of a rig, and how old that is; None while nobody serves it or Redis is away."""
    if rig_id is None:
        return None
    try:
        return await asyncio.wait_for((await feeds.switchboard_of(request.app)).seen(rig_id, fresh_s=FRESH_S), PATIENCE_S)
    except (RoomsAway, *AWAY):
        return None


async def _parts(request: AnyRequest, uid: UUID, **extra: Any) -> dict[str, Any]:
    """Return the context of the page's parts; `mark` stands for all that they show."""
    actor = signed_in(request)
    found = await around(actor, uid)
    session = found.session
    lines = await live_sessions.as_run_of(session.id, 100)
    view = view_of(found, await seen_of(request, session.rig_id), lines)
    facts = await reservation_queries.reservation(actor, session.reservation_uid)
    has_client_span = any(span.kind == "client" for span in session.on_air)
    hint = code_hint(facts, clock.now())
    mark = mark_of((session.reservation_version, view, hint))
    return {
        "v": view, "mark": mark, "now_ms": ms(clock.now()), "ends_ms": ms(session.ends_at), "code_hint": hint,
        "outputs": [(value, i18n.gettext(name), i18n.gettext(OUTPUT_NOTES[value])) for value, name in OUTPUT_NAMES.items()],
        "platforms": [(value, i18n.gettext(name)) for value, name in PLATFORMS.items()],
        "aired": timedelta(seconds=session.seconds_on_air()), "recorded": timedelta(seconds=session.seconds_recorded()),
        "needs_sign_out": has_client_span and session.account_left_at is None,
        "key_error": "", "error": "", "done_text": "", "undo": None,
    } | extra


@get("/live-sessions/{uid:uuid}", include_in_schema=False)
async def live_session_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show one session."""
    context = await _parts(request, uid)
    return await page(request, "live_session.html", **context | {"done_text": _done_text(request, context["v"])})


def _done_text(request: AnyRequest, view: LiveView) -> str:
    """Return what was just done, as the address says; of the key only as much as is true now."""
    done = request.query_params.get("done", "")
    if done == "key" and view.key_state == "kept":
        return i18n.gettext(N_("Key saved."))
    return i18n.gettext(N_("Key removed.")) if done == "forget-key" and view.key_state == "none" else ""


@get("/live-sessions/{uid:uuid}/parts", include_in_schema=False)
async def live_session_parts(request: AnyRequest, uid: FromPath[UUID], seen: FromQuery[str] = "") -> Response[Any]:
    """Return the parts if they are others than those seen."""
    context = await _parts(request, uid)
    if context["mark"] == seen:
        return Response(None, status_code=204)
    return fragment(request, "_live_session.html", **context)


async def _again(request: AnyRequest, uid: UUID, error: KaiboError, *, of_key: bool = False) -> Response[Any]:
    """Show the page with the refusal where it belongs."""
    if isinstance(error, NotFound):
        raise error
    fields = error.errors if isinstance(error, Invalid) else ()
    told = i18n.translate(fields[0].msgid, dict(fields[0].params)) if fields else i18n.translate(error.text, error.params)
    if of_key and is_htmx(request):
        session = await live_sessions.live_session(signed_in(request), uid)
        return fragment(request, "_live_key_refused.html", status=status_of(error), s=session, key_error=told)
    extra = {"key_error" if of_key else "error": told}
    return await page(request, "live_session.html", status=status_of(error), **await _parts(request, uid, **extra))


@post("/live-sessions/{uid:uuid}/key", include_in_schema=False)
async def paste_key(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Store the stream key; a refused one stays in the browser's field, and is in no answer."""
    fields = await form(request)
    try:
        await destinations.paste(signed_in(request), uid, fields.get("text", ""), version=version_of(fields))
    except KaiboError as error:
        return await _again(request, uid, error, of_key=True)
    return see_other(request, f"/live-sessions/{uid}?done=key")


@post("/live-sessions/{uid:uuid}/output", include_in_schema=False)
async def choose_output(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Choose how the session goes out."""
    fields = await form(request)
    try:
        await live_service.choose_output(signed_in(request), uid, fields.get("output", ""), fields.get("platform", ""),
                                         version=version_of(fields))
    except KaiboError as error:
        return await _again(request, uid, error)
    return see_other(request, f"/live-sessions/{uid}")


@post("/live-sessions/{uid:uuid}/{act:str}", include_in_schema=False)
async def act_on_session(request: AnyRequest, uid: FromPath[UUID], act: FromPath[str]) -> Response[Any]:
    """Do one of the acts that need no more than a tap."""
    fields = await form(request)
    verb = ACTS.get(act)
    if verb is None:
        raise NotFound()
    try:
        await verb(signed_in(request), uid, fields)
    except KaiboError as error:
        return await _again(request, uid, error)
    return see_other(request, f"/live-sessions/{uid}?done={act}")


async def _extend(actor: Actor, uid: UUID, fields: dict[str, str]) -> None:
    session = await live_sessions.live_session(actor, uid)
    await reservations.extend(actor, session.reservation_uid, whole(fields.get("minutes", "")) or 0, version=version_of(fields))


async def _end(actor: Actor, uid: UUID, fields: dict[str, str]) -> None:
    session = await live_sessions.live_session(actor, uid)
    await reservations.end_early(actor, session.reservation_uid, version=version_of(fields))


ACTS: dict[str, Any] = {
    "shown": lambda actor, uid, _: live_service.declare_shown(actor, uid),
    "account-left": lambda actor, uid, _: live_service.account_left(actor, uid),
    "key-reset": lambda actor, uid, _: live_service.declare_key_reset(actor, uid),
    "forget-key": lambda actor, uid, fields: destinations.forget(actor, uid, version=version_of(fields)),
    "help": lambda actor, uid, _: control.call_staff(actor, 0, uid),
    "extend": _extend,
    "end": _end,
}


async def control_context(request: AnyRequest, actor: Actor, uid: UUID) -> dict[str, Any]:
    """Return what the control page needs for its first picture."""
    place = await seat(actor, uid)
    found = await around(actor, uid)
    session = found.session
    rig = rig_message(await seen_of(request, session.rig_id), place)
    first = f"[{encode(session_message(found, place, 1))},{encode(rig)}]".replace("<", "\\u003c")
    return {
        "session": session, "room": room_name(session.unit_name, session.unit_name_en),
        "initial": Markup(first),  # noqa: S704 -- JSON in a data block, its < escaped
        "canvas": canvas_of(session.canvas_width, session.canvas_height), "zone": i18n.current_zone().key,
    }


@get("/live-sessions/{uid:uuid}/control", include_in_schema=False)
async def control_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show the controls on a person's phone or desk."""
    return await page(request, "live_session_control.html", key_qr="", **await control_context(request, signed_in(request), uid))


@websocket("/live-sessions/{uid:uuid}/control")
async def control_socket(socket: WebSocket[Any, Any, Any], uid: FromPath[UUID]) -> None:
    """Serve the open controls of a person or of the room's tablet."""
    await feeds.serve(socket, who(socket), uid)


@get("/live-sessions/{uid:uuid}/control/state", include_in_schema=False, opt=ANSWERS_JSON)
async def control_state(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Return what the socket would say, for browsers through which no socket comes."""
    actor = actor_or_device(request)
    place, found = await seat(actor, uid), await around(actor, uid)
    seen = await seen_of(request, found.session.rig_id)
    return Response([session_message(found, place, 1), rig_message(seen, place)], media_type=MediaType.JSON)


@post("/live-sessions/{uid:uuid}/control/commands", include_in_schema=False, status_code=200, opt=ANSWERS_JSON)
async def control_command(request: AnyRequest, uid: FromPath[UUID], data: JSONBody[feeds.Ask]) -> Response[Any]:
    """Do what the page asks, for browsers through which no socket comes, and for a panic while the socket is down."""
    actor = actor_or_device(request)
    place = await seat(actor, uid)
    return Response(await feeds.act(await feeds.switchboard_of(request.app), actor, place, data), media_type=MediaType.JSON)


@get("/live-sessions/{uid:uuid}/pictures/{index:int}", include_in_schema=False)
async def scene_picture(request: AnyRequest, uid: FromPath[UUID], index: FromPath[int]) -> Response[Any]:
    """Return the picture of a scene; only while the rig is there for this session, and only one that was taken in it.

    Without one there is no content: a picture that went between a page's hearing of it and its asking is no error of the page.
    """
    place = await seat(actor_or_device(request), uid)
    board = await feeds.switchboard_of(request.app)
    snapshot = await board.snapshot(place.rig_id) if place.rig_id else None
    is_ours = snapshot is not None and snapshot.plan.session == place.session_id
    picture = await board.picture(place.rig_id, index) if is_ours else None
    if picture is None or picture.session != place.session_id:
        return Response(None, status_code=204)
    return Response(picture.data, media_type=picture.content_type, headers=PICTURE_HEADERS)


@get("/reservations/{uid:uuid}/live", include_in_schema=False)
async def reservation_live(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Return the session's line on its booking's page again, until the session has followed the booking."""
    actor = signed_in(request)
    one = await reservation_queries.reservation(actor, uid)
    live = await live_sessions.of_reservation(actor, uid)
    if live is None and one.state in STANDING:
        return Response(None, status_code=204)
    return fragment(request, "_reservation_live.html", live=live, live_chip=live and live_chip(live), wants_key=wants_key(live))


@get("/live", include_in_schema=False)
async def live_list(request: AnyRequest, day: FromQuery[str] = "") -> Response[Any]:
    """Show the sessions of those acted for by days: what runs or comes first; of the whole house three days at a time."""
    actor, site = signed_in(request), await first_site()
    today = site.local_date(clock.now())
    if actor.merchant_id is not None:
        first, found = today, await live_sessions.of_merchant(actor, actor.merchant_id, 60)
    else:
        first = day_of(day) or today
        last = first + timedelta(days=DAYS_SHOWN - 1)
        found = await live_sessions.sessions_between(actor, site.id, site.day(first).starts_at, site.day(last).ends_at)
    rows = [_row(one) for one in found if state_of(one) != "cancelled"]
    return await page(
        request, "live_sessions.html", coming=_by_days((one for one in rows if not one.is_over), site),
        past=_by_days((one for one in rows if one.is_over), site, newest_first=True), is_house=actor.merchant_id is None,
        is_now=first == today, earlier=first - timedelta(days=DAYS_SHOWN), later=first + timedelta(days=DAYS_SHOWN))


class Row(msgspec.Struct, frozen=True):
    """One session in a list."""

    session: LiveSession
    span: Span
    room: str
    chip: Chip
    aired: timedelta

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more comes of it."""
        return state_of(self.session) == "ended"


class Day(msgspec.Struct, frozen=True):
    """The sessions that begin on one day."""

    day: date
    rows: list[Row]


def _row(session: LiveSession) -> Row:
    return Row(session, Span(session.starts_at, session.ends_at), room_name(session.unit_name, session.unit_name_en),
               live_chip(session), timedelta(seconds=session.seconds_on_air()))


def _by_days(rows: Iterable[Row], site: SiteFacts, *, newest_first: bool = False) -> list[Day]:
    """Return rows under the days on which they begin; within a day what is on air comes first."""
    days: dict[date, list[Row]] = {}
    for one in sorted(rows, key=lambda one: one.session.starts_at, reverse=newest_first):
        days.setdefault(site.local_date(one.session.starts_at), []).append(one)
    return [Day(day, sorted(found, key=lambda one: not one.session.is_sending)) for day, found in days.items()]


HANDLERS = [
    live_session_page, live_session_parts, paste_key, choose_output, act_on_session, control_page, control_socket, control_state,
    control_command, scene_picture, reservation_live, live_list,
]
