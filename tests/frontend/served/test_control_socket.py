"""Control sockets over a real line: rights end with a page that reads nothing, floods end, and an honest page feels nothing."""

import asyncio
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from booking.checkin import service as checkin
from frontend import feeds
from frontend.feeds_line import MOST_PAGES
from incubator.merchants import service as merchants
from studio.director import wire
from tests.frontend.served.conftest import Served, Wire, framed
from tests.people import HOUSE

SCENE = {"type": "switch_scene", "params": {"scene": "主播全景"}}
OLD_RIGHT_S = feeds.REREAD_S + 1.5  # how long after its end a right may at most be felt
MANY = tuple(f"场景 {number}" for number in range(400))


async def _fill(served: Served, seconds: float = 1.5) -> None:
    """Let the director say much, until nothing more fits into the line of somebody who reads nothing."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await served.says(scenes=MANY, program=str(time.monotonic()))
        await asyncio.sleep(0.02)


async def _goes_on(served: Served, line: Wire, seconds: float) -> float:
    """Go on tapping and return for how long it was obeyed."""
    began, last = time.monotonic(), 0.0
    while time.monotonic() - began < seconds:
        served.commands.clear()
        with suppress(OSError):
            await line.send(id="x", **SCENE)
        await asyncio.sleep(0.25)
        if served.commands:
            last = time.monotonic() - began
    return last


async def test_it_works(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.alice))
    assert (await line.message("rig"))["mine"] is True
    assert (await line.message("session"))["may"] is True
    await line.send(id="7", **SCENE)
    assert await line.message("answer") == {"type": "answer", "id": "7", "outcome": "done", "code": "", "text": ""}


async def test_a_tap_is_answered_at_once(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.alice))
    await line.message("session")
    took = []
    for number in range(30):
        began = time.perf_counter()
        await line.send(id=str(number), **SCENE)
        await line.message("answer")
        took.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.06)
    assert sorted(took)[15] < 15


async def test_a_removed_member_who_reads_nothing_commands_no_longer(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.bob), buffer=2048)
    await _fill(served)
    assert await _goes_on(served, line, 0.5)
    await merchants.remove_member(HOUSE, served.people.sunrise_id, served.people.bob.person_id or 0)
    assert await _goes_on(served, line, OLD_RIGHT_S + 3) < OLD_RIGHT_S


async def test_a_revoked_tablet_that_reads_nothing_commands_no_longer(served: Served) -> None:
    paired = await checkin.show_pairing(served.people.site)
    device = await checkin.pair(served.people.dora, paired.code, served.room.unit.id, "")
    line = await served.wire(f"kaibo_device={paired.token}", buffer=2048)
    await _fill(served)
    assert await _goes_on(served, line, 0.5)
    await checkin.revoke(served.people.dora, device)
    assert await _goes_on(served, line, OLD_RIGHT_S + 3) < OLD_RIGHT_S


async def test_a_page_that_reads_nothing_is_let_go(served: Served) -> None:
    before = len(asyncio.all_tasks())
    lines = [await served.wire(await served.cookie(served.people.bob), buffer=2048) for _ in range(3)]
    await _fill(served, 10)
    assert len(asyncio.all_tasks()) <= before + 2
    assert {await line.closing() for line in lines} <= {1006}


async def test_a_slow_page_reads_the_newest_and_stays(served: Served) -> None:
    line = await served.wire(await served.cookie(served.people.alice), buffer=2048)
    await _fill(served)
    await served.says(program="last")
    seen = ""
    while seen != "last":
        seen = (await line.message("rig"))["program"]
    await line.send(id="7", **SCENE)
    assert (await line.message("answer"))["outcome"] == "done"


def _pour(line: Wire, what: bytes, seconds: float) -> None:
    """Send as fast as the line takes it, from a thread of its own."""
    sock = socket.socket(fileno=line.sock.detach())
    sock.settimeout(1)
    until = time.monotonic() + seconds
    with suppress(OSError), sock:
        while time.monotonic() < until:
            sock.sendall(what)


@pytest.mark.parametrize("what", [framed(b"{}"), framed(b'{"type":"nope"}'), framed(b"", 9), framed(b"x" * 60_000)], ids=[
    "malformed", "unknown", "pings", "large"])
async def test_a_flood_stops_nobody(served: Served, what: bytes, caplog: pytest.LogCaptureFixture) -> None:
    cookie = await served.cookie(served.people.bob)
    line = await served.wire(cookie)
    flood = threading.Thread(target=_pour, args=(line, what * max(1, 4000 // len(what)), 6), daemon=True)
    flood.start()
    slowest, most = 0.0, 0
    async with served.client() as client:
        for _ in range(8):
            began = time.monotonic()
            assert (await client.get("/sign-in")).status_code == 200
            slowest, most = max(slowest, time.monotonic() - began), max(most, len(asyncio.all_tasks()))
            await asyncio.sleep(0.1)
    assert slowest < 1.5
    assert most < 120
    await asyncio.to_thread(flood.join, 3)
    assert not flood.is_alive()
    assert "never retrieved" not in caplog.text
    assert caplog.text.count("Traceback") == 0


async def test_asking_too_much_closes_and_says_so(served: Served) -> None:
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
        await asyncio.sleep(30)

    monkeypatch.setattr(board, "send", send)
    line = await served.wire(await served.cookie(served.people.bob))
    for _ in range(feeds.MOST_UNANSWERED + 2):
        with suppress(OSError):
            await line.send(**SCENE)
        await asyncio.sleep(1 / feeds.MOST_PER_S)
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
    for number in range(30):
        await line.send(id=str(number), type="declare_shown")
        await line.message("answer")
        await asyncio.sleep(0.05)
    assert len(read) < 12


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
