"""The board of rooms and a rig's page: alarms, set-up, quarantine."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from incubator.ground import clock, database
from incubator.ground.values import new_uid
from studio.director.wire import LinkNow, OutputNow, OutputPhase, PlanNow
from tests.frontend.pages.studio_rooms import ON_AIR, Room, make_room
from tests.frontend.pages.test_live_session import ClientFor, token_of
from tests.people import People

SECRET = "a password for OBS"


@pytest_asyncio.fixture
async def room(people: People) -> Room:
    return await make_room(people)


async def send(client: Any, room: Room, act: str = "", **fields: Any) -> Any:
    page = await client.get(f"/rigs/{room.rig.uid}")
    return await client.post(f"/rigs/{room.rig.uid}{act}", data={"_token": token_of(page.text), **fields})


async def test_it_works(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis)
    client = await client_for(people.olaf)
    board = await client.get("/rigs")
    assert board.status_code == 200
    assert "L1 号间" in board.text
    assert "等推流码" in board.text
    assert "OBS 30.2" not in board.text, "a simulated rig says so in its chip, not in the words of a version"
    assert "没有报警" in board.text


async def test_a_silent_director_is_an_alarm_within_three_seconds(client_for: ClientFor, people: People, room: Room,
                                                                  redis: Any) -> None:
    await room.tell(redis, at=clock.now() + timedelta(minutes=5))  # whatever the two clocks say
    client = await client_for(people.olaf)
    assert "没人接管" not in (await client.get("/rigs")).text
    await room.tell(redis, silent_s=2.5)
    # what was read is known for a moment; it grows older all the same
    assert await found(client, "没人接管")


async def found(client: Any, word: str) -> bool:
    """Look at the board for three seconds, until it says so."""
    for _ in range(30):
        if word in (await client.get("/rigs")).text:
            return True
        await asyncio.sleep(0.1)
    return False


async def test_an_obs_that_says_nothing_is_an_alarm(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, link=LinkNow("online", 2.4), stream=ON_AIR)
    assert "OBS 卡住" in (await (await client_for(people.olaf)).get("/rigs")).text


async def test_a_lost_obs_is_an_alarm(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, link=LinkNow("stalled", 4.0), stream=ON_AIR)
    board = await (await client_for(people.olaf)).get("/rigs")
    assert "OBS 卡住" in board.text
    assert 'class="room alarm"' in board.text


async def test_on_air_is_red(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, stream=ON_AIR)
    client = await client_for(people.olaf)
    assert 'class="room air"' in (await client.get("/rigs")).text


@pytest.mark.parametrize(("phase", "words"), [
    (OutputPhase.PAUSED, ("录制已暂停", "在那台 OBS 里继续，或在这里停止")), (OutputPhase.STUCK, ("停不下", "重启那台 OBS"))])
async def test_a_recording_that_does_not_go_on_says_what_to_do(
        client_for: ClientFor, people: People, room: Room, redis: Any, phase: OutputPhase, words: tuple[str, ...]) -> None:
    await room.tell(redis, record=OutputNow(phase, clock.now()))
    board = await (await client_for(people.olaf)).get("/rigs")
    assert all(word in board.text for word in words)


async def test_on_air_a_recording_that_cannot_be_ended_is_warned_of(
        client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, stream=ON_AIR, record=OutputNow(OutputPhase.STUCK, clock.now()))
    board = await (await client_for(people.olaf)).get("/rigs")
    assert 'class="room air"' in board.text
    assert "下播后再重启" in board.text


async def test_an_unready_room_says_why(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, plan=PlanNow(session=room.session_id, state="failed", code="no_scenes"))
    assert "OBS 里没有场景" in (await (await client_for(people.olaf)).get("/rigs")).text


async def test_an_old_websocket_is_warned_of(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis, can_be_aborted=True)
    assert "5.2" in (await (await client_for(people.olaf)).get(f"/rigs/{room.rig.uid}")).text


async def test_a_password_is_stored_and_never_shown(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.olaf)
    answer = await send(client, room, driver="obs", address="ws://127.0.0.1:4455", password=SECRET, stand_by_scene="",
                        lead_min="15", overrun_min="5", version=str(room.rig.version))
    assert answer.status_code == 303
    page = await client.get(f"/rigs/{room.rig.uid}")
    assert SECRET not in page.text
    assert "已存" in page.text
    assert await database.fetchval("SELECT password_sealed IS NOT NULL FROM rigs WHERE id = $1", room.rig.id)


async def test_what_cannot_be_is_said_at_its_field(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.olaf)
    answer = await send(client, room, driver="obs", address="http://x", lead_min="0", overrun_min="99", version="1")
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 3
    assert 'value="http://x"' in answer.text


async def test_what_is_too_long_is_refused_at_its_field_and_never_cut(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.olaf)
    entered = {"driver": "simulated", "lead_min": "15", "overrun_min": "5", "version": str(room.rig.version)}
    answer = await send(client, room, stand_by_scene="幕" * 201, **entered)
    assert (answer.status_code, answer.text.count('aria-invalid="true"')) == (422, 1)
    assert (await send(client, room, stand_by_scene="幕" * 200, **entered)).status_code == 303
    assert await database.fetchval("SELECT stand_by_scene FROM rigs WHERE id = $1", room.rig.id) == "幕" * 200
    await database.execute("UPDATE rigs SET cleanliness = 'unclean' WHERE id = $1", room.rig.id)
    assert (await send(client, room, "/clean", reason="看" * 201)).status_code == 422
    assert await database.fetchval("SELECT cleanliness FROM rigs WHERE id = $1", room.rig.id) == "unclean"


async def test_a_stale_form_is_refused(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.olaf)
    answer = await send(client, room, driver="simulated", lead_min="15", overrun_min="5", version="99")
    assert answer.status_code == 409


async def test_out_of_use_and_back(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.olaf)
    await send(client, room, "/enabled", on="0", version=str(room.rig.version))
    assert "停用" in (await client.get("/rigs")).text
    assert not await database.fetchval("SELECT is_enabled FROM rigs WHERE id = $1", room.rig.id)


async def test_quarantine_ends_with_a_reason_only(client_for: ClientFor, people: People, room: Room) -> None:
    await database.execute("UPDATE rigs SET cleanliness = 'unclean' WHERE id = $1", room.rig.id)
    client = await client_for(people.olaf)
    assert (await send(client, room, "/clean", reason="")).status_code == 422
    assert (await send(client, room, "/clean", reason="looked into OBS")).status_code == 303
    assert await database.fetchval("SELECT cleanliness FROM rigs WHERE id = $1", room.rig.id) == "clean"


async def test_staff_look_and_operators_change(client_for: ClientFor, people: People, room: Room) -> None:
    staff = await client_for(people.dora)
    page = await staff.get(f"/rigs/{room.rig.uid}")
    assert page.status_code == 200
    assert 'name="address"' not in page.text
    assert (await send(staff, room, driver="simulated", lead_min="15", overrun_min="5", version="1")).status_code in (403, 409)
    assert await database.fetchval("SELECT lead_min FROM rigs WHERE id = $1", room.rig.id) == 60


async def test_merchants_see_no_rig(client_for: ClientFor, people: People, room: Room) -> None:
    client = await client_for(people.alice)
    assert (await client.get("/rigs")).status_code == 403
    assert (await client.get(f"/rigs/{room.rig.uid}")).status_code == 403


async def test_a_stream_started_by_hand_stays_on_the_page(client_for: ClientFor, people: People, room: Room, redis: Any) -> None:
    await room.tell(redis)
    await database.execute(
        "INSERT INTO as_run (uid, rig, live_session, at, what, detail) VALUES ($1, $2, $3, $4, 'alarm', $5)", new_uid(),
        room.rig.id, room.session_id, clock.now(), '{"code": "unknown_stream"}')
    client = await client_for(people.olaf)
    assert "有人在电脑上手动开播" in (await client.get("/rigs")).text
    page = await client.get(f"/rigs/{room.rig.uid}")
    assert "近 7 天" in page.text
    assert room.booking.number in page.text
    await database.execute("UPDATE as_run SET at = at - interval '31 minutes'")
    assert "有人在电脑上手动开播" not in (await client.get("/rigs")).text


REFUSED = "[Errno 111] Connection refused"


@pytest.mark.parametrize(("driver", "link", "why"), [
    ("obs", LinkNow("down", -1.0, REFUSED), "ws://127.0.0.1:9 没有应答。"),
    ("obs", LinkNow("refused", -1.0, "Authentication failed after 4011 ms.", "wrong_password"), "OBS 不接受这个密码。"),
    ("obs", LinkNow("stalled", 4.0, "no answer to GetVersion within 3 s"), "没有应答。"),
    ("simulated", LinkNow("down", -1.0, "the simulated OBS is switched off"), "模拟的 OBS 已关闭。"),
])
async def test_a_link_that_is_not_there_is_told_in_our_words(
        client_for: ClientFor, people: People, room: Room, redis: Any, driver: str, link: LinkNow, why: str) -> None:
    await database.execute("UPDATE rigs SET driver = $2, address = 'ws://127.0.0.1:9' WHERE id = $1", room.rig.id, driver)
    await room.tell(redis, link=link)
    client = await client_for(people.olaf)
    page = (await client.get(f"/rigs/{room.rig.uid}")).text
    assert f'<span>{why} <small lang="en">{link.reason}</small></span>' in page
    board = (await client.get("/rigs")).text
    assert why in board
    assert link.reason not in board
