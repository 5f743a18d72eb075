"""Who may command a room: its tablet and its party from check-in to cut-off, staff at any time, nobody else."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from incubator.accounts import service as accounts
from incubator.accounts.queries import actor_of
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound
from incubator.ground.rights import Role
from studio.control.queries import Reason, help_in, open_help, seat
from studio.control.service import (
    AskFirst,
    NotCheckedIn,
    NotInControl,
    SessionOver,
    answer_control,
    answer_help,
    ask_control,
    call_staff,
    checked,
    command,
    panic,
    take_control,
)
from studio.director.wire import Outcome, PlanNow, SetVolume, SwitchScene
from studio.live_sessions.queries import live_session
from tests.studio.conftest import HOUSE, Studio, live_room, tablet, until


async def test_it_works(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    for actor in (studio.people.alice, studio.people.bob, await tablet(studio.unit, studio.people.site.id), studio.people.dora):
        assert (await seat(actor, session.uid)).may_command


async def test_a_stranger_sees_nothing(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    with pytest.raises(NotFound):
        await seat(studio.people.charlie, session.uid)


async def test_another_rooms_tablet_sees_nothing(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    other = await live_room(studio.people.site.id, "L2")
    with pytest.raises(NotFound):
        await seat(await tablet(other, studio.people.site.id), session.uid)


async def test_a_tablet_sees_a_session_in_its_turn_only(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(starts_in_min=60 * 24, state="confirmed"))
    device = await tablet(studio.unit, studio.people.site.id)
    turn = session.starts_at
    for moment in (clock.now(), turn - timedelta(seconds=1), session.cut_off_at, session.cut_off_at + timedelta(days=1)):
        with clock.frozen_at(moment):
            for read in (seat, live_session):
                with pytest.raises(NotFound):
                    await read(device, session.uid)
            assert (await live_session(studio.people.alice, session.uid)).title == "Yam"
    with clock.frozen_at(turn):
        assert (await seat(device, session.uid)).why == Reason.NOT_CHECKED_IN
        assert (await live_session(device, session.uid)).title == "Yam"


async def test_a_check_in_opens_the_room_in_its_turn_only(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(starts_in_min=60 * 24, state="confirmed"))
    await database.execute("UPDATE reservations SET checked_in_at = now()")
    with clock.frozen_at(session.starts_at):
        assert (await seat(studio.people.alice, session.uid)).why == Reason.NOT_CHECKED_IN  # undone or never done
    await database.execute("UPDATE reservations SET state = 'checked_in'")
    assert (await seat(studio.people.alice, session.uid)).why == Reason.NOT_CHECKED_IN  # moved to later
    with clock.frozen_at(session.starts_at):
        assert (await seat(studio.people.alice, session.uid)).may_command


async def test_who_booked_for_a_merchant_and_left_it_sees_nothing(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    alice = studio.people.alice.person_id or 0
    await accounts.end_grant(HOUSE, alice, Role.OWNER, "merchant", studio.people.sunrise_id)
    left = await actor_of(alice)
    assert left is not None
    with pytest.raises(NotFound):
        await seat(left, session.uid)


async def test_who_may_type_the_code_reads_it_and_nobody_else(studio: Studio) -> None:
    session, people = await studio.session_of(await studio.book(state="confirmed")), studio.people
    device = await tablet(studio.unit, people.site.id)
    for actor, code in ((people.alice, "4718"), (people.dora, "4718"), (people.aud, ""), (device, "")):
        assert (await live_session(actor, session.uid)).check_in_code == code, actor.name


async def test_before_check_in_the_party_only_watches(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(state="confirmed"))
    place = await seat(studio.people.alice, session.uid)
    assert place.why == Reason.NOT_CHECKED_IN
    with pytest.raises(NotCheckedIn):
        await command(studio.board, place, SwitchScene("双人"))


async def test_an_auditor_only_watches(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    place = await seat(studio.people.aud, session.uid)
    assert place.why == Reason.NOT_YOURS
    with pytest.raises(Forbidden):
        await command(studio.board, place, SwitchScene("双人"))


async def test_after_the_cut_off_nobody_commands(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(length_min=30))
    place = await seat(studio.people.alice, session.uid)
    with clock.frozen_at(place.until + timedelta(seconds=1)):
        assert (await seat(studio.people.alice, session.uid)).why == Reason.SESSION_OVER
        assert not place.is_open(clock.now())


@pytest.mark.parametrize("who", ["alice", "dora"])
async def test_a_seat_kept_open_past_the_cut_off_commands_nothing(studio: Studio, who: str) -> None:
    """Open controls keep their seat for seconds, and longer while the database is away."""
    session = await studio.session_of(await studio.book(length_min=30))
    place = await seat(getattr(studio.people, who), session.uid)
    with clock.frozen_at(place.until - timedelta(milliseconds=1)):
        assert checked(place) is place
    with clock.frozen_at(place.until):
        for deed in (command(studio.board, place, SwitchScene("双人")), panic(studio.board, place, 1)):
            with pytest.raises(SessionOver):
                await deed


async def test_the_cut_off_never_leaves_the_blocked_interval(studio: Studio) -> None:
    session = await studio.session_of(await studio.book(teardown_min=2))
    assert (await seat(studio.people.alice, session.uid)).until == session.ends_at + timedelta(minutes=2)


async def test_a_tablet_where_nobody_is_known_to_have_come_acts_for_itself(studio: Studio) -> None:
    booking = await studio.book()
    await database.execute("UPDATE reservations SET checked_in_by = NULL WHERE id = $1", booking)  # the desk had booked it
    session, device = await studio.session_of(booking), await tablet(studio.unit, studio.people.site.id)
    place = await seat(device, session.uid)
    assert (place.may_command, place.sender.person, place.sender.device) == (True, None, device.device_id)
    await take_control(studio.board, device, session.uid)
    found = await live_session(studio.people.alice, session.uid)
    assert (found.controller_person, found.controller_device) == (None, device.device_id)


async def test_the_first_who_commands_is_in_control_and_others_ask(studio: Studio) -> None:
    await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    first = await tablet(studio.unit, studio.people.site.id)
    second = await tablet(studio.unit, studio.people.site.id)
    assert (await command(studio.board, await seat(first, session.uid), SwitchScene("双人"))).outcome == Outcome.DONE
    await studio.shows(lambda s: s.plan.controller_device == first.device_id)
    await _heard(studio, lambda plan: plan.controller_device == first.device_id)
    with pytest.raises(NotInControl, match="The room’s tablet is in control"):
        await command(studio.board, await seat(second, session.uid), SwitchScene("双人"))
    with pytest.raises(AskFirst, match="The room’s tablet is in control"):
        await take_control(studio.board, second, session.uid)
    await ask_control(second, session.uid)
    await studio.shows(lambda s: s.plan.asked_device == second.device_id)
    await answer_control(first, session.uid, hand_over=True)
    await _heard(studio, lambda plan: plan.controller_device == second.device_id)
    assert (await command(studio.board, await seat(second, session.uid), SwitchScene("双人"))).outcome == Outcome.DONE


async def _heard(studio: Studio, true: Callable[[PlanNow], bool]) -> None:
    async def is_so() -> bool:
        found = await studio.board.snapshot(studio.rig.id, fresh_s=0)
        return found is not None and true(found.plan)

    await until(is_so)


async def test_a_dead_tablet_is_taken_over_after_a_while(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    first = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, first, session.uid)
    await ask_control(studio.people.bob, session.uid)
    with pytest.raises(AskFirst):
        await take_control(studio.board, studio.people.bob, session.uid)
    with clock.frozen_at(clock.now() + timedelta(seconds=16)):
        await take_control(studio.board, studio.people.bob, session.uid)
    row = await database.fetchrow("SELECT controller_person, controller_device FROM live_sessions")
    assert (row["controller_person"], row["controller_device"]) == (studio.people.bob.person_id, None)


async def test_staff_force_with_a_reason(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await take_control(studio.board, studio.people.alice, session.uid)
    with pytest.raises(Invalid):
        await take_control(studio.board, studio.people.dora, session.uid)
    with pytest.raises(Invalid) as caught:
        await take_control(studio.board, studio.people.dora, session.uid, reason="x" * 201)
    assert [one.field for one in caught.value.errors] == ["reason"]
    await take_control(studio.board, studio.people.dora, session.uid, reason="nobody answers")
    reason = await database.fetchval("SELECT reason FROM audit_entries WHERE verb = 'take_control' ORDER BY id DESC")
    assert reason == "nobody answers"


async def test_values_out_of_range_are_refused(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    place = await seat(studio.people.alice, session.uid)
    for wanted in (SetVolume("主播麦", 27.0), SetVolume("主播麦", -101.0), SwitchScene(""), SwitchScene("x" * 10_000)):
        with pytest.raises(Invalid):
            await command(studio.board, place, wanted)


async def test_a_call_for_help_is_one_until_it_is_answered(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    call = await call_staff(device, studio.unit)
    assert await call_staff(studio.people.alice, studio.unit, session.uid) == call
    assert [one.uid for one in await open_help(studio.people.site.id)] == [call]
    with pytest.raises(Forbidden):
        await answer_help(studio.people.alice, call)
    await answer_help(studio.people.olaf, call)
    found = await help_in(studio.unit)
    assert found is not None
    assert found.answered_by == "Olaf"
    with pytest.raises(Forbidden):
        await call_staff(studio.people.charlie, studio.unit)
