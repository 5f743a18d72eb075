"""A person's own notices."""

import re
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from msgspec import structs

from booking.reservations import queries as reservations
from booking.reservations.queries import ReservationFacts
from frontend.auth import signed_in
from frontend.pages.booking_words import hours_text
from frontend.pages.reservation_view import short_near_day, unit_name
from frontend.views import AnyRequest, form, page, see_other
from incubator.ground.notices import queries, service
from incubator.ground.rights import ROLE_NAMES
from incubator.invitations import queries as invitations

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@get("/notices", include_in_schema=False)
async def notices_page(request: AnyRequest) -> Response[Any]:
    """Show the newest notices."""
    actor = signed_in(request)
    notices = [structs.replace(each, params=revived(each.params)) for each in await queries.latest(actor.person_id or 0)]
    about = await reservations.by_numbers(actor, {str(each.params["number"]) for each in notices if each.params.get("number")})
    return await page(request, "notices.html", notices=notices,
                      subjects={number: subject_of(one) for number, one in about.items()},
                      invitations=await invitations.received(actor),
                      role_names=ROLE_NAMES)


def subject_of(one: ReservationFacts) -> str:
    """Return what a notice is about, before what it says: room, time, title."""
    when = f"{short_near_day(one.starts_at)} {hours_text(one.span)}"
    return " · ".join(part for part in (unit_name(one), when, one.title) if part)


def revived(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as they were before they were kept as JSON: texts that are moments become moments again."""
    return {name: _moment(value) for name, value in params.items()}


def _moment(value: Any) -> Any:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return value
    return datetime.fromisoformat(value)


@post("/notices/read", include_in_schema=False, status_code=303)
async def mark_read(request: AnyRequest) -> Response[Any]:
    """Mark all as read."""
    actor = signed_in(request)
    await form(request)
    await service.mark_all_read(actor)
    return see_other(request, "/notices")


HANDLERS = (notices_page, mark_read)
