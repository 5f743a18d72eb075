"""The API as it describes itself: what each operation takes, who may call it, and every refusal that it knows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    RequestBody,
    SecurityScheme,
)

from frontend.api import bodies, examples
from frontend.auth import COOKIE, DEVICE_COOKIE, ForeignOrigin, NotSignedIn
from frontend.errors import PROBLEM_JSON, PROBLEMS, Malformed, Problem, TooLarge, TooMany, WrongContentType, status_of_kind
from frontend.idempotency import LONGEST_KEY, KeyReused
from incubator.ground.errors import Forbidden, Invalid, KaiboError, NotFound, Unavailable

Refusals = Iterable[type[KaiboError]]
Security = list[dict[str, list[str]]]
REF = "#/components/schemas/{name}"
ANYBODY: Security = []
PEOPLE: Security = [{"cookie": []}, {"bearer": []}]
PEOPLE_AND_TABLETS: Security = [*PEOPLE, {"tablet": []}]
SCHEMES = {
    "cookie": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie",
                             description="Set by signing in. Writes also need an Origin of this site."),
    "bearer": SecurityScheme(type="http", scheme="bearer", description="A token of a person; it may be allowed to read only."),
    "tablet": SecurityScheme(type="apiKey", name=DEVICE_COOKIE, security_scheme_in="cookie",
                             description="A paired tablet; it acts for its own room only."),
}
ABOUT = """Booking and live rooms of Kaibo.

Times are RFC 3339 and need their offset from UTC (in an address, write `+` as `%2B`); answers tell them in UTC, with `Z`. Ids are
UUIDs. What can change carries a `version`; a change that sends another one than the present is refused as `stale`. Lists come in
pages: `next` is the `cursor` of the next one, null on the last. Every write but signing in knows `Idempotency-Key`. Every refusal
is problem+json (RFC 9457): `type` and `code` are stable, `title` says what kind of problem it is and `detail` what happened this
time, both in the language of Accept-Language (`zh-CN` or `en`), else in the person's own."""
MOMENT = {"type": "string", "format": "date-time"}
ID = {"type": "string", "format": "uuid"}
TAG: Any = {"type": "string", "examples": ["zh-CN", "en"]}
KEY: Any = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"}
SECONDS: Any = {"type": "integer", "minimum": 1}
LANGUAGE = Parameter("Accept-Language", "header", TAG, description="The language of refusals: Chinese or English.")
REPEAT = Parameter("Idempotency-Key", "header", KEY,
                   description="Up to 24 hours, a repeat with the same key and body is answered with the first answer"
                   " and not done again.")
RETRY = {"Retry-After": OpenAPIHeader(schema=SECONDS, description="Seconds to wait.")}
BUSY = {TooMany, Unavailable}


def components() -> Components:
    """Return the security schemes; schemas are added when the description is rendered."""
    return Components(security_schemes=dict(SCHEMES))


def operation(*refusals: type[KaiboError], may: Security, takes: type[msgspec.Struct] | None = None, needs_body: bool = True,
              query: Sequence[Parameter] = (), repeats: bool = False) -> type[Operation]:
    """Return the operation class of a route.

    `refusals` are those of its verb; what every route can answer is added. `may`: who calls it. `takes`: its body as JSON, which
    `needs_body` False lets stay away. `repeats`: it knows Idempotency-Key.
    """
    known = {*refusals, *_common(takes, query, repeats=repeats)}

    @dataclass
    class DescribedOperation(Operation):
        """An operation with its parameters, body, refusals and callers."""

        def __post_init__(self) -> None:
            """Complete what the framework found out by itself."""
            added = [*query, LANGUAGE, *([REPEAT] if repeats else [])]
            self.parameters = [*(self.parameters or []), *added]
            self.security = may
            if takes is not None:
                self.request_body = RequestBody(content={"application/json": _media(takes)}, required=needs_body)
            found: dict[str, Any] = {status: answer for status, answer in (self.responses or {}).items() if status < "300"}
            self.responses = found | _answers(known | ({NotFound} if _has_path(self.parameters) else set()))
            _show_examples(found)

    return DescribedOperation


def _common(takes: type[msgspec.Struct] | None, query: Sequence[Parameter], *, repeats: bool) -> set[type[KaiboError]]:
    """Return what the gate and the borders refuse, whatever the verb."""
    found: set[type[KaiboError]] = {Unavailable, NotSignedIn}  # a wrong token is refused even where anybody may
    if takes is not None:
        found |= {ForeignOrigin, Forbidden, Malformed, WrongContentType, TooLarge, Invalid}
    if query or repeats:
        found.add(Invalid)
    return found | ({KeyReused} if repeats else set())


def _has_path(parameters: Sequence[Any]) -> bool:
    return any(isinstance(each, Parameter) and each.param_in == "path" for each in parameters)


def _media(kind: type[msgspec.Struct]) -> OpenAPIMediaType:
    shown: Any = {name: _example(value) for name, value in examples.BODIES.get(kind.__name__, {}).items()}
    return OpenAPIMediaType(schema=_ref(kind.__name__), examples=shown or None)


def _example(value: Any) -> Example:
    """Return an example as ready JSON: the framework would drop every null of a plain value."""
    return Example(value=msgspec.Raw(msgspec.json.encode(value)))


def _ref(name: str) -> Any:
    return {"$ref": REF.format(name=name)}


def _answers(refusals: Refusals) -> dict[str, OpenAPIResponse]:
    """Return one answer per status, which names the problems that it can be."""
    by_status: dict[int, set[type[KaiboError]]] = {}
    for kind in refusals:
        by_status.setdefault(status_of_kind(kind), set()).add(kind)
    return {str(status): _answer(status, kinds) for status, kinds in sorted(by_status.items())}


def _answer(status: int, kinds: set[type[KaiboError]]) -> OpenAPIResponse:
    codes = sorted({kind.code for kind in kinds})
    told = {kind.code: (kind.__doc__ or "").splitlines()[0] for kind in sorted(kinds, key=lambda each: -len(each.__mro__))}
    narrowed = {"properties": {"code": {"enum": codes}, "status": {"const": status}}}
    schema: Any = {"allOf": [_ref("Problem"), narrowed]}
    shown: Any = {code: _example(examples.problem(code, status)) for code in codes}
    return OpenAPIResponse(
        description="\n".join(f"- `{code}`: {told[code]}" for code in codes), headers=dict(RETRY) if kinds & BUSY else None,
        content={PROBLEM_JSON: OpenAPIMediaType(schema=schema, examples=shown)})


def _show_examples(found: Mapping[str, Any]) -> None:
    for answer in found.values():
        for media in (answer.content or {}).values():
            name = str(getattr(media.schema, "ref", "")).rpartition("_")[2]  # the framework still calls it by module and class
            if name in examples.ANSWERS:
                media.examples = {"usual": _example(examples.ANSWERS[name])}


def schemas() -> dict[str, Any]:
    """Return the schemas of bodies and problems, by name."""
    _, found = msgspec.json.schema_components([*bodies.KINDS, Problem], ref_template=REF)
    found["Problem"]["properties"]["code"] = {"enum": sorted(PROBLEMS), "description": "The stable slug of the fact."}
    found[bodies.CommandBody.__name__] = bodies.gestures()
    return found


class Description(JsonRenderPlugin):
    """Renders the description with the schemas of what handlers read and refuse by themselves."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the whole description as JSON."""
        parts = openapi_schema["components"]
        whole = openapi_schema | {"components": parts | {"schemas": parts["schemas"] | schemas()}}
        return super().render(request, whole)


def at_query(name: str, description: str, schema: Any, *, required: bool = False) -> Parameter:
    """Return a parameter of the query with its schema as JSON says it."""
    return Parameter(name, "query", schema, description=description, required=required)
