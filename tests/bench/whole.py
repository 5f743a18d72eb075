"""(d) The whole product as `kaibo run` starts it: start-up time, what two pages weigh, how much memory all of it takes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from frontend.demo_accounts import DOMAIN, PASSWORD
from tests.bench import report
from tests.bench.stack import HOUSE, free_port, wait_for

CHROMIUM = "/usr/bin/chromium"
FIRST_S, SECOND_S = 150.0, 40.0
STARTS = 3
SETTLE_MS = 1500


@dataclass
class Load:
    """What one page brought over the wire with an empty cache."""

    sizes: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Return bytes as sent, headers included."""
        return sum(self.sizes.values())


def measure() -> None:
    """Print the report."""
    with report.part("(d) `kaibo run` with the demo"), tempfile.TemporaryDirectory(prefix="kaibo-bench-") as folder:
        environ = os.environ | {"KAIBO_DATA": f"{folder}/data", "HOST": "127.0.0.1", "PORT": str(free_port())}
        for name in ("DATABASE_URL", "REDIS_URL", "KAIBO_DEMO"):
            environ.pop(name, None)
        address = f"http://127.0.0.1:{environ['PORT']}"
        with _running(environ, folder, FIRST_S) as (_, first_s):
            print(f"  first start, demo included: {first_s:.1f} s until /health answers 200")
        times = []
        for number in range(STARTS):
            with _running(environ, folder, SECOND_S) as (process, took_s):
                times.append(took_s)
                if number == STARTS - 1:
                    _look(address, process.pid)
        print(f"  later starts: {', '.join(f'{one:.2f}' for one in times)} s")
        report.verdict("second start", times[0], 5, "s")


@contextmanager
def _running(environ: dict[str, str], folder: str, patience_s: float) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    with (Path(folder) / "log").open("ab") as log:
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "frontend", "run"], cwd=HOUSE, env=environ, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{environ['PORT']}/health", patience_s)
            yield process, time.monotonic() - began
        finally:
            process.terminate()
            process.wait(40)


def _look(address: str, pid: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        _weigh("booking page /book", _signed_in(browser, address, "owner"), "/book", 80, most_requests=10)
        tablet = _paired(browser, address)
        _weigh("tablet page, keypad", tablet, "/tablet", 100)
        _check_in(browser, address, tablet)
        _weigh("tablet page, controls", tablet, "/tablet", 100)
        browser.close()
    _memory(pid)


def _signed_in(browser: Browser, address: str, role: str) -> BrowserContext:
    context = browser.new_context(base_url=address, locale="zh-CN", viewport={"width": 390, "height": 844})
    context.request.post("/api/v1/sign-in", data={"login": f"{role}@{DOMAIN}", "password": PASSWORD},
                         headers={"origin": address}, fail_on_status_code=True)
    return context


def _paired(browser: Browser, address: str) -> BrowserContext:
    """Pair a tablet with the room of the coming show."""
    context = browser.new_context(base_url=address, locale="zh-CN", viewport={"width": 1180, "height": 820}, has_touch=True)
    tablet = context.new_page()
    tablet.goto("/tablet")
    owner = _open(_signed_in(browser, address, "owner"), "/live")
    listed = " ".join(owner.locator("main li").all_inner_texts())
    operator = _open(_signed_in(browser, address, "operator"), f"/pair/{tablet.locator('.nxt .code').inner_text()}")
    rooms = operator.locator("select[name=unit] option[value]:not([value=''])")
    names = dict(zip(rooms.all_inner_texts(), rooms.evaluate_all("all => all.map(one => one.value)"), strict=True))
    operator.select_option("select[name=unit]", next(value for name, value in names.items() if name.strip() in listed))
    operator.click("main button[type=submit]")
    operator.wait_for_selector("main .note.ok")
    tablet.close()
    return context


def _open(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    return page


def _check_in(browser: Browser, address: str, tablet: BrowserContext) -> None:
    owner = _open(_signed_in(browser, address, "owner"), "/live")
    owner.locator("main li a").first.click()
    owner.wait_for_selector("#session")
    page = _open(tablet, "/tablet")
    for digit in "".join(owner.locator(".cdg span").all_inner_texts()):
        page.tap(f'[data-key="{digit}"]')
    page.wait_for_selector('#main[data-lost="0"] .tile', timeout=20_000)
    page.close()


def _weigh(name: str, context: BrowserContext, path: str, most_kb: float, *, most_requests: int = 0) -> None:
    """Load a page with an empty cache and print what came over the wire; pictures of scenes and sockets stand apart."""
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.clearBrowserCache")
    addresses: dict[str, str] = {}
    load, live = Load(), Load()

    def ended(event: dict[str, Any]) -> None:
        path_asked = addresses.get(event["requestId"], "")
        kept = live if "/pictures/" in path_asked else load
        kept.sizes[event["requestId"]] = event["encodedDataLength"]

    line.on("Network.requestWillBeSent", lambda event: addresses.update({event["requestId"]: event["request"]["url"]}))
    line.on("Network.loadingFinished", ended)
    page.goto(path)
    page.wait_for_timeout(SETTLE_MS)
    more = f"; besides {len(live.sizes)} scene pictures, {live.total / 1000:.1f} kB" if live.sizes else ""
    print(f"  {name}: {len(load.sizes)} requests, {load.total / 1000:.1f} kB as sent{more}")
    report.verdict("weight", load.total / 1000, most_kb, "kB")
    if most_requests:
        report.verdict("requests", len(load.sizes), most_requests, "")
    page.close()


def _memory(pid: int) -> None:
    """Print the proportional share of memory of the supervisor and everything below it."""
    found = sorted(((_pss_mib(one), _name(one)) for one in _family(pid)), reverse=True)
    grouped: dict[str, list[float]] = {}
    for mib, name in found:
        grouped.setdefault(name, []).append(mib)
    for name, parts in grouped.items():
        print(f"  {name:20} {len(parts):3} processes {sum(parts):7.1f} MiB")
    report.verdict("whole stack, PSS", sum(mib for mib, _ in found), 450, "MiB")


def _family(pid: int) -> list[int]:
    below = [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]
    return [pid, *(each for child in below for each in _family(child))]


def _pss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if "frontend" in words:
        return f"kaibo {words[words.index('frontend') + 1]}"
    return "supervisor" if "frontend.run" in words else Path(words[0].split(":")[0].split(" ")[0]).name
