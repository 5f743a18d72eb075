"""Hold, confirm, move, extend, end early, cancel, no-show: each works, and each refusal changes nothing."""

from datetime import timedelta

import pytest

from booking.policies.queries import quota_of
from booking.reservations import jobs, queries, service
from booking.reservations.refusals import (
    HasBegun,
    HoldExpired,
    NotBegun,
    NotYet,
    OutsideHours,
    OverQuota,
    SlotTaken,
    WrongState,
)
from booking.reservations.service import Changes
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound, Stale
from tests.booking.conftest import NOW, Rooms, at, booked, wish
from tests.people import People

LATER = timedelta(minutes=6)


async def test_hold_and_confirm(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert (held.state, held.number, held.hold_until) == ("held", None, NOW + timedelta(minutes=5))
    assert await database.fetchval("SELECT count(*) FROM audit_entries WHERE thing = 'reservation'") == 0
    with pytest.raises(SlotTaken):
        await booked(people.charlie, rooms.one, at(15))
    made = await service.confirm(people.alice, held.uid, title="专场")
    assert (made.state, made.title, made.hold_until) == ("confirmed", "专场", None)
    assert made.number is not None
    assert len(await queries.check_in_code(people.alice, made.uid)) == 4
    with pytest.raises(WrongState):
        await service.confirm(people.alice, held.uid)


async def test_a_page_has_one_hold(people: People, rooms: Rooms) -> None:
    first = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    await service.reserve(people.alice, wish(rooms.one, at(15, 30)), hold=True, page_key="a")
    other = await service.reserve(people.alice, wish(rooms.two, at(15)), hold=True, page_key="b")
    assert (await queries.reservation(people.alice, first.uid)).state == "expired"
    assert (await queries.reservation(people.alice, other.uid)).state == "held"
    made = await service.reserve(people.alice, wish(rooms.one, at(15, 30)), page_key="a")
    assert made.state == "confirmed"


async def test_a_hold_needs_its_page(people: People, rooms: Rooms) -> None:
    with pytest.raises(Invalid):
        await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True)
    for key in ("x" * 101, "a\x00"):
        with pytest.raises(Invalid):
            await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key=key)


async def test_a_run_out_hold(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    with clock.frozen_at(NOW + LATER):
        with pytest.raises(HoldExpired):
            await service.confirm(people.alice, held.uid)
        made = await booked(people.charlie, rooms.one, at(15))  # the next writer releases it
        assert made.state == "confirmed"
        assert (await queries.reservation(people.alice, held.uid)).state == "expired"
        with pytest.raises(HoldExpired):
            await service.confirm(people.alice, held.uid)


async def test_holds_are_released_and_deleted_by_job(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert await jobs.release_holds({}) == "0 released, 0 deleted"
    with clock.frozen_at(NOW + LATER):
        assert await jobs.release_holds({}) == "1 released, 0 deleted"
        assert (await queries.reservation(people.alice, held.uid)).state == "expired"
    with clock.frozen_at(NOW + timedelta(days=2)):
        assert await jobs.release_holds({}) == "0 released, 1 deleted"
        assert await queries.facts(held.id) is None


async def test_somebody_elses_hold(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    with pytest.raises(Forbidden):
        await service.confirm(people.bob, held.uid)
    with pytest.raises(NotFound):
        await service.confirm(people.charlie, held.uid)


async def test_move(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    moved = await service.move(people.bob, made.uid, Changes(at(16), at(19), rooms.two.uid, "新题"), version=1)
    assert (moved.unit_id, moved.starts_at, moved.ends_at) == (rooms.two.id, at(16), at(19))
    assert (moved.title, moved.version) == ("新题", 2)
    assert moved.number == made.number
    assert moved.blocked.starts_at == at(15, 45)
    await booked(people.charlie, rooms.one, at(15))
    assert await database.fetchval("SELECT count(*) FROM allocations WHERE reservation = $1 AND holds", made.id) == 2


async def test_move_over_itself(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    moved = await service.move(people.alice, made.uid, Changes(at(15, 30), at(17, 30)), version=1)
    assert moved.span.minutes == 120


async def test_only_the_title(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(16)):
        assert (await service.move(people.alice, made.uid, Changes(title="新题"), version=1)).title == "新题"


async def test_a_stale_move(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await service.move(people.dora, made.uid, Changes(title="别的"), version=1)
    with pytest.raises(Stale):
        await service.move(people.alice, made.uid, Changes(title="新题"), version=1)


async def test_move_onto_somebody(people: People, rooms: Rooms) -> None:
    await booked(people.charlie, rooms.two, at(15))
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(SlotTaken) as refusal:
        await service.move(people.alice, made.uid, Changes(unit_uid=rooms.two.uid), version=1)
    assert refusal.value.extra["alternatives"]
    assert (await queries.reservation(people.alice, made.uid)) == made


async def test_move_beyond_the_quota(people: People, rooms: Rooms) -> None:
    await booked(people.alice, rooms.two, at(8, day=7), 9)
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(OverQuota):
        await service.move(people.alice, made.uid, Changes(at(15, day=8), at(17, day=8)), version=1)


async def test_a_stranger_changes_nothing(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    for refused in (service.move(people.charlie, made.uid, Changes(title="x"), version=1),
                    service.extend(people.charlie, made.uid, 15), service.end_early(people.charlie, made.uid),
                    service.cancel(people.charlie, made.uid), service.mark_no_show(people.charlie, made.uid)):
        with pytest.raises(NotFound):
            await refused
    for refused in (service.move(people.aud, made.uid, Changes(title="x"), version=1), service.cancel(people.aud, made.uid),
                    service.extend(people.aud, made.uid, 15), service.mark_no_show(people.alice, made.uid)):
        with pytest.raises(Forbidden):
            await refused


async def test_what_has_begun_stays(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(16)):
        for changes in (Changes(at(16, 15)), Changes(unit_uid=rooms.two.uid), Changes(ends_at=at(16))):
            with pytest.raises(HasBegun):
                await service.move(people.alice, made.uid, changes, version=1)
        assert (await service.move(people.alice, made.uid, Changes(ends_at=at(16, 30)), version=1)).ends_at == at(16, 30)


async def test_extend(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await booked(people.charlie, rooms.one, at(18))
    assert await queries.extension_room(made) == 30
    with clock.frozen_at(at(16, 50)):
        longer = await service.extend(people.alice, made.uid, 30)
        assert (longer.ends_at, longer.version) == (at(17, 30), 2)
        assert await queries.extension_room(longer) == 0
        with pytest.raises(SlotTaken):
            await service.extend(people.alice, made.uid, 15)
        for minutes in (0, -15, 7, 100_000):
            with pytest.raises(Invalid):
                await service.extend(people.alice, made.uid, minutes)


async def test_extend_past_closing(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(20))
    with pytest.raises(OutsideHours):
        await service.extend(people.alice, made.uid, 15)


async def test_end_early(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15), host_id=people.bob.person_id)
    with pytest.raises(NotBegun):
        await service.end_early(people.alice, made.uid)
    with clock.frozen_at(at(16) - timedelta(seconds=20)):
        ended = await service.end_early(people.alice, made.uid)
        assert (ended.state, ended.ends_at, ended.blocked.ends_at) == ("finished", at(16), at(16, 15))
        assert (await quota_of(people.sunrise_id, people.site.id, at(15), clock.now())).used_min == 60
        await booked(people.charlie, rooms.one, at(16, 30))
        with pytest.raises(WrongState):
            await service.end_early(people.alice, made.uid)


async def test_cancel(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    gone = await service.cancel(people.bob, made.uid, reason="主播病了")
    assert (gone.state, gone.reason, gone.closed_at) == ("cancelled", "主播病了", NOW)
    assert (await quota_of(people.sunrise_id, people.site.id, at(15), NOW)).used_min == 0
    await booked(people.charlie, rooms.one, at(15))
    with pytest.raises(WrongState):
        await service.cancel(people.alice, made.uid)


async def test_cancel_too_late(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(15)), pytest.raises(HasBegun):
        await service.cancel(people.alice, made.uid)


async def test_cancel_a_hold(people: People, rooms: Rooms) -> None:
    held = await service.reserve(people.alice, wish(rooms.one, at(15)), hold=True, page_key="a")
    assert (await service.cancel(people.alice, held.uid)).state == "expired"
    await booked(people.charlie, rooms.one, at(15))


async def test_no_show(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with pytest.raises(NotYet):
        await service.mark_no_show(people.dora, made.uid)
    with clock.frozen_at(at(15, 30)):
        assert (await service.mark_no_show(people.dora, made.uid)).state == "no_show"
        await booked(people.charlie, rooms.one, at(15, 45))
        assert (await quota_of(people.sunrise_id, people.site.id, at(15), clock.now())).used_min == 120


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
