"""The one list of refusals and their HTTP answers: problem+json (RFC 9457) for programs, a page or partial for people."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from jinja2 import TemplateNotFound
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.response import Redirect
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from booking.offers.rules import Alternative
from frontend import i18n, render
from frontend.answers import in_utc
from frontend.auth import LOCALE_COOKIE, OPEN_PATHS, PATIENCE_S, NotSignedIn, Who, look_up, request_id_of
from frontend.views import bare_shell, shell
from incubator.accounts.service import WrongSignIn
from incubator.ground import database
from incubator.ground.errors import N_, Conflict, FieldError, Forbidden, Invalid, KaiboError, NoRoom, NotFound, Unavailable
from incubator.ground.rights import Actor

log = structlog.get_logger()
PROBLEM_JSON = "application/problem+json"

STATUS: Mapping[type[KaiboError], int] = {
    NotSignedIn: 401, WrongSignIn: 401, Forbidden: 403, NotFound: 404, Conflict: 409, Invalid: 422, Unavailable: 503,
}
HTTP_WORDS: Mapping[int, tuple[str, str]] = {
    400: ("malformed", N_("The request could not be read.")),
    401: ("not-signed-in", N_("Sign in first.")),
    403: ("forbidden", N_("You may not do this.")),
    404: ("not-found", N_("There is nothing at this address.")),
    405: ("method-not-allowed", N_("This address does not do that.")),
    413: ("too-large", N_("This is larger than can be taken.")),
    415: ("wrong-content-type", N_("Send this as application/json.")),
    422: ("invalid", N_("Some fields need another look.")),
    429: ("too-many", N_("Too many tries. Wait a minute and try again.")),
    503: ("unavailable", N_("Busy at the moment. Nothing was changed; try again in a few seconds.")),
}
# Every problem that the product can answer, by its slug. A test holds this list against all refusals, another against the API.
PROBLEMS: Mapping[str, int] = {slug: status for status, slugs in {
    400: "malformed",
    401: "not-signed-in wrong-sign-in",
    403: "forbidden foreign-origin not-checked-in old-form",
    404: "not-found",
    405: "method-not-allowed",
    409: "already-checked-in already-known ask-first bookings-hit closed code-taken conflict credit-code-taken cut-off"
         " has-begun hold-expired idempotency-mismatch job-not-failed merchant-left merchant-paused nobody-controls not-begun"
         " not-in-control not-quarantined not-yet nothing-to-check-in on-air outside-hours over-quota"
         " pairing-expired past rig-in-use room-has-rig session-over slot-taken stale still-booked too-far-ahead too-late"
         " too-many-holds too-many-misses unit-in-use wrong-code wrong-state",
    413: "too-large",
    415: "wrong-content-type",
    422: "invalid",
    429: "too-many",
    500: "error",
    503: "no-room rooms-away unavailable",
}.items() for slug in slugs.split()}
# What kind of problem each slug is, the same for each occurrence; `detail` tells the one at hand.
TITLES: Mapping[str, str] = {
    "already-checked-in": N_("Checked in already"), "already-known": N_("On file already"),
    "ask-first": N_("Ask the one in control first"), "bookings-hit": N_("Bookings in the way"),
    "closed": N_("Closed at that time"), "code-taken": N_("Code in use"), "conflict": N_("Not possible as things stand"),
    "credit-code-taken": N_("Credit code on file already"), "cut-off": N_("Past the cut-off"), "error": N_("Our fault"),
    "forbidden": N_("Not allowed"), "foreign-origin": N_("Request from another site"), "has-begun": N_("Begun already"),
    "hold-expired": N_("Hold expired"), "idempotency-mismatch": N_("Idempotency-Key used for another request"),
    "invalid": N_("Wrong or missing fields"), "job-not-failed": N_("Nothing to retry"), "malformed": N_("Unreadable request"),
    "merchant-left": N_("Merchant has left"), "merchant-paused": N_("Merchant cannot book"),
    "method-not-allowed": N_("Method not allowed"), "no-room": N_("Disk full"), "nobody-controls": N_("Nobody in control"),
    "not-begun": N_("Not begun yet"), "not-checked-in": N_("Not checked in"), "not-found": N_("Not found"),
    "not-in-control": N_("Somebody else in control"), "not-quarantined": N_("Rig not out of use"),
    "not-signed-in": N_("Not signed in"), "not-yet": N_("Too early"), "nothing-to-check-in": N_("Nothing to check in"),
    "old-form": N_("Page from an earlier sign-in"), "on-air": N_("On air at the moment"),
    "outside-hours": N_("Outside opening hours"), "over-quota": N_("Not enough hours left in the week"),
    "pairing-expired": N_("Pairing code not valid"), "past": N_("Time has passed"), "rig-in-use": N_("Rig in use"),
    "room-has-rig": N_("Room has a rig already"), "rooms-away": N_("Rooms out of reach"), "session-over": N_("Session over"),
    "slot-taken": N_("Slot taken"), "stale": N_("Changed meanwhile"), "still-booked": N_("Bookings still stand"),
    "too-far-ahead": N_("Too far ahead"), "too-large": N_("Too large"), "too-late": N_("Too late to take back"),
    "too-many": N_("Too many tries"), "too-many-holds": N_("Too many holds"), "too-many-misses": N_("Too many wrong codes"),
    "unavailable": N_("Not available at the moment"), "unit-in-use": N_("Bookings lie ahead"),
    "wrong-code": N_("Wrong check-in code"), "wrong-content-type": N_("Wrong content type"),
    "wrong-sign-in": N_("Wrong sign-in details"), "wrong-state": N_("Not possible in this state"),
}
OURS = N_("Not saved; our fault. Try again shortly or quote {number}.")


class TooMany(KaiboError):
    """Somebody tried too often."""

    code = "too-many"
    msgid = N_("Too many tries. Wait {seconds} seconds and try again.")

    def __init__(self, *, seconds: int) -> None:
        super().__init__(seconds=seconds)
        self.retry_after_s = seconds


class Malformed(KaiboError):
    """The request is not well formed."""

    code = "malformed"
    msgid = N_("The request could not be read.")


class WrongContentType(KaiboError):
    """The body has another content type than the route takes."""

    code = "wrong-content-type"
    msgid = N_("Send this as application/json.")


class TooLarge(KaiboError):
    """The body is larger than a request may be."""

    code = "too-large"
    msgid = N_("This is larger than can be taken.")


OTHER_STATUS: Mapping[type[KaiboError], int] = {TooMany: 429, Malformed: 400, WrongContentType: 415, TooLarge: 413}


class FieldProblem(msgspec.Struct, frozen=True):
    """One wrong field, in the reader's language."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal as programs read it.

    `title` says what kind of problem it is, `detail` what happened this time; `errors` names fields, `alternatives` says what
    would work instead.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []
    alternatives: list[Alternative] = []
    instance: str = ""


def status_of(error: KaiboError) -> int:
    """Return the HTTP status of a refusal."""
    return status_of_kind(type(error))


def status_of_kind(kind: type[KaiboError]) -> int:
    """Return the HTTP status of a kind of refusal: that of its nearest listed ancestor."""
    for ancestor in kind.__mro__:
        for table in (STATUS, OTHER_STATUS):
            if ancestor in table:
                return table[ancestor]
    return 500


def problem_of(error: KaiboError, instance: str) -> dict[str, Any]:
    """Return a refusal as problem+json, told in the current language."""
    detail = i18n.translate(error.text, error.params)
    fields = error.errors if isinstance(error, Invalid) else ()
    body: dict[str, Any] = {"type": f"/problems/{error.code}", "title": i18n.gettext(TITLES[error.code]),
                            "status": status_of(error), "detail": detail, "code": error.code, "instance": instance}
    if fields:
        body["errors"] = [field_problem(field) for field in fields]
    if "alternatives" in error.extra:
        body["alternatives"] = [in_utc(each) for each in error.extra["alternatives"]]
    return body


def field_problem(error: FieldError) -> dict[str, str]:
    """Return one field's message in the current language."""
    return {"field": error.field, "message": i18n.translate(error.msgid, dict(error.params))}


def _as_kaibo(error: Exception, number: str) -> tuple[KaiboError, int]:
    """Return any exception as a refusal with its status; unknown ones are our own fault."""
    if isinstance(error, KaiboError):
        return error, status_of(error)
    is_template = isinstance(error, TemplateNotFound)  # an OSError by its ancestry, and our own fault
    if isinstance(error, (*database.LOST, *database.BUSY, *database.FULL)) and not is_template:
        return NoRoom() if isinstance(error, database.FULL) else Unavailable(), 503
    if isinstance(error, ValidationException):
        return _fields(error), 422
    if isinstance(error, (SerializationException, ClientException)) and getattr(error, "status_code", 400) == 400:
        return Malformed(), 400
    if isinstance(error, (NotFoundException, MethodNotAllowedException, HTTPException)) and error.status_code < 500:
        code, msgid = HTTP_WORDS.get(error.status_code, HTTP_WORDS[400])
        refusal = KaiboError(msgid)
        refusal.code = code  # type: ignore[misc]  # one-off refusal with the slug of its status
        return refusal, error.status_code
    log.error("unexpected", number=number, exc_info=error)
    return KaiboError(OURS, number=number), 500


def _fields(error: ValidationException) -> KaiboError:
    extra = error.extra if isinstance(error.extra, list) else []
    named = [str(item.get("key", "")) for item in extra if isinstance(item, dict)]
    found = [FieldError(name, N_("This value cannot be used here.")) for name in named]
    return Invalid(found or [FieldError("", N_("The request could not be read."))])


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Turn any exception into an answer in the reader's language; a plain function, Litestar 2 takes no coroutine here."""
    _without_gate(request)
    number = request_id_of(request) or "00000000"
    refusal, status = _as_kaibo(error, number)
    headers = {"Retry-After": str(getattr(refusal, "retry_after_s", 2))} if status in (503, 429) else {}
    if wants_json(request):
        body = problem_of(refusal, request.scope["path"]) | {"status": status}
        return Response(body, status_code=status, media_type=PROBLEM_JSON, headers=headers)
    if status == 401 and not request.headers.get("hx-request") and not isinstance(refusal, WrongSignIn):
        return Redirect(f"/sign-in?next={request.scope['path']}", status_code=303)
    if status == 401 and request.headers.get("hx-request"):
        headers["HX-Redirect"] = "/sign-in"
    return RefusalPage(request, refusal, status, number, headers)


class RefusalPage(Response[str]):
    """A refusal as a page. It is filled in when it is sent: until then nothing can wait for the database."""

    def __init__(self, request: Request[Any, Any, Any], refusal: KaiboError, status: int, number: str,
                 headers: Mapping[str, str]) -> None:
        super().__init__("", status_code=status, media_type="text/html", headers=headers)
        self.request, self.refusal, self.number = request, refusal, number

    def to_asgi_response(self, *args: Any, **options: Any) -> ASGIResponse:
        """Return an answer that fills itself in."""

        async def fill_in() -> ASGIResponse:
            status, refusal = self.status_code or 500, self.refusal
            frame = await _frame(self.request, status)
            text = i18n.translate(refusal.text, refusal.params)
            self.content = render.render("error.html", status=status, text=text, refusal=refusal, number=self.number, **frame)
            return super(RefusalPage, self).to_asgi_response(*args, **options)

        return Late(fill_in)


class Late(ASGIResponse):
    """An answer that is made when it is sent."""

    def __init__(self, make: Callable[[], Awaitable[ASGIResponse]]) -> None:
        super().__init__()
        self.make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the answer, and send it."""
        await (await self.make())(scope, receive, send)


async def _frame(request: Request[Any, Any, Any], status: int) -> dict[str, Any]:
    """Return the frame of a refusal; the bare one where the database is the trouble, or does not say in time whose page it is."""
    if status >= 500 or request.scope["path"].startswith(OPEN_PATHS):
        return bare_shell(request)
    try:
        async with asyncio.timeout(PATIENCE_S):
            if not request.scope["state"]["passed"]:
                await look_up(request, request_id_of(request))
            return await shell(request)
    except (NotSignedIn, *database.LOST, *database.BUSY):
        return bare_shell(request)


def _without_gate(request: Request[Any, Any, Any]) -> None:
    """Make up for the gate where it was not passed: no such route, or the gate itself refused."""
    state = request.scope["state"]
    state["passed"] = "who" in state
    if not state["passed"]:
        state["who"] = Who(Actor(None, ""), "none")
        i18n.use(i18n.negotiate(request.headers.get("accept-language"), request.cookies.get(LOCALE_COOKIE), None))


def wants_json(request: Request[Any, Any, Any]) -> bool:
    """Tell whether a program asks: everything under /api, and whoever accepts JSON only.

    Where the route itself answers JSON (`ANSWERS_JSON`), so does whoever accepts anything; nobody reads a page there.
    """
    accepts, path = request.headers.get("accept", ""), request.scope["path"]
    if path == "/api" or path.startswith("/api/"):
        return True
    route: Any = request.scope.get("route_handler")  # none where there is no such route
    return "html" not in accepts and ("json" in accepts or (route is not None and "answers_json" in route.opt))
