"""Trying to sign in: how often, from where, and that a stranger's wrong guesses keep nobody out of a browser that is known.

Wrong tries count, right ones do not. Whoever signed in before from this browser carries a marked cookie and has a count of their
own, so that guessing from elsewhere cannot lock them out (OWASP calls it a device cookie).
"""

import asyncio
import hashlib
import hmac
import secrets as randomness

from litestar.datastructures import Cookie

from frontend.cookies import made
from frontend.limits import count, note, refuse_beyond
from frontend.views import AnyRequest, app_redis
from incubator.accounts import rules, service
from incubator.accounts.service import WrongSignIn
from incubator.ground import secrets

KNOWN = "kaibo_known"
WRONG_FROM_HERE = 10
WRONG_FROM_ANYWHERE = 100
TRIES_PER_ADDRESS = 300  # a whole centre may sit behind one address
PER_S = 300
AT_ONCE = 4  # in one process, so that a burst cannot outrun the counting
PURPOSE = "known browser"
YEAR_S = 365 * 86400


def gate() -> asyncio.Semaphore:
    """Return what lets few sign-ins of one process run at once; the application keeps it."""
    return asyncio.Semaphore(AT_ONCE)


async def sign_in(request: AnyRequest, login: str, password: str) -> tuple[str, Cookie]:
    """Sign in; return the cookie token, and the cookie by which this browser is known from now on.

    Raises:
        TooMany: too many tries from this address, or too many wrong ones for this login.
        WrongSignIn: they do not fit.
    """
    redis, address = app_redis(request), request.client.host if request.client else "?"
    await count(redis, f"sign-in:address:{address}", TRIES_PER_ADDRESS, PER_S)
    login = rules.as_login(login)
    counters = _counters(login, address, request.cookies.get(KNOWN, ""))
    async with request.app.state.sign_in_gate:
        for name, most in counters:
            await refuse_beyond(redis, name, most)
        try:
            token = await service.sign_in(login, password, request.headers.get("user-agent", ""))
        except WrongSignIn:
            for name, _ in counters:
                await note(redis, name, PER_S)
            raise
    return token, made(request, KNOWN, _known(login, randomness.token_urlsafe(12)), YEAR_S)


def _counters(login: str, address: str, cookie: str) -> list[tuple[str, int]]:
    """Return which counts a try falls under, and how many wrong tries each allows."""
    hashed, number = hashlib.sha256(login.encode()).hexdigest()[:24], cookie.partition(".")[0]
    if hmac.compare_digest(cookie.encode(), _known(login, number).encode()):
        return [(f"sign-in:known:{hashed}:{number}", WRONG_FROM_HERE)]
    return [(f"sign-in:login:{hashed}:{address}", WRONG_FROM_HERE), (f"sign-in:login:{hashed}", WRONG_FROM_ANYWHERE)]


def _known(login: str, number: str) -> str:
    return f"{number}.{secrets.current().mark(f'{login} {number}', PURPOSE)[:32]}"
