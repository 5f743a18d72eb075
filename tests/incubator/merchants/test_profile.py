"""Registering, changing, shops, members and status of merchants."""

from datetime import date, timedelta

import pytest

from incubator.accounts import service as accounts
from incubator.ground import clock
from incubator.ground.audit import queries as audit
from incubator.ground.errors import Forbidden, Invalid, NotFound, Stale
from incubator.ground.rights import Role
from incubator.merchants import queries, service
from incubator.merchants.service import Profile
from tests.people import People

YAM = Profile("温县垆土铁棍山药有限公司", "垆土山药", "enterprise", "91350100M000100Y43", "王小满", "138 0000 5621", "温县",
              "铁棍山药")


async def test_it_works(people: People) -> None:
    done = await service.register(people.dora, people.site.id, YAM)
    file = await queries.merchant_file(people.dora, done.uid)
    assert (file.name, file.credit_code, file.contact_phone) == (YAM.name, "91350100M000100Y43", "13800005621")
    [entry] = await audit.history_of("merchant", done.id)
    assert (entry.actor, entry.verb) == ("Dora", "register")


async def test_all_fields_are_refused_at_once(people: People) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.register(people.dora, people.site.id, Profile("", "", "club", "123", contact_phone="1"))
    assert {error.field for error in refusal.value.errors} == {"name", "short_name", "kind", "credit_code", "contact_phone"}


LONG = "长" * 200_000


async def test_no_text_of_the_forms_is_without_bound(people: People) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.register(people.dora, people.site.id, Profile(LONG, LONG, "natural_person", "", LONG, LONG, LONG, LONG))
    assert {error.field for error in refusal.value.errors} == {
        "name", "short_name", "contact_name", "contact_phone", "town", "products"}
    with pytest.raises(Invalid) as refusal:
        await service.add_shop(people.alice, people.sunrise_id, platform="douyin", name=LONG, url=f"https://{LONG}")
    assert {error.field for error in refusal.value.errors} == {"name", "url"}
    with pytest.raises(Invalid) as refusal:
        await service.set_status(people.mia, people.sunrise_id, 1, "paused", LONG)
    assert refusal.value.errors[0].field == "reason"
    with pytest.raises(Invalid):
        await accounts.add_person(people.dora, name="许大米", name_latin=LONG)


async def test_only_a_natural_person_needs_no_code(people: People) -> None:
    with pytest.raises(Invalid):
        await service.register(people.dora, people.site.id, Profile("甲", "甲", "enterprise"))


async def test_a_code_belongs_to_one_merchant(people: People) -> None:
    await service.register(people.dora, people.site.id, YAM)
    with pytest.raises(service.CreditCodeTaken) as refusal:
        await service.register(people.mia, people.site.id, YAM)
    assert refusal.value.params == {"name": YAM.name}


async def test_the_same_form_twice_is_one_merchant(people: People) -> None:
    farmer = Profile("王小满", "小满", "natural_person", contact_phone="13800005621")
    first = await service.register(people.dora, people.site.id, farmer)
    assert (await service.register(people.dora, people.site.id, farmer)).uid == first.uid
    assert len(await audit.history_of("merchant", first.id)) == 1
    assert (await service.register(people.mia, people.site.id, farmer)).uid != first.uid
    with clock.frozen_at(clock.now() + timedelta(minutes=2)):
        assert (await service.register(people.dora, people.site.id, farmer)).uid != first.uid


async def test_nothing_hidden_breaks_the_search(people: People) -> None:
    await service.register(people.dora, people.site.id, YAM)
    assert [one.name for one in await queries.merchants(people.dora, f"\x00{YAM.name}\u202e")] == [YAM.name]


async def test_merchants_do_not_register_merchants(people: People) -> None:
    with pytest.raises(Forbidden):
        await service.register(people.alice, people.site.id, YAM)


async def test_the_owner_changes_the_profile(people: People) -> None:
    done = await service.update(people.alice, people.sunrise_id, 1, Profile("朝阳山药社", "朝阳", "natural_person"))
    assert done.version == 2
    [newest, _] = await audit.history_of("merchant", people.sunrise_id)
    assert newest.before == {"name": "朝阳山药有限公司", "short_name": "朝阳山药"}


async def test_a_member_does_not(people: People) -> None:
    with pytest.raises(Forbidden):
        await service.update(people.bob, people.sunrise_id, 1, Profile("x", "x", "natural_person"))


async def test_a_stranger_sees_nothing(people: People) -> None:
    with pytest.raises(NotFound):
        await service.update(people.charlie, people.sunrise_id, 1, Profile("x", "x", "natural_person"))
    with pytest.raises(NotFound):
        await queries.merchant_file(people.charlie, people.sunrise_uid)


async def test_a_stale_form_is_refused(people: People) -> None:
    await service.update(people.alice, people.sunrise_id, 1, Profile("朝阳", "朝阳", "natural_person"))
    with pytest.raises(Stale):
        await service.update(people.dora, people.sunrise_id, 1, Profile("晨曦", "晨曦", "natural_person"))


@pytest.mark.parametrize("search", ["山药", "zhaoyang", "ZYSY"])
async def test_it_is_found_by_name_and_pinyin(people: People, search: str) -> None:
    assert [row.id for row in await queries.merchants(people.dora, search)] == [people.sunrise_id]


async def test_merchants_list_only_their_own(people: People) -> None:
    assert [row.id for row in await queries.merchants(people.alice)] == [people.sunrise_id]
    assert len(await queries.merchants(people.aud)) == 2


async def test_a_shop_opens_and_closes(people: People) -> None:
    uid = await service.add_shop(people.alice, people.sunrise_id, platform="douyin", name="朝阳山药旗舰店", url="https://v.douyin.com/x")
    await service.close_shop(people.alice, uid, date(2026, 11, 1))
    [shop] = await queries.shops(people.sunrise_id)
    assert (shop.platform, shop.closed_on) == ("douyin", date(2026, 11, 1))


async def test_a_shop_with_wrong_fields_is_refused(people: People) -> None:
    tomorrow = clock.now().date() + timedelta(days=2)
    with pytest.raises(Invalid) as refusal:
        await service.add_shop(people.alice, people.sunrise_id, platform="ebay", name="", url="javascript:x", opened_on=tomorrow)
    assert {error.field for error in refusal.value.errors} == {"platform", "name", "url", "opened_on"}


async def test_the_desk_adds_and_the_owner_removes_members(people: People) -> None:
    await service.add_member(people.dora, people.sunrise_id, "charlie@example.com", [Role.STREAMER, Role.CONTROLLER])
    members = {member.name: member.roles for member in await queries.members(people.sunrise_id)}
    assert members["Charlie"] == ("streamer", "controller")
    await service.remove_member(people.alice, people.sunrise_id, people.charlie.person_id or 0)
    assert len(await queries.members(people.sunrise_id)) == 2


async def test_an_unknown_member_is_explained(people: People) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.add_member(people.dora, people.sunrise_id, "13999999999", [Role.MEMBER])
    assert refusal.value.errors[0].field == "login"


async def test_the_last_owner_stays(people: People) -> None:
    with pytest.raises(Forbidden):
        await service.remove_member(people.alice, people.sunrise_id, people.alice.person_id or 0)


async def test_a_member_may_leave_alone(people: People) -> None:
    await service.remove_member(people.bob, people.sunrise_id, people.bob.person_id or 0)
    assert len(await queries.members(people.sunrise_id)) == 1


async def test_managers_pause_with_a_reason(people: People) -> None:
    await service.set_status(people.mia, people.sunrise_id, 1, "paused", "licence expired")
    with pytest.raises(Invalid):
        await service.set_status(people.mia, people.sunrise_id, 2, "active", " ")
    with pytest.raises(Forbidden):
        await service.set_status(people.dora, people.sunrise_id, 2, "active", "so")
