"""One owner per rig: released leases pass on at once, foreign ones after a wait, and a paused old owner starts nothing."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from incubator.ground import database
from studio.director import leases, wire
from studio.director.wire import CommandBody, Outcome, Sender, StartOutput, StartRecord
from tests.studio.conftest import Studio


async def test_of_many_takers_one_gets_it(studio: Studio) -> None:
    found = await asyncio.gather(*(leases.take_free(f"taker {n}", (), (), 9) for n in range(12)))
    assert sum(len(one) for one in found) == 1


async def test_a_released_lease_passes_on_at_once(studio: Studio) -> None:
    first = await leases.take_free("somewhere|else", (), (), 9)
    await leases.release("somewhere|else", first)
    assert [(one.rig, one.fence) for one in await leases.take_free("another", (), (), 9)] == [(studio.rig.id, 2)]


async def test_a_foreign_lease_gets_its_time_once_more(studio: Studio) -> None:
    await leases.take_free("somewhere|else", (), (), 9)
    await database.execute("UPDATE rig_leases SET expires_at = now() - interval '11 seconds'")
    assert [(one.rig, one.fence) for one in await leases.take_free("another", (), (), 9)] == []
    await database.execute("UPDATE rig_leases SET expires_at = now() - interval '13 seconds'")
    assert [(one.rig, one.fence) for one in await leases.take_free("another", (), (), 9)] == [(studio.rig.id, 2)]


async def test_an_owner_that_certainly_ended_is_not_waited_for(studio: Studio) -> None:
    process = await asyncio.create_subprocess_exec("sleep", "30")
    name = leases.owner_name().split("|")
    ticks = leases._started(process.pid)
    gone = "|".join([*name[:3], str(process.pid), ticks, "0"])
    await leases.take_free(gone, (), (), 9)
    assert [(one.rig, one.fence) for one in await leases.take_free("another", (), (), 9)] == []
    process.kill()
    await process.wait()
    assert [(one.rig, one.fence) for one in await leases.take_free("another", (), (), 9)] == [(studio.rig.id, 2)]


async def test_other_zones_are_left_alone(studio: Studio) -> None:
    assert await leases.take_free("another", ("east",), (), 9) == []


async def test_a_paused_old_owner_starts_nothing(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "FOREIGN_WAIT", timedelta(0))
    old = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    paused = old.owners[studio.rig.id]
    # pause: it neither renews nor hears of what happens, as a stopped process would not
    old.owners.clear()
    await database.execute("UPDATE rig_leases SET expires_at = now() - interval '1 second'")
    new = await studio.direct()
    new._links.machines = old._links.machines
    await studio.shows(lambda s: s.fence == 2 and s.link.is_online)
    answer = await paused._commands.carry_out(
        CommandBody(uuid4(), studio.rig.id, session.id, Sender(), "", StartRecord()))
    assert answer.outcome == Outcome.REFUSED
    assert not studio.machine(old).record.active
    await paused.stop()


async def test_an_owner_drops_a_rig_whose_obs_shows_a_later_fence(studio: Studio) -> None:
    director = await studio.owned()
    held = director.owners[studio.rig.id].held
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    studio.machine(director)._notes["kaibo-owner"] = held.note() | {"fence": 99}
    answer = await director.owners[studio.rig.id]._commands.carry_out(
        CommandBody(uuid4(), studio.rig.id, session.id, Sender(), "", StartOutput()))
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "not_owner")
    assert held.is_dropped


async def test_a_stopped_director_hands_over_at_once(studio: Studio) -> None:
    first = await studio.owned()
    await studio.end(first)
    second = await studio.owned()
    assert second.owners[studio.rig.id].held.lease.fence == 2
    assert not await studio.redis.sismember(wire.fences_key(studio.rig.id), 1)


async def test_a_rig_out_of_use_is_let_go(studio: Studio) -> None:
    director = await studio.owned()
    await database.execute("UPDATE rigs SET is_enabled = false")
    await director._renew()
    assert director.owners == {}
