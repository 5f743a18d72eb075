"""A person's own notices."""

from typing import Any

from litestar import Response, get, post

from frontend.auth import signed_in
from frontend.views import AnyRequest, form, page, see_other
from incubator.ground.notices import queries, service


@get("/notices", include_in_schema=False)
async def notices_page(request: AnyRequest) -> Response[Any]:
    """Show the newest notices."""
    actor = signed_in(request)
    return await page(request, "notices.html", notices=await queries.latest(actor.person_id or 0))


@post("/notices/read", include_in_schema=False, status_code=303)
async def mark_read(request: AnyRequest) -> Response[Any]:
    """Mark all as read."""
    actor = signed_in(request)
    await form(request)
    await service.mark_all_read(actor)
    return see_other(request, "/notices")


HANDLERS = (notices_page, mark_read)
