"""(c) A scene on a real OBS, five ways in turn: until an independent client sees SceneTransitionStarted."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from obswebsocket import obsws, requests
from playwright.sync_api import Browser, Page, sync_playwright

from booking.checkin import service as checkin
from frontend.composition import open_house
from incubator.ground import database
from incubator.ground.settings import load
from incubator.sites.queries import first_site
from studio.obs.websocket import ObsSocket
from studio.rigs import service as rigs
from tests.bench import report
from tests.bench.stack import Stack, stack, wait_for
from tests.journeys import town
from tests.obs_rig import SCENES, STAND_BY, ObsRig

ROUNDS = int(os.environ.get("BENCH_TAPS", "120"))
WARM_UP = 5
REST_S = 0.1
SEEN_S = 3.0
CHROMIUM = "/usr/bin/chromium"
DIRECT = "direct.html"
# the handlers of the page run in the same task right after this one
NOTE_CLICKS = """addEventListener("click", (event) => {
  window.clicked = [performance.timeOrigin + performance.now(), performance.timeOrigin + event.timeStamp];
}, { capture: true });"""
# Date.now() counts whole milliseconds; the mean over a while tells how far the page's own clock is off
CLOCK_OFF = """() => { let sum = 0, n = 0; const end = performance.now() + 50;
  while (performance.now() < end) { sum += Date.now() + 0.5 - performance.timeOrigin - performance.now(); n += 1; }
  return sum / n; }"""
Way = Callable[[str], Sequence[float]]


class Witness:
    """An independent client that notes when a scene change begins, in milliseconds of wall time."""

    def __init__(self, obs: ObsRig) -> None:
        self._seen = threading.Event()
        self._at = 0.0
        self.socket = ObsSocket(obs.host, obs.port, obs.password, on_event=self._hear)
        self.socket.connect()

    def _hear(self, kind: str, _data: Mapping[str, Any]) -> None:
        if kind == "SceneTransitionStarted":
            self._at = 1000 * time.time()
            self._seen.set()

    def watch(self) -> None:
        """Forget what was."""
        self._seen.clear()

    def seen(self) -> float:
        """Wait for the scene change and return when it was seen."""
        if not self._seen.wait(SEEN_S):
            raise SystemExit("no scene change was seen")
        return self._at


@dataclass
class Room:
    """The room that is bound to OBS, with a session that somebody has checked in to."""

    session: str
    device: str


@dataclass
class Taken:
    """Milliseconds per way."""

    times: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, took: float) -> None:
        """Note one."""
        self.times.setdefault(name, []).append(took)


def measure() -> None:
    """Print the report."""
    title = f"(c) a scene on a real OBS with Cut, {ROUNDS} interleaved rounds"
    with report.part(title), stack() as made, ObsRig() as obs:
        os.environ.update(made.environ)
        prepared = asyncio.run(_prepare(obs))
        for name in ("web", "worker", "director"):
            made.start("frontend", name)
        wait_for(f"{made.address}/health")
        room = asyncio.run(_session(prepared))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            _print(_compare(made, obs, room, browser))
            browser.close()


async def _prepare(obs: ObsRig) -> dict[str, str]:
    """Make the small centre of the journeys, bind its last room to OBS, pair a tablet and check in."""
    async with open_house(load(), connections=2):
        made = await town.make()
        room = made["rooms"][-1]
        await rigs.update(town.HOUSE, room["rig"], rigs.SetUp(
            "obs", f"ws://127.0.0.1:{obs.port}", obs.password, STAND_BY, lead_min=town.SETUP_MIN, canvas_width=360,
            canvas_height=640), version=1)
        tablet = await checkin.show_pairing(await first_site())
        await checkin.pair(town.HOUSE, tablet.code, room["id"], "bench")
        await checkin.check_in(town.HOUSE, room["reservation"])
        return {"reservation": room["reservation"], "device": tablet.token}


async def _session(prepared: dict[str, str]) -> Room:
    """Wait until the worker has made the live session."""
    until = time.monotonic() + 20
    async with open_house(load(), connections=2):
        while time.monotonic() < until:
            found = await database.fetchval(
                "SELECT s.uid FROM live_sessions s JOIN reservations r ON r.id = s.reservation WHERE r.uid = $1",
                prepared["reservation"])
            if found:
                return Room(str(found), prepared["device"])
            await asyncio.sleep(0.2)
    raise SystemExit("the live session does not come about")


def _compare(made: Stack, obs: ObsRig, room: Room, browser: Browser) -> Taken:
    witness, taken = Witness(obs), Taken()
    with _ways(made, obs, room, browser, witness) as ways:
        names = list(ways)
        step = 0
        for number in range(WARM_UP + ROUNDS):
            for turn in range(len(names)):
                name, step = names[(turn + number) % len(names)], step + 1
                witness.watch()
                found = ways[name](SCENES[step % 2])
                if number >= WARM_UP:
                    for kind, took in zip((name, f"{name} (event)"), found, strict=False):
                        taken.add(kind, took)
                time.sleep(REST_S)
    witness.socket.disconnect()
    return taken


@contextmanager
def _ways(made: Stack, obs: ObsRig, room: Room, browser: Browser, witness: Witness) -> Iterator[dict[str, Way]]:
    plain = obsws(obs.host, obs.port, obs.password, legacy=False)
    plain.connect()
    http = HTTPConnection("127.0.0.1", made.port, timeout=5)
    with obs.client() as quick, _served(Path(__file__).parent) as address:
        yield {
            "plain": _called(lambda scene: plain.call(requests.SetCurrentProgramScene(sceneName=scene)), witness),
            "quickack": _called(lambda scene: quick.call(requests.SetCurrentProgramScene(sceneName=scene)), witness),
            "http": _called(lambda scene: _command(http, room, scene), witness),
            "tablet": _tapped(_tablet(made, room, browser), witness),
            "direct": _tapped(_direct(f"{address}/{DIRECT}", obs, browser), witness),
        }
    http.close()
    plain.disconnect()


class _Silent(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder: Chromium lets a page reach OBS only when it knows that the page itself comes from this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _called(call: Callable[[str], object], witness: Witness) -> Way:
    """Measure from before the call."""

    def once(scene: str) -> Sequence[float]:
        began = 1000 * time.time()
        call(scene)
        return [witness.seen() - began]

    return once


def _command(http: HTTPConnection, room: Room, scene: str) -> None:
    """Ask as the same tablet: another person would have to take control first."""
    body = json.dumps({"type": "switch_scene", "params": {"scene": scene}})
    http.request("POST", f"/api/v1/live-sessions/{room.session}/commands", body,
                 {"cookie": f"kaibo_device={room.device}", "origin": f"http://{http.host}:{http.port}",
                  "content-type": "application/json"})
    answer = http.getresponse()
    content = answer.read()
    assert answer.status == 202, content
    assert json.loads(content)["outcome"] == "done", content


def _tapped(tap: tuple[Page, Callable[[str], None]], witness: Witness) -> Way:
    """Measure from the page's click handler, and from the event's own time stamp."""
    page, press = tap
    off = page.evaluate(CLOCK_OFF)

    def once(scene: str) -> Sequence[float]:
        press(scene)
        seen = witness.seen()
        return [seen - off - clicked for clicked in page.evaluate("window.clicked")]

    return once


def _tablet(made: Stack, room: Room, browser: Browser) -> tuple[Page, Callable[[str], None]]:
    context = browser.new_context(viewport={"width": 1180, "height": 820}, has_touch=True, locale="zh-CN")
    context.add_cookies([{"name": "kaibo_device", "value": room.device, "url": made.address}])
    page = context.new_page()
    page.add_init_script(NOTE_CLICKS)
    page.goto(f"{made.address}/tablet")
    page.wait_for_selector('#main[data-lost="0"] .tile', timeout=30_000)
    tiles = {scene: page.locator(".tile", has_text=scene) for scene in SCENES[:2]}
    for tile in tiles.values():
        tile.wait_for(timeout=30_000)
    return page, lambda scene: tiles[scene].tap()


def _direct(address: str, obs: ObsRig, browser: Browser) -> tuple[Page, Callable[[str], None]]:
    page = browser.new_context(has_touch=True).new_page()
    page.add_init_script(NOTE_CLICKS)
    page.goto(address)
    page.evaluate("([port, password]) => window.begin(port, password)", [obs.port, obs.password])
    button = page.locator("#take")

    def press(scene: str) -> None:
        page.evaluate("scene => { window.scene = scene; }", scene)
        button.tap()

    return page, press


def _print(taken: Taken) -> None:
    labels = {"plain": "plain obs-websocket-py call", "quickack": "the same with QUICKACK", "http": "POST .../commands",
              "tablet": "tablet in Chromium, from the click handler", "tablet (event)": "  from the event's own time",
              "direct": "page that talks to OBS itself, from its handler", "direct (event)": "  from the event's own time"}
    for name, label in labels.items():
        report.line(label, taken.times[name])
    half, most = ({name: report.percentile(values, share) for name, values in taken.times.items()} for share in (0.5, 0.95))
    report.verdict("tablet over QUICKACK, p50", half["tablet"] - half["quickack"], 4, "ms")
    report.verdict("tablet over QUICKACK, p95", most["tablet"] - most["quickack"], 8, "ms")
    report.verdict("tablet over the direct page, p50", half["tablet"] - half["direct"], 3, "ms")
