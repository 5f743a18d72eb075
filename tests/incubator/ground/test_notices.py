"""One message once, whatever is repeated."""

from incubator.ground.notices import queries, service
from tests.people import People


async def test_it_works(people: People) -> None:
    alice = people.alice.person_id
    assert alice is not None
    assert await service.tell(alice, "ready:1", "Room {room} is ready.", {"room": "2"}, "/live/1")
    assert await queries.unread_count(alice) == 1
    [notice] = await queries.latest(alice)
    assert (notice.msgid, notice.params, notice.read_at) == ("Room {room} is ready.", {"room": "2"}, None)


async def test_a_repeat_changes_nothing(people: People) -> None:
    assert people.bob.person_id is not None
    assert await service.tell(people.bob.person_id, "ready:1", "Room {room} is ready.")
    assert not await service.tell(people.bob.person_id, "ready:1", "Room {room} is ready.")


async def test_reading_marks_only_ones_own(people: People) -> None:
    for actor in (people.alice, people.bob):
        assert actor.person_id is not None
        await service.tell(actor.person_id, "x", "Hello")
    assert await service.mark_all_read(people.alice) == 1
    assert people.bob.person_id is not None
    assert await queries.unread_count(people.bob.person_id) == 1
