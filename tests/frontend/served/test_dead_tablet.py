"""A phone takes over from a tablet that died, over real sockets: at once when it has not been heard for long, not before."""

import math
from typing import Any

import pytest

from booking.checkin import service as checkin
from frontend import feeds
from incubator.ground import database
from studio.control import presence
from studio.control.switchboard import Switchboard
from studio.director.wire import PlanNow
from tests.frontend.served.conftest import Served, Wire


async def _tablet(served: Served) -> tuple[Wire, int]:
    """Pair a tablet, put it in control, and let its page say that it is there."""
    paired = await checkin.show_pairing(served.people.site)
    await checkin.pair(served.people.dora, paired.code, served.room.unit.id, "")
    line = await served.wire(f"kaibo_device={paired.token}")
    assert (await line.message("session"))["may"] is True
    await line.send(id="1", type="take_control")
    assert (await line.message("answer"))["outcome"] == "done"
    device: int = await database.fetchval("SELECT controller_device FROM live_sessions")
    await _held(served, controller="平板", controller_device=device)
    await line.send(type="here")
    assert await line.message("holder") == {"type": "holder", "unheard": None, "after": 10.0}
    return line, device


async def _held(served: Served, **by: Any) -> None:
    await served.says(plan=PlanNow(session=served.room.session_id, session_uid=served.room.session, state="ready", **by))


async def _silent(served: Served, device: int, ago_s: float) -> Switchboard:
    """Let the tablet's last word be so many seconds old."""
    board = await feeds.switchboard_of(served.app)
    board.presence.hears_since = -math.inf
    name = presence.presence_key(served.room.session_id, None, device)
    assert await served.redis.pexpire(name, int((presence.LIFE_S - ago_s) * 1000))
    return board


async def _asked(line: Wire, kind: str = "holder", **ask: Any) -> dict[str, Any]:
    await line.send(**ask)
    return await line.message(kind)


async def test_it_works(served: Served) -> None:
    tablet, device = await _tablet(served)
    phone = await served.wire(await served.cookie(served.people.bob))
    await phone.message("session")
    await _silent(served, device, 3)
    assert (await _asked(phone, type="here"))["unheard"] is None
    assert (await _asked(phone, "answer", id="2", type="take_control"))["code"] == "ask-first"
    await _silent(served, device, 7)
    assert (await _asked(phone, type="here"))["unheard"] == pytest.approx(7, abs=0.9)
    assert (await _asked(phone, "answer", id="3", type="take_control"))["code"] == "ask-first"
    await _silent(served, device, 125)
    assert (await _asked(phone, type="here"))["unheard"] == pytest.approx(125, abs=0.9)
    assert (await _asked(phone, "answer", id="4", type="take_control"))["outcome"] == "done"
    await _held(served, controller="Bob", controller_person=served.people.bob.person_id)
    told = await tablet.message("rig")
    while told["control"]["holder"] != "Bob":
        told = await tablet.message("rig")
    assert (told["control"]["mine"], told["control"]["free"]) == (False, False)
    assert (await _asked(tablet, "answer", id="5", type="ask_control"))["outcome"] == "done"


async def test_a_tablet_that_comes_back_in_time_keeps_control(served: Served) -> None:
    tablet, device = await _tablet(served)
    phone = await served.wire(await served.cookie(served.people.bob))
    await _silent(served, device, 60)
    await _asked(tablet, type="here")
    assert (await _asked(phone, type="here"))["unheard"] is None
    assert (await _asked(phone, "answer", id="2", type="take_control"))["code"] == "ask-first"


async def test_without_sockets_the_same_is_said_over_requests(served: Served) -> None:
    _, device = await _tablet(served)
    await _silent(served, device, 60)
    async with served.client(await served.cookie(served.people.bob)) as client:
        answer = await client.post(f"{served.path}/commands", json={"type": "here"})
    assert answer.json()["unheard"] == pytest.approx(60, abs=0.9)


async def test_who_only_watches_is_told_nothing_and_not_noted(served: Served) -> None:
    _, device = await _tablet(served)
    await _silent(served, device, 60)
    line = await served.wire(await served.cookie(served.people.aud))
    assert (await _asked(line, type="here"))["unheard"] is None
    name = presence.presence_key(served.room.session_id, served.people.aud.person_id, None)
    assert not await served.redis.exists(name)


async def test_while_redis_is_away_nobody_is_called_silent(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _, device = await _tablet(served)
    board = await _silent(served, device, 60)

    async def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    phone = await served.wire(await served.cookie(served.people.bob))
    monkeypatch.setattr(board.redis, "pttl", away)
    monkeypatch.setattr(board.redis, "set", away)
    assert (await _asked(phone, type="here"))["unheard"] is None
    assert (await _asked(phone, "answer", id="2", type="take_control"))["code"] == "ask-first"
