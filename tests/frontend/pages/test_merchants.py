"""The list of merchants and one merchant whole."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from booking.reservations import service as reservations
from frontend.composition import answer_questions
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.rights import Actor
from studio.destinations import service as destinations
from tests.frontend.pages.studio_rooms import make_room
from tests.people import People


def token_in(page: str) -> str:
    """Return the form token of a page."""
    return page.partition('name="_token" value="')[2].partition('"')[0]


async def test_it_works(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.dora)
    assert "朝阳山药" in (await client.get("/merchants")).text
    page = await client.get(f"/merchants/{people.sunrise_uid}")
    assert page.status_code == 200
    assert "Alice" in page.text


async def test_who_belongs_to_one_merchant_goes_straight_to_it(people: People, client_for: Callable[[Any], Any]) -> None:
    alice = await client_for(people.alice)
    answer = await alice.get("/merchants")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/merchants/{people.sunrise_uid}")
    assert (await alice.get("/merchants", params={"q": "朝阳"})).status_code == 200
    assert (await (await client_for(people.mia)).get("/merchants")).status_code == 200


async def test_a_stranger_sees_nothing(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.charlie)
    assert (await client.get(f"/merchants/{people.sunrise_uid}")).status_code == 404
    assert "朝阳山药" not in (await client.get("/merchants")).text


async def looks() -> list[tuple[int, str, int]]:
    rows = await database.fetch("SELECT person, thing, thing_id FROM audit_looks ORDER BY id")
    return [tuple(row) for row in rows]


async def test_a_look_of_the_house_at_contacts_is_kept_once_an_hour(people: People, client_for: Callable[[Any], Any]) -> None:
    dora, path = await client_for(people.dora), f"/merchants/{people.sunrise_uid}"
    await dora.get(path)
    await dora.get(path)
    seen = (people.dora.person_id, "merchant", people.sunrise_id)
    assert await looks() == [seen]
    with clock.frozen_at(clock.now() + timedelta(minutes=61)):
        await dora.get(path)
    assert await looks() == [seen, seen]


async def test_whoever_is_shown_nothing_of_others_whole_is_not_noted(people: People, client_for: Callable[[Any], Any]) -> None:
    for actor in (people.alice, people.bob, people.aud):  # its own people; and auditors, to whom the page masks it
        page = await (await client_for(actor)).get(f"/merchants/{people.sunrise_uid}")
        assert page.status_code == 200
    assert await looks() == []


async def change(client: httpx.AsyncClient, people: People, what: str, **fields: str) -> httpx.Response:
    page = (await client.get(f"/merchants/{people.sunrise_uid}")).text
    return await client.post(f"/merchants/{people.sunrise_uid}/{what}", data={"_token": token_in(page), **fields})


async def test_the_owner_changes_the_profile(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.alice)
    answer = await change(client, people, "profile", version="1", name="朝阳山药社", short_name="朝阳", kind="natural_person")
    assert answer.status_code == 303
    assert "朝阳山药社" in (await client.get(f"/merchants/{people.sunrise_uid}")).text


async def test_a_refused_form_keeps_what_was_typed(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.alice)
    answer = await change(client, people, "profile", version="1", name="新名字", short_name="", kind="enterprise", credit_code="123")
    assert answer.status_code == 422
    assert 'value="新名字"' in answer.text
    assert 'value="123"' in answer.text
    assert answer.text.count('class="err"') >= 2


async def test_a_stale_form_is_refused(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.alice)
    answer = await change(client, people, "profile", version="7", name="a", short_name="a", kind="natural_person")
    assert answer.status_code == 409


async def test_staff_put_a_merchant_on_file(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.dora)
    token = token_in((await client.get("/merchants/new")).text)
    answer = await client.post("/merchants/new", data={"_token": token, "name": "许家小米农场", "short_name": "许家小米",
                                                       "kind": "natural_person"})
    assert answer.status_code == 303
    assert "许家小米" in (await client.get(answer.headers["location"])).text


async def test_inviting_tells_nobody_who_is_on_file(people: People, client_for: Callable[[Any], Any]) -> None:
    """A number on file and one that is not get the same answer, and neither brings a name."""
    client = await client_for(people.alice)
    pages = []
    for login in ("13800000003", "13999990003"):
        answer = await change(client, people, "members", login=login, roles="streamer")
        assert answer.status_code == 303
        page = (await client.get(f"/merchants/{people.sunrise_uid}")).text
        assert "Charlie" not in page
        pages.append(page.partition('id="members"')[2].partition('id="shops"')[0])
        assert f"{login[:3]}****0003" in pages[-1]
        await client.post(re.findall(r"/invitations/[0-9a-f-]+/withdraw", page)[0], data={"_token": token_in(page)})
    one, two = (re.sub(r"/invitations/[0-9a-f-]+/", "", page).replace("1399", "1380").replace("139*", "138*") for page in pages)
    assert one == two


async def test_eleven_invitations_in_an_hour_are_too_many(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.alice)
    token = token_in((await client.get(f"/merchants/{people.sunrise_uid}")).text)
    statuses = []
    for number in range(11):
        fields = {"_token": token, "login": f"1391000{number:04}", "roles": "member"}
        statuses.append((await client.post(f"/merchants/{people.sunrise_uid}/members", data=fields)).status_code)
    assert statuses == [303] * 10 + [429]


async def test_the_desk_adds_at_once(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.dora)
    assert (await change(client, people, "members", login="13999999999", roles="member")).status_code == 422
    assert (await change(client, people, "members", login="13800000003", roles="member")).status_code == 303
    assert "Charlie" in (await client.get(f"/merchants/{people.sunrise_uid}")).text


async def test_the_invited_answers_at_home(people: People, client_for: Callable[[Any], Any]) -> None:
    await change(await client_for(people.alice), people, "members", login="charlie@example.com", roles="streamer")
    client = await client_for(people.charlie)
    assert "朝阳山药有限公司" in (await client.get("/notices")).text
    page = (await client.get("/")).text
    address = re.findall(r"/invitations/[0-9a-f-]+/accept", page)[0]
    answer = await client.post(address, data={"_token": token_in(page)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/merchants/{people.sunrise_uid}")
    assert (await client.get(answer.headers["location"])).status_code == 200
    assert "/invitations/" not in (await client.get("/")).text
    assert (await client.post(address, data={"_token": token_in(page)})).status_code == 404


async def test_who_has_left_finds_nothing_and_leaving_names_what_is_booked(
        people: People, client_for: Callable[[Any], Any]) -> None:
    room, manager = await make_room(people), await client_for(people.mia)
    answer_questions()
    answer = await change(manager, people, "status", version="1", status="left", reason="x")
    assert answer.status_code == 409
    assert room.booking.number in answer.text.partition('id="status"')[2]
    assert (await change(manager, people, "status", version="1", status="paused", reason="x")).status_code == 303
    member = await client_for(people.bob)
    assert (await member.get(f"/live-sessions/{room.session}")).status_code == 200
    await reservations.cancel(people.dora, room.booking.uid)
    assert (await change(manager, people, "status", version="2", status="left", reason="x")).status_code == 303
    for page in (f"/merchants/{people.sunrise_uid}", f"/live-sessions/{room.session}/control"):
        assert (await member.get(page)).status_code == 404
    assert (await member.get("/")).status_code == 200


async def test_the_history_tells_what_each_deed_was_about(people: People, client_for: Callable[[Any], Any]) -> None:
    room = await make_room(people)
    await destinations.paste(people.alice, room.session, "rtmp://push.example.com/live/key", version=0)
    page = (await (await client_for(people.dora)).get(f"/merchants/{people.sunrise_uid}")).text
    history = page.partition('id="history"')[2].partition("</section>")[0]
    assert f'<a class="inl" href="/reservations/{room.booking.uid}">' in history
    assert f'<a class="inl" href="/live-sessions/{room.session}">' in history
    assert room.booking.title in history
    assert "贴推流码 · Alice" in history


async def test_the_history_reads_in_the_order_of_its_times(people: People, client_for: Callable[[Any], Any]) -> None:
    at = clock.now().replace(hour=4, minute=0, second=0, microsecond=0)
    hours = (3, 1, 2, 2)
    for place, back in enumerate(hours):
        await database.execute(
            "INSERT INTO audit_entries (at, actor, merchant, verb, thing, thing_id, reason) VALUES ($1, 'x', $2, 'update', 'merchant', $2, $3)",
            at - timedelta(hours=back), people.sunrise_id, f"deed {place}")
    page = (await (await client_for(people.dora)).get(f"/merchants/{people.sunrise_uid}")).text
    history = page.partition('id="history"')[2].partition("</section>")[0]
    assert re.findall(r"deed \d", history) == ["deed 1", "deed 3", "deed 2", "deed 0"]


async def test_what_the_rooms_tablet_did_has_a_doer(people: People, client_for: Callable[[Any], Any]) -> None:
    for label in ("", "门边平板"):
        tablet = Actor(None, label, device_id=1)
        await record(tablet, "check_in", "merchant", people.sunrise_id, merchant_id=people.sunrise_id)
    page = (await (await client_for(people.dora)).get(f"/merchants/{people.sunrise_uid}")).text
    history = page.partition('id="history"')[2].partition("</section>")[0]
    assert "已签到 · 房间平板" in history
    assert "已签到 · 门边平板" in history
