"""The virtual camera: a clear refusal where OBS has none; start, drop and stop on the simulated and the scripted one.

This machine's OBS has no camera driver (v4l2loopback), so on the real one only the refusal can be seen.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from studio.obs import outputs
from studio.obs.errors import InvalidState, NotReady, OutputMissing, OutputRunning, OutputUnsettled
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import Event, OutputChanged, OutputKind, OutputState
from studio.obs.real import RealObs
from tests.contracts.conftest import Room
from tests.obs_faults import FaultServer, heard_on, patient, true
from tests.obs_starting import start_until_started

CAMERA = OutputKind.VIRTUAL_CAMERA
ALL = ("GetVirtualCamStatus", "StartVirtualCam", "StopVirtualCam")


@pytest_asyncio.fixture
async def link(server: FaultServer) -> AsyncIterator[RealObs]:
    link = patient("127.0.0.1", server.port)
    await link.connect()
    yield link
    await link.close()


def states(heard: list[Event]) -> list[OutputState]:
    return [event.state for event in heard if isinstance(event, OutputChanged) and event.kind is CAMERA]


@pytest.mark.obs
async def test_real_an_obs_without_a_driver_refuses_with_its_reason(real: Room) -> None:
    assert (await real.link.read_outputs()).virtual_camera is None
    assert (await real.link.read_snapshot()).outputs.virtual_camera is None
    for ask in (real.link.start_output(CAMERA), start_until_started(real.link, CAMERA), real.link.stop_output(CAMERA)):
        with pytest.raises(OutputMissing) as caught:
            await ask
        assert (caught.value.code, caught.value.comment) == (604, "VirtualCam is not available.")
        assert not isinstance(caught.value, InvalidState)  # which speaks of an input without sound


@pytest.mark.obs
async def test_real_stopping_a_camera_that_is_not_there_is_done_at_once(real: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "UNSEEN_S", 60)  # what might just be starting would be waited for
    async with asyncio.timeout(outputs.STOP_S / 2):
        assert await stop_until_stopped(real.link, CAMERA, urgent=True) is None


async def test_a_camera_is_followed_from_start_to_stop(server: FaultServer, link: RealObs) -> None:
    """On the scripted server, which tells of cameras what OBS's own source tells: STARTED and STOPPED, nothing between."""
    heard = heard_on(link)
    assert (await link.read_outputs()).virtual_camera is False
    await start_until_started(link, CAMERA)
    assert (await link.read_outputs()).virtual_camera is True
    with pytest.raises(OutputRunning):
        await link.start_output(CAMERA)
    assert server.seen.count("StartVirtualCam") == 1
    await stop_until_stopped(link, CAMERA)
    assert states(heard) == [OutputState.STARTED, OutputState.STOPPED]
    assert (await link.read_outputs()).virtual_camera is False


async def test_a_camera_that_drops_is_told_and_can_start_again(server: FaultServer, link: RealObs) -> None:
    """On the scripted server: the camera ends by itself, as when its device goes away or somebody stops it by hand."""
    heard = heard_on(link)
    await start_until_started(link, CAMERA)
    server.machine.camera.cut()
    server.say("VirtualcamStateChanged", {"outputActive": False, "outputState": "OBS_WEBSOCKET_OUTPUT_STOPPED"})
    await true(lambda: states(heard)[-1] is OutputState.STOPPED)
    assert link.output_state(CAMERA) is OutputState.STOPPED
    assert (await link.read_outputs()).virtual_camera is False
    await stop_until_stopped(link, CAMERA)
    await start_until_started(link, CAMERA)
    assert states(heard)[-1] is OutputState.STARTED


async def test_a_camera_that_cannot_open_its_device_never_counts_as_started(
    server: FaultServer, link: RealObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the scripted server: OBS answers the start well, tells nothing and does nothing."""
    monkeypatch.setattr(server.machine.camera, "start", lambda: None)
    with pytest.raises(OutputUnsettled):
        await start_until_started(link, CAMERA, deadline_s=0.3)
    assert (await link.read_outputs()).virtual_camera is False


@pytest.mark.parametrize("code", [604, 204], ids=["no driver", "built without"])
async def test_a_missing_camera_is_missing_whichever_way_obs_says_it(server: FaultServer, link: RealObs, code: int) -> None:
    """On the scripted server: both answers of an OBS without a camera."""
    server.refuse = dict.fromkeys(ALL, code)
    assert (await link.read_outputs()).virtual_camera is None
    with pytest.raises(OutputMissing) as caught:
        await link.start_output(CAMERA)
    assert (caught.value.request, caught.value.code, caught.value.comment) == ("StartVirtualCam", code, "scripted")
    assert await stop_until_stopped(link, CAMERA) is None
    server.refuse = {}
    await start_until_started(link, CAMERA)  # the refused start forbids nothing


async def test_a_camera_that_is_not_ready_to_answer_is_not_missing(server: FaultServer, link: RealObs) -> None:
    """On the scripted server: 207 in the middle of a batch."""
    server.refuse["GetVirtualCamStatus"] = 207
    with pytest.raises(NotReady):
        await link.read_outputs()
