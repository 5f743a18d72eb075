"""What was stopped at the cut-off does not go on: no extension makes a booking without a show."""

from datetime import timedelta

import pytest

from booking.reservations import queries, questions, service
from booking.reservations.refusals import CutOff
from booking.reservations.service import Changes
from frontend.composition import answer_questions
from incubator.ground import clock, database
from studio.live_sessions.preparation import cut_off_of
from studio.live_sessions.queries import live_session
from tests.frontend.pages.studio_rooms import Room, make_room
from tests.people import People
from tests.studio.conftest import tablet


@pytest.fixture(autouse=True)
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "cut_offs", [])
    answer_questions()


async def begun(people: People, overrun_min: int = 5) -> Room:
    """Return a room with a session that somebody checked in to."""
    room = await make_room(people)
    await room.begins()
    await database.execute("UPDATE rigs SET overrun_min = $2 WHERE id = $1", room.rig.id, overrun_min)
    return room


async def test_until_the_cut_off_it_can_be_extended(people: People) -> None:
    room = await begun(people)
    with clock.frozen_at(room.booking.ends_at + timedelta(minutes=4)):
        assert await queries.extension_room(room.booking) > 0
        longer = await service.extend(people.alice, room.booking.uid, 15)
        assert (await live_session(people.alice, room.session)).cut_off_at == longer.ends_at + timedelta(minutes=5)


@pytest.mark.parametrize(("overrun_min", "late_min"), [(5, 10), (0, 1), (60, 15)])
async def test_after_it_nothing_goes_on(people: People, overrun_min: int, late_min: int) -> None:
    room = await begun(people, overrun_min)
    device, booking = await tablet(room.unit.id, people.site.id), room.booking
    facts = await queries.reservation(people.alice, booking.uid)
    cut_off = (await live_session(people.alice, room.session)).cut_off_at
    assert await cut_off_of(booking.id) == cut_off
    with clock.frozen_at(booking.ends_at + timedelta(minutes=late_min)):
        assert await queries.extension_room(facts) == 0
        later = Changes(ends_at=booking.ends_at + timedelta(minutes=30))
        for deed in (service.extend(people.alice, booking.uid, 30), service.extend(people.dora, booking.uid, 30),
                     service.extend(device, booking.uid, 30), service.end_early(device, booking.uid),
                     service.move(people.alice, booking.uid, later, version=facts.version)):
            with pytest.raises(CutOff) as refused:
                await deed
            assert refused.value.params == {"cut_off_at": cut_off}
        assert (await queries.reservation(people.alice, booking.uid)).ends_at == booking.ends_at
        assert (await service.end_early(people.alice, booking.uid)).state == "finished"
