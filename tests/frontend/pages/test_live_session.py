"""The session on its people's phone: what it shows, what it takes, whom it lets in."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import pytest_asyncio

from booking.reservations.service import Wish, reserve
from frontend.formats import Speech
from frontend.pages.control_state import next_at
from incubator.ground import clock, database
from studio.control import service as control
from studio.director import wire
from studio.director.wire import OutputPhase, PlanNow
from tests.frontend.pages.studio_rooms import ON_AIR, Room, make_room
from tests.people import People

ClientFor = Callable[[Any], Any]
GOOD = "rtmp://push.example.com/live/stream-118722?sign=ab12"


@pytest_asyncio.fixture
async def room(people: People) -> Room:
    return await make_room(people)


def token_of(text: str) -> str:
    found = re.search(r'name="_token" value="([0-9a-f]+)"', text)
    assert found
    return found[1]


async def send(client: Any, room: Room, act: str, **fields: Any) -> Any:
    page = await client.get(f"/live-sessions/{room.session}")
    return await client.post(f"/live-sessions/{room.session}/{act}", data={"_token": token_of(page.text), **fields})


async def test_it_works(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    page = await client.get(f"/live-sessions/{room.session}")
    assert page.status_code == 200
    assert "L1 号间" in page.text
    assert "还没准备" in page.text
    assert len(re.findall(r"<span>\d</span>", page.text)) == 4


async def test_a_stranger_finds_nothing(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.charlie)
    for part in ("", "/parts", "/control", "/control/state", "/pictures/0"):
        assert (await client.get(f"/live-sessions/{room.session}{part}")).status_code == 404


async def test_a_key_is_kept_and_never_shown(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.bob)
    assert (await send(client, room, "key", text=GOOD, version="0")).status_code == 303
    page = await client.get(f"/live-sessions/{room.session}")
    assert "****" in page.text
    assert "stream-118722" not in page.text


@pytest.mark.parametrize("headers", [{}, {"hx-request": "true"}])
@pytest.mark.parametrize(("text", "version", "status"), [(f"{GOOD}&expire=1700000000", "0", 422), (GOOD, "7", 409)])
async def test_a_refused_key_is_in_no_answer(client_for: ClientFor, people: People, room: Room, headers: dict[str, str], text: str,
                                             version: str, status: int) -> None:
    client = await client_for(people.alice)
    client.headers.update(headers)
    answer = await send(client, room, "key", text=text, version=version)
    assert answer.status_code == status
    assert 'id="key-error"' in answer.text
    assert "stream-118722" not in answer.text
    assert ("<textarea" in answer.text) == (not headers)


async def test_a_stale_key_form_learns_which_key_it_would_replace(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    client.headers["hx-request"] = "true"
    answer = await send(client, room, "key", text=GOOD, version="0")
    assert answer.status_code == 409
    assert 'name="version" value="1"' in answer.text
    assert "hx-redirect" in (await send(client, room, "key", text=GOOD, version="1")).headers


async def test_without_the_form_token_nothing_is_kept(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    answer = await client.post(f"/live-sessions/{room.session}/key", data={"text": GOOD, "version": "0"})
    assert answer.status_code == 403


async def test_the_output_is_chosen(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    await send(client, room, "output", output="record", platform="", version="1")
    assert 'value="record" checked' in (await client.get(f"/live-sessions/{room.session}")).text


async def test_a_stale_choice_is_refused(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    assert (await send(client, room, "output", output="record", platform="", version="7")).status_code == 409


async def test_an_unknown_act_is_not_found(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    assert (await send(client, room, "explode")).status_code == 404


async def test_on_air_is_what_the_director_said(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, stream=ON_AIR)
    client = await client_for(people.alice)
    page = await client.get(f"/live-sessions/{room.session}")
    assert 'class="stl air"' in page.text
    assert "平台已开播" in page.text
    await send(client, room, "shown")
    assert "Alice" in (await client.get(f"/live-sessions/{room.session}")).text


async def test_what_cannot_be_ended_is_still_on_air(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, stream=msgspec.structs.replace(ON_AIR, phase=OutputPhase.STUCK))
    page = await (await client_for(people.alice)).get(f"/live-sessions/{room.session}")
    assert 'class="stl air"' in page.text
    rigs = await (await client_for(people.olaf)).get("/rigs")
    assert "推流中" in rigs.text


async def test_parts_come_only_when_they_say_something_else(client_for: ClientFor, people: People, room: Room,
                                                            redis: Any) -> None:
    client = await client_for(people.alice)
    mark = re.search(r"parts\?seen=(\w+)", (await client.get(f"/live-sessions/{room.session}")).text)
    assert mark
    assert (await client.get(f"/live-sessions/{room.session}/parts?seen={mark[1]}")).status_code == 204
    await room.tell(redis, stream=ON_AIR)
    assert (await client.get(f"/live-sessions/{room.session}/parts?seen={mark[1]}")).status_code == 200


async def test_the_controls_of_another_session_on_the_rig_show_nothing(client_for: ClientFor, people: People, room: Room,
                                                                       redis: Any) -> None:
    await room.tell(redis, plan=PlanNow(session=room.session_id + 1, key_shown="rtmp://secret", state="ready"))
    client = await client_for(people.alice)
    said = (await client.get(f"/live-sessions/{room.session}/control/state")).json()
    assert said[1]["mine"] is False
    assert "scenes" not in said[1]
    assert (await client.get(f"/live-sessions/{room.session}/pictures/0")).status_code == 204


async def test_before_check_in_a_command_is_refused(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis)
    client = await client_for(people.alice)
    answer = await client.post(f"/live-sessions/{room.session}/control/commands",
                               json={"id": "1", "type": "switch_scene", "params": {"scene": "马上回来"}})
    assert answer.status_code == 200
    assert answer.json() == {"type": "answer", "id": "1", "outcome": "refused", "code": "not-checked-in",
                             "text": answer.json()["text"]}


@pytest.mark.parametrize("asked", [{"type": "explode"}, {"type": "switch_scene"}, {"type": "panic", "params": {"level": "x"}},
                                   {"type": "set_volume", "params": {"input": "主播麦", "volume_db": "loud"}},
                                   {"type": "extend", "params": {"minutes": []}},
                                   {"type": "extend", "params": {"minutes": 15}}, {"type": "paste", "params": {}}])
async def test_nonsense_is_refused_in_words(client_for: ClientFor, people: People, room: Room, redis: Any,
                                            asked: dict[str, Any]) -> None:
    await room.tell(redis)
    await room.begins()
    client = await client_for(people.alice)
    answer = await client.post(f"/live-sessions/{room.session}/control/commands", json=asked)
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "refused"
    assert answer.json()["text"]


async def test_a_fault_of_ours_is_not_called_an_old_page(client_for: ClientFor, people: People, room: Room, redis: Any,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: Any) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(control, "call_staff", broken)
    client = await client_for(people.alice)
    answer = await client.post(f"/live-sessions/{room.session}/control/commands", json={"type": "call_staff"})
    assert answer.status_code == 500


async def ends_at(room: Room) -> timedelta:
    """Return by how much the booking ends later than it was made."""
    found: datetime = await database.fetchval("SELECT ends_at FROM reservations WHERE id = $1", room.booking.id)
    return found - room.booking.ends_at


async def test_the_same_extension_from_two_phones_counts_once(client_for: ClientFor, people: People, room: Room) -> None:
    await room.begins()
    with clock.frozen_at(room.booking.ends_at - timedelta(minutes=5)):
        phones = [await client_for(actor) for actor in (people.alice, people.bob)]
        forms = []
        for phone in phones:
            page = (await phone.get(f"/live-sessions/{room.session}")).text
            found = re.search(r'name="minutes" value="30"><input type="hidden" name="version" value="(\d+)"', page)
            assert found
            forms.append({"_token": token_of(page), "minutes": "30", "version": found[1]})
        answers = [await phone.post(f"/live-sessions/{room.session}/extend", data=sent) for phone, sent in zip(phones, forms, strict=True)]
        assert [answer.status_code for answer in answers] == [303, 409]
        assert await ends_at(room) == timedelta(minutes=30)
        stale = await phones[1].post(f"/live-sessions/{room.session}/end", data=forms[1])
        assert stale.status_code == 409


async def test_the_same_extension_from_phone_and_tablet_counts_once(client_for: ClientFor, people: People, room: Room,
                                                                    redis: Any) -> None:
    await room.begins()
    await room.tell(redis)
    with clock.frozen_at(room.booking.ends_at - timedelta(minutes=5)):
        phones = [await client_for(actor) for actor in (people.alice, people.bob)]
        seen = [(await phone.get(f"/live-sessions/{room.session}/control/state")).json()[0]["extend"][1] for phone in phones]
        said = []
        for phone, offer in zip(phones, seen, strict=True):
            ask = {"type": "extend", "params": {"minutes": offer["minutes"], "version": offer["version"]}}
            said.append((await phone.post(f"/live-sessions/{room.session}/control/commands", json=ask)).json())
        assert [(one["outcome"], one["code"]) for one in said] == [("done", ""), ("refused", "stale")]
        assert await ends_at(room) == timedelta(minutes=seen[0]["minutes"])


async def test_a_picture_is_served_to_those_who_have_the_room(client_for: ClientFor, people: People, room: Room,
                                                              redis: Any) -> None:
    await room.tell(redis)
    taken = wire.Picture("image/svg+xml", b"<svg/>", room.session_id)
    await redis.set(wire.picture_key(room.rig.id, 0), wire.encode_picture(taken))
    client = await client_for(people.alice)
    answer = await client.get(f"/live-sessions/{room.session}/pictures/0?v=1")
    assert (answer.status_code, answer.content) == (200, b"<svg/>")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert (await client.get(f"/live-sessions/{room.session}/pictures/1?v=1")).status_code == 204


@pytest.mark.parametrize("others", [0, 1])
async def test_a_picture_of_another_session_is_not_served_though_the_rig_is_still_said_to_be_ours(
        client_for: ClientFor, people: People, room: Room, redis: Any, others: int) -> None:
    await room.tell(redis)
    session = room.session_id + 1 if others else 0
    await redis.set(wire.picture_key(room.rig.id, 0), wire.encode_picture(wire.Picture("image/svg+xml", b"<svg/>", session)))
    client = await client_for(people.alice)
    assert (await client.get(f"/live-sessions/{room.session}/pictures/0?v=1")).status_code == 204


async def test_the_list_shows_own_sessions_only(client_for: ClientFor, people: People, room: Room) -> None:
    assert str(room.session) in (await (await client_for(people.alice)).get("/live")).text
    assert str(room.session) not in (await (await client_for(people.charlie)).get("/live")).text


async def test_the_house_sees_three_days_at_a_time(client_for: ClientFor, people: People, room: Room) -> None:
    await room.airs()
    olaf = await client_for(people.olaf)
    page = (await olaf.get("/live")).text
    assert "今天" in page
    assert "朝阳山药" in page
    assert 'class="chip air"' in page
    assert str(room.session) in page
    href = re.findall(r'href="(/live\?day=[\d-]+)"', page)
    assert len(href) == 2
    assert str(room.session) not in (await olaf.get(href[1])).text
    assert (await olaf.get("/live?day=never")).status_code == 200


async def test_who_follows_on_another_day_is_told_with_the_day(client_for: ClientFor, people: People, room: Room) -> None:
    speech = Speech("zh_CN", ZoneInfo("Asia/Shanghai"), lambda word: {"tomorrow": "明天"}.get(word, word))
    midnight = speech.local(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert next_at(midnight + timedelta(hours=9), speech) == "明天 09:00"
    assert next_at(midnight - timedelta(minutes=30), speech) == "23:30"
    starts_at = room.booking.ends_at + timedelta(hours=11)
    await reserve(people.bob, Wish(room.unit.uid, starts_at, starts_at + timedelta(hours=1), "早场", people.sunrise_id))
    client = await client_for(people.alice)
    said = (await client.get(f"/live-sessions/{room.session}/control/state")).json()[0]
    assert said["follows"]["at"].startswith("明天 ")


async def test_an_ended_address_names_its_year(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    answer = await send(client, room, "key", text=f"{GOOD}&expire=1600000000", version="0")
    assert "2020 年 9 月 13 日" in answer.text


async def test_in_english(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    client.cookies.set("kaibo_locale", "en")
    page = await client.get(f"/live-sessions/{room.session}", headers={"accept-language": "en"})
    assert page.status_code == 200


async def test_a_key_is_removed(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    assert "删除推流码" in (await client.get(f"/live-sessions/{room.session}")).text
    assert (await send(client, room, "forget-key", version="7")).status_code == 409
    assert (await send(client, room, "forget-key", version="1")).status_code == 303
    page = await client.get(f"/live-sessions/{room.session}")
    assert "****" not in page.text
    assert 'id="key-text"' in page.text


async def test_a_key_on_air_is_not_removed(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    await room.airs()
    page = await client.get(f"/live-sessions/{room.session}")
    assert "要删除推流码，先停止推流" in page.text
    assert "与直播间断开" in page.text, "on air, and no director says so"
    answer = await send(client, room, "forget-key", version="1")
    assert answer.status_code == 409
    assert "先停止推流" in answer.text


async def test_a_key_that_was_left_is_reset_by_word(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    assert (await send(client, room, "key-reset")).status_code == 409
    await database.execute("UPDATE live_sessions SET state = 'ended', reason_code = 'unclean', ended_at = now() WHERE id = $1",
                           room.session_id)
    await database.execute("UPDATE rigs SET cleanliness = 'unclean', armed_session = $2 WHERE id = $1", room.rig.id, room.session_id)
    assert "我已在平台重置" in (await client.get(f"/live-sessions/{room.session}")).text
    operator = await client_for(people.olaf)
    assert "还没有人确认推流码已在平台重置" in (await operator.get(f"/rigs/{room.rig.uid}")).text
    client = await client_for(people.alice)
    assert (await send(client, room, "key-reset")).status_code == 303
    page = await client.get(f"/live-sessions/{room.session}")
    assert "我已在平台重置" not in page.text
    assert "推流码已在平台重置" in page.text
    operator = await client_for(people.olaf)
    assert "Alice" in re.sub(r"<[^>]*>", "", (await operator.get(f"/rigs/{room.rig.uid}")).text)


@pytest.mark.parametrize(("locale", "stays", "never"), [
    ("zh-CN", "场次结束前保留，中途停播还能再开，结束后清除", "下播即清除"),
    ("en", "stays there until the session ends so that you can start again, and is then wiped", "wiped when you stop")])
async def test_the_form_says_how_long_a_key_stays(client_for: ClientFor, people: People, room: Room, locale: str, stays: str,
                                                  never: str) -> None:
    client = await client_for(people.alice)
    client.cookies.set("kaibo_locale", locale.replace("-", "_"))
    page = await client.get(f"/live-sessions/{room.session}", headers={"accept-language": locale})
    assert stays in page.text
    assert never not in page.text
