"""The API as it describes itself, and held against nonsense: whatever comes, the answer is a clear one."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st

from frontend.errors import HTTP_WORDS, PROBLEM_JSON, PROBLEMS, TITLES, status_of_kind
from incubator.ground.errors import KaiboError
from tests.booking.conftest import Rooms, at, booked
from tests.frontend.api.conftest import wish
from tests.frontend.api.described import document, validator
from tests.people import People

PATHS = {
    "/api/v1/sign-in": {"post"}, "/api/v1/spaces": {"get"}, "/api/v1/availability": {"get"},
    "/api/v1/reservations": {"get", "post"}, "/api/v1/reservations/{reservation_id}": {"get", "patch"},
    **{f"/api/v1/reservations/{{reservation_id}}/{verb}": {"post"}
       for verb in ("confirm", "check-in", "extend", "end", "no-show", "cancel")},
    "/api/v1/live-sessions/{session_id}": {"get"}, "/api/v1/live-sessions/{session_id}/commands": {"post"},
}


WRITES = {(path, verb) for path, verbs in PATHS.items() for verb in verbs if verb != "get"}
READS = {(path, "get") for path, verbs in PATHS.items() if "get" in verbs}


def operation(path: str, verb: str) -> dict[str, Any]:
    """Return the description of one operation."""
    found: dict[str, Any] = document()["paths"][path][verb]
    return found


def names(path: str, verb: str, place: str) -> set[str]:
    """Return the names of an operation's parameters in the query, the path or the headers."""
    return {each["name"] for each in operation(path, verb)["parameters"] if each["in"] == place}


def codes(path: str, verb: str) -> set[str]:
    """Return the problems that an operation knows."""
    return {code for status, answer in operation(path, verb)["responses"].items() if status >= "300"
            for code in answer["content"][PROBLEM_JSON]["schema"]["allOf"][1]["properties"]["code"]["enum"]}


async def test_it_works(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert {path: set(verbs) for path, verbs in answer.json()["paths"].items()} == PATHS
    assert answer.json() == document()


def test_it_is_what_the_standard_calls_a_description() -> None:
    schemathesis.openapi.from_dict(document()).validate()
    broken = document() | {"info": {"title": 7}}
    with pytest.raises(jsonschema_rs.ValidationError):
        schemathesis.openapi.from_dict(broken).validate()


def test_answers_are_described() -> None:
    for path, verb in READS | WRITES:
        responses = operation(path, verb)["responses"]
        good = [answer for status, answer in responses.items() if status < "300"]
        assert ["$ref" in answer["content"]["application/json"]["schema"] for answer in good] == [True], path
    made = operation("/api/v1/reservations", "post")["responses"]["201"]["content"]["application/json"]["schema"]
    shape = document()["components"]["schemas"][made["$ref"].rpartition("/")[2]]
    assert {"id", "number", "state", "version", "hold_until"} <= set(shape["properties"])


def test_bodies_are_described() -> None:
    bodies = {route: operation(*route).get("requestBody") for route in WRITES}
    assert [route for route, found in bodies.items() if found is None] == []
    assert bodies["/api/v1/reservations", "post"]["required"] is True
    assert not bodies["/api/v1/reservations/{reservation_id}/check-in", "post"].get("required", False)


def test_queries_are_described() -> None:
    assert names("/api/v1/availability", "get", "query") == {"from", "to", "kind", "limit", "cursor"}
    assert [each["name"] for each in operation("/api/v1/availability", "get")["parameters"] if each["required"]] == ["from", "to"]
    assert names("/api/v1/spaces", "get", "query") == {"kind", "limit", "cursor"}
    assert names("/api/v1/reservations", "get", "query") == {
        "q", "state", "kind", "space_id", "from", "to", "limit", "cursor"}


def test_headers_are_described() -> None:
    for path, verb in READS | WRITES:
        has_key = "Idempotency-Key" in names(path, verb, "header")
        assert has_key == (verb != "get" and path != "/api/v1/sign-in"), path
        assert "Accept-Language" in names(path, verb, "header")


def test_who_may_call_is_described() -> None:
    assert set(document()["components"]["securitySchemes"]) == {"cookie", "bearer", "tablet"}
    open_to_all = {(path, verb) for path, verb in READS | WRITES if operation(path, verb)["security"] == []}
    assert open_to_all == {("/api/v1/sign-in", "post")}
    for path, verb in READS | WRITES - open_to_all:
        assert {"cookie": []} in operation(path, verb)["security"] or (path, verb) in open_to_all


def every_refusal(kind: type[KaiboError] = KaiboError) -> Iterator[type[KaiboError]]:
    """Yield every class of refusal that the product has."""
    yield kind
    for below in kind.__subclasses__():
        yield from every_refusal(below)


def test_the_list_of_problems_is_whole() -> None:
    ours = {kind for kind in every_refusal() if kind.__module__.split(".")[0] in {"incubator", "booking", "studio", "frontend"}}
    found = {kind.code: status_of_kind(kind) for kind in ours} | {code: status for status, (code, _) in HTTP_WORDS.items()}
    assert found == PROBLEMS
    assert TITLES.keys() == PROBLEMS.keys()


def test_each_problem_of_the_api_is_in_the_list() -> None:
    for path, verb in READS | WRITES:
        for status, answer in operation(path, verb)["responses"].items():
            if status >= "300":
                narrowed = answer["content"][PROBLEM_JSON]["schema"]["allOf"][1]["properties"]
                assert {PROBLEMS[code] for code in narrowed["code"]["enum"]} == {int(status)} == {narrowed["status"]["const"]}
    assert document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(PROBLEMS)


def test_problems_of_the_verb_are_named() -> None:
    assert codes("/api/v1/reservations", "post") >= {
        "slot-taken", "over-quota", "outside-hours", "closed", "past", "too-far-ahead", "merchant-paused", "idempotency-mismatch",
        "malformed", "wrong-content-type", "too-large", "invalid", "foreign-origin", "not-signed-in", "not-found", "unavailable"}
    assert codes("/api/v1/reservations/{reservation_id}/check-in", "post") >= {"wrong-code", "too-many-misses", "not-yet"}
    assert "slot-taken" not in codes("/api/v1/reservations/{reservation_id}/cancel", "post")


def test_examples_are_right() -> None:
    tried = 0
    for path, verb in READS | WRITES:
        told = operation(path, verb)
        parts = [told.get("requestBody", {}), *told["responses"].values()]
        for media in (media for part in parts for media in part.get("content", {}).values()):
            assert media["examples"], path
            for example in media["examples"].values():
                validator(media["schema"]).validate(example["value"])
                tried += 1
    assert tried > 100


NUMBERS = st.integers() | st.floats() | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**40])
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "\x00", "\ud800", "2026-11-24T10:00:00", "2026-11-24T10:00:00+08:00", "9" * 5000])
VALUES = st.recursive(st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    TEXTS, inner, max_size=3), max_leaves=4)
FIELDS = st.sampled_from(["space_id", "starts_at", "ends_at", "title", "merchant_id", "host_id", "hold", "page_key", "version",
                          "minutes", "reason", "code", "type", "params", "login", "password"])
VERBS = st.sampled_from([(path, verb.upper()) for path, verbs in PATHS.items() for verb in sorted(verbs)])
PLAUSIBLE: dict[str, dict[str, Any]] = {
    "confirm": {}, "check-in": {}, "extend": {"minutes": 15}, "end": {}, "no-show": {}, "cancel": {}}


@pytest_asyncio.fixture
async def standing(rooms: Rooms, people: People) -> str:
    """A reservation that runs now."""
    return str((await booked(people.dora, rooms.two, at(12), 1)).uid)


@settings(max_examples=150, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(route=VERBS, changes=st.dictionaries(FIELDS, VALUES, max_size=3), query=st.dictionaries(
    st.sampled_from(["from", "to", "kind", "q", "cursor", "limit"]), st.text(max_size=20), max_size=2), cut=st.integers(0, 400))
async def test_nonsense_never_breaks_it(rooms: Rooms, dora: httpx.AsyncClient, standing: str, route: tuple[str, str],
                                        changes: dict[str, Any], query: dict[str, str], cut: int) -> None:
    """Bodies that nearly fit, with any values in any field, sometimes cut short: refused in clear words or carried out."""
    path, method = route
    last = path.rpartition("/")[2]
    body = PLAUSIBLE.get(last, wish(rooms.one) if method == "POST" else {"version": 1}) | changes
    raw = json.dumps(body).encode()[:None if cut > 60 else cut]
    address = path.replace("{reservation_id}", standing).replace("{session_id}", standing)
    answer = await dora.request(method, address, content=raw if method != "GET" else None, params=_encodable(query),
                                headers={"content-type": "application/json", "accept": "application/json"})
    assert answer.status_code < 500, (route, raw, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def _encodable(query: dict[str, str]) -> dict[str, str]:
    return {name: text.encode(errors="replace").decode() for name, text in query.items()}
