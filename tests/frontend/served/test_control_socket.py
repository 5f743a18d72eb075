"""Control sockets over a real line: rights end with a page that reads nothing, floods end, and an honest page feels nothing."""

import asyncio
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from booking.checkin import service as checkin
from frontend import feeds, feeds_line, sockets
from frontend.feeds_line import MOST_PAGES
from incubator.ground import database
from incubator.merchants import service as merchants
from studio.director import wire
from tests.frontend.served.conftest import PATIENCE_S, Served, Wire, framed
from tests.people import HOUSE

SCENE = {"type": "switch_scene", "params": {"scene": "主播全景"}}
MANY = tuple(f"场景 {number}" for number in range(400))
TRIES = 6  # so often in a row nothing was done: the line is deaf


@pytest.fixture
def only_rights_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read rights again soon, and bear with a page that reads nothing and asks much for longer than any test waits."""
    monkeypatch.setattr(feeds, "REREAD_S", 0.5)
    for most in ("MOST_UNANSWERED", "MOST_AT_ONCE"):
        monkeypatch.setattr(feeds, most, 100_000)
    monkeypatch.setattr(feeds_line, "SEND_S", 10 * PATIENCE_S)
    monkeypatch.setattr(sockets, "UNREAD_S", 10 * PATIENCE_S)


async def _fill(served: Served, count: int = 60) -> None:
    """Let the director say much, until nothing more fits into the line of somebody who reads nothing."""
    for number in range(count):
        await served.says(scenes=MANY, program=str(number))
        await asyncio.sleep(0.02)


async def _obeyed(served: Served, line: Wire, within_s: float = PATIENCE_S) -> bool:
    """Tap once and tell whether it was done."""
    served.commands.clear()
    with suppress(OSError):
        await line.send(id="x", **SCENE)
    until = time.monotonic() + within_s
    while not served.commands and time.monotonic() < until:
        await asyncio.sleep(0.01)
    return bool(served.commands)


async def _ends(served: Served, line: Wire) -> bool:
    """Go on tapping until it is obeyed no longer; False when it goes on too long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while any([await _obeyed(served, line, 0.2) for _ in range(TRIES)]):
                pass
            return True
    return False


async def test_it_works(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.alice))
    assert (await line.message("rig"))["mine"] is True
    assert (await line.message("session"))["may"] is True
    await line.send(id="7", **SCENE)
    assert await line.message("answer") == {"type": "answer", "id": "7", "outcome": "done", "code": "", "text": ""}


@pytest.mark.usefixtures("only_rights_end")
async def test_a_removed_member_who_reads_nothing_commands_no_longer(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.bob), buffer=2048)
    await _fill(served)
    assert await _obeyed(served, line)
    await merchants.remove_member(HOUSE, served.people.sunrise_id, served.people.bob.person_id or 0)
    assert await _ends(served, line)


@pytest.mark.usefixtures("only_rights_end")
async def test_a_revoked_tablet_that_reads_nothing_commands_no_longer(served: Served) -> None:
    paired = await checkin.show_pairing(served.people.site)
    device = await checkin.pair(served.people.dora, paired.code, served.room.unit.id, "")
    line = await served.wire(f"kaibo_device={paired.token}", buffer=2048)
    await _fill(served)
    assert await _obeyed(served, line)
    await checkin.revoke(served.people.dora, device)
    assert await _ends(served, line)


async def test_what_is_written_asks_for_the_right_of_now(served: Served) -> None:
    """Between two looks a removed member could still plant a stream key, which stays."""
    line = await served.wire(await served.cookie(served.people.bob))
    await line.message("session")
    await merchants.remove_member(HOUSE, served.people.sunrise_id, served.people.bob.person_id or 0)
    await line.send(id="k", type="paste", params={"text": "rtmp://thief.example/live/THIEFKEY1234", "version": 0})
    assert (await line.message("answer"))["outcome"] == "refused"
    assert await database.fetchval("SELECT count(*) FROM destinations") == 0


@pytest.mark.usefixtures("only_rights_end")
async def test_whoever_keeps_the_right_is_obeyed_though_nothing_is_read(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.bob), buffer=2048)
    await _fill(served)
    assert await _obeyed(served, line)
    await asyncio.sleep(3 * feeds.REREAD_S)
    assert await _obeyed(served, line)


async def test_a_page_that_reads_nothing_is_let_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_line, "SEND_S", 0.5)
    monkeypatch.setattr(sockets, "UNREAD_S", 0.8)
    before = len(asyncio.all_tasks())
    lines = [await served.wire(await served.cookie(served.people.bob), buffer=2048) for _ in range(3)]
    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > before + 2:
            await _fill(served, 10)
    assert {await line.closing() for line in lines} <= {1006}


@pytest.mark.usefixtures("only_rights_end")
async def test_a_slow_page_reads_the_newest_and_stays(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.alice), buffer=2048)
    await _fill(served)
    await served.says(program="last")
    seen = ""
    while seen != "last":
        seen = (await line.message("rig"))["program"]
    await line.send(id="7", **SCENE)
    assert (await line.message("answer"))["outcome"] == "done"


def _pour(line: Wire, what: bytes, is_over: threading.Event) -> None:
    """Send as fast as the line takes it, from a thread of its own, until the line breaks or it is over."""
    sock = socket.socket(fileno=line.sock.detach())
    sock.settimeout(1)
    with suppress(OSError), sock:
        while not is_over.is_set():
            sock.sendall(what)


@pytest.mark.parametrize("what", [framed(b"{}"), framed(b'{"type":"nope"}'), framed(b"", 9), framed(b"x" * 60_000)], ids=[
    "malformed", "unknown", "pings", "large"])
async def test_a_flood_stops_nobody(served: Served, what: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It would go on for ever; whoever else asks is answered all the same."""
    cookie = await served.cookie(served.people.bob)
    line, is_over = await served.wire(cookie), threading.Event()
    flood = threading.Thread(target=_pour, args=(line, what * max(1, 4000 // len(what)), is_over), daemon=True)
    flood.start()
    most = 0
    async with served.client() as client:
        for _ in range(8):
            assert (await client.get("/sign-in")).status_code == 200
            most = max(most, len(asyncio.all_tasks()))
            await asyncio.sleep(0.1)
    assert most < 120
    is_over.set()
    await asyncio.to_thread(flood.join, PATIENCE_S)
    assert not flood.is_alive()
    assert "never retrieved" not in caplog.text
    assert caplog.text.count("Traceback") == 0


async def test_asking_too_much_closes_and_says_so(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_PER_S", 0.1)
    monkeypatch.setattr(feeds, "MOST_UNANSWERED", 10_000)  # it is the pace that ends it
    line = await served.wire(await served.cookie(served.people.bob))
    for _ in range(feeds.MOST_AT_ONCE + 30):
        with suppress(OSError):
            await line.send(type="nope")
    assert await line.closing() == feeds.GONE_TOO_MUCH


async def test_what_nobody_answers_yet_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    board = await feeds.switchboard_of(served.app)
    waiting = []

    async def send(*_: Any) -> Any:
        waiting.append(1)
        await asyncio.sleep(10 * PATIENCE_S)

    monkeypatch.setattr(board, "send", send)
    monkeypatch.setattr(feeds, "MOST_AT_ONCE", 10 * feeds.MOST_UNANSWERED)  # it is not the pace that ends it
    line = await served.wire(await served.cookie(served.people.bob))
    for _ in range(feeds.MOST_UNANSWERED + 2):
        with suppress(OSError):
            await line.send(**SCENE)
    assert await line.closing() == feeds.GONE_TOO_MUCH
    assert len(waiting) <= feeds.MOST_UNANSWERED


@pytest.mark.parametrize("body", [b'{"type":"x","params":{"a":' + b"[" * 9000, b'{"type":"x","id":"' + b"x" * 9000 + b'"}', b"", b"\xff"[:0] + b"[]",
                                  b'{"type":"paste","params":{"text":"rtmp://a.example/b/\\u0000","version":0}}'])
async def test_nonsense_is_refused_and_the_page_stays(served: Served, body: bytes) -> None:
    line = await served.wire(await served.cookie(served.people.alice))
    await asyncio.get_running_loop().sock_sendall(line.sock, framed(body))
    await line.send(id="7", **SCENE)
    found = [await line.message("answer")]
    while found[-1]["id"] != "7":
        found.append(await line.message("answer"))
    assert found[-1]["outcome"] == "done"
    assert all(len(one["id"]) < 65 for one in found)


async def test_asking_again_and_again_reads_the_database_seldom(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    read, seat = [], feeds.seat

    async def counted(*args: Any) -> Any:
        read.append(1)
        return await seat(*args)

    line = await served.wire(await served.cookie(served.people.alice))
    await line.message("session")
    monkeypatch.setattr(feeds, "seat", counted)
    monkeypatch.setattr(feeds, "REREAD_S", 10 * PATIENCE_S)
    monkeypatch.setattr(feeds, "REREAD_PAUSE_S", 5 * PATIENCE_S)
    for number in range(30):
        await line.send(id=str(number), type="declare_shown")
        await line.message("answer")
    assert len(read) <= 2


async def test_only_so_many_pages_and_the_newest_stay(served: Served) -> None:
    cookie = await served.cookie(served.people.alice)
    lines = [await served.wire(cookie) for _ in range(MOST_PAGES)]
    other = await served.wire(await served.cookie(served.people.bob))
    newest = await served.wire(cookie)
    assert await lines[0].closing() == feeds.GONE_TOO_MUCH
    for line in (lines[1], newest, other):
        await line.send(id="7", **SCENE)
        assert (await line.message("answer"))["id"] == "7"


async def test_levels_are_told_to_those_alone_who_have_the_room(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.alice))
    await line.message("rig")

    async def levels(session: int = served.room.session_id) -> None:
        body = wire.MetersNow((wire.LevelNow("主播麦", -20.0, -18.0),), session)
        await served.redis.publish(wire.meters_channel(served.room.rig.id), wire.encode(body))

    await levels()
    assert (await line.message("meters"))["meters"] == {"levels": [["主播麦", -20.0, -18.0]]}
    for _ in range(5):  # of the next party, before any snapshot says that the room is theirs; of nobody; unreadable
        await levels(served.room.session_id + 1)
        await levels(0)
        await served.redis.publish(wire.meters_channel(served.room.rig.id), b"{}")
    with pytest.raises(TimeoutError):
        await line.message("meters", 1)
    await levels()
    assert await line.message("meters")
    await served.says(plan=wire.PlanNow(session=served.room.session_id + 1, state="ready"))
    while (await line.message("rig"))["mine"]:
        pass
    for _ in range(5):
        await levels()
    with pytest.raises(TimeoutError):
        await line.message("meters", 1)
    await served.says()
    while not (await line.message("rig"))["mine"]:
        pass
    await levels()
    assert await line.message("meters")
