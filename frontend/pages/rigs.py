"""The board of rooms and each rig's page: state with alarms, set-up, connection test, calling clean, calls for help."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery

from frontend import feeds, i18n
from frontend.auth import signed_in
from frontend.errors import status_of
from frontend.pages.control_state import ms
from frontend.pages.live_session import seen_of
from frontend.pages.reasons import reason_text
from frontend.pages.rig_view import Room, calls_of, room_of
from frontend.views import AnyRequest, form, fragment, mark_of, page, see_other, version_of, whole
from incubator.ground import clock
from incubator.ground.errors import N_, Invalid, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.sites.queries import first_site
from studio.control import queries as control_queries, service as control
from studio.director.wire import RigSnapshot
from studio.live_sessions.queries import LiveSession, key_reset, sessions_between
from studio.rigs import queries, service
from studio.rigs.queries import RigPage
from studio.rigs.rules import Cleanliness
from studio.rigs.service import SetUp


async def _sessions_now(actor: Actor, site_id: int) -> dict[int, LiveSession]:
    """Return who has each room now, by room."""
    now = clock.now()
    found = await sessions_between(actor, site_id, now, now + timedelta(minutes=15))
    return {one.unit_id: one for one in reversed(found) if one.state != "ended"}


async def _board(request: AnyRequest) -> dict[str, Any]:
    actor = signed_in(request)
    site_id = (await first_site()).id
    pages = await queries.rig_pages(actor, site_id)
    sessions = await _sessions_now(actor, site_id)
    by_hand = await queries.incidents([one.rig.id for one in pages])
    seen = await asyncio.gather(*(seen_of(request, one.rig.id) for one in pages))
    rooms = [room_of(one, said, sessions.get(one.rig.unit), by_hand[one.rig.id]) for one, said in zip(pages, seen, strict=True)]
    calls = calls_of(await control_queries.open_help(site_id))
    return {"rooms": rooms, "calls": calls, "mark": mark_of([rooms, calls]), "now_ms": ms(clock.now()),
            "alarms": sum(room.state.kind == "alarm" for room in rooms)}


@get(["/rigs", "/wall"], include_in_schema=False)
async def rigs_page(request: AnyRequest) -> Response[Any]:
    """Show the board of all rooms."""
    return await page(request, "rigs.html", **await _board(request))


@get("/rigs/board", include_in_schema=False)
async def rigs_board(request: AnyRequest, seen: FromQuery[str] = "") -> Response[Any]:
    """Return the board if it is another than the one seen."""
    context = await _board(request)
    if context["mark"] == seen:
        return Response(None, status_code=204)
    return fragment(request, "_rig_board.html", **context)


async def _room(request: AnyRequest, uid: UUID) -> tuple[RigPage, Room, RigSnapshot | None]:
    actor = signed_in(request)
    found = await queries.rig_page(actor, uid)
    seen = await seen_of(request, found.rig.id)
    sessions = await _sessions_now(actor, found.rig.site)
    by_hand = await queries.incidents([found.rig.id])
    room = room_of(found, seen, sessions.get(found.rig.unit), by_hand[found.rig.id], await _reset(found))
    return found, room, None if seen is None else seen.snapshot


async def _reset(found: RigPage) -> str:
    """Return whose word there is that a key left on the rig is void; "" for none."""
    rig = found.rig
    if rig.cleanliness != Cleanliness.UNCLEAN or rig.armed_session is None:
        return ""
    said = await key_reset(rig.armed_session)
    if said is None:
        return i18n.gettext(N_("Nobody has said yet that its key was reset on the platform."))
    told = N_("{name} said at {at:moment} that its key was reset on the platform.")
    return i18n.translate(told, {"name": i18n.person(said.by, said.by_latin), "at": said.at})


async def _show(request: AnyRequest, uid: UUID, *, status: int = 200, entered: dict[str, str] | None = None,
                **extra: Any) -> Response[Any]:
    found, room, snapshot = await _room(request, uid)
    rig = found.rig
    values = {"driver": rig.driver, "address": rig.address, "stand_by_scene": rig.stand_by_scene, "lead_min": rig.lead_min,
              "overrun_min": rig.overrun_min, "audio_through_obs": "1" if rig.audio_through_obs else ""} | (entered or {})
    scenes = [] if snapshot is None else [(name, name) for name in snapshot.scenes]
    context = {"room": room, "rig": rig, "found_page": found, "values": values, "errors": {}, "error": "", "tested": None,
               "scene_choices": scenes, "snapshot": snapshot, "mark": mark_of(room)} | extra
    return await page(request, "rig.html", status=status, **context)


@get("/rigs/{uid:uuid}", include_in_schema=False)
async def rig_page(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Show one rig."""
    return await _show(request, uid)


@get("/rigs/{uid:uuid}/state", include_in_schema=False)
async def rig_state(request: AnyRequest, uid: FromPath[UUID], seen: FromQuery[str] = "") -> Response[Any]:
    """Return one rig's state if it is another than the one seen."""
    found, room, snapshot = await _room(request, uid)
    mark = mark_of(room)
    if mark == seen:
        return Response(None, status_code=204)
    return fragment(request, "_rig_state.html", room=room, rig=found.rig, found_page=found, snapshot=snapshot, mark=mark)


def _number(text: str) -> int:
    found = whole(text.strip())
    return -1 if found is None else found


def _set_up(fields: dict[str, str], before: queries.RigFacts) -> SetUp:
    """Read the form; what it does not ask stays as it is, an empty password keeps the stored one."""
    return SetUp(
        driver=fields.get("driver", ""), address=fields.get("address", ""), password=fields.get("password") or None,
        stand_by_scene=fields.get("stand_by_scene", ""), lead_min=_number(fields.get("lead_min", "")),
        overrun_min=_number(fields.get("overrun_min", "")), audio_through_obs=fields.get("audio_through_obs") == "1",
        canvas_width=before.canvas_width, canvas_height=before.canvas_height, zone=before.zone,
    )


@post("/rigs/{uid:uuid}", include_in_schema=False)
async def change_rig(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Store the set-up; a refused form keeps what was entered, but for the password."""
    fields = await form(request)
    actor = signed_in(request)
    before = (await queries.rig_page(actor, uid)).rig
    try:
        await service.update(actor, uid, _set_up(fields, before), version=version_of(fields))
    except KaiboError as error:
        return await _refused(request, uid, error, entered=fields | {"audio_through_obs": fields.get("audio_through_obs", "")})
    return see_other(request, f"/rigs/{uid}")


async def _refused(request: AnyRequest, uid: UUID, error: KaiboError, **extra: Any) -> Response[Any]:
    if isinstance(error, NotFound):
        raise error
    if isinstance(error, Invalid) and error.errors:
        errors = {one.field: i18n.translate(one.msgid, dict(one.params)) for one in error.errors}
        return await _show(request, uid, status=422, errors=errors, **extra)
    return await _show(request, uid, status=status_of(error), error=i18n.translate(error.text, error.params), **extra)


@post("/rigs/{uid:uuid}/test", include_in_schema=False, status_code=200)
async def test_rig(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Have the connection tested as it is stored, and say what was found."""
    await form(request)
    tested = await control.test_connection(await feeds.switchboard_of(request.app), signed_in(request), uid)
    context: dict[str, Any] = {"tested": tested, "why": reason_text(tested.code), "reason": tested.reason,
               "is_old": tested.found is not None and tested.found.can_be_aborted}
    if request.headers.get("hx-request"):
        return fragment(request, "_rig_found.html", **context)
    return await _show(request, uid, **context)


@post("/rigs/{uid:uuid}/enabled", include_in_schema=False)
async def enable_rig(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Take a rig into use or out of it."""
    fields = await form(request)
    try:
        await service.set_enabled(signed_in(request), uid, fields.get("on") == "1", version=version_of(fields))
    except KaiboError as error:
        return await _refused(request, uid, error)
    return see_other(request, f"/rigs/{uid}")


@post("/rigs/{uid:uuid}/clean", include_in_schema=False)
async def clean_rig(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Call a quarantined rig clean, with the reason."""
    fields = await form(request)
    try:
        await service.mark_clean(signed_in(request), uid, reason=fields.get("reason", ""))
    except KaiboError as error:
        return await _refused(request, uid, error)
    return see_other(request, f"/rigs/{uid}")


@post("/rigs/{uid:uuid}/panic", include_in_schema=False)
async def panic_rig(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Cover a room from outside, stop it, or bring its picture back."""
    fields = await form(request)
    board = await feeds.switchboard_of(request.app)
    try:
        await control.panic_room(board, signed_in(request), uid, _number(fields.get("level", "")))
    except KaiboError as error:
        return await _refused(request, uid, error)
    return see_other(request, f"/rigs/{uid}")


@post("/help-calls/{uid:uuid}/answer", include_in_schema=False)
async def answer_call(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Say that one is on the way."""
    await form(request)
    await control.answer_help(signed_in(request), uid)
    return see_other(request, "/rigs")


HANDLERS = [rigs_page, rigs_board, rig_page, rig_state, change_rig, test_rig, enable_rig, clean_rig, panic_rig, answer_call]
