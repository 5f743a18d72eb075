"""What screens read: the day, the week, offers, lists, who follows; and what others may not see."""

from datetime import timedelta
from uuid import UUID

import pytest

from booking.calendars import service as calendars
from booking.offers import queries as offers
from booking.reservations import queries, service
from booking.reservations.precheck import precheck, precheck_move
from booking.reservations.queries import Filters
from booking.reservations.refusals import TooFarAhead
from booking.reservations.service import Changes
from booking.schedule import queries as schedule
from incubator.accounts.queries import actor_of
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants import service as merchants
from tests.booking.conftest import HOUSE, NOW, Rooms, at, booked, wish
from tests.people import People

TODAY = at(0).date() + timedelta(days=1)


async def test_the_day(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), title="山药")
    other = await booked(people.charlie, rooms.one, at(18), title="花茶")
    await calendars.close(HOUSE, calendars.Extent(unit_ids=(rooms.two.id,)), Span(at(8), at(13)), reason="检修", reason_en="repair")
    day = await schedule.day(people.alice, people.site.id, TODAY)
    one, two, _ = day.units
    assert one.open == (Span(at(8), at(22)),)
    assert two.open == (Span(at(13), at(22)),)
    assert [closure.reason for closure in two.closures] == ["检修"]
    mine, theirs = one.blocks
    assert (mine.uid, mine.title, mine.is_mine) == (made.uid, "山药", True)
    assert (mine.blocked_from, mine.blocked_to) == (at(14, 45), at(17, 15))
    assert (theirs.uid, theirs.title, theirs.merchant_name, theirs.is_mine) == (None, "", "", False)
    assert theirs.starts_at == other.starts_at
    seen = (await schedule.day(people.dora, people.site.id, TODAY, ["live_room"])).units[0].blocks[1]
    assert (seen.title, seen.merchant_name, seen.may_change) == ("花茶", "沁河花茶", True)
    assert not (await schedule.day(people.aud, people.site.id, TODAY)).units[0].blocks[1].may_change


async def test_run_out_holds_are_not_shown(people: People, rooms: Rooms) -> None:
    await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert len((await schedule.day(people.charlie, people.site.id, TODAY)).units[0].blocks) == 1
    with clock.frozen_at(NOW + timedelta(minutes=5)):
        assert (await schedule.day(people.charlie, people.site.id, TODAY)).units[0].blocks == ()


async def test_the_week(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15, day=6))
    week = await schedule.week(people.alice, rooms.one.uid, TODAY)
    assert week.span == Span(at(0), at(0, day=7))
    assert [block.uid for block in week.units[0].blocks] == [made.uid]
    assert len(week.units[0].open) == 7


async def test_availability(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.one, at(15))
    found = await offers.availability(people.site, Span(at(8), at(22)), "live_room")
    assert [item.name for item in found] == ["1 号间", "2 号间"]
    assert found[0].free == (Span(at(12), at(14, 30)), Span(at(17, 30), at(22)))
    assert found[1].free == (Span(at(12), at(22)),)
    with pytest.raises(Invalid):
        await offers.availability(people.site, Span(at(8), at(8, day=90)))


async def test_nothing_is_free_beyond_what_can_be_booked(people: People, rooms: Rooms) -> None:
    ahead = rooms.meeting.ahead_days
    found = await offers.availability(people.site, Span(at(20, day=ahead), at(20, day=ahead + 1)), "meeting_room")
    assert found[0].free == (Span(at(20, day=ahead), at(22, day=ahead)),)
    for actor in (people.alice, people.dora):
        with pytest.raises(TooFarAhead):
            await booked(actor, rooms.meeting, at(8, day=ahead + 1))
    found = await offers.availability(people.site, Span(at(0, day=ahead + 1), at(0, day=ahead + 2)))
    assert [each.free for each in found] == [(), (), ()]
    await database.execute("UPDATE units SET ahead_days = $2 WHERE id = $1", rooms.meeting.id, ahead + 1)
    found = await offers.availability(people.site, Span(at(0, day=ahead + 1), at(0, day=ahead + 2)))
    assert [each.free for each in found] == [(), (), (Span(at(8, day=ahead + 1), at(22, day=ahead + 1)),)], "each by its own"


async def test_offers(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.one, at(15))
    await calendars.close(HOUSE, calendars.Extent(unit_ids=(rooms.two.id,)), Span(at(0), at(0, day=1)), reason="检修")
    found = await offers.offers(people.site, TODAY, 120)
    assert [group.part for group in found.groups] == ["evening", "afternoon"]
    assert [offer.span for offer in found.groups[0].offers] == [Span(at(18), at(20)), Span(at(20), at(22))]
    assert [(refused.name, refused.params["reason"]) for refused in found.refused] == [("2 号间", "检修")]


async def test_days(people: People, rooms: Rooms) -> None:
    found = await offers.days(people.site, TODAY, 62, 120)
    assert [day.count for day in found[:2]] == [10, 14]
    assert [day.count for day in found[60:]] == [14, 0]


async def test_find(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), title="山药专场")
    other = await booked(people.charlie, rooms.two, at(15))
    for text in (made.number or "", "山药", "zhaoyang", "zys", "13800000001", "Alice"):
        assert [item.uid for item in (await queries.find(people.dora, people.site.id, text)).items] == [made.uid], text
    assert {item.uid for item in (await queries.find(people.dora, people.site.id)).items} == {made.uid, other.uid}
    assert (await queries.find(people.alice, people.site.id, "花茶")).items == ()
    assert (await queries.find(people.dora, people.site.id, "%' OR 1=1 --")).items == ()
    found = await queries.find(people.dora, people.site.id, "", Filters(unit_uid=rooms.two.uid, states=("confirmed",)))
    assert [item.uid for item in found.items] == [other.uid]


async def test_a_number_that_is_not_shown_finds_nothing(people: People, rooms: Rooms) -> None:
    """Who books for a merchant, or whose guest one is, keeps their phone number, digit by digit."""
    of_desk = await booked(people.dora, rooms.one, at(15), merchant_id=people.sunrise_id)
    own = await booked(people.alice, rooms.two, at(15))
    await database.execute("UPDATE merchants SET contact_phone = '13912345678', search = search || ' 13912345678' WHERE id = $1",
                           people.other_id)
    guest = await booked(people.charlie, rooms.two, at(19))
    await database.execute("UPDATE reservations SET host = $2 WHERE id = $1", guest.id, people.alice.person_id)

    async def found(actor: Actor, text: str) -> set[UUID]:
        return {item.uid for item in (await queries.find(actor, people.site.id, text)).items}

    assert await found(people.alice, "13800000004") == await found(people.alice, "1391") == set()
    assert await found(people.alice, "13800000001") == {own.uid}
    assert await found(people.bob, "13800000001") == set()
    assert await found(people.dora, "13800000004") == await found(people.aud, "13800000004") == {of_desk.uid}
    assert await found(people.charlie, "1391") == await found(people.dora, "1391") == {guest.uid}
    assert await found(people.alice, "Dora") == {of_desk.uid}


async def test_who_booked_or_hosts_for_a_merchant_and_left_it_is_out(people: People, rooms: Rooms) -> None:
    made = await booked(people.bob, rooms.one, at(15), merchant_id=people.sunrise_id, host_id=people.bob.person_id)
    assert [one.uid for one in await queries.coming(people.bob)] == [made.uid]
    await merchants.remove_member(people.alice, people.sunrise_id, people.bob.person_id or 0)
    left = await actor_of(people.bob.person_id or 0)
    assert left is not None
    assert (await queries.find(left, people.site.id)).items == ()
    assert await queries.coming(left) == ()
    assert await queries.by_numbers(left, [made.number or ""]) == {}
    block = (await schedule.day(left, people.site.id, TODAY)).units[0].blocks[0]
    assert (block.uid, block.title, block.is_mine, block.may_change) == (None, "", False, False)
    for deed in (queries.reservation(left, made.uid), queries.check_in_code(left, made.uid), service.cancel(left, made.uid)):
        with pytest.raises(NotFound):
            await deed
    assert (await queries.reservation(people.alice, made.uid)).host_name == "Bob"


async def test_where_there_is_no_merchant_it_is_the_bookers_and_the_hosts(people: People, rooms: Rooms) -> None:
    made = await booked(people.dora, rooms.one, at(15), host_id=people.charlie.person_id)
    assert (await queries.reservation(people.charlie, made.uid)).uid == made.uid
    assert [one.uid for one in (await queries.find(people.charlie, people.site.id)).items] == [made.uid]
    with pytest.raises(Forbidden):
        await service.cancel(people.charlie, made.uid)


async def test_pages_of_a_list(people: People, rooms: Rooms) -> None:
    made = [await booked(people.dora, rooms.one, at(10, day=day)) for day in range(1, 6)]
    seen, cursor = [], None
    while True:
        page = await queries.find(people.dora, people.site.id, cursor=cursor, limit=2)
        seen += [item.uid for item in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [each.uid for each in reversed(made)]
    for cursor in ("nonsense", "MjAyNi0xMS0yM3wx", "OTk5OS0xMi0zMVQwMDowMDowMC0xMDowMHwx", "x" * 1000, "中"):
        await queries.find(people.dora, people.site.id, "\x00", cursor=cursor, limit=2)
    assert len((await queries.find(people.dora, people.site.id, cursor="nonsense", limit=2)).items) == 2


async def test_a_stranger_sees_nothing(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(NotFound):
        await queries.reservation(people.charlie, made.uid)
    with pytest.raises(NotFound):
        await queries.check_in_code(people.charlie, made.uid)
    assert await queries.of_merchant(people.charlie, people.sunrise_id) == ()
    assert [each.uid for each in await queries.of_merchant(people.aud, people.sunrise_id)] == [made.uid]


async def test_coming_and_arrivals(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    assert [each.uid for each in await queries.coming(people.bob)] == [made.uid]
    assert await queries.coming(people.charlie) == ()
    assert [each.uid for each in await queries.arrivals(people.site.id, TODAY)] == [made.uid]
    assert await queries.arrivals(people.site.id, TODAY + timedelta(days=1)) == ()


async def test_who_follows(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    assert await queries.next_on(rooms.one.id, made.ends_at) is None
    other = await booked(people.charlie, rooms.one, at(18))
    follower = await queries.next_on(rooms.one.id, made.ends_at)
    assert follower is not None
    assert (follower.uid, follower.merchant_name, follower.blocked_from) == (other.uid, "沁河花茶", at(17, 45))


async def test_precheck(people: People, rooms: Rooms) -> None:
    good = await precheck(people.alice, wish(rooms.one, at(15)))
    assert good.is_ok
    assert [finding.code for finding in good.findings] == ["open", "free", "quota"]
    await booked(people.charlie, rooms.one, at(20))
    bad = await precheck(people.alice, wish(rooms.one, at(11), 12))
    against = [finding.code for finding in bad.findings if not finding.is_ok]
    assert against == ["past", "outside-hours", "over-quota", "slot-taken"]
    assert not bad.is_ok
    made = await booked(people.alice, rooms.one, at(15))
    assert (await precheck_move(people.alice, made.uid, Changes(at(15, 30), at(17, 30)))).is_ok
