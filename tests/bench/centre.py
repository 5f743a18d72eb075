"""A centre of 30 live rooms for measuring: people through the verbs, 20,000 reservations by two statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from booking.calendars.rules import WeeklyHours
from booking.calendars.service import add_calendar
from booking.policies.service import set_quota
from booking.units.queries import UnitFacts
from booking.units.service import NewUnit, add_unit
from incubator.accounts import service as accounts
from incubator.ground import clock, database
from incubator.ground.rights import Role, house
from incubator.merchants import service as merchants
from incubator.sites import service as sites
from incubator.sites.queries import SiteFacts

HOUSE = house("bench")
ROOMS = 30
MERCHANTS = 24
STAFF = 8
AHEAD_DAYS = 700
# what a working centre has: two hours each, half an hour before and a quarter after
STARTS_H = (8, 11, 14, 17, 19.75)
FIRST_DAY = 1

FILL = """
INSERT INTO reservations (uid, number, state, site, unit, merchant, person, title, starts_at, ends_at, check_in_code, created_at)
SELECT gen_random_uuid(), 'B' || n, 'confirmed', $1, ($2::bigint[])[1 + n % $3], ($4::bigint[])[1 + n % $5],
       ($6::bigint[])[1 + n % $5],
       '铁棍山药专场 ' || n, at, at + interval '2 hours', '1234', now()
FROM (SELECT n, ($7::date + (n / $3 / 5))::timestamp AT TIME ZONE 'Asia/Shanghai'
             + (($8::float8[])[1 + n / $3 % 5] * interval '1 hour') AS at FROM generate_series(0, $9::int - 1) AS n) AS slots"""
TAKE = """
INSERT INTO allocations (reservation, unit, blocked, holds)
SELECT id, unit, tstzrange(starts_at - interval '30 minutes', ends_at + interval '15 minutes'), true FROM reservations"""


@dataclass(frozen=True)
class Centre:
    """What was made; `owners[n]` owns `merchants[n]`."""

    site: SiteFacts
    rooms: Sequence[UnitFacts]
    merchants: Sequence[int]
    owners: Sequence[int]
    staff: Sequence[int]

    @property
    def today(self) -> date:
        """Return the present day of the centre."""
        return self.site.local_date(clock.now())


async def make() -> Centre:
    """Open the centre, without reservations."""
    site = await sites.open_site(HOUSE, name="沁阳电商中心", name_en="Qinyang centre")
    await set_quota(HOUSE, site.id, 10_080)
    calendar = await add_calendar(HOUSE, site.id, "07:00–23:00", [WeeklyHours(weekday, 420, 1380) for weekday in range(7)])
    rooms = [await add_unit(HOUSE, site.id, NewUnit(
        "live_room", f"L{number}", f"{number} 号直播间", f"Live room {number}", calendar_id=calendar, setup_min=30,
        teardown_min=15, ahead_days=AHEAD_DAYS, sort=number)) for number in range(1, ROOMS + 1)]
    profiles = [merchants.Profile(f"沁阳山药有限公司 {n}", f"山药 {n}", "natural_person") for n in range(MERCHANTS)]
    firms = [(await merchants.register(HOUSE, site.id, profile)).id for profile in profiles]
    owners = [await _person(f"Owner {n}", Role.OWNER, firm) for n, firm in enumerate(firms)]
    staff = [await _person(f"Staff {n}", Role.STAFF, site.id) for n in range(STAFF)]
    return Centre(site, rooms, firms, owners, staff)


async def _person(name: str, role: Role, scope_id: int) -> int:
    person = await accounts.add_person(HOUSE, name=name, email=f"{name.replace(' ', '').lower()}@example.com")
    await accounts.grant(HOUSE, person, role, "merchant" if role is Role.OWNER else "site", scope_id)
    # an account without a password that anybody could type: hashing costs a tenth of a second each
    await database.execute("INSERT INTO accounts (person, password_hash) VALUES ($1, '-')", person)
    return person


async def fill(centre: Centre, number: int) -> int:
    """Put that many reservations in, from tomorrow on, and return over how many days they reach."""
    first = centre.today + timedelta(days=FIRST_DAY)
    await database.execute(FILL, centre.site.id, [room.id for room in centre.rooms], ROOMS, list(centre.merchants), MERCHANTS,
                           list(centre.owners), first, list(STARTS_H), number)
    await database.execute(TAKE)
    await database.execute("ANALYZE")
    return number // (ROOMS * len(STARTS_H))


async def sign_everybody_in(centre: Centre) -> list[str]:
    """Open a sign-in for everybody and return the cookies."""
    cookies = []
    for person, merchant in [*zip(centre.owners, centre.merchants, strict=True), *((one, None) for one in centre.staff)]:
        cookie = f"bench-{person}"
        await database.execute(
            "INSERT INTO sign_ins (token_hash, person, acting_merchant, is_staff, expires_at)"
            " VALUES ($1, $2, $3, $4, now() + interval '1 day')", accounts.token_hash(cookie), person, merchant, merchant is None)
        cookies.append(cookie)
    return cookies
