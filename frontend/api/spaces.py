"""Spaces and when they are free."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, get

from booking.offers import queries as offers
from booking.offers.queries import LONGEST_LOOK
from booking.units import queries as units
from booking.units.queries import UnitFacts
from booking.units.rules import SPACES
from frontend.answers import in_utc
from frontend.api.bodies import span
from frontend.api.operations import MOMENT, PEOPLE_AND_TABLETS, at_query, operation
from frontend.api.paging import CURSOR, cursor_at, limit_of, limit_query, place_of
from frontend.auth import actor_or_device
from frontend.views import AnyRequest
from incubator.ground.errors import N_, Invalid
from incubator.ground.values import Span
from incubator.sites.queries import first_site


class SpaceOut(msgspec.Struct, frozen=True):
    """One bookable place; minutes for step, setup and teardown."""

    id: UUID
    kind: str
    code: str
    name: str
    name_en: str
    note: str
    note_en: str
    capacity: int
    step_min: int
    setup_min: int
    teardown_min: int
    version: int

    @classmethod
    def of(cls, unit: UnitFacts) -> "SpaceOut":
        """Return the public side of a unit."""
        return cls(unit.uid, unit.kind, unit.code, unit.name, unit.name_en, unit.note, unit.note_en, unit.capacity,
                   unit.step_min, unit.setup_min, unit.teardown_min, unit.version)


class SpanOut(msgspec.Struct, frozen=True):
    """A stretch of time, half-open."""

    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, value: Span) -> "SpanOut":
        """Return a span for the wire."""
        return in_utc(cls(value.starts_at, value.ends_at))


class FreeOut(msgspec.Struct, frozen=True):
    """When one space is free."""

    space_id: UUID
    free: list[SpanOut]


class Spaces(msgspec.Struct, frozen=True):
    """A page of spaces; `next` None: that was all."""

    items: list[SpaceOut]
    next: str | None = None


class Availability(msgspec.Struct, frozen=True):
    """A page of free times; `next` None: that was all."""

    items: list[FreeOut]
    next: str | None = None


def _kind(request: AnyRequest) -> str | None:
    kind: str | None = request.query_params.get("kind")
    if kind is not None and kind not in SPACES:
        raise Invalid.field("kind", N_("Choose one of the kinds."))
    return kind


USUAL_PAGE = 100
PAGES = (limit_query(USUAL_PAGE), CURSOR)
KIND = at_query("kind", "Only places of one kind.", {"enum": list(SPACES)})
TIMES = (
    at_query("from", "From when.", MOMENT, required=True),
    at_query("to", f"Until when, at most {LONGEST_LOOK.days} days later.", MOMENT, required=True),
)


async def _page(request: AnyRequest) -> tuple[list[UnitFacts], str | None]:
    """Return the places of the page that is asked for, and the cursor of the next, None when that was all."""
    kind, after, limit = _kind(request), place_of(request.query_params), limit_of(request.query_params, USUAL_PAGE)
    found = await units.spaces((await first_site()).id, None if kind is None else [kind], after=after, limit=limit + 1)
    shown = found[:limit]
    return shown, cursor_at((shown[-1].sort, shown[-1].code)) if len(found) > limit else None


@get("/api/v1/spaces", tags=["spaces"], operation_class=operation(may=PEOPLE_AND_TABLETS, query=[KIND, *PAGES]))
async def spaces(request: AnyRequest) -> Response[Spaces]:
    """List the bookable places in their fixed order, optionally of one `kind`."""
    actor_or_device(request)
    shown, coming = await _page(request)
    return Response(Spaces([SpaceOut.of(unit) for unit in shown], coming))


@get("/api/v1/availability", tags=["spaces"], operation_class=operation(may=PEOPLE_AND_TABLETS, query=[*TIMES, KIND, *PAGES]))
async def availability(request: AnyRequest) -> Response[Availability]:
    """List when each space is free between `from` and `to`, no further ahead than it can be booked; setup and teardown count.

    Pages go by space, in the order of the spaces.
    """
    actor_or_device(request)
    within = span(request.query_params.get("from", ""), request.query_params.get("to", ""), ("from", "to"))
    shown, coming = await _page(request)
    found = await offers.availability(await first_site(), within, of=shown)
    return Response(Availability([FreeOut(each.space_id, [SpanOut.of(s) for s in each.free]) for each in found], coming))


HANDLERS = (spaces, availability)
