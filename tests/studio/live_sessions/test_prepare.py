"""A reservation leads to a session, the session to a plan, the plan to a report; all of it moves when the reservation moves."""

from datetime import timedelta

import pytest

from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, NotFound, Stale
from incubator.ground.queue.registry import Registry, TryLater
from studio.live_sessions import jobs, preparation, service
from studio.live_sessions.queries import live_session, of_reservation
from studio.live_sessions.rules import cut_off
from studio.rigs import service as rigs
from tests.studio.conftest import HOUSE, Studio, live_room, tablet, until


async def job(key: str) -> tuple[str, object]:
    row = await database.fetchrow("SELECT state, run_at FROM jobs WHERE key = $1", key)
    return (row["state"], row["run_at"])


async def test_it_works(studio: Studio) -> None:
    reservation = await studio.book(starts_in_min=60, state="confirmed")
    session = await studio.session_of(reservation)
    assert await job(f"prepare:{session.id}") == ("waiting", session.starts_at - timedelta(minutes=15))
    assert await job(f"close:{session.id}") == ("waiting", session.cut_off_at)
    assert await jobs.prepare({"session": session.id}) == "moved"
    with clock.frozen_at(session.starts_at - timedelta(minutes=15)):
        with pytest.raises(TryLater):
            await jobs.prepare({"session": session.id})  # no director has the room yet
        await studio.owned()
        await studio.state(reservation, "waiting_for_key")
        assert await jobs.prepare({"session": session.id}) == "waiting_for_key"
        assert await jobs.prepare({"session": session.id}) == "waiting_for_key"
    told = await database.fetchval("SELECT count(*) FROM notices WHERE once_key = $1", f"waiting_for_key:{session.id}")
    assert told == 2  # Alice and Bob, once each


async def test_following_twice_changes_nothing(studio: Studio) -> None:
    reservation = await studio.book(starts_in_min=60)
    await jobs.on_reservation({"reservation": reservation})
    assert await database.fetchval("SELECT count(*) FROM live_sessions") == 1


async def test_a_desk_has_no_session(studio: Studio) -> None:
    desk = await live_room(studio.people.site.id, "D1")
    await database.execute("UPDATE units SET kind = 'desk' WHERE id = $1", desk)
    assert await preparation.follow(await studio.book(unit=desk)) == "no_live_room"


async def test_a_move_moves_the_jobs(studio: Studio) -> None:
    reservation = await studio.book(starts_in_min=60)
    session = await studio.session_of(reservation)
    await database.execute(
        "UPDATE reservations SET starts_at = starts_at + interval '1 hour', ends_at = ends_at + interval '1 hour'")
    await jobs.on_reservation({"reservation": reservation})
    assert await job(f"prepare:{session.id}") == ("waiting", session.starts_at + timedelta(minutes=45))


async def test_a_move_after_the_preparation_empties_the_rig(studio: Studio) -> None:
    await studio.owned()
    reservation = await studio.book(starts_in_min=5)
    session = await studio.prepare(reservation)
    await studio.shows(lambda s: s.plan.session == session.id)
    await database.execute(
        "UPDATE reservations SET starts_at = starts_at + interval '5 hours', ends_at = ends_at + interval '5 hours'")
    await preparation.follow(reservation)
    await studio.shows(lambda s: s.plan.session is None)
    assert (await studio.session_of(reservation)).state == "planned"


async def test_a_cancelled_reservation_cancels_its_session(studio: Studio) -> None:
    reservation = await studio.book(starts_in_min=60)
    await database.execute("UPDATE reservations SET state = 'cancelled', closed_at = $1", clock.now())
    assert await jobs.on_reservation({"reservation": reservation}) == "cancelled"
    session = await studio.session_of(reservation)
    assert session.state == "cancelled"
    assert (await job(f"prepare:{session.id}"))[0] == "cancelled"
    assert await jobs.prepare({"session": session.id}) == "not_wanted"


async def test_a_room_without_rig_fails_and_is_told(studio: Studio) -> None:
    other = await live_room(studio.people.site.id, "L9")
    reservation = await studio.book(unit=other)
    session = await studio.session_of(reservation)
    assert await jobs.prepare({"session": session.id}) == "no_rig"
    assert (await studio.session_of(reservation)).reason_code == "no_rig"
    assert await database.fetchval("SELECT count(*) FROM notices WHERE person = $1", studio.people.olaf.person_id) == 1


async def test_the_session_before_is_waited_for(studio: Studio) -> None:
    await studio.prepare(await studio.book())
    later = await studio.session_of(await _second(studio))
    with clock.frozen_at(later.starts_at - timedelta(minutes=15)), pytest.raises(TryLater, match="room_taken"):
        await jobs.prepare({"session": later.id})


async def _second(studio: Studio) -> int:
    return await studio.book(starts_in_min=70, teardown_min=10)


async def test_a_rig_that_nobody_empties_is_closed(studio: Studio) -> None:
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await database.execute("UPDATE rigs SET cleanliness = 'armed', armed_session = $1, armed_mark = 'x'", session.id)
    await database.execute("UPDATE live_sessions SET state = 'ready'")
    clock.set_offset(int((session.cut_off_at - clock.now()).total_seconds()) + 120)
    with pytest.raises(TryLater):
        await jobs.close({"session": session.id})
    await jobs.quarantine({"session": session.id}, "")
    found = await studio.session_of(reservation)
    assert (found.state, found.reason_code, found.cleanliness) == ("ended", "unclean", "unclean")
    assert await database.fetchval("SELECT count(*) FROM notices WHERE once_key = $1", f"unclean:{session.id}") == 3
    # the director empties it once it can be reached: proven clean, so the room opens again
    await studio.owned()

    async def clean() -> bool:
        return bool(await database.fetchval("SELECT cleanliness = 'clean' FROM rigs"))

    await until(clean)


async def test_a_person_calls_a_rig_clean_with_a_reason(studio: Studio) -> None:
    await database.execute("UPDATE rigs SET cleanliness = 'unclean'")
    with pytest.raises(Invalid):
        await rigs.mark_clean(studio.people.olaf, studio.rig.uid, reason=" ")
    with pytest.raises(Forbidden):
        await rigs.mark_clean(studio.people.dora, studio.rig.uid, reason="looked")
    assert (await rigs.mark_clean(studio.people.olaf, studio.rig.uid, reason="looked")).cleanliness == "clean"
    with pytest.raises(rigs.NotQuarantined):
        await rigs.mark_clean(studio.people.olaf, studio.rig.uid, reason="looked")


async def test_the_output_is_chosen_until_something_is_sent(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    version = await service.choose_output(studio.people.bob, session.uid, "client", "douyin", version=session.version)
    with pytest.raises(Stale):
        await service.choose_output(studio.people.bob, session.uid, "record", "", version=session.version)
    with pytest.raises(Invalid):
        await service.choose_output(studio.people.bob, session.uid, "fax", "", version=version)
    with pytest.raises(Invalid):
        await service.choose_output(studio.people.bob, session.uid, "client", "fax", version=version)
    version = await service.choose_output(studio.people.bob, session.uid, "client", "tmall", version=version)  # as a shop may be
    with pytest.raises(NotFound):
        await service.choose_output(studio.people.charlie, session.uid, "record", "", version=version)
    await database.execute(
        "INSERT INTO air_spans (uid, rig, live_session, kind, started_at) VALUES (gen_random_uuid(), $1, $2, 'client', now())",
        studio.rig.id, session.id)
    with pytest.raises(service.OnAir):
        await service.choose_output(studio.people.bob, session.uid, "record", "", version=version)


async def test_an_account_stays_open_until_a_person_says_otherwise(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await database.execute(
        "INSERT INTO air_spans (uid, rig, live_session, kind, started_at, stopped_at)"
        " VALUES (gen_random_uuid(), $1, $2, 'client', now(), now())", studio.rig.id, session.id)
    await database.execute("UPDATE live_sessions SET state = 'ended'")
    await database.execute("UPDATE rigs SET cleanliness = 'account_open'")
    with pytest.raises(Forbidden):
        await service.account_left(await tablet(studio.unit, studio.people.site.id), session.uid)
    await service.account_left(studio.people.alice, session.uid)
    assert (await live_session(studio.people.dora, session.uid)).account_left_by == "Alice"
    assert await database.fetchval("SELECT cleanliness FROM rigs") == "clean"


async def test_what_the_platform_shows_is_a_persons_word(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await service.declare_shown(studio.people.bob, session.uid)
    await service.declare_shown(studio.people.alice, session.uid)
    assert (await live_session(studio.people.alice, session.uid)).shown_live_by == "Bob"


async def test_the_tablet_sees_its_rooms_session_without_the_code(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    found = await live_session(await tablet(studio.unit, studio.people.site.id), session.uid)
    assert (found.uid, found.check_in_code) == (session.uid, "")
    assert (await live_session(studio.people.alice, session.uid)).check_in_code == "4718"
    assert await of_reservation(studio.people.charlie, session.reservation_uid) is None


async def test_the_sweep_finds_what_was_lost(studio: Studio) -> None:
    await studio.book(starts_in_min=60)
    await database.execute("DELETE FROM live_sessions")
    assert await jobs.sweep({}) == "followed count=1"
    assert await database.fetchval("SELECT count(*) FROM live_sessions") == 1


def test_the_cut_off() -> None:
    now = clock.now()
    assert cut_off(now, 5, None) == now + timedelta(minutes=5)
    assert cut_off(now, 5, now + timedelta(minutes=2)) == now + timedelta(minutes=2)
    assert cut_off(now, 5, now) == now


def test_all_facts_have_handlers() -> None:
    registry = Registry()
    jobs.register(registry)
    assert set(registry.by_fact) == {f"Reservation{what}" for what in ("Confirmed", "Moved", "Cancelled", "CheckedIn", "Ended")}


async def test_a_rig_is_set_up_with_all_errors_at_once(studio: Studio) -> None:
    other = await live_room(studio.people.site.id, "L3")
    with pytest.raises(Invalid) as refused:
        await rigs.add(HOUSE, other, rigs.SetUp("obs", "http://x", lead_min=0, overrun_min=99))
    assert {error.field for error in refused.value.errors} == {"address", "lead_min", "overrun_min"}
    with pytest.raises(rigs.RoomHasRig):
        await rigs.add(HOUSE, studio.unit, rigs.SetUp("simulated"))
    with pytest.raises(Forbidden):
        await rigs.add(studio.people.dora, other, rigs.SetUp("simulated"))


async def test_an_armed_rig_keeps_its_address(studio: Studio) -> None:
    await database.execute("UPDATE rigs SET cleanliness = 'armed'")
    with pytest.raises(rigs.RigInUse):
        await rigs.update(HOUSE, studio.rig.uid, rigs.SetUp("obs", "ws://127.0.0.1:4455"), version=studio.rig.version)


async def test_the_demo_binds_room_one_at_every_start(studio: Studio) -> None:
    for _ in range(2):
        found = await rigs.bind_demo_obs("ws://127.0.0.1:4455", "pass")
        assert found is not None
        assert (found.driver, found.address) == ("obs", "ws://127.0.0.1:4455")
    assert b"pass" not in (await database.fetchval("SELECT password_sealed FROM rigs"))
