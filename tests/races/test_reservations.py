"""Rivals on a real database: one winner each, no deadlock, no overlap. First the control: without the guard it happens."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from booking.policies import service as policies
from booking.policies.queries import quota_of
from booking.reservations import jobs, service, slots
from booking.reservations.service import Changes, Wish
from frontend.pages.twice import booked
from incubator.ground import clock, database
from tests.booking.conftest import HOUSE, wish
from tests.conftest import Scratch
from tests.races import harness
from tests.races.harness import Field, rivals

ROUNDS = 12
CLIENTS = 8


@pytest_asyncio.fixture
async def ground(scratch: Scratch) -> AsyncIterator[Field]:
    """Return committed people and rooms; afterwards nothing may overlap and no deadlock may have happened."""
    made = await harness.make_field()
    yield made
    assert await harness.deadlocks() == 0


async def test_control_without_guard(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check alone, as others do it, lets several in: so the races below prove something."""
    made = await harness.make_field()
    await harness.drop_constraint()
    monkeypatch.setattr(slots, "LOCK", harness.LOCK_WITHOUT_LOCKING)
    for number in range(ROUNDS):
        want = wish(made.rooms.one, made.start(number))
        await rivals(*[lambda want=want: service.reserve(made.people.dora, want)] * CLIENTS)
    assert await harness.overlaps() > 0


async def test_control_without_guard_on_the_quota(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await harness.make_field()
    await policies.set_quota(HOUSE, made.people.site.id, 120)
    monkeypatch.setattr(slots, "LOCK", harness.LOCK_WITHOUT_LOCKING)
    over = 0
    for number in range(0, 7 * 6, 7):
        await rivals(*[
            lambda room=room, number=number: service.reserve(made.people.alice, wish(room, made.start(number)))
            for room in (made.rooms.one, made.rooms.two)])
        over += (await quota_of(made.people.sunrise_id, made.people.site.id, made.start(number), clock.now())).used_min > 120
    assert over > 0


async def test_the_constraint_alone_holds(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without locks the constraint still lets one in only; whoever forgets the lock cannot double-book."""
    made = await harness.make_field()
    monkeypatch.setattr(slots, "LOCK", harness.LOCK_WITHOUT_LOCKING)
    for number in range(4):
        want = wish(made.rooms.one, made.start(number))
        outcome = await rivals(*[lambda want=want: service.reserve(made.people.dora, want)] * 3)
        assert len(outcome.won) == 1
    assert await harness.overlaps() == 0


async def test_a_form_that_arrives_twice_at_once_books_once(ground: Field) -> None:
    await policies.set_quota(HOUSE, ground.people.site.id, 120)
    want = wish(ground.rooms.one, ground.start(0), merchant_id=ground.people.sunrise_id)
    outcome = await rivals(*[lambda: booked(ground.people.alice, want)] * CLIENTS)
    assert len(outcome.won) == CLIENTS
    assert len({one.uid for one in outcome.won}) == 1
    assert await harness.overlaps() == 0


@pytest.mark.parametrize("has_merchant", [False, True])
async def test_units_are_locked_first(ground: Field, has_merchant: bool) -> None:
    """Whoever waits for a unit holds neither merchant nor reservation yet: otherwise two could wait for each other."""
    made = await service.reserve(ground.people.alice, wish(ground.rooms.one, ground.start(0)))
    merchant_id = made.merchant_id if has_merchant else None
    first = await database.connect()
    async with first.transaction():
        await first.execute("SELECT 1 FROM units WHERE id = $1 FOR NO KEY UPDATE", made.unit_id)
        waiting = asyncio.create_task(_locking(made.unit_id, merchant_id, made.id))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await first.execute("SELECT 1 FROM merchants WHERE id = $1 FOR NO KEY UPDATE NOWAIT", made.merchant_id)
        await first.execute("SELECT 1 FROM reservations WHERE id = $1 FOR NO KEY UPDATE NOWAIT", made.id)
    locked = await waiting
    await first.close()
    assert locked.rows[made.id].number == made.number


async def _locking(unit_id: int, merchant_id: int | None, reservation_id: int) -> slots.Locked:
    async with database.transaction():
        return await slots.lock([unit_id], merchant_id, [reservation_id])


async def test_the_same_slot(ground: Field) -> None:
    for number in range(ROUNDS):
        want = wish(ground.rooms.one, ground.start(number))
        outcome = await rivals(*[lambda want=want: service.reserve(ground.people.dora, want)] * CLIENTS)
        assert Counter(outcome.refused) == {"slot-taken": CLIENTS - 1}
    assert await harness.overlaps() == 0


async def test_overlapping_slots(ground: Field) -> None:
    for number in range(ROUNDS):
        wants = [wish(ground.rooms.one, ground.start(number) + timedelta(minutes=30 * shift)) for shift in range(4)]
        outcome = await rivals(*[lambda want=want: service.reserve(ground.people.dora, want) for want in wants])
        assert len(outcome.won) == 1
        assert set(outcome.refused) == {"slot-taken"}
    assert await harness.overlaps() == 0


async def test_two_processes(ground: Field, scratch: Scratch) -> None:
    wants = [Wish(ground.rooms.one.uid, ground.start(number), ground.start(number) + timedelta(hours=2)) for number in range(10)]
    person_id = ground.people.dora.person_id or 0
    outcome = await asyncio.to_thread(harness.in_processes, [harness.Task(scratch.dsn, person_id, wants)] * 2)
    assert len(outcome.won) == len(wants)
    assert set(outcome.refused) == {"slot-taken"}
    assert await harness.overlaps() == 0


async def test_moves_to_one_place(ground: Field) -> None:
    dora, rooms = ground.people.dora, ground.rooms
    for number in range(ROUNDS):
        start = ground.start(number)
        first = await service.reserve(dora, wish(rooms.one, start))
        second = await service.reserve(dora, wish(rooms.two, start))
        there = Changes(unit_uid=rooms.meeting.uid)
        outcome = await rivals(lambda first=first, there=there: service.move(dora, first.uid, there, version=1),
                               lambda second=second, there=there: service.move(dora, second.uid, there, version=1))
        assert (len(outcome.won), outcome.refused) == (1, ["slot-taken"])


async def test_crossing_moves(ground: Field) -> None:
    """Each wants the other's place: nobody can have it, and nobody waits for ever."""
    dora, rooms = ground.people.dora, ground.rooms
    for number in range(ROUNDS):
        start = ground.start(number)
        first = await service.reserve(dora, wish(rooms.one, start))
        second = await service.reserve(dora, wish(rooms.two, start))
        outcome = await rivals(
            lambda first=first: service.move(dora, first.uid, Changes(unit_uid=rooms.two.uid), version=1),
            lambda second=second: service.move(dora, second.uid, Changes(unit_uid=rooms.one.uid), version=1))
        assert outcome.refused == ["slot-taken", "slot-taken"]


async def test_one_version_for_two(ground: Field) -> None:
    dora = ground.people.dora
    for number in range(ROUNDS):
        made = await service.reserve(dora, wish(ground.rooms.one, ground.start(number)))
        outcome = await rivals(*[
            lambda made=made, changes=changes: service.move(dora, made.uid, changes, version=1)
            for changes in (Changes(ends_at=made.ends_at + timedelta(hours=hour)) for hour in (1, 2))])
        assert (len(outcome.won), outcome.refused) == (1, ["stale"])


async def test_a_swap_passes(ground: Field) -> None:
    """Both off, then both on: two reservations change rooms in one transaction."""
    dora, rooms = ground.people.dora, ground.rooms
    first = await service.reserve(dora, wish(rooms.one, ground.start(0)))
    second = await service.reserve(dora, wish(rooms.two, ground.start(0)))
    async with database.transaction():
        locked = await slots.lock([rooms.one.id, rooms.two.id], None, [first.id, second.id])
        await slots.shift(locked, {first.id: [slots.Claim(rooms.two.id, first.blocked)],
                                   second.id: [slots.Claim(rooms.one.id, second.blocked)]})
    rows = await database.fetch("SELECT reservation, unit FROM allocations WHERE holds ORDER BY reservation")
    assert [tuple(row) for row in rows] == [(first.id, rooms.two.id), (second.id, rooms.one.id)]


async def test_extend_against_reserve(ground: Field) -> None:
    dora, room = ground.people.dora, ground.rooms.meeting
    for number in range(ROUNDS):
        made = await service.reserve(dora, wish(room, ground.start(number)))
        outcome = await rivals(lambda made=made: service.extend(dora, made.uid, 30),
                               lambda made=made: service.reserve(dora, wish(room, made.ends_at)))
        assert (len(outcome.won), outcome.refused) == (1, ["slot-taken"])
    assert await harness.overlaps() == 0


async def test_a_hold_running_out_against_its_confirmation(ground: Field) -> None:
    """At the moment of its end one of the two gets the slot: whoever held it, or whoever comes."""
    alice, dora, room = ground.people.alice, ground.people.dora, ground.rooms.meeting
    won = 0
    for number in range(ROUNDS * 2):
        held = await service.reserve(alice, wish(room, ground.start(number)), hold=True, page_key=str(number))
        await database.execute("UPDATE reservations SET hold_until = $2 WHERE id = $1", held.id,
                               clock.now() + timedelta(milliseconds=3 * (number % 5)))
        outcome = await rivals(lambda held=held: service.confirm(alice, held.uid),
                               lambda held=held: service.reserve(dora, wish(room, held.starts_at)),
                               lambda: jobs.release_holds({}))
        assert len(outcome.won) <= 1  # both lose when the rival looked before the end and the holder came after it
        assert set(outcome.refused) <= {"hold-expired", "slot-taken"}
        won += len(outcome.won)
    assert await harness.overlaps() == 0
    assert won >= ROUNDS


async def test_the_quota_across_two_rooms(ground: Field) -> None:
    await policies.set_quota(HOUSE, ground.people.site.id, 120)
    for number in range(0, 7 * 8, 7):
        outcome = await rivals(*[
            lambda room=room, number=number: service.reserve(ground.people.alice, wish(room, ground.start(number)))
            for room in (ground.rooms.one, ground.rooms.two)])
        assert (len(outcome.won), outcome.refused) == (1, ["over-quota"])


async def test_a_host_in_two_rooms(ground: Field) -> None:
    alice = ground.people.alice
    await policies.set_quota(HOUSE, ground.people.site.id, 7 * 1440)
    for number in range(ROUNDS):
        outcome = await rivals(*[
            lambda room=room, number=number: service.reserve(alice, wish(room, ground.start(number), host_id=alice.person_id))
            for room in (ground.rooms.one, ground.rooms.two)])
        assert (len(outcome.won), outcome.refused) == (1, ["slot-taken"])
    assert await harness.overlaps() == 0


async def test_one_page_holds_two_rooms(ground: Field) -> None:
    """A page has one hold, however quickly it asks for two."""
    alice = ground.people.alice
    for number in range(ROUNDS):
        outcome = await rivals(*[
            lambda room=room, number=number: service.reserve(alice, wish(room, ground.start(number)), hold=True, page_key="p")
            for room in (ground.rooms.meeting, ground.rooms.two)])
        assert set(outcome.refused) <= {"stale", "over-quota"}
        assert outcome.won
    assert await database.fetchval("SELECT count(*) FROM reservations WHERE state = 'held'") == 1
