"""What all page handlers share: the shell around a page, forms with their token, redirects."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.response import Redirect

from frontend import i18n, render
from frontend.auth import OldForm, form_token, who
from incubator.ground import database
from incubator.ground.notices.queries import unread_count
from incubator.merchants import queries as merchants

AnyRequest = Request[Any, Any, Any]
TOKEN_FIELD = "_token"
ANSWERS_JSON = {"answers_json": True}  # option of a route that answers a page's script: its refusals are JSON too


def bare_shell(request: AnyRequest) -> dict[str, Any]:
    """Return the frame of a page that must not ask the database: an error page."""
    return {
        "actor": who(request).actor, "acting_name": "", "acting_choices": [], "unread": 0, "form_token": form_token(request),
        "path": request.scope["path"], "locale": i18n.current_code(), "is_demo": request.app.state.house.is_demo,
    }


async def shell(request: AnyRequest) -> dict[str, Any]:
    """Return what the frame of every page shows: who acts for whom, language, unread notices."""
    frame = bare_shell(request)
    actor = who(request).actor
    if actor.person_id is not None:
        names, unread = await database.together(merchants.names(set(actor.merchant_ids)), unread_count(actor.person_id))
        frame |= {"acting_name": names.get(actor.merchant_id or 0, ""), "acting_choices": sorted(names.items()), "unread": unread}
    return frame


async def page(request: AnyRequest, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Render a whole page within the shell."""
    body = render.render(template, **await shell(request), **context)
    return Response(body, status_code=status, media_type="text/html")


def fragment(request: AnyRequest, template: str, *, status: int = 200, **context: Any) -> Response[str]:
    """Render a partial alone, for a swap in an open page; it knows the actor and the form token, not the shell."""
    body = render.render(template, actor=who(request).actor, form_token=form_token(request), **context)
    return Response(body, status_code=status, media_type="text/html")


async def form(request: AnyRequest) -> dict[str, str]:
    """Return the fields of a submitted form; of a repeated field, the last.

    Raises:
        OldForm: the form's token is not the one of this cookie.
    """
    fields = {name: str(value) for name, value in (await request.form()).multi_items()}
    if fields.pop(TOKEN_FIELD, "") != form_token(request):
        raise OldForm()
    return fields


async def form_lists(request: AnyRequest) -> dict[str, list[str]]:
    """Return the fields of a submitted form with all their values.

    Raises:
        OldForm: the form's token is not the one of this cookie.
    """
    found: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        found.setdefault(name, []).append(str(value))
    if found.pop(TOKEN_FIELD, [""])[-1] != form_token(request):
        raise OldForm()
    return found


def whole(text: str) -> int | None:
    """Return a whole number from a form, None for anything else: other digits than ours, or more than a column holds."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def version_of(fields: Mapping[str, str]) -> int:
    """Return the version that a form was made from; a form without one fits none, so that its verb finds it stale."""
    found = whole(fields.get("version", ""))
    return -1 if found is None else found


def mark_of(shown: Any) -> str:
    """Return what stands for all that is shown, so that a page is sent again only when it says something else."""
    return hashlib.sha256(repr(msgspec.to_builtins(shown)).encode()).hexdigest()[:12]


def is_htmx(request: AnyRequest) -> bool:
    """Tell whether htmx asks for a partial."""
    return bool(request.headers.get("hx-request"))


def see_other(request: AnyRequest, url: str) -> Response[Any]:
    """Send the browser on after a write; htmx by its own header."""
    if is_htmx(request):
        return Response("", headers={"HX-Redirect": url}, media_type="text/html")
    return Redirect(url, status_code=303)


def app_redis(request: AnyRequest) -> Any:
    """Return the process's Redis client."""
    return request.app.state.redis
