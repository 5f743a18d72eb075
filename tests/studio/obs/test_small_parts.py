"""Redaction, waits, words of the protocol, pictures and the simulated machine, where the contract does not reach."""

import asyncio
import itertools
import logging
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings, strategies as st

from studio.director.owner import code_of
from studio.obs.errors import (
    Kicked,
    LinkLost,
    ObsRefused,
    OutOfRange,
    Unreachable,
    WrongPassword,
    WrongVersion,
    closed,
    refused,
)
from studio.obs.file_names import file_name
from studio.obs.keeper import LinkKeeper, waits
from studio.obs.machine import SCENES, SOUNDS, SimulatedMachine
from studio.obs.outputs import stop_until_stopped
from studio.obs.pictures import scene_picture
from studio.obs.port import Destination, Event, Facts, LinkDown, LinkState, Meters, OutputKind, Step, StepResult
from studio.obs.protocol import decibels, event_of
from studio.obs.redaction import Redaction, redact
from studio.obs.simulated import SimulatedObs
from tests.obs_faults import true
from tests.obs_starting import start_until_started


@pytest.mark.parametrize(
    "text",
    [
        '{"key": "s3cret", "server": "rtmp://s3cret"}',
        "{'key': 's3cret', 'password': 's3cret'}",
        '{"authentication":"s3cret","challenge":"s3cret","salt":"s3cret"}',
        '{"key": "quote\\" s3cret", "n": 1}',
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert "s3cret" not in redact(text)
    assert "***" in redact(text)


@settings(deadline=None)
@given(st.text())
def test_whatever_the_key_is_it_is_masked(key: str) -> None:
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    assert redact(f'{{"key": "{quoted}", "end": 1}}') == '{"key": "***", "end": 1}'


def test_the_filter_masks_arguments_too() -> None:
    record = logging.LogRecord("websocket", logging.WARNING, "", 0, "got %s", ('{"key": "s3cret"}',), None)
    assert Redaction().filter(record)
    assert record.getMessage() == 'got {"key": "***"}'


def test_a_destination_never_prints_its_key() -> None:
    destination = Destination(server="rtmp://a", key="s3cret", password="s3cret")
    assert "s3cret" not in f"{destination} {destination!r} {[destination]}"
    assert "s3cret" not in repr([Step("X", {"key": "s3cret"}), StepResult("X", 100, "", {"key": "s3cret"})])
    assert not destination.empty
    assert Destination().empty


def test_waits_double_to_the_longest_and_are_spread() -> None:
    first = list(itertools.islice(waits(), 10))
    for wait_s, mean_s in zip(first, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30], strict=True):
        assert 0.75 * mean_s <= wait_s <= 1.25 * mean_s
    assert len({next(waits()) for _ in range(20)}) > 10


def test_codes_have_their_own_errors() -> None:
    assert isinstance(refused("SetInputVolume", 402), OutOfRange)
    assert type(refused("X", 999)) is ObsRefused
    assert closed(1001) is None
    known = ((4009, WrongPassword, "wrong_password"), (4010, WrongVersion, "wrong_version"), (4011, Kicked, "kicked"))
    for number, kind, code in known:
        error = closed(number)
        assert isinstance(error, kind)
        assert (error.code, code_of(error)) == (code, code)
    assert code_of(Unreachable("closed with 4009")) == "unreachable"


def test_silence_is_a_hundred_below() -> None:
    assert decibels(0) == -100
    assert decibels(1) == 0
    assert decibels(0.5) == pytest.approx(-6.02, abs=0.01)


def test_an_unknown_event_is_nobodys_business() -> None:
    assert event_of("VendorEvent", {}) is None
    assert event_of("StreamStateChanged", {"outputState": "OBS_WEBSOCKET_OUTPUT_UNKNOWN"}) is None


@pytest.mark.parametrize(("version", "warned"), [("5.1.0", True), ("5.2.0", False), ("5.10.1", False), ("4.9", True),
                                               ("", False), ("5", False), ("x.1", False)])
def test_an_obs_that_strangers_can_abort_is_known_by_its_version(version: str, warned: bool) -> None:
    facts = Facts("29", version, frozenset(), 1080, 1920, 30.0)
    assert facts.can_be_aborted is warned
    assert facts.portrait


@pytest.mark.parametrize("portrait", [True, False])
@pytest.mark.parametrize("scene", [*SCENES, "没画过"])
def test_every_scene_has_a_picture(scene: str, portrait: bool) -> None:
    drawn = ElementTree.fromstring(scene_picture(scene, portrait=portrait, width=160))
    assert int(drawn.attrib["width"]) == 160
    assert (int(drawn.attrib["height"]) > 160) is portrait
    assert len(list(drawn.iter())) > 5


def test_pictures_differ() -> None:
    assert len({scene_picture(scene, portrait=True, width=90) for scene in SCENES}) == len(SCENES)


@pytest.mark.parametrize(("portrait", "size"), [(True, (1080, 1920)), (False, (1920, 1080))])
async def test_the_simulated_canvas_is_as_given(portrait: bool, size: tuple[int, int]) -> None:
    link = SimulatedObs(portrait=portrait)
    facts = await link.connect()
    assert (facts.canvas_width, facts.canvas_height) == size
    await link.close()


async def test_simulated_speech_moves_the_meters_and_mute_silences_them() -> None:
    link = SimulatedObs()
    heard: list[Event] = []
    await link.connect()
    link.listen(heard.append)
    await link.set_mute(SOUNDS[0], True)
    began = asyncio.get_running_loop().time()
    await true(lambda: sum(isinstance(event, Meters) for event in heard) >= 11)
    assert asyncio.get_running_loop().time() - began > 0.45, "twenty in a second"
    await link.close()
    beats = [event for event in heard if isinstance(event, Meters)]
    levels = {name: [level.peak_db for beat in beats for level in beat.levels if level.input == name] for name in SOUNDS}
    assert set(levels[SOUNDS[0]]) == {-100.0}
    assert len(set(levels[SOUNDS[2]])) > 5
    assert all(-60 < level < 0 for level in levels[SOUNDS[2]])


async def test_a_power_cut_ends_links_and_outputs_and_the_keeper_comes_back() -> None:
    machine = SimulatedMachine()
    keeper = LinkKeeper(lambda: SimulatedObs(machine), first_wait_s=0.02)
    keeper.start()
    await true(lambda: keeper.online)
    link = keeper.link
    assert link
    await link.start_output(OutputKind.RECORD)
    await true(lambda: machine.record.active)
    machine.power_off()
    with pytest.raises(LinkLost):
        await link.read_snapshot()
    with pytest.raises(Unreachable):
        await SimulatedObs(machine).connect()
    await true(lambda: keeper.status.state in {LinkState.DOWN, LinkState.CONNECTING})
    machine.power_on()
    await true(lambda: keeper.online)
    assert keeper.snapshot
    assert not keeper.snapshot.outputs.record.active
    await keeper.stop()


async def test_a_power_cut_is_told_once() -> None:
    machine = SimulatedMachine()
    link = SimulatedObs(machine)
    heard: list[Event] = []
    await link.connect()
    link.listen(heard.append)
    machine.power_off()
    machine.emit("PowerCut", {})
    assert [type(event) for event in heard] == [LinkDown]


async def test_a_virtual_camera_starts_and_stops() -> None:
    link = SimulatedObs()
    await link.connect()
    await start_until_started(link, OutputKind.VIRTUAL_CAMERA)
    assert (await link.read_outputs()).virtual_camera is True
    await stop_until_stopped(link, OutputKind.VIRTUAL_CAMERA)
    assert (await link.read_outputs()).virtual_camera is False
    await link.close()


async def test_a_request_without_its_field_is_refused_by_the_machine() -> None:
    link = SimulatedObs()
    await link.connect()
    result = (await link.run_steps([Step("SetInputMute")]))[0]
    assert (result.done, result.code) == (False, 300)
    await link.close()


def test_a_file_is_named_with_obs_placeholders_and_nothing_of_the_pattern_stays() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert file_name("R260304-00042-%CCYY%MM%DD-%hh%mm%ss", at) == "R260304-00042-20260304-050607"
    assert file_name("%YY-%MM %H:%M 100%% %Q", at) == "26-03 05:06 100% Q"
