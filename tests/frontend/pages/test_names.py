"""People's names: in Han characters for who reads Chinese, in Latin letters for English where they are known."""

from typing import Any

import pytest

from incubator.accounts import service as accounts
from incubator.ground import database
from incubator.ground.rights import Actor, Role
from incubator.invitations import service as invitations
from tests.frontend.pages.conftest import Centre

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
