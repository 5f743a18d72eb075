"""Takes pictures of every page of a fresh demo, and lays them out on one contact sheet per language.

`python tools/screens.py [WORD ...]`: with words, only pages whose name contains one of them, and no sheet.
"""

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, sync_playwright

from frontend.composition import open_house
from incubator.ground import database
from incubator.ground.rights import house
from incubator.ground.servers import start_postgres, start_valkey
from incubator.ground.settings import load
from incubator.sites.service import shift_clock

ROOT = Path(__file__).parents[1]
OUT = ROOT / "var" / "screens"
SHEETS = ROOT / "docs" / "screens"
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "kaibo-demo"
ROLES = ("owner", "mentor", "manager", "staff", "operator", "auditor", "admin")
ZONE = ZoneInfo("Asia/Shanghai")
# The demo's clock stands here when it begins, whenever the pictures are taken: rooms are open, and a wide one is mostly free.
OFFSET = datetime.now(ZONE).replace(hour=17, minute=50, second=0, microsecond=0) - datetime.now(ZONE)
START_S = 150.0
SETTLE_MS = 350
TURN_MS = 200
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
THEMES = ("light", "dark")
USUAL = ((390, 844), (1180, 820), (1440, 900))
TABLET = ((820, 1180), (1180, 820), (1440, 900))
MOST_BYTES = 1_500_000
Act = Callable[[Page], None]


@dataclass(frozen=True)
class Shot:
    """One page as one person sees it; `act` does what must be done before the picture."""

    name: str
    role: str
    path: str
    sizes: Sequence[tuple[int, int]] = USUAL
    act: Act | None = None


@dataclass
class Studio:
    """The running demo, the browser before it, the cookies of everybody who signed in, and what went wrong."""

    base: str
    browser: Browser
    cookies: dict[str, list[Any]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    spoken: dict[str, str] = field(default_factory=dict)

    def context(self, role: str, size: tuple[int, int] = USUAL[2], language: str = "zh") -> BrowserContext:
        """Open a browser as that person has it; `-` is nobody."""
        made = self.browser.new_context(
            base_url=self.base, viewport={"width": size[0], "height": size[1]}, locale=LANGUAGES[language],
            color_scheme="light", timezone_id="Asia/Shanghai", reduced_motion="reduce")
        made.set_default_timeout(10_000)
        made.add_cookies([*self._cookies_of(made, role), {"name": "kaibo_locale", "value": "en" if language == "en" else "zh_CN",
                                                          "url": self.base}])
        return made

    def _cookies_of(self, context: BrowserContext, role: str) -> list[Any]:
        if role == "-":
            return []
        if role not in self.cookies:
            context.request.post("/api/v1/sign-in", data={"login": f"{role}@demo.kaibo.example", "password": PASSWORD},
                                 headers={"origin": self.base}, fail_on_status_code=True)
            self.cookies[role] = [{"name": one["name"], "value": one["value"], "url": self.base} for one in context.cookies()]
        return self.cookies[role]

    @contextmanager
    def page(self, role: str, path: str) -> Iterator[Page]:
        """Open a page for looking something up or pressing something."""
        context = self.context(role)
        try:
            page = context.new_page()
            page.goto(path)
            yield page
        finally:
            context.close()

    def speak(self, role: str, language: str) -> None:
        """Let a signed-in person choose a language: it is kept with the person, whatever the browser prefers."""
        code = "en" if language == "en" else "zh_CN"
        if role not in ROLES or self.spoken.get(role, "zh_CN") == code:
            return
        with self.page(role, "/") as page:
            token = page.locator("input[name=_token]").first.get_attribute("value") or ""
            page.request.post("/language", form={"_token": token, "locale": code, "next": "/"}, headers={"origin": self.base},
                              fail_on_status_code=True)
        self.spoken[role] = code

    def post(self, role: str, path: str, body: Any = None) -> APIResponse:
        """Call the API as that person."""
        context = self.context(role)
        try:
            return context.request.post(path, data=body or {}, headers={"origin": self.base})
        finally:
            context.close()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def now() -> datetime:
    """Return what the demo's clock shows."""
    return datetime.now(ZONE) + OFFSET


async def set_clock(environ: dict[str, str]) -> None:
    """Set the clock of an installation that is still empty, so that its demo is made for that hour."""
    async with open_house(load(environ), connections=2):
        await database.execute("UPDATE installation SET is_demo = true")
        await shift_clock(house("pictures"), int(OFFSET.total_seconds()))


@contextmanager
def demo() -> Iterator[str]:
    """Run a fresh demo in a temporary folder, on servers that are told the hour before it, and yield its address."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="kaibo-screens-") as folder, (Path(folder) / "log").open("wb") as log:
        postgres, valkey = start_postgres(Path(folder) / "pg", fast=True), start_valkey(Path(folder) / "valkey")
        environ = os.environ | {"KAIBO_DATA": folder, "HOST": "127.0.0.1", "PORT": str(port),
                                "DATABASE_URL": postgres.dsn, "REDIS_URL": valkey.url}
        try:
            subprocess.run([sys.executable, "-m", "frontend", "migrate"], cwd=ROOT, env=environ, check=True)
            asyncio.run(set_clock(environ))
            with served(environ, Path(folder) / "log", log):
                yield f"http://127.0.0.1:{port}"
        finally:
            valkey.stop()
            postgres.stop()


@contextmanager
def served(environ: dict[str, str], path: Path, log: BinaryIO) -> Iterator[None]:
    """Run the product until the block has ended."""
    process = subprocess.Popen([sys.executable, "-m", "frontend", "run"], cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_S
        while not is_healthy(int(environ["PORT"])):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the demo does not start: {path.read_text()[-2000:]}")
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(40)


def is_healthy(port: int) -> bool:
    """Tell whether the product says that it serves."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def first_link(studio: Studio, role: str, path: str, pattern: str) -> str:
    """Return the first address on a page that looks like the pattern."""
    with studio.page(role, path) as page:
        found: list[str] = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
        for href in found:
            if re.fullmatch(pattern, href):
                return href
    raise SystemExit(f"no link like {pattern} on {path}")


def pair(studio: Studio, role: str, room: str) -> None:
    """Put a tablet into the room whose name contains the words; it is then signed in under `role`."""
    context = studio.context("-")
    page = context.new_page()
    page.goto("/tablet")
    code = page.locator(".nxt .code").inner_text()
    with studio.page("operator", f"/pair/{code}") as staff:
        value = staff.locator("select[name=unit] option", has_text=room).first.get_attribute("value")
        staff.select_option("select[name=unit]", value)
        staff.fill("input[name=label]", f"平板 {room}")
        staff.click("main button[type=submit]")
        staff.wait_for_selector("main .note.ok")
    studio.cookies[role] = [{"name": one["name"], "value": one["value"], "url": studio.base} for one in context.cookies()
                            if one["name"] == "kaibo_device"]
    context.close()


def rooms(studio: Studio) -> list[dict[str, Any]]:
    """Return the live rooms."""
    context = studio.context("staff")
    items = context.request.get("/api/v1/spaces").json()["items"]
    context.close()
    return [one for one in items if one["kind"] == "live_room"]


def book_soon(studio: Studio, candidates: Sequence[dict[str, Any]]) -> str | None:
    """Book the next free quarters of an hour in one of the rooms and return the room's name, None when all is full or shut."""
    at = now()
    first = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)
    refused = []
    for room in candidates:
        times = {"starts_at": first.isoformat(), "ends_at": (first + timedelta(minutes=30)).isoformat()}
        made = studio.post("owner", "/api/v1/reservations", times | {"space_id": room["id"], "title": "怀山药横屏专场"})
        if made.status == 201:
            return str(room["name"])
        refused.append(f"{room['name']} could not be booked for the wide tablet: {made.status}")
    studio.wrong += refused
    return None


def check_in(studio: Studio, role: str) -> None:
    """Let staff check in whoever the tablet waits for, with the digits that stand on the reservation."""
    with studio.page(role, "/tablet") as tablet:
        tablet.wait_for_selector("#pad, .tile")
        code = check_in_code(studio, tablet)
        for digit in code:
            tablet.click(f'[data-key="{digit}"]')
        tablet.wait_for_selector('#main[data-lost="0"] .tile', timeout=30_000)


def check_in_code(studio: Studio, tablet: Page) -> str:
    """Return the four digits of the room's session, as its merchant's owner reads them on the phone."""
    name = tablet.locator("h1").inner_text()
    with studio.page("owner", "/live") as phone:
        phone.locator("li", has_text=name).locator("a").first.click()
        phone.wait_for_selector("#session")
        return "".join(phone.locator(".cdg span").all_inner_texts())


def open_confirm(page: Page) -> None:
    """Tap the first free slot."""
    page.locator("a.slot").first.click()
    page.wait_for_selector("#confirm:not([hidden])")


def before_check_in(studio: Studio) -> list[Shot]:
    """List the pages that are shown before anybody has checked in."""
    today = f"{now():%Y-%m-%d}"
    tomorrow = f"{now() + timedelta(days=1):%Y-%m-%d}"
    return [
        Shot("sign-in", "-", "/sign-in"),
        *(Shot(f"home-{role}", role, "/") for role in ("owner", "mentor", "staff", "operator", "auditor", "admin")),
        Shot("day", "staff", f"/days/{today}"),
        Shot("day-sheet", "staff", f"/days/{tomorrow}?new=1"),
        Shot("day-merchant", "owner", f"/days/{tomorrow}"),
        Shot("book", "owner", f"/book?date={tomorrow}"),
        Shot("book-confirm", "owner", f"/book?date={tomorrow}", act=open_confirm),
        Shot("reservations", "staff", "/reservations"),
        Shot("reservation", "owner", first_link(studio, "owner", "/reservations", r"/reservations/[0-9a-f-]{36}")),
        Shot("week", "staff", f"/units/{rooms(studio)[0]['id']}/week/{today}"),
        Shot("merchants", "manager", "/merchants"),
        Shot("merchant", "manager", first_link(studio, "manager", "/merchants", r"/merchants/[0-9a-f-]{36}")),
        Shot("merchant-new", "manager", "/merchants/new"),
        Shot("rigs", "operator", "/rigs"),
        Shot("rig", "operator", first_link(studio, "operator", "/rigs", r"/rigs/[0-9a-f-]{36}")),
        Shot("devices", "operator", "/devices"),
        Shot("jobs", "operator", "/jobs"),
        Shot("notices", "owner", "/notices"),
        Shot("password", "owner", "/password"),
        Shot("not-found", "owner", "/nowhere"),
        Shot("live", "owner", "/live"),
        Shot("session", "owner", first_link(studio, "owner", "/live", r"/live-sessions/[0-9a-f-]{36}")),
        Shot("tablet-new", "-", "/tablet", TABLET),
        Shot("tablet-idle", "tablet", "/tablet", TABLET),
    ]


def after_check_in(studio: Studio, *, wide: bool) -> list[Shot]:
    """List the pages of a room in use."""
    session = first_link(studio, "owner", "/live", r"/live-sessions/[0-9a-f-]{36}")
    shots = [Shot("tablet-portrait", "tablet", "/tablet", TABLET), Shot("session-in-use", "owner", session),
             Shot("session-control", "owner", f"{session}/control")]
    return [*shots, Shot("tablet-wide", "wide", "/tablet", TABLET)] if wide else shots


def picture(shot: Shot, size: tuple[int, int], theme: str, language: str) -> Path:
    """Return where a picture lies."""
    return OUT / f"{shot.name}-{size[0]}-{theme}-{language}.png"


def take(studio: Studio, shot: Shot, size: tuple[int, int], language: str) -> None:
    """Take one page, light and dark, and note what is plainly wrong: an error on the console, a page wider than its screen."""
    context = studio.context(shot.role, size, language)
    label = f"{shot.name} {size[0]} {language}"
    try:
        page = context.new_page()
        page.on("console", lambda said: studio.wrong.append(f"{label}: console {said.text}") if said.type in {"error", "warning"}
                and shot.name != "not-found" else None)
        page.on("pageerror", lambda error: studio.wrong.append(f"{label}: {error}"))
        page.goto(shot.path)
        if shot.act:
            shot.act(page)
        page.wait_for_timeout(SETTLE_MS)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > size[0]:
            studio.wrong.append(f"{label}: {wide} px wide")
        for theme in THEMES:
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.wait_for_timeout(TURN_MS)  # colours fade over
            page.screenshot(path=picture(shot, size, theme, language))
    finally:
        context.close()


def take_all(studio: Studio, shots: Sequence[Shot], words: Sequence[str]) -> list[Shot]:
    """Take every shot in every size, theme and language, and return those that were wanted."""
    wanted = [shot for shot in shots if not words or any(word in shot.name for word in words)]
    for shot in wanted:
        for language in LANGUAGES:
            studio.speak(shot.role, language)
            for size in shot.sizes:
                take(studio, shot, size, language)
        studio.speak(shot.role, "zh")
        print(shot.name, flush=True)
    return wanted


def sheet(studio: Studio, shots: Sequence[Shot], language: str) -> None:
    """Lay all pictures of a language out on one page and keep it as a small JPEG."""
    rows = "".join(
        f"<h2>{escape(shot.name)}</h2><div>" + "".join(
            f'<img src="{picture(shot, size, theme, language).as_uri()}">' for theme in THEMES for size in shot.sizes) + "</div>"
        for shot in shots)
    style = ("body{margin:12px;background:#888;font:12px sans-serif;width:1500px}h2{margin:8px 0 2px;font-size:12px}"
             "div{display:flex;gap:6px}img{height:190px;display:block}")
    html = OUT / f"sheet-{language}.html"
    html.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{rows}")
    context = studio.browser.new_context(viewport={"width": 1524, "height": 900})
    page = context.new_page()
    page.goto(html.as_uri(), wait_until="load")
    target = SHEETS / f"{language}.jpg"
    page.screenshot(path=target, type="jpeg", quality=60, full_page=True)
    context.close()
    if target.stat().st_size > MOST_BYTES:
        studio.wrong.append(f"{target.name} has {target.stat().st_size} bytes")


def stage(studio: Studio) -> bool:
    """Pair a tablet with the room of the coming show, and one with a wide room that is booked soon; tell whether that went."""
    live = rooms(studio)
    with studio.page("owner", "/live") as phone:
        listed = phone.locator("main li").all_inner_texts()
    show = next(room for text in listed for room in live if room["name"] in text)
    pair(studio, "tablet", show["name"])
    wide = book_soon(studio, [one for one in live[4:] if one is not show])
    if wide:
        pair(studio, "wide", wide)
    return wide is not None


def main(words: Sequence[str]) -> int:
    """Take everything; return 1 when something was plainly wrong."""
    OUT.mkdir(parents=True, exist_ok=True)
    SHEETS.mkdir(parents=True, exist_ok=True)
    with demo() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--allow-file-access-from-files"])
        studio = Studio(base, browser)
        has_wide = stage(studio)
        shots = take_all(studio, before_check_in(studio), words)
        check_in(studio, "tablet")
        if has_wide:
            check_in(studio, "wide")
        shots += take_all(studio, after_check_in(studio, wide=has_wide), words)
        if not words:
            for language in LANGUAGES:
                sheet(studio, shots, language)
        browser.close()
    for line in dict.fromkeys(studio.wrong):
        print("wrong:", line)
    return 1 if studio.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
