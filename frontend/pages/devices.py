"""Tablets at the rooms, for staff: compare a code, bind it to a room, see the list, revoke."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from booking.checkin import queries, rules, service
from booking.checkin.rights import can_pair
from booking.units.queries import spaces
from frontend import i18n
from frontend.auth import signed_in
from frontend.errors import status_of
from frontend.pages.booking_words import field_texts
from frontend.pages.control_state import room_name
from frontend.pages.tablet import own_address
from frontend.views import AnyRequest, form, page, see_other, version_of, whole
from incubator.ground import clock
from incubator.ground.errors import N_, Forbidden, Invalid, KaiboError
from incubator.sites.queries import first_site

AWAY_AFTER = timedelta(minutes=12)  # a tablet that is on is noted every five minutes
NO_SUCH_CODE = N_("No tablet shows this code now. Look at its screen again.")
CHOOSE_ROOM = N_("Choose the room in which it lies.")


class Row(msgspec.Struct, frozen=True):
    """One paired tablet in the list."""

    uid: UUID
    label: str
    room: str
    last_seen_at: datetime
    is_away: bool
    version: int


async def _list(request: AnyRequest, *, status: int = 200, code_error: str = "") -> Response[Any]:
    actor, site_id = signed_in(request), (await first_site()).id
    found = await queries.devices(actor, site_id)
    rows = [Row(one.uid, one.label or room_name(one.unit_name, one.unit_name_en), room_name(one.unit_name, one.unit_name_en),
                one.last_seen_at, clock.now() - one.last_seen_at > AWAY_AFTER, one.version) for one in found]
    return await page(request, "devices.html", status=status, devices=rows, address=f"{own_address(request)}/tablet",
                      code_error=code_error, can_change=can_pair(actor, site_id))


@get("/devices", include_in_schema=False)
async def devices_page(request: AnyRequest) -> Response[Any]:
    """Show the paired tablets."""
    return await _list(request)


@post("/devices/{uid:uuid}/revoke", include_in_schema=False)
async def revoke(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Take a tablet's rights away."""
    fields = await form(request)
    await service.revoke(signed_in(request), uid, version=version_of(fields))
    return see_other(request, "/devices")


@post("/pair", include_in_schema=False)
async def find_code(request: AnyRequest) -> Response[Any]:
    """Go on to the tablet whose code was typed."""
    if not can_pair(signed_in(request), (await first_site()).id):
        raise Forbidden()
    fields = await form(request)
    code = rules.as_typed(fields.get("code", ""))
    if await queries.device_by_code(code) is None:
        return await _list(request, status=422, code_error=i18n.gettext(NO_SUCH_CODE))
    return see_other(request, f"/pair/{code}")


async def _pair_page(request: AnyRequest, code: str, *, status: int = 200, **extra: Any) -> Response[Any]:
    site = await first_site()
    if not can_pair(signed_in(request), site.id):
        raise Forbidden()
    rooms = [(one.id, room_name(one.name, one.name_en)) for one in await spaces(site.id, ("live_room",))]
    device = await queries.device_by_code(code)
    missing = "" if device is not None else i18n.gettext(NO_SUCH_CODE)
    context = {"code": code, "code_shown": code, "rooms": rooms, "values": {"unit": "", "label": ""}, "errors": {},
               "error": missing, "done_room": "", "is_known": device is not None} | extra
    return await page(request, "device_pair.html", status=status, **context)


@get("/pair/{code:str}", include_in_schema=False)
async def pair_page(request: AnyRequest, code: FromPath[str]) -> Response[Any]:
    """Show the code to compare, and ask for the room."""
    return await _pair_page(request, rules.as_typed(code))


@post("/pair/{code:str}", include_in_schema=False, status_code=200)
async def pair(request: AnyRequest, code: FromPath[str]) -> Response[Any]:
    """Bind the tablet to the room."""
    fields = await form(request)
    actor = signed_in(request)
    values = {"unit": fields.get("unit", ""), "label": fields.get("label", "")}
    shown = rules.as_typed(code)
    unit_id = whole(values["unit"])
    if unit_id is None:
        return await _pair_page(request, shown, status=422, values=values, errors={"unit": i18n.gettext(CHOOSE_ROOM)})
    try:
        await service.pair(actor, shown, unit_id, values["label"])
    except Invalid as refusal:
        return await _pair_page(request, shown, status=422, values=values, errors=field_texts(refusal))
    except KaiboError as error:
        told = i18n.translate(error.text, error.params)
        return await _pair_page(request, shown, status=status_of(error), values=values, error=told)
    names = {one.id: room_name(one.name, one.name_en) for one in await spaces((await first_site()).id, ("live_room",))}
    return await _pair_page(request, shown, done_room=names.get(unit_id, ""), error="")


HANDLERS = [devices_page, revoke, find_code, pair_page, pair]
