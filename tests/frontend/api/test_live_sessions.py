"""Live sessions by program: read one, command its room."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from frontend.feeds import switchboard_of
from studio.destinations import service as destinations
from studio.director.wire import Answer, Outcome
from tests.frontend.api.conftest import ClientFor, check_problem
from tests.frontend.api.test_reservations import PROGRAM, is_chinese
from tests.frontend.pages.studio_rooms import Room, make_room
from tests.people import People

ID = UUID(int=4711)
SCENE = {"type": "switch_scene", "params": {"scene": "主播全景"}}


@pytest_asyncio.fixture
async def room(people: People) -> Room:
    """A room with a booking of Alice's that is about to begin."""
    return await make_room(people)


@pytest_asyncio.fixture
async def alice(people: People, client_for: ClientFor) -> AsyncIterator[httpx.AsyncClient]:
    """Alice's program."""
    async with await client_for(people.alice) as client:
        yield client


def path(room: Room, more: str = "") -> str:
    """Return the address of the room's session."""
    return f"/api/v1/live-sessions/{room.session}{more}"


async def test_it_works(room: Room, alice: httpx.AsyncClient) -> None:
    found = (await alice.get(path(room))).json()
    assert (found["id"], found["reservation_id"]) == (str(room.session), str(room.booking.uid))
    assert found["number"] == room.booking.number
    assert (found["space_id"], found["output"], found["has_key"], found["spans"]) == (str(room.unit.uid), "stream", False, [])
    assert found["cut_off_at"] > found["ends_at"]


async def test_the_key_is_never_shown(room: Room, alice: httpx.AsyncClient, people: People) -> None:
    from_platform = "rtmp://push.example.com/live/secret-key-4711?expire=4102444800"
    await destinations.paste(people.alice, room.session, from_platform, version=0)
    answer = await alice.get(path(room))
    assert answer.json()["has_key"] is True
    assert "secret" not in answer.text


async def test_a_command_tells_what_became_of_it(app: Any, room: Room, alice: httpx.AsyncClient,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    await room.begins()
    board, sent = await switchboard_of(app), []

    async def send(rig_id: int, session_id: int, sender: Any, wanted: Any) -> Answer:
        sent.append((rig_id, session_id, sender.person is not None, wanted.scene))
        return Answer(ID, Outcome.DONE)

    monkeypatch.setattr(board, "send", send)
    answer = await alice.post(path(room, "/commands"), json=SCENE)
    assert (answer.status_code, answer.json()) == (202, {"id": str(ID), "outcome": "done", "code": ""})
    assert sent == [(room.rig.id, room.session_id, True, "主播全景")]


async def test_without_a_director_nothing_is_claimed(room: Room, alice: httpx.AsyncClient) -> None:
    """Nobody serves the room: the answer says so and never `done`."""
    await room.begins()
    answer = await alice.post(path(room, "/commands"), json=SCENE)
    assert answer.status_code in {202, 409, 503}, answer.text
    assert answer.json().get("outcome") != "done"


async def test_before_check_in_nothing_is_commanded(room: Room, alice: httpx.AsyncClient) -> None:
    check_problem(await alice.post(path(room, "/commands"), json=SCENE), 403, "not-checked-in")


async def test_somebody_elses_session(room: Room, people: People, client_for: ClientFor) -> None:
    charlie = await client_for(people.charlie)
    check_problem(await charlie.get(path(room)), 404, "not-found")
    check_problem(await charlie.post(path(room, "/commands"), json=SCENE), 404, "not-found")


async def test_an_unknown_session(room: Room, alice: httpx.AsyncClient) -> None:
    check_problem(await alice.get(f"/api/v1/live-sessions/{uuid4()}"), 404, "not-found")
    check_problem(await alice.get("/api/v1/live-sessions/7"), 404, "not-found")


@pytest.mark.parametrize("body", [
    {"type": "explode"}, {"type": "switch_scene"}, {"type": "switch_scene", "params": {"scene": 7}}, {"type": 7}, {},
    {"type": "switch_scene", "params": []}, {"type": "switch_scene", "params": {"scene": ""}},
    {"type": "switch_scene", "params": {"scene": "x" * 10_000}}, {"type": "switch_scene", "params": {"type": "explode"}},
    {"type": "set_volume", "params": {"input": "麦", "volume_db": 1e308}}, {"type": "switch_scene", "params": {"\x00": 1}},
])
async def test_a_command_that_is_none(room: Room, alice: httpx.AsyncClient, body: dict[str, Any]) -> None:
    await room.begins()
    problem = check_problem(await alice.post(path(room, "/commands"), json=body), 422, "invalid")
    assert all(is_chinese(error["message"]) for error in problem["errors"])


async def test_a_body_that_is_none(room: Room, alice: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    check_problem(await alice.post(path(room, "/commands"), content=b"{", headers=headers), 400, "malformed")
    check_problem(await alice.post(path(room, "/commands"), content=b"{}"), 415, "wrong-content-type")


async def test_a_token_that_reads_only(room: Room, people: People, bearer: PROGRAM) -> None:
    await room.begins()
    reader = await bearer(people.alice, can_write=False)
    assert (await reader.get(path(room))).status_code == 200
    check_problem(await reader.post(path(room, "/commands"), json=SCENE), 403, "forbidden")


async def test_a_cookie_needs_its_origin(room: Room, alice: httpx.AsyncClient) -> None:
    del alice.headers["origin"]
    check_problem(await alice.post(path(room, "/commands"), json=SCENE), 403, "foreign-origin")


async def test_nobody_is_told_to_sign_in(room: Room, anonymous: httpx.AsyncClient) -> None:
    check_problem(await anonymous.get(path(room)), 401, "not-signed-in")
    check_problem(await anonymous.post(path(room, "/commands"), json=SCENE), 401, "not-signed-in")
