"""Panic covers and mutes at once by either way, is repeated until true, stops when asked again, and comes back."""

import asyncio
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command, panic, panic_room
from studio.destinations.service import paste
from studio.director import rows, wire
from studio.director.wire import Outcome, OutputPhase, PanicBody, Sender, SetMute, StartOutput, SwitchScene
from studio.live_sessions import preparation
from studio.obs.machine import SOUNDS, STAND_BY, SimulatedMachine
from studio.obs.port import Step, StepResult
from studio.obs.protocol import Ask
from studio.obs.simulated import SimulatedObs
from studio.obs.verbs import Way
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"


async def test_it_works(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, SwitchScene("双人"))
    await command(studio.board, place, SetMute("背景音乐", True))
    answer = await panic(studio.board, place, 1)
    assert answer.outcome == Outcome.DONE, answer
    machine = studio.machine(director)
    assert machine.program == STAND_BY
    assert all(sound.muted for sound in machine.sounds.values())
    shown = await studio.shows(lambda s: s.panic.level == 1 and s.panic.held)
    assert shown.program == STAND_BY
    refused = await command(studio.board, place, SwitchScene("双人"))
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "panic_on")

    with capture_logs() as logged:
        assert (await panic(studio.board, place, 0)).outcome == Outcome.DONE
    assert {one["log_level"] for one in logged if one["event"].startswith("panic")} == {"info"}
    await studio.shows(lambda s: s.program == "双人" and s.panic.level == 0)
    assert {name for name, sound in machine.sounds.items() if sound.muted} == {"背景音乐"}


async def test_pressed_again_it_stops(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartOutput())
    # the second press comes while the stream is still starting: it must not go live all the same
    await panic(studio.board, place, 1)
    assert (await panic(studio.board, place, 2)).outcome == Outcome.DONE
    await studio.shows(lambda s: s.stream.phase in {OutputPhase.STOPPED, OutputPhase.REFUSED} and s.panic.level == 2)
    assert not studio.machine(director).stream.active


async def test_by_the_database_alone(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    call = uuid4()
    await database.execute("INSERT INTO panic_calls (id, rig, level) VALUES ($1, $2, 1)", call, studio.rig.id)
    await database.execute("SELECT pg_notify('studio_panic', $1)", f"{studio.rig.id} {call}")
    await until(lambda: studio.machine(director).program == STAND_BY)

    async def handled() -> bool:
        return await database.fetchval("SELECT handled_at FROM panic_calls WHERE id = $1", call) is not None

    await until(handled)
    assert all(sound.muted for sound in studio.machine(director).sounds.values())


async def test_the_controls_of_another_session_reach_nothing(studio: Studio) -> None:
    """By whichever way it comes, and also once the other session has its turn."""
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    before = studio.machine(director).program
    other = await studio.session_of(await studio.book(starts_in_min=60 * 24, state="confirmed"))
    by_redis = PanicBody(uuid4(), studio.rig.id, 2, Sender(), session=other.id)
    answer = await studio.board.panic(by_redis)
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "not_prepared")
    await database.execute(
        "INSERT INTO panic_calls (id, rig, level, live_session) VALUES ($1, $2, 1, $3)", uuid4(), studio.rig.id, other.id)
    await director.owners[studio.rig.id].panics.read_rows()
    assert studio.machine(director).program == before != STAND_BY
    assert await rows.panic_in_force(studio.rig.id, other.id) == (0, None)
    assert (await studio.board.panic(PanicBody(uuid4(), studio.rig.id, 1, Sender(), session=session.id))).outcome == Outcome.DONE


async def test_one_call_by_both_ways_counts_once(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    owner = director.owners[studio.rig.id]
    body = PanicBody(uuid4(), studio.rig.id, 1, Sender())
    await owner.panics.call(body)
    await owner.panics.call(PanicBody(uuid4(), studio.rig.id, 0, Sender()))
    await owner.panics.call(body)
    assert owner.held.panic.level == 0


async def test_goes_to_every_fence(studio: Studio) -> None:
    await studio.owned()
    await studio.shows(lambda s: s.fence == 1)
    await studio.redis.sadd(wire.fences_key(studio.rig.id), 7)
    await panic_room(studio.board, studio.people.dora, studio.rig.uid, 1)
    assert await studio.redis.llen(wire.panic_list(studio.rig.id, 7)) == 1


async def test_is_taken_up_after_the_link_came_back(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    machine = studio.machine(director)
    machine.power_off()
    answer = await panic(studio.board, await seat(studio.people.alice, session.uid), 1)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "link_down")
    machine.power_on()
    await studio.shows(lambda s: s.panic.held and s.program == STAND_BY)
    assert all(machine.sounds[name].muted for name in SOUNDS)


async def test_the_next_owner_brings_back_what_was(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, SwitchScene("双人"))
    await panic(studio.board, place, 1)
    machines = director._links.machines
    await studio.end(director)
    second = await studio.direct()
    second._links.machines = machines
    await studio.shows(lambda s: s.fence == 2 and s.panic.level == 1)
    await panic(studio.board, place, 0)
    shown = await studio.shows(lambda s: s.fence == 2 and s.program == "双人")
    assert shown.panic.level == 0


def refuse(machine: SimulatedMachine, monkeypatch: pytest.MonkeyPatch, request: str, times: int, code: int = 207) -> None:
    """Let OBS answer the next requests of a name with a code: 207 is said while it is busy with itself."""
    left = [times]
    carry = machine.carry

    def answer(step: Step) -> StepResult:
        if step.request == request and left[0] > 0:
            left[0] -= 1
            return StepResult(request, code, "not now")
        return carry(step)

    monkeypatch.setattr(machine, "carry", answer)


async def test_without_a_stand_by_scene_it_mutes_past_a_write_in_flight(
        studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    machine = studio.machine(director)
    machine.scenes = [name for name in machine.scenes if name != STAND_BY]
    machine.emit("SceneListChanged", {"scenes": []})
    await studio.shows(lambda s: not s.stand_by_scene)
    carry, is_free = SimulatedObs._carry, asyncio.Event()

    async def slowly(self: SimulatedObs, ask: Ask, way: Way, key: str | None = None, /) -> tuple[StepResult, ...]:
        if way is Way.WRITE:
            await is_free.wait()
        return await carry(self, ask, way, key)

    monkeypatch.setattr(SimulatedObs, "_carry", slowly)
    answer = await panic(studio.board, await seat(studio.people.alice, session.uid), 1)
    assert (answer.outcome, answer.code) == (Outcome.DONE, "stand_by_missing")
    assert all(sound.muted for sound in machine.sounds.values())
    is_free.set()


async def test_it_is_not_called_held_while_a_sound_is_open(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when OBS will not mute one, nor when one opens again between the muting and the look."""
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    machine = studio.machine(director)
    carry, microphone = machine.carry, SOUNDS[0]

    def answer(step: Step) -> StepResult:
        is_refused = step.request == "SetInputMute" and step.data["inputName"] == microphone
        return StepResult(step.request, 207, "not now") if is_refused else carry(step)

    with monkeypatch.context() as patched:
        patched.setattr(machine, "carry", answer)
        assert (await panic(studio.board, place, 1)).outcome == Outcome.UNKNOWN
        shown = await studio.shows(lambda s: s.panic.level == 1 and s.program == STAND_BY)
        assert [one.name for one in shown.inputs if not one.muted] == [microphone]
        assert not shown.panic.held
        assert not director.owners[studio.rig.id].panics.is_true()
    held = await studio.shows(lambda s: s.panic.held)
    assert all(one.muted for one in held.inputs)
    await until(director.owners[studio.rig.id].panics.is_true)
    machine.carry(Step("SetInputMute", {"inputName": microphone, "inputMuted": False}))
    await until(lambda: not director.owners[studio.rig.id].panics.is_true(), what="seen to be open again")


async def test_what_obs_is_not_ready_to_open_is_asked_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    await panic(studio.board, place, 1)
    machine = studio.machine(director)
    refuse(machine, monkeypatch, "SetInputMute", 2 * len(SOUNDS))
    assert (await panic(studio.board, place, 0)).outcome == Outcome.DONE
    assert not any(sound.muted for sound in machine.sounds.values())
    assert (await studio.shows(lambda s: s.panic.level == 0)).program != STAND_BY


async def test_what_obs_will_not_open_leaves_the_panic_in_force(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    await panic(studio.board, place, 1)
    machine = studio.machine(director)
    with monkeypatch.context() as patched:
        refuse(machine, patched, "SetInputMute", 1000)
        assert (await panic(studio.board, place, 0)).outcome == Outcome.UNKNOWN
        assert (await studio.snapshot()).panic.level == 1  # type: ignore[union-attr]  # it was shown above
    await studio.shows(lambda s: s.panic.level == 1 and s.panic.held and s.program == STAND_BY)
    assert (await panic(studio.board, place, 0)).outcome == Outcome.DONE
    assert not any(sound.muted for sound in machine.sounds.values())


async def test_an_input_that_went_meanwhile_does_not_hold_the_panic(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    await panic(studio.board, place, 1)
    machine = studio.machine(director)
    del machine.sounds[SOUNDS[0]]  # without an event: the mirror still has it
    assert (await panic(studio.board, place, 0)).outcome == Outcome.DONE
    assert not any(sound.muted for sound in machine.sounds.values())


@pytest.mark.parametrize("level", [-1, 3])
async def test_an_unknown_level_is_refused(studio: Studio, level: int) -> None:
    with pytest.raises(Exception, match="level"):
        await panic_room(studio.board, studio.people.dora, studio.rig.uid, level)


async def test_it_ends_with_its_session(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    assert (await panic(studio.board, place, 1)).outcome == Outcome.DONE
    machine = studio.machine(director)
    assert all(sound.muted for sound in machine.sounds.values())
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
    await preparation.follow(reservation)
    await studio.state(reservation, "ended")
    await studio.shows(lambda s: s.panic.level == 0)
    assert not any(sound.muted for sound in machine.sounds.values())
    await database.execute("UPDATE allocations SET holds = false")
    following = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == following.id)
    answer = await command(studio.board, await seat(studio.people.alice, following.uid), SwitchScene("双人"))
    assert answer.outcome == Outcome.DONE, answer
