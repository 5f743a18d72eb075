"""Every route and every ask of the controls, tried by every role on real objects and held against docs/roles.md."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar.routes import WebSocketRoute

from booking.calendars import service as calendars
from booking.checkin import service as checkin
from booking.reservations import service as reservations
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Wish
from frontend import feeds
from frontend.pages.live_session import ACTS
from incubator.accounts import service as accounts
from incubator.ground import clock, database
from incubator.ground.queue import service as queue
from incubator.ground.rights import Actor, Role
from incubator.invitations import queries as invited, service as invitations
from incubator.merchants import service as merchants
from studio.control import service as control
from studio.control.switchboard import Switchboard
from studio.director.wire import Answer, Found, Outcome, Picture
from tests.frontend.conftest import ORIGIN, anonymous, app, redis, valkey
from tests.frontend.pages.studio_rooms import Room, make_room
from tests.people import PASSWORD, People, person

__all__ = ["anonymous", "app", "redis", "valkey"]
TABLE = Path(__file__).parents[2] / "docs" / "roles.md"
FOUND = msgspec.to_builtins(Found("30.2", "5.5.1", 1080, 1920, 30.0, (), (), True, True, 1))
ROLES = [*(str(role) for role in Role), "left", "device", "anonymous"]
OF_MERCHANT = {"owner", "member", "streamer", "controller"}
WORDS = {"yes", "own", "no"}
NOTHING = "/api/{path:str}"  # the framework's own answer that nothing is there
REFUSED = {401, 403, 404}
NOT_TRIED = {400, 405, 415, 429}


class Undo(Exception):
    """Takes back what a probe did."""


@dataclass(frozen=True)
class Someone:
    """One role's browser: its cookies, the token of its forms, and the actor (None for a tablet and for nobody)."""

    cookies: dict[str, str]
    actor: Actor | None = None

    @property
    def form_token(self) -> str:
        """Return what the forms of this browser carry."""
        cookie = next(iter(self.cookies.values()), "")
        return hmac.new(b"form", cookie.encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True)
class Town:
    """The objects that are tried."""

    app: Any
    people: People
    room: Room
    held: ReservationFacts
    device: UUID
    pairing_code: str
    shop: UUID
    closure: UUID
    call: UUID
    helper: UUID
    invitation: UUID
    job: int
    roles: dict[str, Someone]
    stranger: Someone


def table() -> dict[tuple[str, str], dict[str, str]]:
    """Return docs/roles.md as written: method and path, role, word."""
    rows = [[cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
            for line in TABLE.read_text("utf-8").splitlines() if line.startswith("|")]
    head = next(row for row in rows if row[0] == "Method")
    assert head[2:] == ROLES
    return {(row[0], row[1]): dict(zip(ROLES, row[2:], strict=True)) for row in rows if row != head and not row[0].startswith("-")}


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Yield method and path of everything that the product answers, asks of the control socket included."""
    for route in app.routes:
        if route.path == NOTHING:
            continue
        if route.path == "/live-sessions/{uid:uuid}/{act:str}":
            yield from (("POST", f"/live-sessions/{{uid:uuid}}/{act}") for act in ACTS)
        elif isinstance(route, WebSocketRoute):
            yield "SOCKET", route.path
        else:
            yield from ((method, route.path) for method in sorted(route.methods - {"HEAD", "OPTIONS"}))
    yield from (("ASK", ask) for ask in sorted({*feeds.COMMANDS, *feeds.VERBS, "panic"}))


async def _browser(actor: Actor) -> Someone:
    assert actor.person_id is not None
    return Someone({"kaibo": await accounts._open_sign_in(actor.person_id, "test")}, actor)


async def _everybody(people: People, tablet: str) -> dict[str, Someone]:
    found = {
        "owner": people.alice, "member": people.bob, "manager": people.mia, "staff": people.dora, "operator": people.olaf,
        "auditor": people.aud, "admin": people.ada,
        "streamer": await person("Stella", 11, Role.STREAMER, "merchant", people.sunrise_id),
        "controller": await person("Conny", 12, Role.CONTROLLER, "merchant", people.sunrise_id),
        "mentor": await person("Mentor", 13, Role.MENTOR, "site", people.site.id),
        "left": await _who_left(people),
    }
    browsers = {name: await _browser(actor) for name, actor in found.items()}
    return browsers | {"device": Someone({"kaibo_device": tablet}), "anonymous": Someone({})}


async def _who_left(people: People) -> Actor:
    """Return somebody who belonged to the merchant, and left it; what is tried was booked by this person."""
    found = await person("Larry", 15, Role.MEMBER, "merchant", people.sunrise_id)
    await merchants.remove_member(people.alice, people.sunrise_id, found.person_id or 0)
    return msgspec.structs.replace(found, grants=())


async def _answered(_board: Any, *_args: Any, **_options: Any) -> Answer:
    return Answer(uuid4(), Outcome.DONE, detail=FOUND)


async def _closed(console: Any) -> None:
    await console._socket.close(1000)


@pytest_asyncio.fixture
async def town(app: Any, people: People, redis: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """A room in the middle of its session, and one browser per role; a director that does whatever is asked."""
    monkeypatch.setattr(feeds.Console, "run", _closed)
    for verb in ("send", "panic", "probe"):
        monkeypatch.setattr(Switchboard, verb, _answered)
    room = await make_room(people)
    await room.begins()

    async def pictured(_board: Any, _rig_id: int, _index: int) -> Picture:
        return Picture("image/jpeg", b"x", room.session_id)

    monkeypatch.setattr(Switchboard, "picture", pictured)
    await room.tell(redis)
    later = room.booking.span.moved(timedelta(hours=6))
    wish = Wish(room.unit.uid, later.starts_at, later.ends_at, "", people.sunrise_id)
    held = await reservations.reserve(people.alice, wish, hold=True, page_key="roles")
    paired, shown = await checkin.show_pairing(people.site), await checkin.show_pairing(people.site)
    await checkin.pair(people.dora, paired.code, room.unit.id, "")
    shop = await merchants.add_shop(people.alice, people.sunrise_id, platform="taobao", name="铁棍山药")
    closed = await calendars.close(people.dora, calendars.Extent((room.unit.id,)), later.moved(DAY), reason="x")
    call = await control.call_staff(people.alice, room.unit.id, room.session)
    await invitations.invite(people.alice, people.sunrise_id, "13900000000", [Role.MEMBER])
    invitation = (await invited.sent(people.alice, people.sunrise_id))[0].uid
    helper = await person("Helper", 14, Role.MEMBER, "merchant", people.sunrise_id)
    helper_uid = await database.fetchval("SELECT uid FROM people WHERE id = $1", helper.person_id)
    await queue.plan("release_holds", "roles", clock.now())
    job = await database.fetchval("SELECT id FROM jobs WHERE key = 'roles'")
    yield Town(app, people, room, held, paired.uid, shown.code, shop, closed.uid, call, helper_uid, invitation, job, await _everybody(people, paired.token),
               await _browser(people.charlie))
    board = getattr(app.state, "switchboard", None)
    if board is not None:
        await board.close()


def _fields(town: Town) -> dict[str, dict[str, Any]]:
    """Return what a form says, by path; whatever is not named here needs nothing."""
    uid, local = str(town.room.unit.uid), town.room.booking.starts_at.astimezone(town.people.site.zone)
    wish = {"space": uid, "date": f"{(local + DAY):%Y-%m-%d}", "from": "10:00", "to": "11:00", "title": "x", "page_key": "k",
            "kind": "live_room", "for": str(town.people.sunrise_uid)}
    profile = {"name": "沁阳地黄专业合作社", "short_name": "地黄", "kind": "natural_person", "version": "1"}
    return {
        "/closures": {"room": uid, "from_date": wish["date"], "from": "01:00", "to_date": wish["date"], "to": "02:00", "reason": "x"},
        "/book": wish, "/reservations/new": wish, "/reservations/hold": wish, "/reservations/release": {"page_key": "roles"},
        "/reservations/{uid:uuid}/move": wish | {"version": "1"}, "/reservations/{uid:uuid}/extend": {"minutes": "15"},
        "/live-sessions/{uid:uuid}/extend": {"minutes": "15", "version": "1"}, "/pair": {"code": town.pairing_code},
        "/pair/{code:str}": {"unit": str(town.room.unit.id), "label": "x"}, "/merchants/new": profile,
        "/merchants/{uid:uuid}/profile": profile, "/merchants/{uid:uuid}/status": {"status": "paused", "reason": "x", "version": "1"},
        "/merchants/{uid:uuid}/shops": {"platform": "taobao", "name": "x"},
        "/merchants/{uid:uuid}/members": {"login": "13800000003", "roles": "member"},
        "/merchants/{uid:uuid}/members/remove": {"person": str(town.helper)}, "/rigs/{uid:uuid}": {
            "driver": "simulated", "lead_min": "30", "overrun_min": "5", "version": "1"}, "/rigs/{uid:uuid}/clean": {"reason": "seen"},
        "/rigs/{uid:uuid}/panic": {"level": "1"}, "/sign-in": {"login": "13800000001", "password": PASSWORD},
        "/password": {"old": PASSWORD, "new": "another long password"}, "/language": {"locale": "en"},
        "/live-sessions/{uid:uuid}/key": {"text": KEY, "version": "0"}, "/rigs/{uid:uuid}/enabled": {"on": "1", "version": "1"},
        "/live-sessions/{uid:uuid}/output": {"output": "record", "version": "1"},
    }


def _bodies(town: Town) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the JSON that a program sends, by method and path."""
    one, start = "/api/v1/reservations/{reservation_id:uuid}", town.room.booking.starts_at + DAY
    times = {"starts_at": start.isoformat(), "ends_at": (start + HOUR).isoformat()}
    return {
        ("POST", "/api/v1/reservations"): {"space_id": str(town.room.unit.uid), "merchant_id": str(town.people.sunrise_uid), **times},
        ("PATCH", one): {"version": 1, "title": "y"}, ("POST", f"{one}/extend"): {"minutes": 15},
        ("POST", f"{one}/check-in"): {"code": "x"}, ("POST", "/api/v1/sign-in"): {"login": "13800000001", "password": PASSWORD},
        ("POST", "/api/v1/live-sessions/{session_id:uuid}/commands"): {"type": "switch_scene", "params": {"scene": "马上回来"}},
        ("POST", "/tablet/check-in"): {"code": "x"}, ("POST", "/tablet/help"): {},
        ("POST", "/live-sessions/{uid:uuid}/control/commands"): ASKS["panic"],
    }


DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KEY = "rtmp://push.example.com/live/key"
ASKS: dict[str, dict[str, Any]] = {name: {"type": name, "params": params} for name, params in {
    "switch_scene": {"scene": "马上回来"}, "set_mute": {"input": "主播麦", "muted": True}, "set_volume": {"input": "主播麦", "volume_db": 0},
    "panic": {"level": 1}, "extend": {"minutes": 15, "version": 1}, "paste": {"text": KEY, "version": 0}, "answer_control": {"hand_over": True},
}.items()}


def _address(town: Town, method: str, path: str) -> str:
    """Return a path with the object that fits."""
    uid = next(value for prefix, value in (
        ("/live-sessions", town.room.session), ("/reservations", town.room.booking.uid), ("/book/done", town.room.booking.uid),
        ("/units", town.room.unit.uid), ("/rigs", town.room.rig.uid), ("/devices", town.device),
        ("/merchants", town.people.sunrise_uid), ("/shops", town.shop), ("/closures", town.closure), ("/help-calls", town.call),
        ("/invitations", town.invitation), ("", "")) if path.startswith(prefix))
    reservation = town.held.uid if path.endswith("/confirm") else town.room.booking.uid
    values = {
        "{uid:uuid}": uid, "{session_id:uuid}": town.room.session, "{reservation_id:uuid}": reservation, "{code:str}": town.pairing_code,
        "{day:str}": f"{town.room.booking.starts_at:%Y-%m-%d}", "{job_id:int}": town.job, "{index:int}": 0,
        "{digest:str}": "x", "{path:path}": "kaibo.css",
    }
    for name, value in values.items():
        path = path.replace(name, str(value))
    times = f"?from={QUERY_FROM}&to={QUERY_TO}"
    return path + (times if path.endswith("/availability") else "") + (_sheet_query(town) if path.endswith(("/check", "/sheet")) else "")


QUERY_FROM, QUERY_TO = "2026-11-24T10:00:00Z", "2026-11-24T12:00:00Z"


def _sheet_query(town: Town) -> str:
    return f"?space={town.room.unit.uid}&date={town.room.booking.starts_at:%Y-%m-%d}&from=10:00&to=11:00&kind=live_room"


async def is_allowed(town: Town, someone: Someone, method: str, path: str) -> bool:
    """Try it, take it back, and tell whether it was allowed; a refusal for another reason than rights counts as allowed."""
    found = False
    with suppress(Undo):
        async with database.transaction():
            await _forget_tries(town)
            await _own_hold(town, someone)
            await _own_booking(town, someone)
            await _own_invitation(town, someone)
            found = await (_socket(town, someone, path) if method == "SOCKET" else _request(town, someone, method, path))
            raise Undo
    return found


async def _forget_tries(town: Town) -> None:
    """Sign-ins are counted, and this test signs in more often than a person would."""
    for key in await town.app.state.redis.keys("limit:*"):
        await town.app.state.redis.delete(key)


async def _own_hold(town: Town, someone: Someone) -> None:
    """Let the hold be this person's if it could be: a hold belongs to one person, not to the merchant."""
    if someone.actor is not None and someone.actor.belongs_to(town.people.sunrise_id):
        await database.execute("UPDATE reservations SET person = $2 WHERE id = $1", town.held.id, someone.actor.person_id)


async def _own_booking(town: Town, someone: Someone) -> None:
    """Let whoever left be booker, host and in control of everything: what was done for the merchant stays with it."""
    if someone is town.roles["left"] and someone.actor is not None:
        person_id = someone.actor.person_id
        await database.execute("UPDATE reservations SET person = $2, host = $2, checked_in_by = $2 WHERE id = ANY($1)",
                               [town.held.id, town.room.booking.id], person_id)
        await database.execute("UPDATE live_sessions SET controller_person = $2 WHERE id = $1", town.room.session_id, person_id)


async def _own_invitation(town: Town, someone: Someone) -> None:
    """Let the invitation be this person's: it is for a person, not for a role."""
    if someone.actor is not None:
        await database.execute("UPDATE invitations SET login = (SELECT phone FROM people WHERE id = $2) WHERE uid = $1",
                               town.invitation, someone.actor.person_id)


async def _request(town: Town, someone: Someone, method: str, path: str) -> bool:
    ask = path if method == "ASK" else ""
    method, path = ("POST", "/live-sessions/{uid:uuid}/control/commands") if ask else (method, path)
    options: dict[str, Any] = {}
    if (method, path) in _bodies(town) or (path.startswith("/api/v1") and method == "POST"):
        options["json"] = ASKS.get(ask, {"type": ask}) if ask else _bodies(town).get((method, path), {})
    elif method == "POST":
        options["data"] = {"_token": someone.form_token, **_fields(town).get(path, {})}
    transport = httpx.ASGITransport(_without_stream(town.app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN, "accept": "text/html"},
                                 cookies=someone.cookies) as client:
        answer = await client.request(method, _address(town, method, path), **options)
    assert answer.status_code < 500, (method, path, ask, answer.text[-2000:])
    assert answer.status_code not in NOT_TRIED, (method, path, ask, answer.status_code)
    is_sent_away = answer.headers.get("location", "").startswith("/sign-in?next") or answer.status_code in REFUSED
    return not is_sent_away and not (path.endswith("/control/commands") and answer.json()["code"] in NO_RIGHT)


NO_RIGHT = {"forbidden", "not-found", "not-signed-in"}


class Enough(Exception):
    """The head of an endless answer is there."""


def _without_stream(app: Any) -> Any:
    """Return the application with endless answers cut off after their head."""

    async def cut(scope: Any, receive: Any, send: Any) -> None:
        async def send_head(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.start" and message["status"] == 200:
                await send({"type": "http.response.body", "body": b""})
                raise Enough

        with suppress(Enough):
            await app(scope, receive, send_head if scope["path"].endswith("/changes") else send)

    return cut


async def _socket(town: Town, someone: Someone, path: str) -> bool:
    """Open the socket, and tell whether it stays open."""
    sent: list[Any] = []
    cookie = "; ".join(f"{name}={value}" for name, value in someone.cookies.items())
    headers = [(b"host", b"kaibo.test"), (b"origin", ORIGIN.encode()), (b"cookie", cookie.encode())]
    scope = {"type": "websocket", "path": _address(town, "GET", path), "raw_path": b"", "query_string": b"", "headers": headers,
             "scheme": "ws", "server": ("kaibo.test", 80), "client": ("127.0.0.1", 1), "subprotocols": [], "state": {}, "root_path": "",
             "http_version": "1.1", "extensions": {}, "asgi": {"version": "3.0"}}

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await town.app(scope, receive, send)
    return [message.get("code") for message in sent if message["type"] == "websocket.close"] == [1000]


async def measured(town: Town, method: str, path: str) -> dict[str, str]:
    """Return what the product does, as the table says it."""
    for_all = await is_allowed(town, town.stranger, method, path)
    found = {}
    for role in ROLES:
        is_open = await is_allowed(town, town.roles[role], method, path)
        found[role] = ("own" if role in OF_MERCHANT and not for_all else "yes") if is_open else "no"
    return found


async def test_the_table_is_true(town: Town) -> None:
    written = table()
    assert {word for row in written.values() for word in row.values()} == WORDS
    wrong = []
    for method, path in routes(town.app):
        found = await measured(town, method, path)
        said = written.get((method, path), {})
        wrong += [f"{method} {path} {role}: {said.get(role, 'missing')}, but {word}" for role, word in found.items()
                  if said.get(role) != word]
    assert not wrong, "\n".join(wrong)


async def test_nothing_else_is_in_the_table(app: Any) -> None:
    assert set(table()) == set(routes(app))


async def test_no_page_of_the_framework_is_served(anonymous: httpx.AsyncClient) -> None:
    for path in ("/api/rapidoc", "/api/elements", "/api/swagger", "/api/redoc", "/api/oauth2-redirect.html", "/api/x"):
        assert (await anonymous.get(path)).status_code == 404
