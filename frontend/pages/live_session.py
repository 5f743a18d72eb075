"""The session on the phone of its people: state, key, output, extension, end, and what is declared by a person's word."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import MediaType, Response, WebSocket, get, post, websocket
from litestar.params import FromPath, FromQuery, JSONBody
from markupsafe import Markup

from booking.reservations import queries as reservation_queries, service as reservations
from frontend import feeds, i18n
from frontend.auth import actor_or_device, signed_in, who
from frontend.composition import AWAY
from frontend.errors import status_of
from frontend.pages.control_state import around, canvas_of, encode, ms, rig_message, room_name, session_message
from frontend.pages.live_view import OUTPUT_NAMES, OUTPUT_NOTES, PLATFORM_NAMES, view_of
from frontend.views import AnyRequest, form, fragment, is_htmx, page, see_other, whole
from incubator.ground import clock
from incubator.ground.errors import N_, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.sites.queries import first_site
from studio.control import service as control
from studio.control.queries import seat
from studio.control.switchboard import RoomsAway, Seen
from studio.destinations import service as destinations
from studio.live_sessions import queries as live_sessions, service as live_service
from studio.live_sessions.queries import LiveSession

PICTURE_HEADERS = {"Cache-Control": "private, max-age=300, immutable"}
COMING = timedelta(days=60)
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
    mark = hashlib.sha256(repr(msgspec.to_builtins(view)).encode()).hexdigest()[:12]
    return {
        "v": view, "mark": mark, "now_ms": ms(clock.now()), "ends_ms": ms(session.ends_at), "opens_at": facts.blocked.starts_at,
        "outputs": [(value, i18n.gettext(name), i18n.gettext(OUTPUT_NOTES[value])) for value, name in OUTPUT_NAMES.items()],
        "platforms": [(value, i18n.gettext(name)) for value, name in PLATFORM_NAMES.items()],
        "aired": timedelta(seconds=session.seconds_on_air()), "recorded": timedelta(seconds=session.seconds_recorded()),
        "needs_sign_out": has_client_span and session.account_left_at is None, "key_error": "", "error": "", "done_text": "",
    } | extra


@get("/live-sessions/{uid:uuid}", include_in_schema=False)
async def live_session_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show one session."""
    return await page(request, "live_session.html", **await _parts(request, uid))


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


def _version(fields: dict[str, str]) -> int:
    found = whole(fields.get("version", ""))
    return -1 if found is None else found


@post("/live-sessions/{uid:uuid}/key", include_in_schema=False)
async def paste_key(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Store the stream key; a refused one stays in the browser's field, and is in no answer."""
    fields = await form(request)
    try:
        await destinations.paste(signed_in(request), uid, fields.get("text", ""), version=_version(fields))
    except KaiboError as error:
        return await _again(request, uid, error, of_key=True)
    return see_other(request, f"/live-sessions/{uid}")


@post("/live-sessions/{uid:uuid}/output", include_in_schema=False)
async def choose_output(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Choose how the session goes out."""
    fields = await form(request)
    try:
        await live_service.choose_output(signed_in(request), uid, fields.get("output", ""), fields.get("platform", ""),
                                         version=_version(fields))
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
    return see_other(request, f"/live-sessions/{uid}")


async def _extend(actor: Actor, uid: UUID, fields: dict[str, str]) -> None:
    session = await live_sessions.live_session(actor, uid)
    await reservations.extend(actor, session.reservation_uid, whole(fields.get("minutes", "")) or 0,
                              version=session.reservation_version)


async def _end(actor: Actor, uid: UUID, _fields: dict[str, str]) -> None:
    session = await live_sessions.live_session(actor, uid)
    await reservations.end_early(actor, session.reservation_uid, version=session.reservation_version)


ACTS: dict[str, Any] = {
    "shown": lambda actor, uid, _: live_service.declare_shown(actor, uid),
    "account-left": lambda actor, uid, _: live_service.account_left(actor, uid),
    "key-reset": lambda actor, uid, _: live_service.declare_key_reset(actor, uid),
    "forget-key": lambda actor, uid, fields: destinations.forget(actor, uid, version=_version(fields)),
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


@get("/live-sessions/{uid:uuid}/control/state", include_in_schema=False)
async def control_state(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Return what the socket would say, for browsers through which no socket comes."""
    actor = actor_or_device(request)
    place, found = await seat(actor, uid), await around(actor, uid)
    seen = await seen_of(request, found.session.rig_id)
    return Response([session_message(found, place, 1), rig_message(seen, place)], media_type=MediaType.JSON)


@post("/live-sessions/{uid:uuid}/control/commands", include_in_schema=False, status_code=200)
async def control_command(request: AnyRequest, uid: FromPath[UUID], data: JSONBody[feeds.Ask]) -> Response[Any]:
    """Do what the page asks, for browsers through which no socket comes, and for a panic while the socket is down."""
    actor = actor_or_device(request)
    place = await seat(actor, uid)
    return Response(await feeds.act(await feeds.switchboard_of(request.app), actor, place, data), media_type=MediaType.JSON)


@get("/live-sessions/{uid:uuid}/pictures/{index:int}", include_in_schema=False)
async def scene_picture(request: AnyRequest, uid: FromPath[UUID], index: FromPath[int]) -> Response[Any]:
    """Return the picture of a scene; only while the rig is there for this session."""
    place = await seat(actor_or_device(request), uid)
    board = await feeds.switchboard_of(request.app)
    snapshot = await board.snapshot(place.rig_id) if place.rig_id else None
    if snapshot is None or snapshot.plan.session != place.session_id:
        raise NotFound()
    picture = await board.picture(place.rig_id, index)
    if picture is None:
        raise NotFound()
    return Response(picture.data, media_type=picture.content_type, headers=PICTURE_HEADERS)


@get("/live", include_in_schema=False)
async def live_list(request: AnyRequest) -> Response[Any]:
    """Show the sessions of those acted for: what runs or comes first, then what was."""
    actor = signed_in(request)
    now = clock.now()
    if actor.merchant_id is not None:
        found = await live_sessions.of_merchant(actor, actor.merchant_id, 60)
    else:
        found = await live_sessions.sessions_between(actor, (await first_site()).id, now - timedelta(hours=12), now + COMING)
    coming = sorted((one for one in found if one.state not in {"ended", "cancelled"}), key=lambda one: one.starts_at)
    past = sorted((one for one in found if one.state == "ended"), key=lambda one: one.starts_at, reverse=True)
    return await page(request, "live_sessions.html", coming=[_row(one) for one in coming], past=[_row(one) for one in past])


class Row(msgspec.Struct, frozen=True):
    """One session in a list."""

    session: LiveSession
    room: str
    kind: str
    state: str
    aired: timedelta


STATE_WORDS = {
    "planned": ("line", N_("Planned")), "preparing": ("info", N_("Preparing")),
    "waiting_for_key": ("wait", N_("Waiting for key")), "ready": ("ok", N_("Ready")), "failed": ("alarm", N_("Not ready")),
    "ended": ("", N_("Over")), "cancelled": ("", N_("Cancelled")),
}


def _row(session: LiveSession) -> Row:
    kind, word = STATE_WORDS[session.state]
    is_running = any(span.stopped_at is None for span in session.on_air)
    kind, word = ("air", N_("On air")) if is_running else (kind, word)
    return Row(session, room_name(session.unit_name, session.unit_name_en), kind, i18n.gettext(word),
               timedelta(seconds=session.seconds_on_air()))


HANDLERS = [
    live_session_page, live_session_parts, paste_key, choose_output, act_on_session, control_page, control_socket, control_state,
    control_command, scene_picture, live_list,
]
