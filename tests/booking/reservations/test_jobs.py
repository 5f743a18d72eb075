"""What the queue does: finish what is over, tell people once."""

from datetime import timedelta

from booking.reservations import jobs, queries, service
from booking.reservations.service import Changes
from incubator.ground import clock, database
from tests.booking.conftest import Rooms, at, booked
from tests.people import People

LATER = timedelta(minutes=6)


async def test_finish(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(17, 14)):
        assert await jobs.finish({}) == "0 finished"
    with clock.frozen_at(at(17, 15)):
        assert await jobs.finish({}) == "1 finished"
        ended = await queries.reservation(people.alice, made.uid)
        assert (ended.state, ended.closed_at) == ("finished", at(17, 15))
        assert await database.fetchval("SELECT kind FROM facts ORDER BY id DESC LIMIT 1") == "ReservationEnded"


async def test_booker_and_host_are_told_once(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    assert await jobs.tell_confirmed({"reservation": made.id}) == "2 told"
    assert await jobs.tell_confirmed({"reservation": made.id}) == "0 told"
    await service.move(people.alice, made.uid, Changes(at(16), at(18)), version=1)
    assert await jobs.tell_moved({"reservation": made.id}) == "2 told"
    await service.cancel(people.alice, made.uid)
    assert await jobs.tell_cancelled({"reservation": made.id}) == "2 told"
    assert await jobs.tell_moved({"reservation": made.id}) == "no longer so"
