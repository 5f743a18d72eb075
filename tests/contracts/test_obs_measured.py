"""What was measured on OBS 29 with obs-websocket 5.1: the facts on which the director's rules stand."""

import asyncio
import http.server
import socket
import threading
import time
import zlib

import pytest
from obswebsocket import requests

from studio.obs.errors import OutOfRange, WrongPassword
from studio.obs.port import Event, Meters, MuteChanged, OutputKind, SceneChanged, Step
from studio.obs.websocket import ObsSocket
from tests import obs_rig
from tests.contracts.conftest import Room, only_on
from tests.obs_faults import PATIENCE_S, patient, true
from tests.obs_rig import ObsRig

pytestmark = pytest.mark.obs
STREAM, RECORD = OutputKind.STREAM, OutputKind.RECORD


# what OBS is


async def test_m1_this_obs_lacks_what_others_have(rig: ObsRig, hand: ObsSocket) -> None:
    link = patient(rig.host, rig.port, rig.password)
    facts = await link.connect()
    await link.close()
    only_on(facts.websocket_version, "5.1")
    assert facts.can_be_aborted
    assert "webp" not in hand.call(requests.GetVersion()).datain["supportedImageFormats"]
    assert facts.can("SetProfileParameter")
    assert not facts.can("SetRecordDirectory")
    assert (facts.canvas_width, facts.canvas_height, facts.fps) == (360, 640, 20)


def test_m1_there_is_no_browser_source_to_rely_on(hand: ObsSocket) -> None:
    kinds = hand.call(requests.GetInputKindList()).datain["inputKinds"]
    assert {"image_source", "text_ft2_source_v2", "ffmpeg_source"} <= set(kinds)
    assert "browser_source" not in kinds


def test_m2_wrong_logins_are_all_closed_and_nobody_is_locked_out(rig: ObsRig) -> None:
    for _ in range(20):
        with pytest.raises(WrongPassword):
            ObsSocket(rig.host, rig.port, "guess").connect()
    with rig.client() as client:
        client.call(requests.GetVersion())


# order


async def test_m5_one_after_another_the_last_text_sent_is_the_text_shown(real: Room) -> None:
    for _ in range(3):
        moves = [Step("SetInputSettings", {"inputName": obs_rig.TITLE, "inputSettings": {"text": str(n)}}) for n in range(60)]
        await asyncio.gather(*(real.link.run_steps([move]) for move in moves))
        read = await real.link.run_steps([Step("GetInputSettings", {"inputName": obs_rig.TITLE})])
        assert read[0].data["inputSettings"]["text"] == "59"


async def test_m6_one_after_another_events_end_with_the_truth(real: Room) -> None:
    await asyncio.gather(*(real.link.set_mute(real.microphone, n % 2 == 0) for n in range(50)))
    await true(lambda: sum(isinstance(event, MuteChanged) for event in real.heard) == 50)
    muted = next(one.muted for one in (await real.link.read_snapshot()).inputs if one.name == real.microphone)
    assert muted is False


async def test_m7_a_batch_that_fails_is_not_rolled_back(real: Room) -> None:
    steps = [Step("SetInputMute", {"inputName": real.microphone, "inputMuted": True}), Step("SetCurrentProgramScene", {})]
    done = [result.done for result in await real.link.run_steps(steps)]
    assert done == [True, False]
    assert next(one for one in (await real.link.read_snapshot()).inputs if one.name == real.microphone).muted


async def test_m8_a_batch_by_frames_counts_frames(real: Room) -> None:
    began = time.monotonic()
    assert await _frames_passed(real, [Step("Sleep", {"sleepFrames": 10})]) >= 10
    assert time.monotonic() - began > 0.35  # 10 frames at 20 per second


async def test_m9_a_product_is_swapped_within_a_frame_or_two(real: Room) -> None:
    swap = [Step("SetInputSettings", {"inputName": obs_rig.TITLE, "inputSettings": {"text": text}}) for text in "山药菊花地"]
    assert min([await _frames_passed(real, swap) for _ in range(5)]) <= 2


async def _frames_passed(real: Room, steps: list[Step]) -> int:
    """Carry out steps in one batch by frames and return how many frames OBS counted meanwhile."""
    done = await real.link.run_steps([Step("GetStats"), *steps, Step("GetStats")], one_frame=True)
    assert all(one.done for one in done)
    return int(done[-1].data["renderTotalFrames"] - done[0].data["renderTotalFrames"])


# what OBS tells


async def test_m4_a_text_changed_by_somebody_else_is_invisible(real: Room, hand: ObsSocket) -> None:
    only_on(hand.call(requests.GetVersion()).datain["obsWebSocketVersion"], "5.1")
    hand.call(requests.SetInputSettings(inputName=obs_rig.TITLE, inputSettings={"text": "手改的"}))
    await asyncio.sleep(0.3)
    assert not [event for event in real.heard if not isinstance(event, Meters)]


def beats(real: Room) -> list[Meters]:
    return [event for event in real.heard if isinstance(event, Meters)]


async def test_m11_meters_beat_twenty_times_a_second(real: Room) -> None:
    took_s = 0.0
    for _ in range(5):  # what had been held up comes all at once, and is not meant
        real.heard.clear()
        began = time.monotonic()
        await true(lambda: len(beats(real)) >= 30)
        took_s = time.monotonic() - began
        if took_s >= 1.3:
            break
    assert took_s >= 1.3
    assert real.microphone in {level.input for level in beats(real)[-1].levels}
    assert max(level.peak_db for level in beats(real)[-1].levels) > -60


async def test_m11_meters_beat_without_any_active_sound(real: Room) -> None:
    await real.link.switch_scene(real.stand_by)
    await real.wait_for_kind(SceneChanged)
    real.heard.clear()
    await true(lambda: bool(beats(real)) and beats(real)[-1].levels == ())
    real.heard.clear()
    await true(lambda: len(beats(real)) >= 8)
    assert {one.levels for one in beats(real)} == {()}


async def test_m13_pictures_are_8_to_4096_wide(real: Room) -> None:
    with pytest.raises(OutOfRange):
        await real.link.screenshot(real.first, width=7)
    small = await real.link.screenshot(real.first, width=90, quality=40)
    large = await real.link.screenshot(real.first, width=360, quality=90)
    assert len(small.data) < len(large.data)


async def test_a_change_of_text_is_soon_in_the_picture(real: Room) -> None:
    async def seen() -> int:
        return zlib.crc32((await real.link.screenshot(real.first, width=360)).data)

    await real.link.run_steps([Step("SetInputSettings", {"inputName": obs_rig.TITLE, "inputSettings": {"text": "甲"}})])
    await asyncio.sleep(0.3)
    before = await seen()
    await real.link.run_steps([Step("SetInputSettings", {"inputName": obs_rig.TITLE, "inputSettings": {"text": "乙乙乙"}})])
    async with asyncio.timeout(PATIENCE_S):
        while await seen() == before:
            await asyncio.sleep(0.02)


async def test_the_t_bar_needs_studio_mode(real: Room) -> None:
    assert (await real.link.run_steps([Step("SetTBarPosition", {"position": 0.5})]))[0].code == 506


# pictures from the net


def test_2_10_an_image_is_taken_from_an_address(hand: ObsSocket) -> None:
    asked = threading.Event()

    class Images(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Images) as images:
        threading.Thread(target=images.serve_forever, daemon=True).start()
        settings = {"file": f"http://127.0.0.1:{images.server_port}/card.png?v=1"}
        ObsRig.add_input(hand, obs_rig.SCENES[1], "图", "image_source", settings)
        assert asked.wait(PATIENCE_S)
        hand.call(requests.RemoveInput(inputName="图"))
        images.shutdown()


# more than one client


async def test_events_are_heard_on_several_links(rig: ObsRig, real: Room) -> None:
    other = patient(rig.host, rig.port, rig.password)
    await other.connect()
    heard: list[Event] = []
    other.listen(heard.append)
    await real.link.switch_scene(real.second)
    await true(lambda: SceneChanged(scene=real.second) in heard)
    assert await real.wait_for_kind(SceneChanged) == SceneChanged(scene=real.second)
    await other.close()


def test_the_kernel_acknowledges_at_once(hand: ObsSocket) -> None:
    assert hand.ws
    assert hand.ws.sock
    assert hand.ws.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert hand.ws.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
