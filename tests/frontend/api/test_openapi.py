"""The API as it describes itself, and held against nonsense: whatever comes, the answer is a clear one."""

import json
from typing import Any

import httpx
import pytest_asyncio
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.booking.conftest import Rooms, at, booked
from tests.frontend.api.conftest import wish
from tests.people import People

PATHS = {
    "/api/v1/sign-in": {"post"}, "/api/v1/spaces": {"get"}, "/api/v1/availability": {"get"},
    "/api/v1/reservations": {"get", "post"}, "/api/v1/reservations/{reservation_id}": {"get", "patch"},
    **{f"/api/v1/reservations/{{reservation_id}}/{verb}": {"post"}
       for verb in ("confirm", "check-in", "extend", "end", "no-show", "cancel")},
    "/api/v1/live-sessions/{session_id}": {"get"}, "/api/v1/live-sessions/{session_id}/commands": {"post"},
}


async def test_it_works(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert {path: set(verbs) for path, verbs in answer.json()["paths"].items()} == PATHS


async def test_answers_are_described(anonymous: httpx.AsyncClient) -> None:
    described = (await anonymous.get("/api/openapi.json")).json()
    made = described["paths"]["/api/v1/reservations"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    shape = described["components"]["schemas"][made["$ref"].rpartition("/")[2]]
    assert {"id", "number", "state", "version", "hold_until"} <= set(shape["properties"])


async def test_bodies_are_described(anonymous: httpx.AsyncClient) -> None:
    paths = (await anonymous.get("/api/openapi.json")).json()["paths"]
    bodies = {(path, verb): told.get("requestBody") for path, verbs in paths.items() for verb, told in verbs.items() if verb != "get"}
    assert [route for route, found in bodies.items() if found is None] == []
    assert bodies["/api/v1/reservations", "post"]["required"] is True
    assert not bodies["/api/v1/reservations/{reservation_id}/check-in", "post"].get("required", False)


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
    st.sampled_from(["from", "to", "kind", "q", "cursor"]), st.text(max_size=20), max_size=2), cut=st.integers(0, 400))
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
