"""What the queue does: finish what is over, tell people once."""

from datetime import timedelta

import pytest

from booking.calendars import service as calendars
from booking.calendars.service import Extent
from booking.reservations import jobs, queries, service
from booking.reservations.service import Changes
from frontend import i18n
from frontend.pages.notices import revived
from incubator.ground import clock, database
from incubator.ground.jsons import loads
from incubator.ground.notices.queries import latest
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants import service as merchants
from tests.booking.conftest import Rooms, at, booked
from tests.people import People

LATER = timedelta(minutes=6)


async def test_finish(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(17, 14)):
        assert await jobs.finish({}) == "finished count=0"
    with clock.frozen_at(at(17, 15)):
        assert await jobs.finish({}) == "finished count=1"
        ended = await queries.reservation(people.alice, made.uid)
        assert (ended.state, ended.closed_at) == ("finished", at(17, 15))
        assert await database.fetchval("SELECT kind FROM facts ORDER BY id DESC LIMIT 1") == "ReservationEnded"


async def test_booker_and_host_are_told_once(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    assert await jobs.tell_confirmed({"reservation": made.id}) == "told count=2"
    assert await jobs.tell_confirmed({"reservation": made.id}) == "told count=0"
    await service.move(people.alice, made.uid, Changes(at(16), at(18)), version=1)
    assert await jobs.tell_moved({"reservation": made.id}) == "told count=2"
    await service.cancel(people.alice, made.uid)
    assert await jobs.tell_cancelled({"reservation": made.id}) == "told count=2"
    assert await jobs.tell_moved({"reservation": made.id}) == "no_longer_so"


@pytest.mark.parametrize(("changes", "msgid", "chinese"), [
    (Changes(title="新名字"), None, ""),
    (Changes(at(16), at(18)), (False, "starts_at"), "已改到 今天 16:00，18:00 结束。"),
    (Changes(ends_at=at(18)), (False, "ends_at"), "改为 今天 18:00 结束。"),
    (Changes(at(16), at(18), title="新名字"), (False, "starts_at"), "已改到 今天 16:00，18:00 结束。"),
    ("room", (True, ""), "已换到"),
    ("room and end", (True, "ends_at"), "改为 今天 18:00 结束。"),
])
async def test_a_change_is_told_as_what_it_is(people: People, rooms: Rooms, changes: Changes | str, msgid: tuple[bool, str] | None,
                                              chinese: str) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    if isinstance(changes, str):
        changes = Changes(unit_uid=rooms.two.uid, ends_at=at(18) if "end" in changes else None)
    await service.move(people.dora, made.uid, changes, version=1)
    fact = await database.fetchrow("SELECT kind, payload FROM facts ORDER BY id DESC LIMIT 1")
    assert fact["kind"] == "ReservationMoved"  # sessions and open pages hear of every change
    await jobs.tell_moved(loads(fact["payload"]))
    notices = await latest(people.alice.person_id or 0)
    assert [one.msgid for one in notices] == ([] if msgid is None else [jobs.MOVED[msgid]])
    for one in notices:
        assert chinese in i18n.translate(one.msgid, revived(one.params))
        with i18n.using("en"):
            assert ("18:00" in i18n.translate(one.msgid, revived(one.params))) == (msgid != (True, ""))


async def test_of_two_changes_at_once_each_is_told(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await service.move(people.alice, made.uid, Changes(unit_uid=rooms.two.uid), version=1)
    await service.move(people.alice, made.uid, Changes(at(16), at(18)), version=2)
    for row in await database.fetch("SELECT payload FROM facts WHERE kind = 'ReservationMoved' ORDER BY id"):
        assert await jobs.tell_moved(loads(row["payload"])) == "told count=1"
        assert await jobs.tell_moved(loads(row["payload"])) == "told count=0"


async def told(actor: Actor) -> list[tuple[str, str, str]]:
    """Return number, reason and link of somebody's notices, newest first."""
    return [(one.params["number"], one.params.get("reason", ""), one.link) for one in await latest(actor.person_id or 0)]


async def test_the_merchant_is_told_what_the_desk_books_for_it(people: People, rooms: Rooms) -> None:
    made = await booked(people.dora, rooms.one, at(15), merchant_id=people.sunrise_id)
    assert await jobs.tell_confirmed({"reservation": made.id}) == "told count=2"
    assert [number for number, _, _ in await told(people.alice)] == [made.number]
    assert await told(people.bob) == []


async def test_who_left_the_merchant_is_told_nothing_more(people: People, rooms: Rooms) -> None:
    made = await booked(people.bob, rooms.one, at(15), merchant_id=people.sunrise_id, host_id=people.bob.person_id)
    await merchants.remove_member(people.alice, people.sunrise_id, people.bob.person_id or 0)
    await service.move(people.alice, made.uid, Changes(at(16), at(18)), version=1)
    assert await jobs.tell_moved({"reservation": made.id}) == "told count=1"
    assert await told(people.bob) == []
    assert [number for number, _, _ in await told(people.alice)] == [made.number]


async def test_whose_bookings_a_closure_hits_is_told(people: People, rooms: Rooms) -> None:
    made = await booked(people.bob, rooms.one, at(15), merchant_id=people.sunrise_id)
    await booked(people.charlie, rooms.two, at(15))
    closed = await calendars.close(people.dora, Extent((rooms.one.id,)), Span(at(13), at(16)), reason="检修")
    args = {"closure": str(closed.uid)}
    assert await jobs.tell_closed(args) == "told count=2"
    assert await jobs.tell_closed(args) == "told count=0"
    for actor in (people.alice, people.bob):
        assert await told(actor) == [(made.number, "检修", f"/reservations/{made.uid}#move")]
    assert await told(people.charlie) == []
    assert (await queries.reservation(people.alice, made.uid)).state == "confirmed"


async def test_whoever_was_told_hears_of_the_lifting(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.one, at(15))
    closed = await calendars.close(people.dora, Extent((rooms.one.id,)), Span(at(13), at(20)), reason="检修")
    args = {"closure": str(closed.uid)}
    assert await jobs.tell_lifted(args) == "no_longer_so"
    await calendars.lift(people.dora, closed.uid)
    with clock.frozen_at(at(12, 1)):
        await booked(people.charlie, rooms.one, at(18))
    assert await jobs.tell_closed(args) == "no_longer_so"
    assert await jobs.tell_lifted(args) == "told count=1"
    assert len(await told(people.alice)) == 1
    assert await told(people.charlie) == []
