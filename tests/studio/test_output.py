"""What goes out: the platform's own program over the virtual camera, recordings with their number, spans across directors."""

import pytest

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command, panic
from studio.destinations.service import paste
from studio.director.wire import Outcome, OutputPhase, SetMute, StartOutput, StartRecord, StopOutput, StopRecord
from studio.live_sessions import preparation, service
from studio.obs.port import OutputKind
from studio.obs.simulated_outputs import Refusal
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"


async def test_client_output_takes_the_virtual_camera_and_says_where_to_mute(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    await service.choose_output(studio.people.alice, session.uid, "client", "douyin", version=session.version)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    assert (await command(studio.board, place, StartOutput())).outcome == Outcome.DONE
    shown = await studio.shows(lambda s: s.virtual_camera.phase == OutputPhase.LIVE)
    assert shown.sending.is_live
    assert studio.machine(director).camera.active
    muted = await command(studio.board, place, SetMute("主播麦", True))
    assert (muted.outcome, muted.code) == (Outcome.DONE, "mute_in_client")
    assert (await panic(studio.board, place, 1)).code == "mute_in_client"
    await panic(studio.board, place, 0)
    await command(studio.board, place, StopOutput())
    await database.execute("UPDATE reservations SET state = 'finished', closed_at = $1", clock.now())
    await preparation.follow(reservation)
    assert (await studio.state(reservation, "ended", 15)).cleanliness == "account_open"


async def test_a_broken_stream_and_its_coming_back_are_told(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    studio.machine(director).stream.lose_server()
    await studio.shows(lambda s: s.stream.phase == OutputPhase.RECONNECTING)
    studio.machine(director).stream.find_server()
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)

    async def told() -> list[str]:
        rows = await database.fetch("SELECT what FROM as_run WHERE what LIKE 'reconnect%' ORDER BY id")
        return [row["what"] for row in rows]

    async def both() -> bool:
        return len(await told()) == 2

    await until(both)
    assert await told() == ["reconnecting", "reconnected"]


async def test_record_only_needs_no_key_and_names_the_file(studio: Studio) -> None:
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    await service.choose_output(studio.people.alice, session.uid, "record", "", version=session.version)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    refused = await command(studio.board, place, StartOutput())
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "record_only")
    await command(studio.board, place, StartRecord())
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE)
    await command(studio.board, place, StopRecord())

    async def kept() -> bool:
        return any(one.stopped_at for one in (await studio.session_of(reservation)).recordings)

    await until(kept)
    found = (await studio.session_of(reservation)).recordings[0]
    assert session.number in found.path


async def test_a_span_goes_on_under_the_next_director(studio: Studio) -> None:
    first = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    machines = first._links.machines
    await studio.end(first)
    assert machines[studio.rig.id].stream.active, "the stream goes on without a director"
    second = await studio.direct()
    second._links.machines = machines
    await studio.shows(lambda s: s.fence == 2 and s.stream.phase == OutputPhase.LIVE and s.plan.state == "ready")
    found = await studio.board.snapshot(studio.rig.id, fresh_s=0)
    assert found is not None
    assert found.fence == 2
    assert (await command(studio.board, place, StopOutput())).outcome == Outcome.DONE

    async def one_span() -> bool:
        rows = await database.fetch("SELECT stopped_at, stop_reason FROM air_spans")
        return len(rows) == 1 and rows[0]["stopped_at"] is not None and rows[0]["stop_reason"] == "asked"

    await until(one_span)
    assert not machines[studio.rig.id].stream.active


async def test_a_double_start_is_one(studio: Studio) -> None:
    await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    answers = [await command(studio.board, place, StartOutput()) for _ in range(2)]
    assert [answer.code for answer in answers] == ["", "already_running"]
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)


async def test_hearing_goes_on_after_redis_cut_all_subscriptions(studio: Studio) -> None:
    await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    place = await seat(studio.people.alice, session.uid)
    assert (await command(studio.board, place, SetMute("主播麦", True))).outcome == Outcome.DONE
    await studio.redis.client_kill_filter(_type="pubsub")

    async def answered() -> bool:
        return (await command(studio.board, place, SetMute("主播麦", False))).outcome == Outcome.DONE

    await until(answered)
    shown = await studio.shows(lambda s: not next(one for one in s.inputs if one.name == "主播麦").muted)
    assert shown.link.is_online


async def test_an_output_that_obs_has_not_is_named_and_nobody_waits_for_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver of the virtual camera was taken out: OBS still tells a state, and refuses the start with 604."""
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.state(reservation, "waiting_for_key")
    await service.choose_output(studio.people.alice, session.uid, "client", "douyin", version=session.version)
    await studio.state(reservation, "ready")

    def missing() -> None:
        raise Refusal(604, "VirtualCam is not available.")

    monkeypatch.setattr(studio.machine(director).camera, "start", missing)
    answer = await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "no_such_output")
    held = director.owners[studio.rig.id].held
    assert held.mirror.outputs[OutputKind.VIRTUAL_CAMERA].phase is OutputPhase.STOPPED
    assert OutputKind.VIRTUAL_CAMERA not in held.asked
