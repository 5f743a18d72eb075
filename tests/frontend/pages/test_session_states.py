"""The session beside its booking and its key: what pages say while a job or a director has not followed yet."""

import re
from datetime import timedelta
from typing import Any

import pytest_asyncio

from incubator.accounts import service as accounts
from incubator.ground import clock, database
from studio.director.wire import PlanNow
from studio.live_sessions.preparation import follow
from tests.frontend.pages.studio_rooms import ON_AIR, Room, make_room
from tests.frontend.pages.test_live_session import GOOD, ClientFor, send, token_of
from tests.people import People


@pytest_asyncio.fixture
async def room(people: People) -> Room:
    return await make_room(people)


def hero(page: Any) -> str:
    """Return the state in one glance."""
    found = re.search(r'<div class="stl[^"]*".*?</div>', page.text, re.S)
    assert found
    return found[0]


async def test_a_key_that_was_just_saved_is_never_asked_for(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await database.execute("UPDATE live_sessions SET state = 'waiting_for_key' WHERE id = $1", room.session_id)
    await room.tell(redis)
    client = await client_for(people.alice)
    assert "等推流码" in hero(await client.get(f"/live-sessions/{room.session}"))
    answer = await send(client, room, "key", text=GOOD, version="0")
    page = await client.get(answer.headers["location"])
    assert "推流码已保存，正在写入 OBS" in hero(page)
    assert "data-toast" in page.text
    assert 'hx-trigger="every 1s"' in page.text


async def test_the_director_s_word_is_shown_before_it_is_written_down(client_for: ClientFor, people: People, room: Room,
                                                                      redis: Any) -> None:
    await database.execute("UPDATE live_sessions SET state = 'waiting_for_key' WHERE id = $1", room.session_id)
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    await room.tell(redis, plan=PlanNow(session=room.session_id, session_uid=room.session, state="ready", is_armed=True))
    page = await client.get(f"/live-sessions/{room.session}")
    assert "已写入 OBS 并核对" in hero(page)
    assert 'hx-trigger="every 3s"' in page.text


async def test_ready_is_not_said_of_the_key_before(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    await database.execute("UPDATE live_sessions SET state = 'ready' WHERE id = $1", room.session_id)
    await room.tell(redis, plan=PlanNow(session=room.session_id, session_uid=room.session, state="ready", is_armed=True))
    assert "已写入 OBS 并核对" in hero(await client.get(f"/live-sessions/{room.session}"))
    with clock.frozen_at(clock.now() + timedelta(milliseconds=10)):
        await send(client, room, "key", text=GOOD.replace("118722", "118723"), version="1")
    assert "正在写入 OBS" in hero(await client.get(f"/live-sessions/{room.session}"))


async def act_on_booking(client: Any, room: Room, act: str) -> str:
    """Do it, and return the booking's page as it is before any job has run."""
    url = f"/reservations/{room.booking.uid}"
    page = (await client.get(url)).text
    version = await database.fetchval("SELECT version FROM reservations WHERE id = $1", room.booking.id)
    answer = await client.post(f"{url}/{act}", data={"_token": token_of(page), "version": str(version)})
    assert answer.status_code == 303, answer.text
    found: str = (await client.get(url)).text
    return found


def session_line(page: str) -> str:
    found = re.search(r'<section[^>]*id="reservation-live".*?</section>', page, re.S)
    assert found
    return found[0]


async def test_a_session_never_contradicts_its_booking(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    cancelled = session_line(await act_on_booking(client, room, "cancel"))
    assert "已取消" in cancelled
    assert "hx-get" not in cancelled
    assert "key-text" not in cancelled
    assert str(room.session) not in (await client.get("/live")).text
    assert "已取消" in (await client.get(f"/live-sessions/{room.session}")).text
    await follow(room.booking.id)

    restored = session_line(await act_on_booking(client, room, "restore"))
    assert "恢复中" in restored
    assert f'hx-get="/reservations/{room.booking.uid}/live" hx-trigger="every 1s"' in restored
    assert "恢复中" in (await client.get("/live")).text
    assert "恢复中" in (await (await client_for(people.olaf)).get("/live")).text
    assert "恢复中" in (await client.get(f"/live-sessions/{room.session}")).text
    await follow(room.booking.id)

    settled = session_line((await client.get(f"/reservations/{room.booking.uid}/live")).text)
    assert "已安排" in settled
    assert "hx-get" not in settled


async def test_a_session_that_is_still_to_be_made_comes_by_itself(client_for: ClientFor, people: People, room: Room) -> None:
    await database.execute("DELETE FROM live_sessions WHERE id = $1", room.session_id)
    client = await client_for(people.alice)
    url = f"/reservations/{room.booking.uid}"
    assert f'hx-get="{url}/live"' in session_line((await client.get(url)).text)
    assert (await client.get(f"{url}/live")).status_code == 204
    await follow(room.booking.id)
    assert "已安排" in session_line((await client.get(f"{url}/live")).text)


async def test_what_was_ended_is_being_closed_until_it_is_clean(client_for: ClientFor, people: People, room: Room) -> None:
    await room.begins()
    await database.execute("UPDATE live_sessions SET state = 'ready' WHERE id = $1", room.session_id)
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $2 WHERE id = $1", room.booking.id, clock.now())
    page = await (await client_for(people.alice)).get(f"/live-sessions/{room.session}")
    assert "收尾中" in hero(page)
    assert 'id="key-text"' not in page.text


async def test_people_have_one_name_in_english(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await database.execute("UPDATE people SET name = '林秀英', name_latin = 'Lin Xiuying' WHERE id = $1", people.alice.person_id)
    client = await client_for(people.alice)
    await send(client, room, "key", text=GOOD, version="0")
    await send(client, room, "shown")
    plan = PlanNow(session=room.session_id, session_uid=room.session, controller="林秀英", controller_person=people.alice.person_id,
                   controller_latin="Lin Xiuying")
    await room.tell(redis, plan=plan, stream=ON_AIR)
    await accounts.set_locale(people.alice, "en")
    client = await client_for(people.alice)
    page = (await client.get(f"/live-sessions/{room.session}")).text
    assert "Lin Xiuying, " in page
    assert "林秀英" not in page
    session, rig = (await client.get(f"/live-sessions/{room.session}/control/state")).json()
    assert {session["name"], session["key"]["by"], rig["control"]["holder"]} == {"Lin Xiuying"}
