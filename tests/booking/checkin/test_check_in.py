"""Check-in by four digits or a tap; tablets paired by staff and revoked."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from booking.checkin import queries as devices, service
from booking.checkin.service import PairingExpired
from booking.reservations import queries, questions, service as reservations
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import AlreadyCheckedIn, CutOff, NotYet, TooManyMisses, WrongCode, WrongState
from booking.units.queries import UnitFacts
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound
from incubator.ground.notices import queries as notices
from incubator.ground.rights import Actor
from tests.booking.conftest import NOW, Rooms, at, booked
from tests.people import People


async def tablet(people: People, unit: UnitFacts) -> Actor:
    """Return a tablet that staff paired with a room."""
    shown = await service.show_pairing(people.site)
    await service.pair(people.olaf, shown.code, unit.id, "door")
    actor = await devices.device_actor(shown.token)
    assert actor is not None
    return actor


async def digits(people: People, made: ReservationFacts) -> str:
    """Return the code that the member's phone shows."""
    return await queries.check_in_code(people.alice, made.uid)


def wrong(code: str) -> str:
    """Return four other digits."""
    return f"{(int(code) + 1) % 10_000:04}"


async def test_it_works(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.alice, rooms.one, at(15)), await tablet(people, rooms.one)
    with clock.frozen_at(at(14, 45)):
        assert await devices.current_for(rooms.one.id) is None
        waiting = await devices.waiting_for(rooms.one.id)
        assert waiting is not None
        done = await service.check_in(device, waiting.uid, f" {await digits(people, made)} ")
        assert (done.state, done.checked_in_at, done.checked_in_by) == ("checked_in", at(14, 45), "Alice")
        assert await devices.current_for(rooms.one.id) == done
    entry = await database.fetchrow("SELECT person, device FROM audit_entries WHERE verb = 'check_in'")
    assert (entry["person"], entry["device"]) == (people.alice.person_id, device.device_id)


async def test_whoever_booked_at_the_desk_was_not_at_the_door(people: People, rooms: Rooms) -> None:
    made = await booked(people.dora, rooms.one, at(15), merchant_id=people.sunrise_id)
    device = await tablet(people, rooms.one)
    with clock.frozen_at(at(15)):
        done = await service.check_in(device, made.uid, await digits(people, made))
        assert (done.state, done.checked_in_by) == ("checked_in", "")
        await reservations.extend(device, made.uid, 15)
    for verb in ("check_in", "extend"):
        entry = await database.fetchrow("SELECT person, device, actor FROM audit_entries WHERE verb = $1", verb)
        assert tuple(entry) == (None, device.device_id, "door")


async def test_whoever_left_the_merchant_was_not_at_the_door(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.bob, rooms.one, at(15)), await tablet(people, rooms.one)
    await database.execute("UPDATE grants SET ended_at = $2 WHERE person = $1", people.bob.person_id, at(13))
    with clock.frozen_at(at(15)):
        assert (await service.check_in(device, made.uid, await digits(people, made))).checked_in_by == ""


async def test_what_the_desk_booked_for_itself_stands_under_its_name(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.dora, rooms.one, at(15)), await tablet(people, rooms.one)
    with clock.frozen_at(at(15)):
        code = await queries.check_in_code(people.dora, made.uid)
        assert (await service.check_in(device, made.uid, code)).checked_in_by == "Dora"


async def test_a_tap_of_staff(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(15, 10)):
        assert (await service.check_in(people.dora, made.uid)).checked_in_by == "Dora"
        with pytest.raises(AlreadyCheckedIn):
            await service.check_in(people.dora, made.uid)


async def test_too_early(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.alice, rooms.one, at(15)), await tablet(people, rooms.one)
    with clock.frozen_at(at(14, 44)):
        assert await devices.waiting_for(rooms.one.id) is None
        with pytest.raises(NotYet) as refusal:
            await service.check_in(device, made.uid, await digits(people, made))
    assert refusal.value.params["opens_at"] == at(14, 45)


async def test_too_late(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(17)), pytest.raises(WrongState):
        await service.check_in(people.dora, made.uid)


async def test_cancelled(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    await reservations.cancel(people.alice, made.uid)
    with clock.frozen_at(at(15)), pytest.raises(WrongState):
        await service.check_in(people.dora, made.uid)


async def test_wrong_codes_rest_the_keypad(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.alice, rooms.one, at(15)), await tablet(people, rooms.one)
    code = await digits(people, made)
    with clock.frozen_at(at(15)):
        for left in (4, 3, 2, 1):
            with pytest.raises(WrongCode) as refusal:
                await service.check_in(device, made.uid, wrong(code))
            assert refusal.value.params["left"] == left
        for tried in (wrong(code), code, None):
            with pytest.raises(TooManyMisses):
                await service.check_in(device, made.uid, tried)
    with clock.frozen_at(at(15, 2)):
        assert (await service.check_in(device, made.uid, code)).state == "checked_in"


async def test_the_keypad_rests_longer_each_time_and_the_desk_is_told(people: People, rooms: Rooms) -> None:
    """Who guesses for an hour gets 25 tries of 10,000, and somebody comes to look; the right code makes up for all."""
    made, device = await booked(people.alice, rooms.one, at(15), 6), await tablet(people, rooms.one)
    code, moment, told = await digits(people, made), at(15), []
    for minutes in (2, 4, 8, 16, 30, 30):
        with clock.frozen_at(moment):
            for _ in range(4):
                with pytest.raises(WrongCode):
                    await service.check_in(device, made.uid, wrong(code))
            with pytest.raises(TooManyMisses) as refusal:
                await service.check_in(device, made.uid, wrong(code))
        assert refusal.value.params["until"] - moment == timedelta(minutes=minutes)
        moment = refusal.value.params["until"]
        told.append(len(await notices.latest(people.dora.person_id or 0)))
    assert told == [0, 1, 2, 3, 4, 5]
    assert await notices.latest(people.alice.person_id or 0) == []
    with clock.frozen_at(moment):
        await service.check_in(device, made.uid, code)
    assert await database.fetchval("SELECT rests FROM devices WHERE id = $1", device.device_id) == 0


async def test_a_rest_of_yesterday_is_forgiven(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.alice, rooms.one, at(15), 6), await tablet(people, rooms.one)
    await database.execute("UPDATE devices SET rests = 4, misses = 4, locked_until = $1", at(2, 50))
    with clock.frozen_at(at(15)), pytest.raises(TooManyMisses) as refusal:
        await service.check_in(device, made.uid, wrong(await digits(people, made)))
    assert refusal.value.params["until"] == at(15, 2)


async def test_another_room(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.alice, rooms.one, at(15)), await tablet(people, rooms.two)
    with clock.frozen_at(at(15)), pytest.raises(NotFound):
        await service.check_in(device, made.uid, await digits(people, made))


async def test_a_member_cannot_tap(people: People, rooms: Rooms) -> None:
    made = await booked(people.alice, rooms.one, at(15))
    with clock.frozen_at(at(15)), pytest.raises(Forbidden):
        await service.check_in(people.alice, made.uid, await digits(people, made))


async def test_a_tablet_never_reads_the_code(people: People, rooms: Rooms) -> None:
    made, device = await booked(people.alice, rooms.one, at(15)), await tablet(people, rooms.one)
    with pytest.raises(NotFound):
        await queries.check_in_code(device, made.uid)
    assert await queries.check_in_codes(device, [made]) == {}
    assert set(await queries.check_in_codes(people.dora, [made])) == {made.uid}


async def test_a_tablet_commands_from_check_in_to_cut_off(people: People, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_20_past(_reservation_id: int) -> datetime:
        return at(17, 20)

    monkeypatch.setattr(questions, "cut_offs", [at_20_past])
    made, device = await booked(people.alice, rooms.one, at(15)), await tablet(people, rooms.one)
    with clock.frozen_at(at(15)):
        with pytest.raises(Forbidden):
            await reservations.extend(device, made.uid, 15)
        await service.check_in(people.dora, made.uid)
    with clock.frozen_at(at(16, 50)):
        assert (await reservations.extend(device, made.uid, 15)).ends_at == at(17, 15)
        with pytest.raises(Forbidden):
            await reservations.cancel(device, made.uid)
    with clock.frozen_at(at(17, 19)):
        assert await devices.current_for(rooms.one.id) is not None
    with clock.frozen_at(at(17, 20)):
        assert await devices.current_for(rooms.one.id) is None
        for deed in (reservations.extend(device, made.uid, 15), reservations.end_early(device, made.uid)):
            with pytest.raises(CutOff):
                await deed
        monkeypatch.setattr(questions, "cut_offs", [])  # where nothing is stopped by itself
        assert await devices.current_for(rooms.one.id) is not None
    with clock.frozen_at(at(17, 30)):
        assert await devices.current_for(rooms.one.id) is None
    entry = await database.fetchrow("SELECT person, device FROM audit_entries WHERE verb = 'extend' ORDER BY id DESC LIMIT 1")
    assert (entry["person"], entry["device"]) == (people.dora.person_id, device.device_id)


async def test_pairing_runs_out(people: People, rooms: Rooms) -> None:
    shown = await service.show_pairing(people.site)
    assert await devices.device_actor(shown.token) is None
    with clock.frozen_at(NOW + timedelta(minutes=10)):
        with pytest.raises(PairingExpired):
            await service.pair(people.olaf, shown.code, rooms.one.id, "door")
        again = await service.renew_pairing(shown.token)
        found = await devices.device_by_code(again.code)
        assert found is not None
        await service.pair(people.olaf, again.code.lower().replace("-", " "), rooms.one.id, "door")
        assert (await devices.device_by_token(shown.token)) is not None
        with pytest.raises(NotFound):
            await service.renew_pairing(shown.token)


async def test_only_staff_pair(people: People, rooms: Rooms) -> None:
    shown = await service.show_pairing(people.site)
    with pytest.raises(Forbidden):
        await service.pair(people.alice, shown.code, rooms.one.id, "door")
    with pytest.raises(NotFound):
        await service.pair(people.olaf, shown.code, 0, "door")


async def test_a_long_label_is_refused_and_the_code_still_shown(people: People, rooms: Rooms) -> None:
    shown = await service.show_pairing(people.site)
    with pytest.raises(Invalid) as refusal:
        await service.pair(people.olaf, shown.code, rooms.one.id, "d" * (service.LONGEST_LABEL + 1))
    assert refusal.value.errors[0].field == "label"
    await service.pair(people.olaf, shown.code, rooms.one.id, "d" * service.LONGEST_LABEL)


async def test_revoke(people: People, rooms: Rooms) -> None:
    shown = await service.show_pairing(people.site)
    uid = await service.pair(people.olaf, shown.code, rooms.one.id, "door")
    assert [device.uid for device in await devices.devices(people.olaf, people.site.id)] == [uid]
    with pytest.raises(Forbidden):
        await service.revoke(people.alice, uid)
    await service.revoke(people.dora, uid)
    assert await devices.device_actor(shown.token) is None
    with pytest.raises(NotFound):
        await service.revoke(people.dora, uuid4())


async def test_unpaired_tablets_are_forgotten(people: People, rooms: Rooms) -> None:
    shown = await service.show_pairing(people.site)
    await tablet(people, rooms.one)
    with clock.frozen_at(NOW + timedelta(days=2)):
        assert await service.forget_unpaired() == 1
    assert await devices.device_by_token(shown.token) is None
