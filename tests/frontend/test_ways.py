"""Where one can go: whatever one may read is reached by a click, and nothing else is offered."""

import re
from typing import Any

import pytest

from frontend import i18n
from frontend.ways import TABS, ways_of
from incubator.ground.rights import Actor, Grant, Role
from tests.people import People

HOUSE = (Role.MANAGER, Role.STAFF, Role.OPERATOR, Role.ADMIN)


def hrefs(*roles: Role, merchants: tuple[int, ...] = ()) -> list[str]:
    """Return where somebody with these roles can go."""
    owns = tuple(Grant(Role.OWNER, "merchant", merchant) for merchant in merchants)
    return [way.href for way in ways_of(Actor(1, "李芳", tuple(Grant(role, "all") for role in roles) + owns))]


@pytest.mark.parametrize("role", [*HOUSE, Role.AUDITOR])
def test_it_works(role: Role) -> None:
    assert {"/rigs", "/devices", "/merchants", "/reservations", "/days"} <= set(hrefs(role))
    assert ("/jobs" in hrefs(role)) == (role in (Role.OPERATOR, Role.ADMIN, Role.AUDITOR))


def test_a_right_that_is_given_opens_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not {"/rigs", "/devices"} & set(hrefs(Role.MENTOR))
    monkeypatch.setattr(Actor, "may_read_all", True)
    assert {"/rigs", "/devices"} <= set(hrefs(Role.MENTOR))


def test_a_merchants_people_have_their_bookings_within_reach_of_the_thumb() -> None:
    assert hrefs(merchants=(1,)) == ["/", "/book", "/live", "/reservations", "/merchants"]
    assert "/reservations" in hrefs(merchants=(1,))[:TABS]


def test_a_phones_bar_is_full_and_no_fuller() -> None:
    for role in HOUSE:
        tabs = [way for way in ways_of(Actor(1, "李芳", (Grant(role, "all"),))) if way.is_tab]
        assert [way.href for way in tabs] == ["/", "/days", "/rigs", "/merchants"]


@pytest.mark.parametrize(("path", "href"), [
    ("/", "/"), ("/wall", "/rigs"), ("/rigs/0f", "/rigs"), ("/units/0f/week/2026-11-24", "/days"), ("/pair/ABCD", "/devices"),
    ("/closures", "/days"), ("/reservations/0f", "/reservations")])
def test_one_way_alone_is_the_present_one(path: str, href: str) -> None:
    assert [way.href for way in ways_of(Actor(1, "李芳", (Grant(Role.ADMIN, "all"),))) if way.is_here(path)] == [href]


@pytest.mark.parametrize("name", ["dora", "mia", "olaf", "ada", "aud"])
async def test_every_way_of_the_rail_leads_somewhere(people: People, client_for: Any, name: str) -> None:
    client = await client_for(getattr(people, name))
    rail = re.search(r'<nav class="rail".*?</nav>', (await client.get("/")).text, re.DOTALL)
    assert rail
    found = set(re.findall(r'href="(/[^"]*)"', rail[0]))
    assert {"/rigs", "/devices"} <= found
    for href in sorted(found):
        assert (await client.get(href, follow_redirects=True)).status_code == 200, href


def test_the_menu_says_what_the_page_is_headed() -> None:
    with i18n.using("en"):
        ways = {way.href: way.text for way in ways_of(Actor(1, "Li Fang", (Grant(Role.STAFF, "all"),)))}
    assert ways["/rigs"] == "Rooms"


@pytest.mark.parametrize("code", ["zh_CN", "en"])
def test_no_two_tabs_say_the_same(code: str) -> None:
    owner = Actor(1, "林秀英", (Grant(Role.OWNER, "merchant", 1),))
    for actor in (owner, *(Actor(1, "李芳", (Grant(role, "all"),)) for role in Role)):
        with i18n.using(code):
            words = [way.text for way in ways_of(actor)]
        assert len(set(words)) == len(words), words
