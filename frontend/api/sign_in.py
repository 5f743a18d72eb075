"""Signing in by program: a cookie for browsers' scripts; other programs use a token."""

import msgspec
from litestar import Response, post

from frontend import attempts
from frontend.api.bodies import SignIn, body
from frontend.api.operations import ANYBODY, operation
from frontend.auth import COOKIE
from frontend.cookies import made
from frontend.errors import TooMany
from frontend.views import AnyRequest
from incubator.accounts import queries, service
from incubator.accounts.service import WrongSignIn


class SignedIn(msgspec.Struct, frozen=True):
    """Who signed in."""

    person_id: str
    name: str


@post("/api/v1/sign-in", tags=["accounts"], status_code=200,
      operation_class=operation(WrongSignIn, TooMany, may=ANYBODY, takes=SignIn))
async def sign_in(request: AnyRequest) -> Response[SignedIn]:
    """Sign in with phone number or e-mail and password; sets the cookie."""
    given: SignIn = await body(request, SignIn)
    token, known = await attempts.sign_in(request, given.login, given.password)
    session = await queries.by_cookie(token)
    assert session is not None
    answer = Response(SignedIn(str(session.person_uid), session.actor.name), status_code=200)
    answer.set_cookie(made(request, COOKIE, token, int(service.MERCHANT_LONGEST.total_seconds())))
    answer.set_cookie(known)
    return answer


HANDLERS = (sign_in,)
