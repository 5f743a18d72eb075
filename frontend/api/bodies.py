"""Bodies that programs send, and the borders where their texts become times and ids."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from frontend.errors import Malformed, WrongContentType
from frontend.views import AnyRequest
from incubator.ground.errors import N_, FieldError, Invalid
from incubator.ground.values import Span

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339 with offset")]
Id = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]
WITH_OFFSET = N_("Give the time with its offset from UTC, such as 2026-11-24T19:00:00+08:00.")


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Phone number or e-mail address, and password."""

    login: str
    password: str


class NewReservation(msgspec.Struct, forbid_unknown_fields=True):
    """A space, a time, and for whom; `hold` keeps the slot for five minutes and needs `page_key`."""

    space_id: Id
    starts_at: Moment
    ends_at: Moment
    title: str = ""
    merchant_id: Id | None = None
    host_id: Id | None = None
    hold: bool = False
    page_key: str | None = None


class ReservationChange(msgspec.Struct, forbid_unknown_fields=True):
    """What shall change; None leaves it as it is."""

    version: int
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    space_id: Id | None = None
    title: str | None = None


class Versioned(msgspec.Struct, forbid_unknown_fields=True):
    """The version that the sender has seen; None takes the present one."""

    version: int | None = None


class Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    """Turns a hold into a reservation, with the title written meanwhile."""

    version: int | None = None
    title: str | None = None


class Extension(msgspec.Struct, forbid_unknown_fields=True):
    """By how many minutes."""

    minutes: int
    version: int | None = None


class Cancellation(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: str = ""
    version: int | None = None


class CheckIn(msgspec.Struct, forbid_unknown_fields=True):
    """Four digits from a tablet; nothing from staff."""

    code: str | None = None


class CommandBody(msgspec.Struct, forbid_unknown_fields=True):
    """One gesture of the person in control."""

    type: str
    params: dict[str, Any] = {}


async def body(request: AnyRequest, kind: type[Any], *, may_be_empty: bool = False) -> Any:
    """Return the JSON body as that struct.

    Raises:
        WrongContentType: not application/json.
        Malformed: no JSON.
        Invalid: JSON of another shape; names the first field that does not fit.
    """
    raw = await request.body()
    if not raw and may_be_empty:
        return kind()
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise WrongContentType()
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid([_field_of(str(error))]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed() from error


def _field_of(message: str) -> FieldError:
    """Return which field msgspec names at the end of its message: «Expected `str`, got `int` - at `$.title`»."""
    what, _, where = message.partition(" - at `$")
    named = where.strip("`.") if where else what.split("`")[1] if "`" in what else ""
    return FieldError(named, N_("This value cannot be used here: {why}."), {"why": what})


def moment(text: str, field: str) -> datetime:
    """Return a time.

    Raises:
        Invalid: not RFC 3339, without offset, or beyond what a calendar holds.
    """
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise Invalid.field(field, WITH_OFFSET) from error
    if found.tzinfo is None or len(text) < 16 or not 2000 <= found.year <= 2100:
        raise Invalid.field(field, WITH_OFFSET)
    return found


def span(starts_at: str, ends_at: str, names: tuple[str, str] = ("starts_at", "ends_at")) -> Span:
    """Return both times as a span; both are checked, so that all errors come at once.

    Raises:
        Invalid: a time that is none, or an end that does not lie after the start.
    """
    errors: list[FieldError] = []
    found: list[datetime] = []
    for field, text in zip(names, (starts_at, ends_at), strict=True):
        try:
            found.append(moment(text, field))
        except Invalid as refusal:
            errors.extend(refusal.errors)
    if errors:
        raise Invalid(errors)
    return Span(found[0], found[1]).checked()


def uid(text: str, field: str) -> UUID:
    """Return a public id.

    Raises:
        Invalid: not a UUID.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid.field(field, N_("This is not an id.")) from error
