"""Live sessions by program: read one, command its room."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from frontend import idempotency
from frontend.feeds import switchboard_of
from incubator.ground import database
from studio.control.switchboard import RoomsAway
from studio.destinations import service as destinations
from studio.director.wire import Answer, Outcome
from tests.frontend.api.conftest import ClientFor, check_problem
from tests.frontend.api.test_reservations import PROGRAM, is_chinese
from tests.frontend.pages.studio_rooms import Room, make_room
from tests.people import People

ID = UUID(int=4711)
KEY = {"idempotency-key": "k"}
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


class Rig:
    """A room that carries out what it is sent, as `answer` says, and counts."""

    def __init__(self, outcome: Outcome = Outcome.DONE) -> None:
        self.outcome = outcome
        self.sent: list[str] = []
        self.refusal: BaseException | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def send(self, _rig: int, _session: int, _sender: Any, wanted: Any) -> Answer:
        """Take a command."""
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(wanted.scene)
        if self.meanwhile is not None:
            await self.meanwhile()
        return Answer(uuid4(), self.outcome)


@pytest_asyncio.fixture
async def rig(app: Any, room: Room, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The rig of the room, in which the session has begun."""
    await room.begins()
    made = Rig()
    monkeypatch.setattr(await switchboard_of(app), "send", made.send)
    return made


@pytest.mark.parametrize("outcome", Outcome)
async def test_a_repeat_with_the_key_is_not_sent_again(rig: Rig, room: Room, alice: httpx.AsyncClient, outcome: Outcome) -> None:
    rig.outcome = outcome
    first, second = [await alice.post(path(room, "/commands"), json=SCENE, headers=KEY) for _ in range(2)]
    assert (first.status_code, first.json()["outcome"]) == (202, outcome)
    assert (second.status_code, second.json()) == (202, first.json())
    assert len(rig.sent) == 1


async def test_without_a_key_each_is_sent(rig: Rig, room: Room, alice: httpx.AsyncClient) -> None:
    first, second = [await alice.post(path(room, "/commands"), json=SCENE) for _ in range(2)]
    assert first.json()["id"] != second.json()["id"]
    assert len(rig.sent) == 2


async def test_the_key_with_another_command(rig: Rig, room: Room, alice: httpx.AsyncClient) -> None:
    await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    other = SCENE | {"params": {"scene": "商品特写"}}
    check_problem(await alice.post(path(room, "/commands"), json=other, headers=KEY), 409, "idempotency-mismatch")
    assert rig.sent == ["主播全景"]


async def test_a_key_belongs_to_its_person(rig: Rig, room: Room, alice: httpx.AsyncClient, people: People,
                                           client_for: ClientFor) -> None:
    for program in (alice, await client_for(people.dora)):
        assert (await program.post(path(room, "/commands"), json=SCENE, headers=KEY)).status_code == 202
    assert len(rig.sent) == 2


async def test_a_repeat_meanwhile_is_told_that_nothing_is_known_yet(rig: Rig, room: Room, alice: httpx.AsyncClient,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "UNSETTLED_S", 0.1)
    early: list[httpx.Response] = []

    async def meanwhile() -> None:
        early.append(await alice.post(path(room, "/commands"), json=SCENE, headers=KEY))

    rig.meanwhile = meanwhile
    first = await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    late = await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    assert (early[0].status_code, early[0].json()["outcome"]) == (202, "unknown")
    assert first.json()["outcome"] == "done"
    assert late.json() == first.json()
    assert len(rig.sent) == 1


async def test_a_repeat_waits_for_the_outcome_of_the_first(rig: Rig, room: Room, alice: httpx.AsyncClient,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """The first settles while the second looks."""
    await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    await database.execute("UPDATE kept_answers SET status = NULL")
    looks: list[float] = []

    async def look(pause_s: float) -> None:
        looks.append(pause_s)
        if len(looks) == 3:
            await database.execute("UPDATE kept_answers SET status = 202, body = $1", b'{"id": "%s", "outcome": "done", "code": ""}'
                                   % str(ID).encode())

    monkeypatch.setattr(idempotency.asyncio, "sleep", look)
    again = await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    assert again.json() == {"id": str(ID), "outcome": "done", "code": ""}
    assert (len(looks), len(rig.sent)) == (3, 1)


async def test_what_a_killed_process_sent_is_not_sent_again(rig: Rig, room: Room, alice: httpx.AsyncClient,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "UNSETTLED_S", 0.1)
    rig.refusal = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    rig.refusal = None
    told = [(await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)).json() for _ in range(2)]
    assert [each["outcome"] for each in told] == ["unknown", "unknown"]
    assert told[0] == told[1]
    assert rig.sent == []


@pytest.mark.parametrize("refusal", [RoomsAway(), OSError()])
async def test_what_was_not_sent_may_be_tried_again_with_its_key(rig: Rig, room: Room, alice: httpx.AsyncClient,
                                                                 refusal: Exception) -> None:
    rig.refusal = refusal
    assert (await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)).status_code == 503
    rig.refusal = None
    assert (await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)).json()["outcome"] == "done"
    assert len(rig.sent) == 1


async def test_an_outcome_that_cannot_be_kept_is_told_all_the_same(rig: Rig, room: Room, alice: httpx.AsyncClient,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """The database goes away while the room does it: the first is told the truth, a repeat that nothing is known."""
    monkeypatch.setattr(idempotency, "UNSETTLED_S", 0.1)
    execute = database.execute

    async def lost(sql: str, *args: Any) -> int:
        if sql.startswith("UPDATE kept_answers"):
            raise OSError
        return await execute(sql, *args)

    with monkeypatch.context() as away:
        away.setattr(database, "execute", lost)
        first = await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    again = await alice.post(path(room, "/commands"), json=SCENE, headers=KEY)
    assert (first.json()["outcome"], again.json()["outcome"], len(rig.sent)) == ("done", "unknown", 1)


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
