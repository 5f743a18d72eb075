"""Reservations by program: the same verbs as the pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from booking.checkin import service as checkin
from booking.reservations import queries, service
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Changes, Wish
from frontend.api.bodies import (
    Cancellation,
    CheckIn,
    Confirmation,
    Extension,
    NewReservation,
    ReservationChange,
    Versioned,
    body,
    moment,
    span,
    uid as public_id,
)
from frontend.api.operations import taking
from frontend.auth import actor_or_device, signed_in
from frontend.idempotency import once
from frontend.views import AnyRequest
from incubator.accounts.queries import person_id_by_uid
from incubator.ground.errors import N_, FieldError, Invalid, NotFound
from incubator.merchants.queries import merchant_id_by_uid
from incubator.sites.queries import first_site


class ReservationOut(msgspec.Struct, frozen=True):
    """A reservation as programs read it; `number` None for a hold, `hold_until` None for anything else."""

    id: UUID
    number: str | None
    state: str
    version: int
    space_id: UUID
    merchant_id: UUID | None
    title: str
    starts_at: datetime
    ends_at: datetime
    blocked_from: datetime
    blocked_until: datetime
    hold_until: datetime | None
    checked_in_at: datetime | None

    @classmethod
    def of(cls, found: ReservationFacts) -> "ReservationOut":
        """Return the public side of a reservation."""
        return cls(found.uid, found.number, found.state, found.version, found.unit_uid, found.merchant_uid, found.title,
                   found.starts_at, found.ends_at, found.blocked.starts_at, found.blocked.ends_at, found.hold_until,
                   found.checked_in_at)


class Reservations(msgspec.Struct, frozen=True):
    """A page of reservations; `next` None: that was all."""

    items: list[ReservationOut]
    next: str | None = None


async def _merchant_id(text: str | None) -> int | None:
    if text is None:
        return None
    found = await merchant_id_by_uid(public_id(text, "merchant_id"))
    if found is None:
        raise NotFound()
    return found


async def _host_id(text: str | None) -> int | None:
    if text is None:
        return None
    found = await person_id_by_uid(public_id(text, "host_id"))
    if found is None:
        raise Invalid.field("host_id", N_("Nobody is on file under this id."))
    return found


@get("/api/v1/reservations", tags=["reservations"])
async def find(request: AnyRequest) -> Response[Reservations]:
    """List reservations that the actor may see, newest first; `q` searches number, phone and name, `cursor` goes on."""
    actor = signed_in(request)
    page = await queries.find(actor, (await first_site()).id, request.query_params.get("q", ""),
                              cursor=request.query_params.get("cursor"))
    return Response(Reservations([ReservationOut.of(each) for each in page.items], page.next))


@get("/api/v1/reservations/{reservation_id:uuid}", tags=["reservations"])
async def read(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Read one reservation."""
    return Response(ReservationOut.of(await queries.reservation(signed_in(request), reservation_id)))


@post("/api/v1/reservations", tags=["reservations"], status_code=201,
      operation_class=taking(NewReservation))
async def reserve(request: AnyRequest) -> Response[ReservationOut]:
    """Book a space, or with `hold` keep it for five minutes; 409 slot-taken brings `alternatives`."""
    actor = signed_in(request)
    given: NewReservation = await body(request, NewReservation)
    if given.hold and not given.page_key:
        raise Invalid.field("page_key", N_("A hold needs the key of its page."))
    times = _checked_times(given.starts_at, given.ends_at)
    wish = Wish(public_id(given.space_id, "space_id"), *times, given.title, await _merchant_id(given.merchant_id),
                await _host_id(given.host_id))

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.reserve(actor, wish, hold=given.hold, page_key=given.page_key))

    return await once(request, 201, verb)


def _checked_times(starts_at: str, ends_at: str) -> tuple[datetime, datetime]:
    times = span(starts_at, ends_at)
    return times.starts_at, times.ends_at


@patch("/api/v1/reservations/{reservation_id:uuid}", tags=["reservations"], status_code=200,
      operation_class=taking(ReservationChange))
async def move(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Change time, space or title; `version` is the one that was seen."""
    actor = signed_in(request)
    given: ReservationChange = await body(request, ReservationChange)
    changes = _changes(given)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.move(actor, reservation_id, changes, version=given.version))

    return await once(request, 200, verb)


def _changes(given: ReservationChange) -> Changes:
    errors: list[FieldError] = []
    times: dict[str, datetime] = {}
    for field, text in (("starts_at", given.starts_at), ("ends_at", given.ends_at)):
        if text is not None:
            try:
                times[field] = moment(text, field)
            except Invalid as refusal:
                errors.extend(refusal.errors)
    if errors:
        raise Invalid(errors)
    unit_uid = None if given.space_id is None else public_id(given.space_id, "space_id")
    return Changes(times.get("starts_at"), times.get("ends_at"), unit_uid, given.title)


@post("/api/v1/reservations/{reservation_id:uuid}/confirm", tags=["reservations"], status_code=200,
      operation_class=taking(Confirmation, required=False))
async def confirm(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Turn a hold into a reservation."""
    actor = signed_in(request)
    given: Confirmation = await body(request, Confirmation, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.confirm(actor, reservation_id, title=given.title, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/check-in", tags=["reservations"], status_code=200,
      operation_class=taking(CheckIn, required=False))
async def check_in(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Check in: four digits from the room's tablet, nothing from staff."""
    actor = actor_or_device(request)
    given: CheckIn = await body(request, CheckIn, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await checkin.check_in(actor, reservation_id, given.code))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/extend", tags=["reservations"], status_code=200,
      operation_class=taking(Extension))
async def extend(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Let it end later by `minutes`."""
    actor = actor_or_device(request)
    given: Extension = await body(request, Extension)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.extend(actor, reservation_id, given.minutes, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/end", tags=["reservations"], status_code=200,
      operation_class=taking(Versioned, required=False))
async def end(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """End a running reservation now."""
    actor = actor_or_device(request)
    given: Versioned = await body(request, Versioned, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.end_early(actor, reservation_id, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/no-show", tags=["reservations"], status_code=200,
      operation_class=taking(Versioned, required=False))
async def no_show(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Note that nobody came."""
    actor = signed_in(request)
    given: Versioned = await body(request, Versioned, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.mark_no_show(actor, reservation_id, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/cancel", tags=["reservations"], status_code=200,
      operation_class=taking(Cancellation, required=False))
async def cancel(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Give a reservation back before it begins, or let go a hold."""
    actor = signed_in(request)
    given: Cancellation = await body(request, Cancellation, may_be_empty=True)

    async def verb() -> Any:
        return ReservationOut.of(await service.cancel(actor, reservation_id, reason=given.reason, version=given.version))

    return await once(request, 200, verb)


HANDLERS = (find, read, reserve, move, confirm, check_in, extend, end, no_show, cancel)
