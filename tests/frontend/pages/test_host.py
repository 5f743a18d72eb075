"""The sheet's check knows who presents: what else the host is booked for, and alternatives that suit the host too."""

import re
from typing import Any

from booking.reservations import service
from booking.reservations.service import Wish
from incubator.ground import database
from tests.frontend.pages.conftest import DAY, Centre


async def bob_in_room_2(centre: Centre) -> str:
    """Book Bob as host of room 2 from 10:00 to 12:00, and return his public id."""
    people = centre.people
    await service.reserve(people.alice, Wish(centre.rooms[1].uid, centre.at("10:00"), centre.at("12:00"), "", people.sunrise_id,
                                             people.bob.person_id))
    return str(await database.fetchval("SELECT uid FROM people WHERE id = $1", people.bob.person_id))


def starts(text: str) -> list[str]:
    """Return when the alternatives begin."""
    return re.findall(r'data-from="([^"]+)"', text)


async def test_the_host_is_booked_elsewhere(centre: Centre, visit: Any) -> None:
    bob = await bob_in_room_2(centre)
    alice = await visit(centre.people.alice)
    wish = f"/reservations/check?kind=live_room&space={centre.rooms[0].uid}&date={DAY}&from=11:00&to=12:00"
    alone = await alice.get(wish, partial=True)
    assert 'data-bad=""' in alone.text
    found = await alice.get(f"{wish}&host={bob}", partial=True)
    assert 'data-bad="1"' in found.text
    assert "Bob" in found.text
    assert "10:00" in found.text
    assert starts(found.text)
    assert all(at >= "12:00" or at <= "09:00" for at in starts(found.text))
    assert (await alice.get(f"{wish}&host={centre.people.sunrise_uid}", partial=True)).status_code == 200


async def test_alternatives_to_a_taken_room_suit_the_host_too(centre: Centre, visit: Any) -> None:
    bob = await bob_in_room_2(centre)
    await centre.book(centre.people.charlie, starts="13:00", ends="15:00")
    alice = await visit(centre.people.alice)
    wish = f"/reservations/check?kind=live_room&space={centre.rooms[0].uid}&date={DAY}&from=12:00&to=13:30"
    free = starts((await alice.get(wish, partial=True)).text)
    fitting = starts((await alice.get(f"{wish}&host={bob}", partial=True)).text)
    assert any("08:30" < at < "12:00" for at in free)
    assert fitting
    assert not any("08:30" < at < "12:00" for at in fitting)


async def test_a_move_keeps_its_host(centre: Centre, visit: Any) -> None:
    await bob_in_room_2(centre)
    people = centre.people
    mine = await service.reserve(people.alice, Wish(
        centre.rooms[0].uid, centre.at("14:00"), centre.at("16:00"), "", people.sunrise_id, people.bob.person_id))
    alice = await visit(people.alice)
    wish = f"/reservations/check?move={mine.uid}&kind=live_room&space={centre.rooms[0].uid}&date={DAY}"
    assert 'data-bad="1"' in (await alice.get(f"{wish}&from=11:00&to=13:00", partial=True)).text
    assert 'data-bad=""' in (await alice.get(f"{wish}&from=15:00&to=17:00", partial=True)).text
