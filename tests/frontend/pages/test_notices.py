"""Notices about bookings: what they are about, and that they rest once that is done."""

from typing import Any

from incubator.ground.notices.queries import unread_count
from incubator.ground.notices.service import tell
from studio.destinations import service as destinations
from tests.frontend.pages.conftest import Centre
from tests.frontend.pages.studio_rooms import make_room
from tests.people import People


async def test_it_says_first_which_booking_it_is_about(centre: Centre, visit: Any) -> None:
    alice, charlie = centre.people.alice, centre.people.charlie
    made = await centre.book(alice, day="2026-11-24", starts="16:00", ends="18:00")
    for person in (alice, charlie):
        assert person.person_id is not None
        await tell(person.person_id, "x", "{number} is booked: {starts_at}.", {"number": made.number, "starts_at": made.starts_at})
    page = (await (await visit(alice)).get("/notices")).text
    lead = page.partition('<b class="clamp">')[2]
    assert lead.index("铁棍山药专场") < lead.index(made.number or "?")
    assert "铁棍山药专场" not in (await (await visit(charlie)).get("/notices")).text


async def test_a_pasted_key_settles_the_notice_that_asked_for_it(people: People) -> None:
    room = await make_room(people)
    for person in (people.alice, people.bob):
        assert person.person_id is not None
        await tell(person.person_id, f"waiting_for_key:{room.session_id}", "x")
        await tell(person.person_id, "other", "y")
    await destinations.paste(people.alice, room.session, "rtmp://push.example.com/live/key", version=0)
    assert [await unread_count(person.person_id or 0) for person in (people.alice, people.bob)] == [1, 1]
