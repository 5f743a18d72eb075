"""Who hands out roles: a merchant's own by its owner and the desk, those of the house by administrators alone."""

import pytest

from incubator.accounts import queries, service
from incubator.ground.errors import Forbidden, Invalid
from incubator.ground.rights import Role
from tests.people import People


async def test_it_works(people: People) -> None:
    bob = people.bob.person_id or 0
    await service.grant(people.alice, bob, Role.STREAMER, "merchant", people.sunrise_id)
    actor = await queries.actor_of(bob)
    assert actor is not None
    assert actor.belongs_to(people.sunrise_id, Role.STREAMER)


async def test_an_administrator_makes_another(people: People) -> None:
    dora = people.dora.person_id or 0
    await service.grant(people.ada, dora, Role.ADMIN, "all")
    actor = await queries.actor_of(dora)
    assert actor is not None
    assert actor.has(Role.ADMIN)


@pytest.mark.parametrize("name", ["alice", "dora", "mia", "olaf", "aud"])
@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR, Role.STAFF])
async def test_nobody_else_hands_out_roles_of_the_house(people: People, name: str, role: Role) -> None:
    actor = getattr(people, name)
    with pytest.raises(Forbidden):
        await service.grant(actor, actor.person_id, role, "all")
    with pytest.raises(Forbidden):
        await service.end_grant(actor, people.ada.person_id or 0, Role.ADMIN, "all")


async def test_an_owner_hands_out_nothing_elsewhere(people: People) -> None:
    with pytest.raises(Forbidden):
        await service.grant(people.alice, people.bob.person_id or 0, Role.OWNER, "merchant", people.other_id)


async def test_a_merchant_has_no_administrators(people: People) -> None:
    with pytest.raises(Invalid):
        await service.grant(people.alice, people.alice.person_id or 0, Role.ADMIN, "merchant", people.sunrise_id)
