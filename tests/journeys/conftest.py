"""The whole product as real processes on a scratch folder, and a real Chromium before it; one of each per test run."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from incubator.ground.servers import PostgresServer, ValkeyServer, start_postgres, start_valkey
from tests.journeys.town import PASSWORD
from tests.obs_rig import require
from tests.parts import without

HOUSE = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
AXE = HOUSE / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_S = 40.0
DEADLINE_MS = 30_000
expect.set_options(timeout=DEADLINE_MS)  # what must be seen earlier is measured by the page's clock, never by this


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Town:
    """The running product: its address, what is in it, its processes."""

    def __init__(self, folder: Path, environ: dict[str, str], postgres: PostgresServer, valkey: ValkeyServer) -> None:
        self.folder = folder
        self.environ = environ
        self.postgres = postgres
        self.valkey = valkey
        self.address = f"http://127.0.0.1:{environ['PORT']}"
        self.data: dict[str, Any] = {}
        self.cookies: dict[str, Any] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str) -> str:
        """Run a program of the product to its end, and return what it printed."""
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=HOUSE, env=self.environ, capture_output=True, timeout=120,
                              check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return done.stdout.decode()

    def start(self, name: str) -> None:
        """Start one of the product's processes; its words go into a file of the scratch folder."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen([sys.executable, "-m", "frontend", name], cwd=HOUSE, env=self.environ,
                                                    stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        """End one of the processes."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def kill(self, name: str) -> None:
        """Let one of the processes die at once."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def shift(self, minutes_after_start: float) -> None:
        """Let it be so many minutes after the start of the bookings, in every process."""
        moment = datetime.fromisoformat(self.data["starts_at"]) + timedelta(minutes=minutes_after_start)
        self.run("tests.journeys.town", moment.isoformat())

    def wait_until_served(self) -> None:
        """Wait until the product says of itself that it serves."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError((self.folder / "web.log").read_text()[-3000:])


@contextmanager
def open_town(folder: Path) -> Iterator[Town]:
    """Start PostgreSQL, Valkey, web, worker and director, with a small centre in them."""
    postgres, valkey = start_postgres(folder / "pg", fast=True), start_valkey(folder / "valkey")
    environ = os.environ | {
        "DATABASE_URL": postgres.dsn, "REDIS_URL": valkey.url, "KAIBO_DATA": str(folder / "data"), "HOST": "127.0.0.1",
        "PORT": str(free_port()), "KAIBO_DEMO": "0",
    }
    (folder / "data").mkdir()
    made = Town(folder, environ, postgres, valkey)
    try:
        made.run("frontend", "migrate")
        made.data = json.loads(made.run("tests.journeys.town").splitlines()[-1])
        for name in ("web", "worker", "director"):
            made.start(name)
        made.wait_until_served()
        yield made
    finally:
        for name in list(made.processes):
            made.stop(name)
        made.valkey.stop()
        made.postgres.stop()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One centre for all journeys that do it no harm."""
    with open_town(tmp_path_factory.mktemp("town")) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    require("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def require_axe() -> None:
    """Skip without axe-core (npm ci brings it); on CI its absence is a failure."""
    if not AXE.is_file():
        without("axe-core is not installed")


class Desk:
    """Opens browsers as people have them, and remembers what their consoles complained about."""

    def __init__(self, browser: Browser, town: Town) -> None:
        self.browser = browser
        self.town = town
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def page(self, width: int, height: int, *, touch: bool = True, locale: str = "zh-CN", dark: bool = False,
             **options: Any) -> Page:
        """Open a page in a browser of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, has_touch=touch, locale=locale, timezone_id="Asia/Shanghai",
            color_scheme="dark" if dark else "light", base_url=self.town.address, **options)
        context.set_default_timeout(DEADLINE_MS)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self._hear("error", str(error)))
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def sign_in(self, page: Page, name: str) -> Page:
        """Sign somebody in, in that page's browser; one sign-in per person serves all, since tries are counted."""
        if name in self.town.cookies:
            page.context.add_cookies(self.town.cookies[name])
            return page
        answer = page.request.post("/api/v1/sign-in", data={"login": f"{name.lower()}@example.com", "password": PASSWORD},
                                   headers={"origin": self.town.address})
        assert answer.ok, answer.text()
        self.town.cookies[name] = [
            {"name": one["name"], "value": one["value"], "url": self.town.address} for one in page.context.cookies()]
        return page

    def check_accessibility(self, page: Page) -> None:
        """Have axe look at the page as it is; it must find nothing."""
        require_axe()
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)")
        told = [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found]
        assert told == []


@pytest.fixture
def desk(browser: Browser, town: Town) -> Iterator[Desk]:
    """Browsers for one test; afterwards nothing may stand in their consoles."""
    made = Desk(browser, town)
    yield made
    for context in made.contexts:
        context.close()
    assert made.complaints == []


@pytest.fixture
def phone(desk: Desk) -> Callable[[str], Page]:
    """A phone on which somebody signs in."""

    def make(name: str) -> Page:
        return desk.sign_in(desk.page(390, 844, is_mobile=True), name)

    return make
