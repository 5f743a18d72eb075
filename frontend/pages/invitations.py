"""Answering an invitation to a merchant, and taking one back."""

from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath

from frontend.auth import signed_in
from frontend.views import AnyRequest, form, see_other
from incubator.invitations import service


@post("/invitations/{uid:uuid}/accept", include_in_schema=False, status_code=303)
async def accept(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Become a member, and go to the merchant."""
    actor = signed_in(request)
    await form(request)
    return see_other(request, f"/merchants/{await service.accept(actor, uid)}")


@post("/invitations/{uid:uuid}/decline", include_in_schema=False, status_code=303)
async def decline(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Say no."""
    actor = signed_in(request)
    await form(request)
    await service.decline(actor, uid)
    return see_other(request, "/")


@post("/invitations/{uid:uuid}/withdraw", include_in_schema=False, status_code=303)
async def withdraw(request: AnyRequest, uid: FromPath[UUID]) -> Response[Any]:
    """Take it back, and stay with the merchant."""
    actor = signed_in(request)
    await form(request)
    return see_other(request, f"/merchants/{await service.withdraw(actor, uid)}#members")


HANDLERS = (accept, decline, withdraw)
