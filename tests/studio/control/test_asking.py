"""What is asked of a room goes out once: lost before the first byte, nothing was sent; after it, nobody knows, and it is not repeated."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from incubator.ground import clock
from incubator.ground.servers import ValkeyServer, start_valkey
from studio.control import switchboard
from studio.control.switchboard import RoomsAway, Switchboard
from studio.director import wire
from studio.director.wire import Answer, Outcome, Sender, SwitchScene
from tests.studio.conftest import Studio, client, until

ME = Sender(person=1)


class Proxy:
    """Stands before a Valkey; `cut` ends a connection that puts something on a list: before its bytes go on, or its reply."""

    def __init__(self, path: Path, behind: Path) -> None:
        self.path = path
        self.cut = ""
        self.put = 0
        self._behind = behind
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._serve, self.path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_unix_connection(self._behind)
        self._open |= {writer, on}
        answers = asyncio.create_task(self._pump(back, writer))
        while chunk := await reader.read(65536):
            self.put += b"RPUSH" in chunk
            if self.cut and b"RPUSH" in chunk:
                answers.cancel()
                if self.cut == "reply":
                    on.write(chunk)
                    await on.drain()
                    await back.read(1)  # it was carried out, and nobody is told
                break
            on.write(chunk)
        self.close(writer, on)

    async def _pump(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await back.read(65536):
            writer.write(chunk)
        self.close(writer)

    def close(self, *some: asyncio.StreamWriter) -> None:
        for one in some or tuple(self._open):
            one.close()
            self._open.discard(one)


@pytest_asyncio.fixture
async def proxy(valkey: ValkeyServer) -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="kaibo-test-") as folder:
        found = Proxy(Path(folder) / "s", valkey.path)
        server = await found.start()
        yield found
        server.close()
        found.close()


@pytest_asyncio.fixture
async def board(proxy: Proxy) -> AsyncIterator[Switchboard]:
    redis = client(f"unix://{proxy.path}")
    found = Switchboard(redis, "proxied")
    await found.start()
    await until(lambda: found._pubsub is not None and found._pubsub.subscribed)
    yield found
    await found.close()
    await redis.aclose()


@pytest.fixture(autouse=True)
def impatient(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:  # after the patience that the studio sets
    monkeypatch.setattr(switchboard, "DEADLINE_S", 1.0)


async def served(studio: Studio) -> int:
    """Have the room prepared for a session, and return the session."""
    await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    return session.id


async def test_it_works(studio: Studio, board: Switchboard, proxy: Proxy) -> None:
    session = await served(studio)
    assert (await board.send(studio.rig.id, session, ME, SwitchScene("双人"))).outcome == Outcome.DONE
    assert proxy.put == 1


async def test_a_lost_reply_loses_no_answer_and_repeats_nothing(studio: Studio, board: Switchboard, proxy: Proxy) -> None:
    session = await served(studio)
    proxy.cut = "reply"
    answer = await board.send(studio.rig.id, session, ME, SwitchScene("双人"))
    assert (answer.outcome, proxy.put) == (Outcome.DONE, 1)


@pytest.mark.parametrize("verb", ["command", "panic", "probe"])
async def test_what_was_lost_on_its_way_is_unknown_and_goes_out_once(
        studio: Studio, board: Switchboard, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    session = await served(studio)
    monkeypatch.setattr(wire, "PROBE_LIFE_S", 1)
    proxy.cut = "request"
    panic = wire.PanicBody(UUID(int=1), studio.rig.id, 1, ME)
    asking = {"command": board.send(studio.rig.id, session, ME, SwitchScene("双人")), "panic": board.panic(panic),
              "probe": board.probe(studio.rig.id, studio.rig.zone)}
    answer = await asking.pop(verb)
    for other in asking.values():
        other.close()
    assert (answer.outcome, proxy.put) == (Outcome.UNKNOWN, 1)
    assert (await studio.shows(lambda s: s.program)).program != "双人"


async def test_where_no_connection_comes_about_nothing_was_sent(studio: Studio) -> None:
    with tempfile.TemporaryDirectory(prefix="kaibo-test-") as folder:
        server = start_valkey(Path(folder) / "valkey")
        redis = client(server.url)
        board = Switchboard(redis, "alone")
        await _says(redis, studio)
        assert await board.snapshot(studio.rig.id) is not None
        server.stop()
        await asyncio.sleep(0.05)  # the idle connection hears of its end
        with pytest.raises(RoomsAway):
            await board._ask(UUID(int=2), [("RPUSH", "x", "y")], 1.0)
        assert board._waiting == {}
        await redis.aclose()


async def test_what_valkey_refuses_was_not_sent(studio: Studio) -> None:
    with tempfile.TemporaryDirectory(prefix="kaibo-test-") as folder:
        server = start_valkey(Path(folder) / "valkey")
        redis = client(server.url)
        board = Switchboard(redis, "alone")
        await _says(redis, studio)
        await redis.config_set("maxmemory", "1")
        with pytest.raises(RoomsAway):
            await board.send(studio.rig.id, 1, ME, SwitchScene("双人"))
        await redis.config_set("maxmemory", "0")
        answer = await board.send(studio.rig.id, 1, ME, SwitchScene("双人"))
        assert answer.outcome == Outcome.UNKNOWN  # on the same connection, which holds no reply of before
        assert await redis.llen(wire.command_list(studio.rig.id, 1)) == 1
        await redis.aclose()
        server.stop()


async def _says(redis: Redis, studio: Studio) -> None:
    link = wire.LinkNow("online", 0.1)
    snapshot = wire.RigSnapshot(studio.rig.id, "simulated", 1, 1, 1, clock.now(), link, 1080, 1920, "", False)
    await redis.set(wire.snapshot_key(studio.rig.id), wire.encode(snapshot))


async def test_answers_are_heard_by_a_process_whose_first_page_came_at_once(redis: Redis) -> None:
    """A page that was opened while the ear still connected left the answers to a connection that nobody read."""
    board = Switchboard(redis, "early")
    await board.start()
    page = asyncio.create_task(anext(board.watch(7)))
    await until(lambda: board._pubsub is not None)
    for _ in range(3):
        question = uuid4()
        heard = board._waiting[question] = asyncio.get_running_loop().create_future()
        await redis.publish(wire.answers_channel("early"), wire.encode(Answer(question, Outcome.DONE)))
        assert (await asyncio.wait_for(heard, 20)).id == question
    counted = await redis.execute_command("PUBSUB", "NUMSUB", wire.snapshot_channel(7))  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
    assert counted == [wire.snapshot_channel(7).encode(), 1]
    page.cancel()
    await asyncio.gather(page, return_exceptions=True)
    await board.close()
