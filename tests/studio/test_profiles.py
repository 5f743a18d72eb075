"""A key lies in one profile of OBS: when somebody changes the profile, none of it is left behind for the next party."""

from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import forget, paste
from studio.director.director import Director
from studio.director.wire import Outcome, OutputPhase, StartOutput, StartRecord, StopRecord
from studio.live_sessions import preparation
from studio.obs.machine import _HANDLERS, PROFILE, SimulatedMachine
from studio.obs.port import Step
from studio.obs.profiles import NOTE
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"
OTHER = "直播二号"


async def armed(studio: Studio) -> tuple[Director, int, UUID]:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    return director, reservation, session.uid


async def finish(reservation: int) -> None:
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
    await preparation.follow(reservation)


def by_hand(machine: SimulatedMachine, request: str, name: str) -> None:
    assert machine.carry(Step(request, {"profileName": name})).done


def keys(machine: SimulatedMachine) -> dict[str, str]:
    return {name: settings.get("key", "") for name, (_, settings) in machine._services.items()}


def noted(machine: SimulatedMachine) -> Any:
    found = machine._notes[NOTE]
    return {"profiles": [unquote(name) for name in found["profiles"]], "back": unquote(found["back"])}


async def test_a_change_of_profile_is_seen_and_the_key_written_anew(studio: Studio) -> None:
    director, reservation, uid = await armed(studio)
    machine = studio.machine(director)
    by_hand(machine, "CreateProfile", OTHER)
    await until(lambda: keys(machine) == {PROFILE: "stream-9F3K5T", OTHER: "stream-9F3K5T"})
    await studio.state(reservation, "ready")
    assert noted(machine)["profiles"] == [PROFILE, OTHER]
    held = director.owners[studio.rig.id].held
    await until(lambda: held.proven_mark is not None)
    assert (await command(studio.board, await seat(studio.people.alice, uid), StartOutput())).outcome == Outcome.DONE
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    await finish(reservation)
    assert (await studio.state(reservation, "ended", 15)).cleanliness == "clean"
    assert keys(machine) == {PROFILE: "", OTHER: ""}
    assert machine.profile == OTHER, "what was in force by hand is in force again"
    assert noted(machine) == {"profiles": [], "back": ""}


async def test_a_copy_of_the_profile_is_wiped_too(studio: Studio) -> None:
    director, reservation, _ = await armed(studio)
    machine = studio.machine(director)
    machine._services[OTHER] = machine._services[PROFILE]  # what "duplicate" does, before it puts the copy in force
    by_hand(machine, "SetCurrentProfile", OTHER)
    await until(lambda: noted(machine)["profiles"] == [PROFILE, OTHER])
    await finish(reservation)
    await studio.state(reservation, "ended")
    assert keys(machine) == {PROFILE: "", OTHER: ""}


async def test_the_next_director_wipes_a_profile_that_was_left_meanwhile(studio: Studio) -> None:
    first, reservation, _ = await armed(studio)
    machine = studio.machine(first)
    machines = first._links.machines
    await studio.end(first)
    by_hand(machine, "CreateProfile", OTHER)
    await finish(reservation)
    second = await studio.direct()
    second._links.machines = machines
    await studio.state(reservation, "ended")
    assert keys(machine) == {PROFILE: "", OTHER: ""}
    assert machine.profile == OTHER


async def test_a_key_that_cannot_be_reached_keeps_the_room_closed(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director, reservation, _ = await armed(studio)
    machine = studio.machine(director)
    by_hand(machine, "CreateProfile", OTHER)
    await until(lambda: keys(machine)[OTHER] == "stream-9F3K5T")
    with monkeypatch.context() as patched:
        patched.setitem(_HANDLERS, "SetCurrentProfile", lambda *_: None)  # answered well, and nothing happens
        await finish(reservation)
        shown = await studio.shows(lambda s: s.plan.state == "failed")
        assert (shown.plan.code, shown.plan.detail) == ("key_in_other_profile", {"profile": PROFILE})
        row = await database.fetchrow("SELECT cleanliness FROM rigs")
        assert row["cleanliness"] == "armed"
        assert keys(machine)[PROFILE] == "stream-9F3K5T"
    await studio.state(reservation, "ended")
    assert keys(machine) == {PROFILE: "", OTHER: ""}


async def test_a_forgotten_key_goes_from_every_profile_once_nothing_runs(studio: Studio) -> None:
    director, reservation, uid = await armed(studio)
    machine = studio.machine(director)
    by_hand(machine, "CreateProfile", OTHER)
    await until(lambda: keys(machine)[OTHER] == "stream-9F3K5T")
    place = await seat(studio.people.alice, uid)
    await command(studio.board, place, StartRecord())
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE)
    session = await studio.session_of(reservation)
    assert session.key is not None
    await forget(studio.people.alice, uid, version=session.key.version)
    await studio.shows(lambda s: s.plan.code == "key_in_other_profile")
    assert machine.profile == OTHER, "a change of profile would end the recording"
    assert keys(machine) == {PROFILE: "stream-9F3K5T", OTHER: ""}
    await command(studio.board, place, StopRecord())
    await studio.state(reservation, "waiting_for_key")
    assert keys(machine) == {PROFILE: "", OTHER: ""}
