"""Nobody becomes a member without saying so, and nobody learns from inviting who is on file."""

from datetime import timedelta
from uuid import uuid4

import pytest

from incubator.accounts import queries as accounts, service as account_service
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound
from incubator.ground.rights import Role
from incubator.invitations import queries, service
from incubator.merchants import queries as merchants, service as merchant_service
from tests.people import HOUSE, People

CHARLIE, UNKNOWN = "13800000003", "13999999999"


async def invited(people: People, login: str = CHARLIE) -> None:
    await service.invite(people.alice, people.sunrise_id, login, [Role.STREAMER, Role.CONTROLLER])


async def test_it_works(people: People) -> None:
    await invited(people, "+86 138 0000 0003")
    assert len(await merchants.members(people.sunrise_id)) == 2
    [one] = await queries.received(people.charlie)
    assert (one.merchant_name, one.invited_by, one.roles) == ("朝阳山药有限公司", "Alice", ("controller", "streamer"))
    assert await service.accept(people.charlie, one.uid) == people.sunrise_uid
    charlie = await accounts.actor_of(people.charlie.person_id or 0)
    assert charlie is not None
    assert charlie.belongs_to(people.sunrise_id, Role.STREAMER)
    assert await queries.received(people.charlie) == []
    assert await queries.sent(people.alice, people.sunrise_id) == []
    with pytest.raises(NotFound):
        await service.accept(people.charlie, one.uid)
    entry = await database.fetchrow("SELECT person FROM audit_entries WHERE verb = 'grant' ORDER BY id DESC LIMIT 1")
    assert entry["person"] == people.charlie.person_id


async def test_known_and_unknown_look_alike(people: People) -> None:
    await invited(people, CHARLIE)
    await invited(people, UNKNOWN)
    await invited(people, "nobody@example.com")
    shown = await queries.sent(people.alice, people.sunrise_id)
    assert [one.login for one in shown] == ["nobody@example.com", UNKNOWN, CHARLIE]
    assert {one.roles for one in shown} == {("controller", "streamer")}


async def test_who_is_put_on_file_later_finds_it(people: People) -> None:
    await invited(people, UNKNOWN)
    person_id = await account_service.add_person(HOUSE, name="Newcomer", phone=UNKNOWN)
    newcomer = await accounts.actor_of(person_id)
    assert newcomer is not None
    assert len(await queries.received(newcomer)) == 1


async def test_nobody_answers_for_others(people: People) -> None:
    await invited(people)
    [one] = await queries.received(people.charlie)
    for verb in (service.accept, service.decline):
        with pytest.raises(NotFound):
            await verb(people.bob, one.uid)
    with pytest.raises(NotFound):
        await service.withdraw(people.charlie, one.uid)
    with pytest.raises(Forbidden):
        await service.withdraw(people.bob, one.uid)
    with pytest.raises(NotFound):
        await service.withdraw(people.alice, uuid4())


async def test_declined_and_withdrawn(people: People) -> None:
    for answer in (lambda uid: service.decline(people.charlie, uid), lambda uid: service.withdraw(people.alice, uid)):
        await invited(people)
        [one] = await queries.received(people.charlie)
        await answer(one.uid)
        assert await queries.received(people.charlie) == []
    assert len(await merchants.members(people.sunrise_id)) == 2


async def test_it_lapses(people: People) -> None:
    await invited(people)
    [one] = await queries.received(people.charlie)
    with clock.frozen_at(clock.now() + timedelta(days=30, minutes=1)), pytest.raises(NotFound):
        await service.accept(people.charlie, one.uid)


async def test_a_former_owner_comes_not_back_by_an_invitation(people: People) -> None:
    await account_service.grant(HOUSE, people.bob.person_id or 0, Role.OWNER, "merchant", people.sunrise_id)
    bob = await accounts.actor_of(people.bob.person_id or 0)
    assert bob is not None
    await service.invite(bob, people.sunrise_id, CHARLIE, [Role.OWNER])
    [one] = await queries.received(people.charlie)
    await merchant_service.remove_member(people.alice, people.sunrise_id, people.bob.person_id or 0)
    with pytest.raises(NotFound):
        await service.accept(people.charlie, one.uid)


@pytest.mark.parametrize(("login", "roles", "field"), [
    ("12", [Role.MEMBER], "login"), ("a@b", [Role.MEMBER], "login"), ("", [Role.MEMBER], "login"), (CHARLIE, [], "roles"),
    (CHARLIE, [Role.ADMIN], "roles"),
])
async def test_what_is_no_login_is_refused(people: People, login: str, roles: list[Role], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.invite(people.alice, people.sunrise_id, login, roles)
    assert refusal.value.errors[0].field == field


async def test_only_owners_invite(people: People) -> None:
    with pytest.raises(Forbidden):
        await service.invite(people.bob, people.sunrise_id, CHARLIE, [Role.MEMBER])
    with pytest.raises(NotFound):
        await service.invite(people.charlie, people.sunrise_id, CHARLIE, [Role.MEMBER])
    with pytest.raises(Forbidden):
        await merchant_service.add_member(people.alice, people.sunrise_id, CHARLIE, [Role.MEMBER])
    assert await queries.sent(people.bob, people.sunrise_id) == []
