"""Signing in and out, the language, the merchant acted for, the password."""

from typing import Any

from litestar import Response, get, post

from frontend import attempts, demo_accounts, i18n
from frontend.auth import COOKIE, LOCALE_COOKIE, signed_in, who
from frontend.cookies import made
from frontend.limits import count
from frontend.views import AnyRequest, app_redis, form, page, see_other, whole
from incubator.accounts import service
from incubator.accounts.service import WrongSignIn
from incubator.ground.errors import Invalid
from incubator.ground.rights import ROLE_NAMES

WRONG_PASSWORDS = 10
PER_S = 300
YEAR_S = 365 * 86400


def safe_next(target: str) -> str:
    """Return where to go after signing in: a path of our own, never another site.

    Browsers drop tabs and newlines from an address and read a backslash as a slash, so none of them may stand in it.
    """
    is_plain = target.isprintable() and "\\" not in target
    return target if is_plain and target.startswith("/") and not target.startswith("//") else "/"


@get("/sign-in", include_in_schema=False)
async def sign_in_page(request: AnyRequest) -> Response[Any]:
    """Show the form; in demo mode with the demo accounts."""
    return await _sign_in_form(request, next_path=safe_next(request.query_params.get("next", "/")))


async def _sign_in_form(request: AnyRequest, *, next_path: str, login: str = "", error: str = "",
                        status: int = 200) -> Response[Any]:
    accounts = demo_accounts.ACCOUNTS if request.app.state.house.is_demo else ()
    return await page(request, "sign_in.html", status=status, next_path=next_path, login=login, error=error,
                      role_names=ROLE_NAMES, demo_accounts=accounts, demo_password=demo_accounts.PASSWORD if accounts else "")


@post("/sign-in", include_in_schema=False, status_code=303)
async def sign_in(request: AnyRequest) -> Response[Any]:
    """Sign in and go on; what does not fit shows the form again with the login kept."""
    fields = {name: str(value) for name, value in (await request.form()).multi_items()}
    login, next_path = fields.get("login", ""), safe_next(fields.get("next", "/"))
    try:
        token, known = await attempts.sign_in(request, login, fields.get("password", ""))
    except WrongSignIn as refusal:
        text = i18n.translate(refusal.text, refusal.params)
        return await _sign_in_form(request, next_path=next_path, login=login, error=text, status=401)
    answer = see_other(request, next_path)
    answer.set_cookie(made(request, COOKIE, token, int(service.MERCHANT_LONGEST.total_seconds())))
    answer.set_cookie(known)
    return answer


@post("/sign-out", include_in_schema=False, status_code=303)
async def sign_out(request: AnyRequest) -> Response[Any]:
    """Close the sign-in of this browser."""
    await form(request)
    if who(request).means == "cookie":
        await service.sign_out(who(request).token)
    answer = see_other(request, "/sign-in")
    answer.delete_cookie(COOKIE, path="/")
    return answer


@post("/language", include_in_schema=False, status_code=303)
async def choose_language(request: AnyRequest) -> Response[Any]:
    """Keep the chosen language, in the browser and with the person."""
    fields = await form(request)
    code = i18n.known(fields.get("locale", ""))
    if who(request).actor.person_id is not None:
        await service.set_locale(who(request).actor, code)
    answer = see_other(request, safe_next(fields.get("next", "/")))
    answer.set_cookie(made(request, LOCALE_COOKIE, code, YEAR_S))
    return answer


@post("/act-for", include_in_schema=False, status_code=303)
async def act_for(request: AnyRequest) -> Response[Any]:
    """Act for another merchant from now on."""
    actor = signed_in(request)
    fields = await form(request)
    await service.act_for(actor, who(request).token, whole(fields.get("merchant", "")))
    return see_other(request, safe_next(fields.get("next", "/")))


@get("/password", include_in_schema=False)
async def password_page(request: AnyRequest) -> Response[Any]:
    """Show the form for a new password."""
    signed_in(request)
    return await page(request, "password.html", errors={}, done=False)


@post("/password", include_in_schema=False, status_code=200)
async def change_password(request: AnyRequest) -> Response[Any]:
    """Change the password; other browsers are signed out."""
    actor = signed_in(request)
    fields = await form(request)
    await count(app_redis(request), f"password:{actor.person_id}", WRONG_PASSWORDS, PER_S)
    try:
        await service.change_password(actor, fields.get("old", ""), fields.get("new", ""), keep_token=who(request).token)
    except Invalid as refusal:
        errors = {e.field: i18n.translate(e.msgid, dict(e.params)) for e in refusal.errors}
        return await page(request, "password.html", status=422, errors=errors, done=False)
    return await page(request, "password.html", errors={}, done=True)


HANDLERS = (sign_in_page, sign_in, sign_out, choose_language, act_for, password_page, change_password)
