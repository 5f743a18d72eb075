"""Reservations by program: the same verbs as the pages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from booking.checkin import service as checkin
from booking.reservations import queries, service
from booking.reservations.queries import Filters, ReservationFacts
from booking.reservations.refusals import (
    AlreadyCheckedIn,
    CutOff,
    HasBegun,
    HoldExpired,
    MerchantPaused,
    NotBegun,
    NotYet,
    OutsideHours,
    OverQuota,
    Past,
    RoomClosed,
    SlotTaken,
    TooFarAhead,
    TooManyMisses,
    WrongCode,
    WrongState,
)
from booking.reservations.rights import shows_on_tablet
from booking.reservations.service import Changes, Wish
from booking.reservations.tables import State
from booking.units.rules import SPACES
from frontend.answers import in_utc
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
from frontend.api.operations import ID, MOMENT, PEOPLE, PEOPLE_AND_TABLETS, at_query, operation
from frontend.api.paging import CURSOR, bad_cursor, limit_of, limit_query
from frontend.auth import actor_or_device, signed_in
from frontend.feeds_days import announce_quietly
from frontend.idempotency import once
from frontend.views import AnyRequest, app_redis
from incubator.accounts.queries import person_id_by_uid
from incubator.ground import clock
from incubator.ground.errors import N_, FieldError, Invalid, NotFound, Stale
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
        return in_utc(cls(
            found.uid, found.number, found.state, found.version, found.unit_uid, found.merchant_uid, found.title, found.starts_at,
            found.ends_at, found.blocked.starts_at, found.blocked.ends_at, found.hold_until, found.checked_in_at))


class Reservations(msgspec.Struct, frozen=True):
    """A page of reservations; `next` None: that was all."""

    items: list[ReservationOut]
    next: str | None = None


USUAL_PAGE = 50
LISTED = tuple(state.value for state in State if state != State.EXPIRED)
LIST_QUERY = (
    at_query("q", "Searches number, title, phone, and names, also by pinyin.", {"type": "string", "maxLength": 80}),
    at_query("state", "Only those in this state; holds are listed on demand alone.", {"enum": list(LISTED)}),
    at_query("kind", "Only those of one kind of place.", {"enum": list(SPACES)}),
    at_query("space_id", "Only those of one place.", ID),
    at_query("from", "Only those that start then or later.", MOMENT),
    at_query("to", "Only those that start before then.", MOMENT),
    limit_query(USUAL_PAGE),
    CURSOR,
)


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


@get("/api/v1/reservations", tags=["reservations"], operation_class=operation(may=PEOPLE, query=LIST_QUERY))
async def find(request: AnyRequest) -> Response[Reservations]:
    """List reservations that the caller may see, latest start first."""
    actor, given = signed_in(request), request.query_params
    cursor = given.get("cursor")
    if cursor is not None and not queries.is_cursor(cursor):
        raise bad_cursor()
    page = await queries.find(actor, (await first_site()).id, given.get("q", ""), _filters(given), cursor,
                              limit_of(given, USUAL_PAGE))
    return Response(Reservations([ReservationOut.of(each) for each in page.items], page.next))


def _filters(given: Mapping[str, str]) -> Filters:
    kind, state, space_id = given.get("kind"), given.get("state"), given.get("space_id")
    if kind is not None and kind not in SPACES:
        raise Invalid.field("kind", N_("Choose one of the kinds."))
    if state is not None and state not in LISTED:
        raise Invalid.field("state", N_("Choose one of the states."))
    starts_after, starts_before = (moment(given[name], name) if name in given else None for name in ("from", "to"))
    unit_uid = None if space_id is None else public_id(space_id, "space_id")
    return Filters((state,) if state else (), unit_uid, kind, None, starts_after, starts_before)


@get("/api/v1/reservations/{reservation_id:uuid}", tags=["reservations"],
     operation_class=operation(may=PEOPLE_AND_TABLETS))
async def read(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Read one reservation; the room's own tablet may from the beginning of the blocked interval to its end."""
    actor = actor_or_device(request)
    found = await queries.reservation(actor, reservation_id)
    if actor.device_id is not None and not shows_on_tablet(found.state, found.blocked, clock.now()):
        raise NotFound()
    return Response(ReservationOut.of(found))


@post("/api/v1/reservations", tags=["reservations"], status_code=201,
      operation_class=operation(
          Past, TooFarAhead, RoomClosed, OutsideHours, MerchantPaused, OverQuota, SlotTaken, Stale, NotFound,
          may=PEOPLE, takes=NewReservation, repeats=True))
async def reserve(request: AnyRequest) -> Response[ReservationOut]:
    """Book a space, or with `hold` keep it until `hold_until`; 409 slot-taken brings `alternatives`."""
    actor = signed_in(request)
    given: NewReservation = await body(request, NewReservation)
    if given.hold and not given.page_key:
        raise Invalid.field("page_key", N_("A hold needs the key of its page."))
    times = _checked_times(given.starts_at, given.ends_at)
    wish = Wish(public_id(given.space_id, "space_id"), *times, given.title, await _merchant_id(given.merchant_id),
                await _host_id(given.host_id))

    holds = await queries.held_by(actor, given.page_key)

    async def verb() -> ReservationOut:
        made = await service.reserve(actor, wish, hold=given.hold, page_key=given.page_key)
        holds.extend([made.id] if given.hold else [])
        return ReservationOut.of(made)

    answer = await once(request, 201, verb)
    await announce_quietly(app_redis(request), *holds)  # a hold is no fact, so nobody else tells open schedules of it
    return answer


def _checked_times(starts_at: str, ends_at: str) -> tuple[datetime, datetime]:
    times = span(starts_at, ends_at)
    return times.starts_at, times.ends_at


@patch("/api/v1/reservations/{reservation_id:uuid}", tags=["reservations"], status_code=200,
       operation_class=operation(
           Past, TooFarAhead, RoomClosed, OutsideHours, MerchantPaused, OverQuota, SlotTaken, Stale, HasBegun, CutOff, WrongState,
           may=PEOPLE, takes=ReservationChange, repeats=True))
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
      operation_class=operation(
          HoldExpired, RoomClosed, OutsideHours, MerchantPaused, Stale, WrongState,
          may=PEOPLE, takes=Confirmation, needs_body=False, repeats=True))
async def confirm(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Turn a hold into a reservation."""
    actor = signed_in(request)
    given: Confirmation = await body(request, Confirmation, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.confirm(actor, reservation_id, title=given.title, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/check-in", tags=["reservations"], status_code=200,
      operation_class=operation(
          NotYet, AlreadyCheckedIn, WrongCode, TooManyMisses, Stale, WrongState,
          may=PEOPLE_AND_TABLETS, takes=CheckIn, needs_body=False, repeats=True))
async def check_in(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Check in: four digits from the room's tablet, nothing from staff."""
    actor = actor_or_device(request)
    given: CheckIn = await body(request, CheckIn, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await checkin.check_in(actor, reservation_id, given.code))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/extend", tags=["reservations"], status_code=200,
      operation_class=operation(
          RoomClosed, OutsideHours, MerchantPaused, OverQuota, SlotTaken, CutOff, Stale, WrongState,
          may=PEOPLE_AND_TABLETS, takes=Extension, repeats=True))
async def extend(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Let it end later by `minutes`."""
    actor = actor_or_device(request)
    given: Extension = await body(request, Extension)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.extend(actor, reservation_id, given.minutes, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/end", tags=["reservations"], status_code=200,
      operation_class=operation(
          NotBegun, CutOff, Stale, WrongState, may=PEOPLE_AND_TABLETS, takes=Versioned, needs_body=False, repeats=True))
async def end(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """End a running reservation now."""
    actor = actor_or_device(request)
    given: Versioned = await body(request, Versioned, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.end_early(actor, reservation_id, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/no-show", tags=["reservations"], status_code=200,
      operation_class=operation(NotYet, Stale, WrongState, may=PEOPLE, takes=Versioned, needs_body=False, repeats=True))
async def no_show(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Note that nobody came."""
    actor = signed_in(request)
    given: Versioned = await body(request, Versioned, may_be_empty=True)

    async def verb() -> ReservationOut:
        return ReservationOut.of(await service.mark_no_show(actor, reservation_id, version=given.version))

    return await once(request, 200, verb)


@post("/api/v1/reservations/{reservation_id:uuid}/cancel", tags=["reservations"], status_code=200,
      operation_class=operation(HasBegun, Stale, WrongState, may=PEOPLE, takes=Cancellation, needs_body=False, repeats=True))
async def cancel(request: AnyRequest, reservation_id: FromPath[UUID]) -> Response[ReservationOut]:
    """Give a reservation back before it begins, or let go a hold."""
    actor = signed_in(request)
    given: Cancellation = await body(request, Cancellation, may_be_empty=True)

    holds: list[int] = []

    async def verb() -> Any:
        gone = await service.cancel(actor, reservation_id, reason=given.reason, version=given.version)
        holds.extend([gone.id] if gone.number is None else [])
        return ReservationOut.of(gone)

    answer = await once(request, 200, verb)
    await announce_quietly(app_redis(request), *holds)
    return answer


HANDLERS = (find, read, reserve, move, confirm, check_in, extend, end, no_show, cancel)
