"""The director on a real OBS: key armed, stream to a sink, panic, stop, wipe, nothing left in OBS or in its files."""

import asyncio
import json

import pytest
from obswebsocket import requests

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command, panic, test_connection as connection_test
from studio.destinations.service import paste
from studio.director.wire import Outcome, OutputPhase, StartOutput, StartRecord, StopOutput, StopRecord, SwitchScene
from studio.live_sessions import preparation
from studio.rigs import service as rigs
from tests.obs_rig import SCENES, STAND_BY, Ingest, ObsRig
from tests.studio.conftest import HOUSE, Studio, redis, studio, until, valkey

__all__ = ["redis", "studio", "valkey"]  # fixtures, found by name
pytestmark = [pytest.mark.obs, pytest.mark.slow]
KEY = "key"


def service_file(rig: ObsRig) -> str:
    path = rig.home / ".config" / "obs-studio" / "basic" / "profiles" / "Untitled" / "service.json"
    return path.read_text() if path.exists() else ""


async def bind(studio: Studio, rig: ObsRig) -> None:
    wanted = rigs.SetUp("obs", f"ws://{rig.host}:{rig.port}", rig.password, STAND_BY)
    studio.rig = await rigs.update(HOUSE, studio.rig.uid, wanted, version=studio.rig.version)


async def test_a_whole_session(studio: Studio, rig: ObsRig) -> None:
    rig.settle()
    await bind(studio, rig)
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    shown = await studio.shows(lambda s: s.plan.state == "waiting_for_key")
    assert (shown.canvas_width, shown.canvas_height, shown.scenes) == (360, 640, SCENES)
    with Ingest() as sink:
        await paste(studio.people.alice, session.uid, f"{sink.server}/{KEY}", version=0)
        await studio.state(reservation, "ready")
        assert json.loads(service_file(rig))["settings"]["key"] == KEY
        place = await seat(studio.people.alice, session.uid)
        assert (await command(studio.board, place, StartRecord())).outcome == Outcome.DONE
        assert (await command(studio.board, place, StartOutput())).outcome == Outcome.DONE
        await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE and s.record.phase == OutputPhase.LIVE)
        await until(sink.shows_video, what="video at the sink")

        assert (await command(studio.board, place, SwitchScene(SCENES[1]))).outcome == Outcome.DONE
        await studio.shows(lambda s: s.program == SCENES[1])
        assert (await panic(studio.board, place, 1)).outcome == Outcome.DONE
        covered = await studio.shows(lambda s: s.panic.held and s.program == STAND_BY)
        assert all(one.muted for one in covered.inputs)
        assert covered.stream.phase == OutputPhase.LIVE
        assert (await panic(studio.board, place, 0)).outcome == Outcome.DONE
        await studio.shows(lambda s: s.program == SCENES[1] and not any(one.muted for one in s.inputs))

        assert (await command(studio.board, place, StopRecord())).outcome == Outcome.DONE
        await studio.shows(lambda s: s.record.phase == OutputPhase.STOPPED)
        await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
        await preparation.follow(reservation)
        ended = await studio.state(reservation, "ended", 40)
    with rig.client() as client:
        left = client.call(requests.GetStreamServiceSettings()).datain["streamServiceSettings"]
    assert not any(left.get(name) for name in ("server", "key", "username", "password"))
    assert sink.server not in service_file(rig)
    assert not json.loads(service_file(rig))["settings"].get("key")
    assert ended.number in ended.recordings[0].path
    assert ended.recordings[0].bytes > 0
    assert ended.on_air[0].stop_reason == "cut_off"


async def test_a_refusing_server_is_told_as_refused(studio: Studio, rig: ObsRig) -> None:
    rig.settle()
    await bind(studio, rig)
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, "rtmp://127.0.0.1:9/live/nobody-listens", version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    assert (await command(studio.board, place, StartOutput())).outcome == Outcome.DONE
    await studio.shows(lambda s: s.stream.phase == OutputPhase.REFUSED)
    await command(studio.board, place, StopOutput())


async def test_obs_restarts_in_mid_show(studio: Studio, rig: ObsRig) -> None:
    rig.settle()
    await bind(studio, rig)
    await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id and s.link.is_online)
    rig.kill()
    lost = await studio.shows(lambda s: not s.link.is_online)
    place = await seat(studio.people.alice, session.uid)
    refused = await command(studio.board, place, SwitchScene(SCENES[1]))
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "link_down")
    rig.start()
    back = await studio.shows(lambda s: s.link.is_online and s.epoch > lost.epoch, 40)
    assert back.scenes == SCENES
    assert (await command(studio.board, place, SwitchScene(SCENES[1]))).outcome == Outcome.DONE


async def test_obs_is_killed_on_air(studio: Studio, rig: ObsRig) -> None:
    rig.settle()
    await bind(studio, rig)
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    with Ingest() as sink:
        await paste(studio.people.alice, session.uid, f"{sink.server}/{KEY}", version=0)
        await studio.state(reservation, "ready")
        assert (await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())).outcome == Outcome.DONE
        await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
        live_at = clock.now()
        await asyncio.sleep(2.5)  # by then OBS has said something since
        rig.kill()
        await studio.shows(lambda s: not s.link.is_online)
        away_at = clock.now()
    rig.start()
    await studio.shows(lambda s: s.link.is_online, 40)
    ended = await until(lambda: database.fetchrow("SELECT stopped_at, stop_reason FROM air_spans WHERE stopped_at IS NOT NULL"))
    assert ended["stop_reason"] == "obs_gone"
    assert live_at <= ended["stopped_at"] <= away_at, "when it was seen last"
    assert await database.fetchval("SELECT count(*) FROM as_run WHERE what IN ('alarm', 'started_at_the_computer')") == 0


async def test_the_connection_is_tested(studio: Studio, rig: ObsRig) -> None:
    await studio.owned()
    await bind(studio, rig)
    tested = await connection_test(studio.board, studio.people.olaf, studio.rig.uid)
    assert tested.found is not None
    assert tested.found.scenes == SCENES
    wrong = rigs.SetUp("obs", f"ws://{rig.host}:{rig.port}", "not the password")
    await rigs.update(HOUSE, studio.rig.uid, wrong, version=studio.rig.version)
    tested = await connection_test(studio.board, studio.people.olaf, studio.rig.uid)
    assert tested.code == "wrong_password"
