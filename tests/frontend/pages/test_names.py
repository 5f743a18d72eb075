"""People's names: in Han characters for who reads Chinese, in Latin letters for English where they are known."""

from typing import Any

import pytest

from booking.calendars import service as calendars
from booking.reservations import service as reservations
from booking.reservations.service import Wish
from incubator.accounts import service as accounts
from incubator.ground import database
from incubator.ground.rights import Actor, Role
from incubator.ground.values import Span
from incubator.invitations import service as invitations
from tests.frontend.pages.conftest import DAY, Centre

HAN, LATIN = "林秀英", "Lin Xiuying"


async def _renamed(actor: Actor, locale: str = "en") -> None:
    await database.execute("UPDATE people SET name = $2, name_latin = $3 WHERE id = $1", actor.person_id, HAN, LATIN)
    await accounts.set_locale(actor, locale)


@pytest.mark.parametrize(("locale", "shown", "hidden"), [("en", LATIN, HAN), ("zh_CN", HAN, LATIN)])
async def test_it_works(centre: Centre, visit: Any, locale: str, shown: str, hidden: str) -> None:
    alice = centre.people.alice
    await _renamed(alice, locale)
    made = await centre.book(alice, day="2026-11-24", starts="16:00", ends="18:00")
    client = await visit(alice)
    for path in ("/", f"/merchants/{centre.people.sunrise_uid}", f"/reservations/{made.uid}", "/nowhere"):
        page = (await client.get(path)).text
        assert shown in page
        assert hidden not in page


async def test_the_history_tells_who_did_it(centre: Centre, visit: Any) -> None:
    alice, dora = centre.people.alice, centre.people.dora
    await _renamed(alice)
    await accounts.set_locale(dora, "en")
    actor = Actor(alice.person_id, HAN, alice.grants, alice.merchant_id)
    made = await centre.book(actor, day="2026-11-24", starts="16:00", ends="18:00")
    client = await visit(dora)
    for path in (f"/merchants/{centre.people.sunrise_uid}", f"/reservations/{made.uid}"):
        page = (await client.get(path)).text
        assert LATIN in page
        assert HAN not in page


@pytest.mark.parametrize(("locale", "shown", "hidden"), [("en", LATIN, HAN), ("zh_CN", HAN, LATIN)])
async def test_booking_tells_hosts_and_bookers_in_the_readers_script(
        centre: Centre, visit: Any, locale: str, shown: str, hidden: str) -> None:
    alice, dora = centre.people.alice, centre.people.dora
    await _renamed(alice, locale)
    room, sunrise = centre.rooms[0].uid, centre.people.sunrise_id
    made = await reservations.reserve(alice, Wish(room, centre.at("10:00"), centre.at("12:00"), "", sunrise, alice.person_id))
    await reservations.reserve(dora, Wish(room, centre.at("13:00"), centre.at("14:00"), "", None, alice.person_id))
    host = await database.fetchval("SELECT uid FROM people WHERE id = $1", alice.person_id)
    sheet = f"/days/{DAY}/sheet?space={centre.rooms[1].uid}&from=11:00&to=12:00"
    client = await visit(alice)
    for path in (f"/reservations/{made.uid}", sheet, f"{sheet}&host={host}"):
        page = (await client.get(path, partial=path.startswith("/days"))).text
        assert shown in page
        assert hidden not in page
    clash = (await client.get(f"{sheet}&host={host}", partial=True)).text
    assert f"{shown}{' is booked from' if locale == 'en' else ''}" in clash[clash.index('id="findings"'):]
    for path in ("/", f"/days/{DAY}", "/reservations"):
        assert hidden not in (await client.get(path)).text


@pytest.mark.parametrize(("locale", "shown", "hidden"), [("en", LATIN, HAN), ("zh_CN", HAN, LATIN)])
async def test_closures_tell_who_closed_and_who_booked(centre: Centre, visit: Any, locale: str, shown: str, hidden: str) -> None:
    dora = centre.people.dora
    await _renamed(dora, locale)
    await centre.book(dora, starts="10:00", ends="12:00")
    span = Span(centre.at("09:00"), centre.at("13:00"))
    await calendars.close(dora, calendars.Extent(unit_ids=(centre.rooms[0].id,)), span, reason="排风检修")
    page = (await (await visit(dora)).get("/closures")).text
    main = page[page.index("<main"):]
    assert main.count(shown) == 2  # who closed, and for whom the booking in the way is
    assert hidden not in page


async def test_an_invitation_tells_who_invites(centre: Centre, visit: Any) -> None:
    alice, charlie = centre.people.alice, centre.people.charlie
    await _renamed(alice)
    await accounts.set_locale(charlie, "en")
    await invitations.invite(alice, centre.people.sunrise_id, "13800000003", [Role.MEMBER])
    assert f"from {LATIN}" in (await (await visit(charlie)).get("/notices")).text


async def test_without_a_latin_name_the_name_itself_is_shown(centre: Centre, visit: Any) -> None:
    alice = centre.people.alice
    await database.execute("UPDATE people SET name = $2 WHERE id = $1", alice.person_id, HAN)
    await accounts.set_locale(alice, "en")
    assert f"Good afternoon, {HAN}" in (await (await visit(alice)).get("/")).text
