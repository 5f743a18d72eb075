"""The room's tablet under one address: pairing, four digits, or the controls, whatever is due."""

from typing import Any

import msgspec
import segno
from litestar import MediaType, Response, get, post
from litestar.params import FromQuery, JSONBody
from markupsafe import Markup

from booking.checkin import queries as checkin, service
from booking.checkin.queries import DeviceFacts
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import NotYet
from frontend import formats, i18n
from frontend.auth import DEVICE_COOKIE, NotSignedIn, request_id_of
from frontend.cookies import made
from frontend.limits import count
from frontend.pages.control_state import ms, room_name
from frontend.pages.live_session import control_context
from frontend.render import render
from frontend.views import ANSWERS_JSON, AnyRequest, app_redis, mark_of, page
from incubator.ground import clock
from incubator.ground.errors import N_, Conflict
from incubator.ground.rights import Actor
from incubator.sites.queries import first_site
from studio.control import queries as control_queries, service as control
from studio.live_sessions import queries as live_sessions
from studio.rigs.queries import rig_of_unit

TEN_YEARS_S = 10 * 365 * 86400
NEW_TABLETS, PER_S = 60, 300


class NothingToCheckIn(Conflict):
    """Nobody has the room now."""

    code = "nothing-to-check-in"
    msgid = N_("No session can be checked in here now. The front desk can help.")


class Screen(msgspec.Struct, frozen=True):
    """What the tablet is to show; `mark` stands for it, `token` is a new cookie or None."""

    template: str
    title: str
    mark: str
    context: dict[str, Any]
    token: str | None = None


class Slot(msgspec.Struct, frozen=True):
    """One reservation on the waiting tablet."""

    hours: str
    starts: str
    who: str
    title: str
    day: str
    is_today: bool


def qr(address: str) -> Markup:
    """Return an address as a QR code without inline style."""
    code = segno.make(address, error="m").svg_inline(scale=1, border=2, omitsize=True, dark="#111", light="#fff")
    return Markup(code)  # noqa: S704 -- drawn by segno from an address of our own


def own_address(request: AnyRequest) -> str:
    """Return where this product answers, as phones can reach it."""
    base: str | None = request.app.state.settings.base_url
    return (base or str(request.base_url)).rstrip("/")


def slot_of(one: ReservationFacts) -> Slot:
    """Return a reservation as the waiting tablet shows it."""
    speech = i18n.speech()
    is_today = speech.date_of(one.starts_at) == speech.today()
    return Slot(formats.hours(one.span, speech), formats.hour(one.starts_at, speech), one.merchant_name or one.person_name,
                one.title, formats.near_day(one.starts_at, speech), is_today)


async def _pairing(request: AnyRequest, device: DeviceFacts | None, token: str) -> Screen:
    new_token = None
    if device is None or device.revoked_at is not None:
        address = request.client.host if request.client else "?"
        await count(app_redis(request), f"tablet:{address}", NEW_TABLETS, PER_S)
        pairing = await service.show_pairing(await first_site())
        code, new_token = pairing.code, pairing.token
    elif device.pairing_code is None or device.pairing_until is None or device.pairing_until <= clock.now():
        code = (await service.renew_pairing(token)).code
    else:
        code = device.pairing_code
    context = {"code_shown": code, "qr": qr(f"{own_address(request)}/pair/{code}")}
    return Screen("_tablet_pairing.html", i18n.gettext(N_("New tablet")), f"pairing-{code}", context, new_token)


async def _control(request: AnyRequest, actor: Actor, current: ReservationFacts) -> Screen | None:
    """Return the controls; None while the session is not planned yet."""
    session = await live_sessions.of_reservation(actor, current.uid)
    if session is None:
        return None
    context = await control_context(request, actor, session.uid)
    key_qr = qr(f"{own_address(request)}/live-sessions/{session.uid}#key-text")
    return Screen("_live_control.html", context["room"], f"control-{session.uid}", context | {"key_qr": key_qr})


async def _idle(device: DeviceFacts, unit_id: int, *, is_opening: bool) -> Screen:
    waiting = await checkin.waiting_for(unit_id)
    coming = [one for one in (waiting, *await checkin.coming_in(unit_id, 4)) if one is not None]
    rig = await rig_of_unit(unit_id)
    first, room = (coming[0] if coming else None), room_name(device.unit_name, device.unit_name_en)
    context = {
        "room": room, "next": None if first is None else slot_of(first), "can_check_in": waiting is not None,
        "opens_at": None if first is None else first.blocked.starts_at, "is_opening": is_opening,
        "later": [slot for slot in map(slot_of, coming[1:]) if slot.is_today],
        "is_unclean": rig is not None and rig.cleanliness == "account_open", "help": await control_queries.help_in(unit_id),
    }
    return Screen("_tablet_idle.html", room, f"idle-{mark_of(context)}", context)


async def screen_of(request: AnyRequest) -> Screen:
    """Return what this tablet is to show now."""
    token = request.cookies.get(DEVICE_COOKIE, "")
    device = await checkin.device_by_token(token) if token else None
    if device is None or not device.is_paired or device.unit_id is None:
        return await _pairing(request, device, token)
    actor = await checkin.device_actor(token, request_id_of(request))
    current = await checkin.current_for(device.unit_id)
    if actor is not None and current is not None:
        controls = await _control(request, actor, current)
        if controls is not None:
            return controls
    return await _idle(device, device.unit_id, is_opening=current is not None)


def _with_cookie(request: AnyRequest, answer: Response[Any], screen: Screen) -> Response[Any]:
    if screen.token is not None:
        answer.set_cookie(made(request, DEVICE_COOKIE, screen.token, TEN_YEARS_S))
    return answer


@get("/tablet", include_in_schema=False)
async def tablet_page(request: AnyRequest) -> Response[Any]:
    """Show the room's tablet."""
    screen = await screen_of(request)
    frame: dict[str, Any] = {"screen": screen.template, "title": screen.title, "mark": screen.mark, "now": clock.now(),
             "now_ms": ms(clock.now()), "zone": i18n.current_zone().key}
    return _with_cookie(request, await page(request, "tablet.html", **frame | screen.context), screen)


@get("/tablet/screen", include_in_schema=False)
async def tablet_screen(request: AnyRequest, seen: FromQuery[str] = "") -> Response[Any]:
    """Return the screen alone if it is another than the one seen."""
    screen = await screen_of(request)
    if screen.mark == seen and screen.token is None:
        return Response(None, status_code=204)
    body = render(screen.template, now=clock.now(), **screen.context)
    answer = Response(body, media_type=MediaType.HTML, headers={"X-Mark": screen.mark, "X-Now": str(ms(clock.now()))})
    return _with_cookie(request, answer, screen)


async def tablet_actor(request: AnyRequest) -> Actor:
    """Return the paired tablet, also when somebody is signed in on it.

    Raises:
        NotSignedIn: it is not paired.
    """
    token = request.cookies.get(DEVICE_COOKIE, "")
    actor = await checkin.device_actor(token, request_id_of(request)) if token else None
    if actor is None:
        raise NotSignedIn()
    return actor


class Digits(msgspec.Struct, frozen=True):
    """What was typed on the keypad."""

    code: str


@post("/tablet/check-in", include_in_schema=False, status_code=200, opt=ANSWERS_JSON)
async def check_in(request: AnyRequest, data: JSONBody[Digits]) -> dict[str, str]:
    """Check the room's next party in by its four digits."""
    actor = await tablet_actor(request)
    unit_id = actor.device_unit_id or 0
    waiting = await checkin.waiting_for(unit_id)
    if waiting is None:
        coming = await checkin.coming_in(unit_id, 1)
        raise NotYet(opens_at=coming[0].blocked.starts_at) if coming else NothingToCheckIn()
    await service.check_in(actor, waiting.uid, data.code)
    return {"state": "checked_in"}


@post("/tablet/help", include_in_schema=False, status_code=200, opt=ANSWERS_JSON)
async def call_help(request: AnyRequest) -> dict[str, str]:
    """Call somebody to the room, also before check-in."""
    actor = await tablet_actor(request)
    await control.call_staff(actor, actor.device_unit_id or 0)
    return {"state": "called"}


HANDLERS = [tablet_page, tablet_screen, check_in, call_help]
