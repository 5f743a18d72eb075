"""The gate before every request: who asks, whether the request comes from our own pages, and the headers of each answer."""

import asyncio
import hashlib
import hmac
import secrets
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from booking.checkin import queries as checkin
from frontend import i18n
from incubator.accounts import queries as accounts
from incubator.ground import database
from incubator.ground.errors import N_, Forbidden, KaiboError, NotFound
from incubator.ground.rights import Actor
from incubator.sites.queries import first_site

COOKIE = "kaibo"
DEVICE_COOKIE = "kaibo_device"
LOCALE_COOKIE = "kaibo_locale"
SAFE = {"GET", "HEAD", "OPTIONS"}
PATIENCE_S = 3.0  # for the gate's own look-up, and for each answer afterwards: a frozen database would keep everybody for ever
LARGEST_ID = 2**63 - 1  # what a column of ids holds; a larger number in an address names nothing
OPEN_PATHS = ("/static/", "/health", "/favicon")
CONTENT_POLICY = (
    b"default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none';"
    b" frame-ancestors 'none'; form-action 'self'"
)
HEADERS = [
    (b"content-security-policy", CONTENT_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class NotSignedIn(KaiboError):
    """The request needs somebody who is signed in."""

    code = "not-signed-in"
    msgid = N_("Sign in first.")


class ForeignOrigin(Forbidden):
    """An unsafe request with a cookie did not come from our own pages."""

    code = "foreign-origin"
    msgid = N_("This request did not come from a page of this site. Reload the page and try again.")


class OldForm(Forbidden):
    """The form was opened under another sign-in: its token is not the one of this cookie."""

    code = "old-form"
    msgid = N_("This page is from an earlier sign-in; nothing was done. Go back, copy what you entered, and open the page anew.")


class Who(msgspec.Struct, frozen=True):
    """Who asks, and by which means (`cookie token device none`); `token` is the cookie itself, never logged."""

    actor: Actor
    means: str
    token: str = ""
    can_write: bool = True
    person_uid: str = ""


def who(connection: ASGIConnection[Any, Any, Any, Any]) -> Who:
    """Return what the gate found out."""
    found: Who = connection.scope["state"]["who"]
    return found


def signed_in(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    """Return the signed-in actor.

    Raises:
        NotSignedIn: nobody is.
    """
    found = who(connection)
    if found.actor.person_id is None:
        raise NotSignedIn()
    return found.actor


def actor_or_device(connection: ASGIConnection[Any, Any, Any, Any]) -> Actor:
    """Return the signed-in person, or the paired tablet.

    Raises:
        NotSignedIn: neither.
    """
    found = who(connection)
    if found.actor.person_id is None and found.actor.device_id is None:
        raise NotSignedIn()
    return found.actor


def form_token(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the token that forms of this cookie carry: a keyed hash of the cookie, so nothing needs to be kept."""
    return hmac.new(b"form", who(connection).token.encode(), hashlib.sha256).hexdigest()[:32]


def is_ours(request_origin: str | None, fetch_site: str | None, host: str, base_url: str | None) -> bool:
    """Tell whether an unsafe request comes from our own pages, by Origin or else by Sec-Fetch-Site."""
    if request_origin is not None:
        theirs, ours = urlsplit(request_origin), urlsplit(base_url or f"//{host}")
        if base_url and theirs.scheme != ours.scheme:
            return False  # without an address of our own we cannot know: a proxy may speak TLS for us
        return theirs.netloc == ours.netloc != ""
    return fetch_site == "same-origin"


class Gate(ASGIMiddleware):
    """Identifies, refuses foreign unsafe requests, sets language and headers."""

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, base_url: str | None) -> None:
        self.base_url = base_url

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let one request through, or raise."""
        path: str = scope["path"]
        if path.startswith(OPEN_PATHS):
            scope["state"]["who"] = Who(Actor(None, ""), "none")
            await next_app(scope, receive, send)
            return
        database.wait_at_most(PATIENCE_S)
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope, receive, send)
        request_id = secrets.token_hex(4)
        scope["state"]["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            found = await look_up(connection, request_id)
        except (*database.LOST, *database.BUSY):
            if scope["type"] != ScopeType.WEBSOCKET:
                raise
            await refuse_socket(send)
            return
        self._refuse_foreign(connection, found)
        _refuse_reader(connection, found)
        if any(isinstance(part, int) and abs(part) > LARGEST_ID for part in connection.path_params.values()):
            raise NotFound()
        await next_app(scope, receive, send)

    def _refuse_foreign(self, connection: ASGIConnection[Any, Any, Any, Any], found: Who) -> None:
        if found.means == "token" or _is_safe(connection):
            return
        headers = connection.headers
        if not is_ours(headers.get("origin"), headers.get("sec-fetch-site"), headers.get("host", ""), self.base_url):
            raise ForeignOrigin()


async def look_up(connection: ASGIConnection[Any, Any, Any, Any], request_id: str) -> Who:
    """Find out who asks, keep it with the request, and speak that person's language.

    Raises:
        NotSignedIn: a token that is unknown, expired or revoked.
    """
    found, zone = await asyncio.wait_for(_who_and_where(connection, request_id), PATIENCE_S)
    connection.scope["state"]["who"] = found
    i18n.use(_language(connection, found), zone)
    return found


async def refuse_socket(send: Send) -> None:
    """Answer the opening of a socket with 503: it needs the database, which does not answer; open ones go on without."""
    headers = [(b"retry-after", b"2"), (b"cache-control", b"no-store"), *HEADERS]
    answer: Any = send  # Litestar's types know nothing of answers to the opening of a socket
    await answer({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await answer({"type": "websocket.http.response.body", "body": b""})


def _is_safe(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Tell whether a request changes nothing by its kind; a socket takes commands."""
    return connection.scope["type"] != ScopeType.WEBSOCKET and connection.scope.get("method") in SAFE


def _refuse_reader(connection: ASGIConnection[Any, Any, Any, Any], found: Who) -> None:
    if not found.can_write and not _is_safe(connection):
        raise Forbidden(N_("This token may only read."))


def _language(connection: ASGIConnection[Any, Any, Any, Any], found: Who) -> str:
    """Return the language to speak; a program that names one is answered in it, whatever its person reads."""
    wanted = connection.headers.get("accept-language")
    if wanted is not None and connection.scope["path"].startswith("/api/"):
        return i18n.negotiate(wanted, None, None)
    return i18n.negotiate(wanted, connection.cookies.get(LOCALE_COOKIE), found.actor.locale if found.actor.person_id else None)


async def _who_and_where(connection: ASGIConnection[Any, Any, Any, Any], request_id: str) -> tuple[Who, ZoneInfo | None]:
    """Return who asks, and for somebody known the time zone in which times are told; it is read once per process."""
    found = await _identify(connection, request_id)
    with suppress(NotFound):  # somebody may be on file before the site is
        return found, None if found.means == "none" else (await first_site()).zone
    return found, None


async def _identify(connection: ASGIConnection[Any, Any, Any, Any], request_id: str) -> Who:
    bearer = connection.headers.get("authorization", "")
    if bearer.startswith("Bearer "):
        session = await accounts.by_api_token(bearer[7:], request_id)
        if session is None:
            raise NotSignedIn(N_("This token is unknown, expired or revoked."))
        return Who(session.actor, "token", can_write=session.can_write, person_uid=str(session.person_uid))
    token = connection.cookies.get(COOKIE)
    if token:
        session = await accounts.by_cookie(token, request_id)
        if session is not None:
            if session.is_old:
                await accounts.touch(token)
            return Who(session.actor, "cookie", token, person_uid=str(session.person_uid))
    device_token = connection.cookies.get(DEVICE_COOKIE)
    if device_token:
        actor = await checkin.device_actor(device_token, request_id)
        if actor is not None:
            return Who(actor, "device", device_token)
    return Who(Actor(None, "", request_id=request_id), "none")


async def add_headers(message: Message, scope: Scope) -> None:
    """Give every answer its headers, refusals by the router and files too; Litestar calls it before each message."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", ()))
    present = {name.lower() for name, _ in headers}
    wanted = [*HEADERS, (b"cache-control", b"no-store")]
    headers += [(name, value) for name, value in wanted if name not in present]
    if number := scope["state"].get("request_id"):
        headers.append((b"x-request-id", number.encode()))
    message["headers"] = headers


def request_id_of(request: Request[Any, Any, Any]) -> str:
    """Return the number that a person may quote for this request."""
    found: str = request.scope["state"].get("request_id", "")
    return found
