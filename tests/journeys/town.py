"""A small centre for journeys, made through the verbs by a process of its own: `python -m tests.journeys.town`."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from booking.reservations import service as reservations
from booking.reservations.service import Wish
from booking.units.service import NewUnit, add_unit
from frontend.composition import open_house
from incubator.accounts import service as accounts
from incubator.ground import clock, database
from incubator.ground.rights import Role, house
from incubator.ground.settings import load
from incubator.merchants import service as merchants
from incubator.sites import service as sites
from studio.rigs import service as rigs

PASSWORD = "a good long password"
HOUSE = house("journeys")
SETUP_MIN = 30
# canvas of each room; the last one is bound to a real OBS by the journey that needs one
ROOMS = ((1080, 1920), (1080, 1920), (1920, 1080), (1080, 1920), (1080, 1920), (1080, 1920))


def next_step() -> datetime:
    """Return the next quarter of an hour at least two minutes away: its setup has begun, so check-in is open."""
    at = clock.now() + timedelta(minutes=2)
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


async def _person(name: str, number: int, role: Role, scope: str, scope_id: int | None) -> int:
    person_id = await accounts.add_person(HOUSE, name=name, phone=f"1380000{number:04}", email=f"{name.lower()}@example.com",
                                          password=PASSWORD)
    await accounts.grant(HOUSE, person_id, role, scope, scope_id)  # type: ignore[arg-type]  # one of three words
    return person_id


async def make() -> dict[str, Any]:
    """Make site, people, rooms with simulated rigs, and a booking of Alice's merchant in each room at the next quarter."""
    site = await sites.open_site(HOUSE, name="沁阳电商中心", name_en="Qinyang centre")
    sunrise = await merchants.register(HOUSE, site.id, merchants.Profile("朝阳山药有限公司", "朝阳山药", "natural_person"))
    other = await merchants.register(HOUSE, site.id, merchants.Profile("沁河花茶合作社", "沁河花茶", "natural_person"))
    alice = await _person("Alice", 1, Role.OWNER, "merchant", sunrise.id)
    for name, number, role, scope, scope_id in (
        ("Bob", 2, Role.MEMBER, "merchant", sunrise.id), ("Charlie", 3, Role.OWNER, "merchant", other.id),
        ("Dora", 4, Role.STAFF, "site", site.id), ("Olaf", 5, Role.OPERATOR, "site", site.id),
    ):
        await _person(name, number, role, scope, scope_id)
    rooms = [await _room(site.id, number, canvas) for number, canvas in enumerate(ROOMS, 1)]
    starts_at = next_step()
    for room in rooms:
        made = await reservations.reserve(HOUSE, Wish(room["uid"], starts_at, starts_at + timedelta(minutes=90),
                                                      title="铁棍山药专场", merchant_id=sunrise.id))
        room["reservation"] = str(made.uid)
    await shift(starts_at + timedelta(minutes=1))
    return {"rooms": rooms, "alice": alice, "starts_at": starts_at.isoformat()}


async def _room(site_id: int, number: int, canvas: tuple[int, int]) -> dict[str, Any]:
    new = NewUnit("live_room", f"L{number}", f"{number} 号间", f"Room {number}", setup_min=SETUP_MIN, teardown_min=15,
                  sort=number)
    unit = await add_unit(HOUSE, site_id, new)
    set_up = rigs.SetUp("simulated", lead_min=SETUP_MIN, canvas_width=canvas[0], canvas_height=canvas[1])
    rig = await rigs.add(HOUSE, unit.id, set_up)
    return {"id": unit.id, "uid": str(unit.uid), "name": unit.name, "rig": str(rig.uid)}


async def shift(moment: datetime) -> None:
    """Let every process believe that it is this moment; only demo installations can."""
    await database.execute("UPDATE installation SET is_demo = true")
    await sites.shift_clock(HOUSE, int((moment - datetime.now(UTC)).total_seconds()))


async def main(moment: str) -> None:
    """Fill the database that the settings name, and print what was made; with a moment given, only shift the clock."""
    async with open_house(load(), connections=2):
        if moment:
            await shift(datetime.fromisoformat(moment))
        else:
            print(json.dumps(await make(), default=str))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
