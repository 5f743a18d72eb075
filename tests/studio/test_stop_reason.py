"""Why something ended is told of the stop that ended it, never of one before it that had no effect."""

import asyncio

import pytest

from incubator.ground import database
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import paste
from studio.director import held, outputs
from studio.director.director import Director
from studio.director.held import NOBODY
from studio.director.wire import Outcome, OutputPhase, StartRecord, StopOutput
from studio.obs.port import OutputKind
from tests.studio.conftest import Studio, until
from tests.studio.test_unseen_end import KEY, on_air


async def is_ended(kind: str, reason: str) -> bool:
    return await database.fetchval("SELECT stop_reason FROM air_spans WHERE kind = $1 AND stopped_at IS NOT NULL", kind) == reason


async def recording(studio: Studio) -> None:
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    assert (await command(studio.board, await seat(studio.people.alice, session.uid), StartRecord())).outcome == Outcome.DONE
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE)


def outputs_of(studio: Studio, director: Director) -> outputs.Outputs:
    return director.owners[studio.rig.id]._outputs


async def test_a_stop_of_what_did_not_run_is_no_reason_for_what_comes(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "UNSEEN_S", 600)  # a link so new that nobody knows whether something is just starting
    director = await studio.owned()
    await outputs_of(studio, director).stop(OutputKind.RECORD, NOBODY, "former_session")
    await recording(studio)
    studio.machine(director).record.stop()
    assert await until(lambda: is_ended("record", "stopped_at_the_computer"))


async def test_a_stop_that_had_no_effect_is_no_reason_for_a_later_end(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await on_air(studio)
    machine, session = studio.machine(director), await database.fetchval("SELECT uid FROM live_sessions")
    monkeypatch.setattr(outputs, "STOP_S", 0.3)
    with monkeypatch.context() as patched:
        patched.setattr(machine.stream, "stop", lambda: None)
        answer = await command(studio.board, await seat(studio.people.alice, session), StopOutput())
        assert answer.outcome != Outcome.DONE
    await asyncio.sleep(0.5)
    director.owners[studio.rig.id]._touched.set()  # what is read now says that it goes on
    await until(lambda: OutputKind.STREAM not in outputs_of(studio, director)._reasons)
    machine.stream.stop()
    assert await until(lambda: is_ended("stream", "stopped_at_the_computer"))


async def test_a_stop_that_takes_long_is_the_reason(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await on_air(studio)
    machine, session = studio.machine(director), await database.fetchval("SELECT uid FROM live_sessions")
    with monkeypatch.context() as patched:
        patched.setattr(machine.stream, "stop", lambda: None)
        patched.setattr(outputs, "STOP_S", 0.3)
        await command(studio.board, await seat(studio.people.alice, session), StopOutput())
    director.owners[studio.rig.id]._touched.set()
    await asyncio.sleep(0.7)  # it was read again, and may still be about to end
    machine.stream.stop()
    assert await until(lambda: is_ended("stream", "asked"))
