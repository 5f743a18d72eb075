"""Schemathesis walks the whole API by its own description, on the centre of the demo, as owner, as staff and as nobody.

Whatever it sends, right by the description or wrong: never our own fault (5xx), always an answer that the description knows, and
no body that the description forbids is taken.
"""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.parameters import ParameterLocation

from frontend import demo
from frontend.api.paging import cursor_at
from frontend.demo_accounts import DOMAIN
from incubator.accounts import service as accounts
from incubator.ground import clock, database
from studio.control.switchboard import Switchboard
from studio.director.wire import Answer, Outcome
from tests.booking.conftest import NOW
from tests.frontend.api.described import CheckedTransport, document
from tests.frontend.conftest import ORIGIN

EXAMPLES = 150
SEED = 20221117
SCHEMA = schemathesis.openapi.from_dict(document())
CASES = st.one_of([operation.ok().as_strategy(generation_mode=mode) for operation in SCHEMA.get_all_operations()
                   for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)])
COMING = "SELECT uid FROM reservations WHERE ends_at > $1 AND ($2::bigint IS NULL OR merchant = $2) ORDER BY starts_at, id LIMIT 30"
KNOWN_IDS = {
    "reservation_id": COMING,
    "session_id": f"SELECT l.uid FROM live_sessions l JOIN reservations r ON r.id = l.reservation WHERE r.uid IN ({COMING})",
    "space_id": "SELECT uid FROM units WHERE kind = 'live_room' AND $1::timestamptz > '2026-01-01' AND $2::bigint IS DISTINCT FROM 0",
    "merchant_id": "SELECT uid FROM merchants WHERE created_at <= $1 AND ($2::bigint IS NULL OR id = $2) ORDER BY id",
}
CREDENTIALS = {"authorization", "cookie"}


class Walk:
    """The demo's centre, a program that somebody signed in, and the ids of what this person can see."""

    def __init__(self, client: httpx.AsyncClient, ids: dict[str, list[str]]) -> None:
        self.client = client
        self.ids = ids
        self.dice = random.Random(SEED)
        self.statuses: set[int] = set()

    def led_home(self, case: Case) -> None:
        """Let most right cases speak of things and times that exist, or nothing behind the borders would be reached."""
        likely = {name: [self.dice.choice(ids)] for name, ids in self.ids.items() if ids}
        start = NOW + timedelta(hours=20 + 24 * self.dice.randrange(14), minutes=15 * self.dice.randrange(48))
        end = start + timedelta(minutes=15 * self.dice.randrange(2, 12))
        likely |= {"starts_at": [start.isoformat()], "from": [start.isoformat()], "ends_at": [end.isoformat()], "to": [end.isoformat()]}
        likely |= {"version": [1, 1, 1, 2], "minutes": [15, 30], "limit": [1, 7], "cursor": [cursor_at((1, "L1"))]}
        for part in (case.path_parameters, case.body, case.query):
            if isinstance(part, dict):
                for name in part.keys() & likely.keys():
                    if self.dice.random() < 0.9:
                        part[name] = self.dice.choice(likely[name])


@pytest_asyncio.fixture
async def walk(app: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[Walk]:
    """The beginning of one walk, as the demo account of the role."""

    async def done(_board: Any, *_args: Any) -> Answer:
        return Answer(UUID(int=7), Outcome.DONE)

    monkeypatch.setattr(Switchboard, "send", done)  # no director serves these rooms; each command would wait for it
    with clock.frozen_at(NOW):
        await demo._make(NOW)
        person_id = await database.fetchval("SELECT id FROM people WHERE email = $1", f"{request.param}@{DOMAIN}")
        own = await database.fetchval("SELECT merchant FROM grants WHERE person = $1", person_id)
        cookies = {} if person_id is None else {"kaibo": await accounts._open_sign_in(person_id, "test")}
        ids = {name: [str(row["uid"]) for row in await database.fetch(query, NOW, own)] for name, query in KNOWN_IDS.items()}
        assert all(ids.values())
        transport = CheckedTransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}, cookies=cookies) as client:
            begun = Walk(client, ids)
            yield begun
    assert begun.statuses >= MET[request.param], "answers of several kinds must be met, or the walk shows nothing"


# What every walk meets, whatever the description of the API looks like at the time and whatever else was imported before it: both
# change which examples are drawn, so what is rare among them (400, bodies that are no JSON) is left to the tests of bad input.
MET = {"owner": {200, 404, 422}, "staff": {200, 404, 422}, "anonymous": {401, 404}}


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(case=CASES)
@pytest.mark.parametrize("walk", list(MET), indirect=True)
async def test_the_walk(walk: Walk, case: Case) -> None:
    assert case.meta is not None
    if case.meta.generation.mode == GenerationMode.POSITIVE:
        walk.led_home(case)
    sent = case.as_transport_kwargs(base_url=ORIGIN)
    headers = {name: value for name, value in sent["headers"].items() if name.lower() not in CREDENTIALS}
    raw = sent.get("data")
    answer = await walk.client.request(sent["method"], sent["url"], params=sent.get("params"), headers=headers, json=sent.get("json"),
                                       content=raw if isinstance(raw, bytes) else None)
    walk.statuses.add(answer.status_code)
    assert answer.status_code < 500, answer.text
    part = case.meta.components.get(ParameterLocation.BODY)
    if part is not None and part.mode == GenerationMode.NEGATIVE:
        assert answer.status_code >= 400, (case.path, case.body, answer.text)
