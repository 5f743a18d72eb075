"""Bodies that programs send, and the borders where their texts become times and ids."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from booking.reservations.rules import LONGEST_KEY, LONGEST_TITLE, YEARS
from frontend.errors import Malformed, WrongContentType
from frontend.views import AnyRequest
from incubator.ground.errors import N_, FieldError, Invalid
from incubator.ground.values import LONGEST_REASON, Span
from studio.director import wire

LARGEST = 2**31 - 1  # what the columns of counters hold
Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339 with offset")]
Id = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]
AS_KEPT = "Kept trimmed, composed (NFC), and without control characters (NUL, tabs, line breaks) and direction marks."
Title = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": LONGEST_TITLE}, description=AS_KEPT)]
Reason = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": LONGEST_REASON}, description=AS_KEPT)]
PageKey = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1, "maxLength": LONGEST_KEY})]
Version = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
WITH_OFFSET = N_("Give the time with its offset from UTC, such as 2026-11-24T19:00:00+08:00.")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
EXPECTED = {
    "str": N_("A text belongs here."), "int": N_("A whole number belongs here."), "float": N_("A number belongs here."),
    "bool": N_("Only true or false belongs here."), "object": N_("An object belongs here."),
}


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Phone number or e-mail address, and password."""

    login: str
    password: str


class NewReservation(msgspec.Struct, forbid_unknown_fields=True):
    """A space, a time, and for whom; `hold` keeps the slot until `hold_until` and needs `page_key`."""

    space_id: Id
    starts_at: Moment
    ends_at: Moment
    title: Title = ""
    merchant_id: Id | None = None
    host_id: Id | None = None
    hold: bool = False
    page_key: PageKey | None = None


class ReservationChange(msgspec.Struct, forbid_unknown_fields=True):
    """What shall change; None leaves it as it is."""

    version: Version
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    space_id: Id | None = None
    title: Title | None = None


class Versioned(msgspec.Struct, forbid_unknown_fields=True):
    """The version that the sender has seen; None takes the present one."""

    version: Version | None = None


class Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    """Turns a hold into a reservation, with the title written meanwhile."""

    version: Version | None = None
    title: Title | None = None


class Extension(msgspec.Struct, forbid_unknown_fields=True):
    """By how many minutes."""

    minutes: Minutes
    version: Version | None = None


class Cancellation(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Reason = ""
    version: Version | None = None


class CheckIn(msgspec.Struct, forbid_unknown_fields=True):
    """Four digits from a tablet; nothing from staff."""

    code: str | None = None


class CommandBody(msgspec.Struct, forbid_unknown_fields=True):
    """One gesture of the person in control."""

    type: str
    params: dict[str, Any] = {}


KINDS = (SignIn, NewReservation, ReservationChange, Versioned, Confirmation, Extension, Cancellation, CheckIn, CommandBody)


def gestures() -> dict[str, Any]:
    """Return the schema of commands: each type with its parameters."""
    _, found = msgspec.json.schema_components([wire.Command])
    kinds = []
    for schema in found.values():
        params = {name: shape for name, shape in schema["properties"].items() if name != "type"}
        shape = {"type": "object", "properties": params, "required": sorted(params)}
        kinds.append({"title": schema["title"], "description": schema["description"], "type": "object",
                      "properties": {"type": schema["properties"]["type"], "params": shape},
                      "required": ["type", "params"] if params else ["type"], "additionalProperties": False})
    return {"title": "CommandBody", "description": "One gesture of the person in control.", "oneOf": kinds}


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
    """Return which field msgspec names, and in our own words why: «Expected `str`, got `int` - at `$.title`»."""
    what, _, where = message.partition(" - at `$")
    named = where.strip("`.") if where else ""
    if what.startswith(("Object missing", "Object contains")):
        field = ".".join(part for part in (named, what.partition("`")[2].removesuffix("`")) if part)
        return FieldError(field, N_("This field is missing.") if "missing" in what else N_("There is no such field."))
    wanted = what.removeprefix("Expected `").partition("`")[0].removesuffix(" | null")
    if what.startswith("Number out of range") or "` <= " in what or "` >= " in what:
        return FieldError(named, N_("This number is too small or too large."))
    return FieldError(named, EXPECTED.get(wanted, N_("This value cannot be used here.")))


def converted(params: dict[str, Any], kind: Any, prefix: str) -> Any:
    """Return a struct made of values that were read before.

    Raises:
        Invalid: they do not fit; the field is named with its prefix.
    """
    try:
        return msgspec.convert(params, type=kind)
    except msgspec.ValidationError as error:
        found = _field_of(str(error))
        field = found.field if found.field == "type" else f"{prefix}.{found.field}".rstrip(".")
        raise Invalid([FieldError(field, found.msgid)]) from error


def moment(text: str, field: str) -> datetime:
    """Return a time.

    Raises:
        Invalid: not RFC 3339, without offset, or beyond what a calendar holds.
    """
    if not RFC_3339.fullmatch(text):
        raise Invalid.field(field, WITH_OFFSET)
    try:
        found = datetime.fromisoformat(text.upper())
    except (ValueError, OverflowError) as error:
        raise Invalid.field(field, N_("There is no such day or time.")) from error
    if not YEARS[0] <= found.year <= YEARS[1]:
        raise Invalid.field(field, N_("Choose a year from {first} to {last}."), first=str(YEARS[0]), last=str(YEARS[1]))
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
