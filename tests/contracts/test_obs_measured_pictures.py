"""What was measured on OBS 29 about pictures: what they show, what they do not show, and what they cost."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from obswebsocket import requests

from studio.obs import real as real_obs
from studio.obs.errors import ObsError, ObsRefused
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import OutputKind, SceneChanged, StudioModeChanged
from studio.obs.protocol import Ask
from studio.obs.real import RealObs
from studio.obs.websocket import Answer, ObsSocket, OnAnswer
from tests import obs_rig
from tests.contracts.conftest import Room
from tests.obs_faults import PATIENCE_S, true
from tests.obs_rig import ObsRig
from tests.obs_starting import start_until_started

pytestmark = pytest.mark.obs
FILM = "短片"


def colour(content: bytes | Path) -> tuple[int, int, int]:
    """Return the mean colour of a picture, or of the last moments of a film."""
    source = ["-sseof", "-0.4", "-i", str(content)] if isinstance(content, Path) else ["-f", "image2pipe", "-i", "-"]
    command = ["ffmpeg", "-v", "error", *source, "-frames:v", "1", "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, input=b"" if isinstance(content, Path) else content, capture_output=True, timeout=20, check=True)
    red, green, blue = raw.stdout[:3]
    return red, green, blue


async def seen(room: Room, scene: str) -> tuple[int, int, int]:
    return await asyncio.to_thread(colour, (await room.link.screenshot(scene, width=90)).data)


def far_apart(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) > 50


@pytest_asyncio.fixture
async def film(real: Room, hand: ObsSocket) -> AsyncIterator[str]:
    """Put a white film into the second scene that plays only while it is on air."""
    settings = {"input": "color=c=white:s=360x640:r=20", "input_format": "lavfi", "is_local_file": False, "close_when_inactive": True}
    ObsRig.add_input(hand, real.second, FILM, "ffmpeg_source", settings)
    await asyncio.sleep(0.6)
    yield FILM
    hand.call(requests.RemoveInput(inputName=FILM))
    await true(lambda: not _is_known(hand))  # OBS lets go of it a moment after its answer


def _is_known(hand: ObsSocket) -> bool:
    return FILM in {one["inputName"] for one in hand.call(requests.GetInputList()).datain["inputs"]}


async def test_m14_moving_pictures_are_taken_while_taps_go_on(
        real: Room, film: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of moving video waits for the graphics; a tap on the other connection does not wait for the picture."""
    monkeypatch.setattr(real_obs, "PICTURE_WAIT_S", 60)
    await real.link.switch_scene(real.second)
    pictures = [asyncio.create_task(real.link.screenshot(real.second, width=360)) for _ in range(12)]
    await asyncio.sleep(0.01)
    await real.link.set_mute(real.microphone, True)
    assert not all(task.done() for task in pictures), "the tap waited for the pictures"
    done = await asyncio.gather(*pictures, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in done) >= 1


async def test_m15_pictures_are_taken_one_at_a_time_however_many_ask(real: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture costs the show frames, so many askers may make a queue, never a crowd in OBS."""
    assert isinstance(real.link, RealObs)
    monkeypatch.setattr(real_obs, "PICTURE_WAIT_S", 60)
    flying, most, post = 0, 0, real.link._read_lane._post

    def counted(ask: Ask, on_answer: OnAnswer) -> str:
        nonlocal flying, most

        def landed(answer: Answer | ObsError) -> None:
            nonlocal flying
            flying -= 1
            on_answer(answer)

        flying, most = flying + 1, max(most, flying + 1)
        return post(ask, landed)

    monkeypatch.setattr(real.link._read_lane, "_post", counted)
    pictures = await asyncio.gather(*(real.link.screenshot(real.first, width=360) for _ in range(8)))
    assert len(pictures) == 8
    assert most == 1


async def test_m16_a_picture_shows_the_scene_not_the_program(real: Room, hand: ObsSocket) -> None:
    """In studio mode an edit is in the picture at once and not in what is sent: hence studio mode is turned off."""
    item = hand.call(requests.GetSceneItemId(sceneName=real.first, sourceName=f"{obs_rig.BACKDROP}0")).datain["sceneItemId"]

    def show(on: bool) -> None:
        hand.call(requests.SetSceneItemEnabled(sceneName=real.first, sceneItemId=item, sceneItemEnabled=on))

    before = await seen(real, real.first)
    await start_until_started(real.link, OutputKind.RECORD)
    hand.call(requests.SetStudioModeEnabled(studioModeEnabled=True))
    await real.wait_for(lambda event: event == StudioModeChanged(on=True))
    show(False)
    try:
        await asyncio.sleep(1.2)  # as much of it is then in the film
        async with asyncio.timeout(PATIENCE_S):
            while not far_apart(await seen(real, real.first), before):
                await asyncio.sleep(0.1)
        path = await stop_until_stopped(real.link, OutputKind.RECORD)
    finally:
        show(True)
        await real.link.leave_studio_mode()
    assert path
    sent = await asyncio.to_thread(colour, Path(path))
    assert not far_apart(sent, before)


async def test_m17_a_film_that_is_not_on_air_is_missing_in_its_picture(real: Room, film: str) -> None:
    off_air = await seen(real, real.second)
    with pytest.raises(ObsRefused) as caught:
        await real.link.screenshot(film, width=90)
    assert caught.value.code == 702
    await real.link.switch_scene(real.second)
    await real.wait_for(lambda event: event == SceneChanged(scene=real.second))
    async with asyncio.timeout(PATIENCE_S):
        while min(await seen(real, real.second)) <= 200:  # not white yet: the film has just begun
            await asyncio.sleep(0.1)
    assert min(off_air) < 150
