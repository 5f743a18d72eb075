"""Named people with fixed rights: Alice owns, Bob helps, Charlie is a stranger, Dora is staff."""

from dataclasses import dataclass
from uuid import UUID

import pytest_asyncio

from incubator.accounts import queries, service as accounts
from incubator.ground.rights import Actor, Role, Scope, house
from incubator.merchants import service as merchants
from incubator.sites import service as sites
from incubator.sites.queries import SiteFacts

PASSWORD = "a good long password"
HOUSE = house("test")


@dataclass(frozen=True)
class People:
    """Everybody, as actors with the roles that the database gives them."""

    alice: Actor
    bob: Actor
    charlie: Actor
    dora: Actor
    olaf: Actor
    mia: Actor
    ada: Actor
    aud: Actor
    site: SiteFacts
    sunrise_id: int
    sunrise_uid: UUID
    other_id: int
    other_uid: UUID


async def person(name: str, number: int, role: Role, scope: Scope, scope_id: int | None = None) -> Actor:
    """Put somebody with an account and one role on file."""
    person_id = await accounts.add_person(HOUSE, name=name, phone=f"1380000{number:04}", email=f"{name.lower()}@example.com",
                                          password=PASSWORD)
    await accounts.grant(HOUSE, person_id, role, scope, scope_id)
    actor = await queries.actor_of(person_id)
    assert actor is not None
    return actor


async def make_people() -> People:
    """Make the site, two merchants and everybody in them."""
    site = await sites.open_site(HOUSE, name="沁阳电商中心", name_en="Qinyang centre")
    sunrise = await merchants.register(HOUSE, site.id, merchants.Profile("朝阳山药有限公司", "朝阳山药", "natural_person"))
    other = await merchants.register(HOUSE, site.id, merchants.Profile("沁河花茶合作社", "沁河花茶", "natural_person"))
    return People(
        alice=await person("Alice", 1, Role.OWNER, "merchant", sunrise.id),
        bob=await person("Bob", 2, Role.MEMBER, "merchant", sunrise.id),
        charlie=await person("Charlie", 3, Role.OWNER, "merchant", other.id),
        dora=await person("Dora", 4, Role.STAFF, "site", site.id),
        olaf=await person("Olaf", 5, Role.OPERATOR, "site", site.id),
        mia=await person("Mia", 6, Role.MANAGER, "site", site.id),
        ada=await person("Ada", 7, Role.ADMIN, "all"),
        aud=await person("Aud", 8, Role.AUDITOR, "all"),
        site=site, sunrise_id=sunrise.id, sunrise_uid=sunrise.uid, other_id=other.id, other_uid=other.uid,
    )


@pytest_asyncio.fixture
async def people(db: None) -> People:
    """Everybody, inside the test's rolled-back transaction."""
    return await make_people()
