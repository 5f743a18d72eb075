"""The data of the journeys: a small centre on a Tuesday at 14:20, made through the verbs; `python -m tests.journeys.world` fills a database."""

import asyncio
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

from booking.calendars import service as calendars
from booking.calendars.rules import WeeklyHours
from booking.policies import service as policies
from booking.reservations import service as reservations
from booking.reservations.service import Wish
from booking.units import service as units
from booking.units.queries import UnitFacts
from booking.units.service import NewUnit
from frontend.demo_data import ROOMS
from incubator.accounts import queries as accounts_queries, service as accounts
from incubator.ground import clock, database, secrets
from incubator.ground.rights import Actor, Role, Scope, house
from incubator.ground.settings import Settings, load
from incubator.ground.values import Span
from incubator.merchants import service as merchants
from incubator.sites import service as sites
from incubator.sites.queries import SiteFacts

ZONE = ZoneInfo("Asia/Shanghai")
PASSWORD = "kaibo-journey"
HOUSE = house("journeys")
NOW = (14, 20)
# room, from hour, length in hours, title, which merchant; days from today
SHOWS = (
    (0, 0, 9.0, 2, "铁棍山药早场", 0), (0, 0, 13.5, 2.5, "四大怀药专场", 1), (0, 0, 19.0, 2, "双 12 预热场", 0),
    (0, 1, 13.0, 2.5, "怀菊花茶秋季场", 1), (0, 1, 19.0, 3, "驴肉火锅节", 2), (0, 2, 10.0, 2, "排风检修前试播", 2),
    (0, 3, 16.0, 2, "花茶教学", 1), (0, 4, 20.0, 1.5, "地黄膏返场", 2), (1, 0, 10.0, 2, "山药粉试播", 0),
    (1, 1, 19.0, 2, "冬凌草茶试播", 1), (2, 3, 15.0, 2, "年货礼盒专场", 2),
)
PEOPLE: tuple[tuple[str, str, Role, Scope, int | None], ...] = (
    ("owner", "王小满", Role.OWNER, "merchant", 0), ("member", "李芳", Role.MEMBER, "merchant", 0),
    ("rival", "林秀英", Role.OWNER, "merchant", 1), ("third", "马建国", Role.OWNER, "merchant", 2),
    ("staff", "陈倩", Role.STAFF, "site", None), ("operator", "李师傅", Role.OPERATOR, "site", None),
    ("manager", "王海涛", Role.MANAGER, "site", None), ("auditor", "周审", Role.AUDITOR, "all", None),
    ("admin", "何管", Role.ADMIN, "all", None), ("mentor", "张建国", Role.MENTOR, "site", None),
)


def today() -> date:
    """Return the next Tuesday: every booking of the journeys lies in one week of quota."""
    real = datetime.now(ZONE).date()
    return real + timedelta(days=(1 - real.weekday()) % 7)


def at(day: date, hour: float) -> datetime:
    """Return a moment of a local day."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(hours=hour)


async def fill() -> None:
    """Make everything, in the order in which it would have happened."""
    day = today()
    offset_s = int((at(day, NOW[0] + NOW[1] / 60) - datetime.now(ZONE)).total_seconds())
    await database.execute("UPDATE installation SET is_demo = true")
    clock.set_offset(offset_s - 8 * 3600)
    site = await sites.open_site(HOUSE, name="沁阳电商孵化中心", name_en="Qinyang E-commerce Centre")
    rooms = await _rooms(site)
    await policies.set_quota(HOUSE, site.id, 600)
    people = await _people(site)
    await calendars.close(HOUSE, Span(at(day, 12.5), at(day, 17)), unit_id=rooms[2].id, reason="排风检修", reason_en="Vent repair")
    for days, room, hour, length, title, merchant in SHOWS:
        start = at(day + timedelta(days=days), hour)
        owner = people[("owner", "rival", "third")[merchant]]
        wish = Wish(rooms[room].uid, start, start + timedelta(hours=length), title)
        clock.set_offset(int((min(at(day, 8), start - timedelta(hours=1)) - datetime.now(ZONE)).total_seconds()))
        await reservations.reserve(owner, wish)
    await sites.shift_clock(HOUSE, offset_s)


async def _rooms(site: SiteFacts) -> list[UnitFacts]:
    hours = [WeeklyHours(weekday, 8 * 60, 22 * 60) for weekday in range(7)]
    calendar = await calendars.add_calendar(HOUSE, site.id, "8–22", hours)
    made = []
    for place, room in enumerate(ROOMS):
        new = NewUnit(room.kind, room.code, room.name, room.name_en, room.note, room.note_en, room.capacity, calendar,
                      setup_min=room.setup_min, teardown_min=room.teardown_min, sort=place)
        made.append(await units.add_unit(HOUSE, site.id, new))
    return made


async def _people(site: SiteFacts) -> dict[str, Actor]:
    found = []
    for name, short in (("沁阳市怀庆堂食品有限公司", "怀庆堂"), ("沁阳市沁河花茶有限公司", "沁河花茶"), ("沁阳市怀府驴肉食品有限公司", "怀府驴肉")):
        found.append(await merchants.register(HOUSE, site.id, merchants.Profile(name, short, "natural_person")))
    actors = {}
    for number, (login, name, role, scope, merchant) in enumerate(PEOPLE):
        person = await accounts.add_person(HOUSE, name=name, phone=f"1383910{number:04}", email=f"{login}@journey.kaibo.example",
                                           password=PASSWORD)
        scope_id = found[merchant].id if merchant is not None else site.id if scope == "site" else None
        await accounts.grant(HOUSE, person, role, scope, scope_id)
        actor = await accounts_queries.actor_of(person)
        assert actor is not None
        actors[login] = actor
    return actors


async def main(settings: Settings) -> None:
    """Migrate and fill the database that the environment names."""
    assert settings.database_url is not None
    database.configure(settings.database_url)
    secrets.use(secrets.keyring(settings.data, settings.secrets_key))
    await database.open_pool(max_size=2)
    for app in ("incubator", "booking", "studio", "frontend"):
        result = await ForwardsMigrationManager(app_name=app, migration_id="all", fake=False).run()
        assert result.success, result.message
    await fill()
    await database.close_pool()


if __name__ == "__main__":
    asyncio.run(main(load()))
