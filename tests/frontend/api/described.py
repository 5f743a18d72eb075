"""Holds every answer that a test gets against the description of the API: status, content type, shape, times, and which problem."""

import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
import msgspec

from frontend.api.operations import schemas
from frontend.app import build
from incubator.ground.settings import load

VERBS = ("get", "post", "patch")
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@cache
def document() -> dict[str, Any]:
    """Return the description; a test compares it with what is served."""
    described = build(settings=load({"KAIBO_DATA": "/nowhere"})).openapi_schema.to_schema()
    described["components"]["schemas"] |= schemas()
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return read


@cache
def operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Return method, pattern of the path and description of every operation."""
    return [
        (verb.upper(), re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(path))), told)
        for path, verbs in document()["paths"].items() for verb, told in verbs.items() if verb in VERBS
    ]


@cache
def _validator(label: str, status: str, kind: str) -> Any:
    told = next(told for _, _, told in operations() if told["operationId"] == label)
    schema = told["responses"][status]["content"][kind]["schema"]
    return validator(schema)


def validator(schema: dict[str, Any]) -> Any:
    """Return a validator of a schema that refers to the description's components."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": document()["components"]}, validate_formats=True)


@cache
def times() -> set[str]:
    """Return the names of the fields in which answers tell a time."""
    shapes = document()["components"]["schemas"].values()
    return {name for shape in shapes for name, told in shape.get("properties", {}).items()
            for each in [told, *told.get("oneOf", []), *told.get("anyOf", [])] if each.get("format") == "date-time"}


def check_times(told: Any) -> None:
    """Assert that every time of an answer is told in UTC: one form everywhere."""
    for name, value in told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ():
        if name in times() and value is not None:
            assert UTC_TIME.fullmatch(value), (name, value)
        check_times(value)


def check(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
    """Assert that an answer is one that the description knows; other addresses than the API's are none of its business."""
    for verb, pattern, told in operations():
        if verb == method and pattern.fullmatch(path):
            known = told["responses"]
            assert str(status) in known, f"{method} {path} answers {status}, known are {sorted(known)}: {body!r}"
            assert content_type in known[str(status)]["content"], f"{method} {path} answers {status} as {content_type}"
            answer = msgspec.json.decode(body)
            _validator(told["operationId"], str(status), content_type).validate(answer)
            check_times(answer)


class CheckedTransport(httpx.ASGITransport):
    """Reaches the application, and looks at every answer."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        answer = await super().handle_async_request(request)
        check(request.method, request.url.path, answer.status_code, answer.headers.get("content-type", ""), await answer.aread())
        return answer
