"""A tablet in use on a show while parts of the house die, freeze and come back: what open pages say, and what still works."""

import asyncio
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import psutil
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from incubator.ground.servers import start_postgres, start_valkey
from tests.journeys.conftest import Desk, Town, open_town
from tests.journeys.test_tablet import Phone, check_in, pair, paste, room, session_page, tile, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]
LONGEST_MS = 3000  # from the fault to the page that says so
PATIENCE_MS = 60_000
KEY = "rtmp://push.example.com/live/stream-118722?sign=ab12"
LOST = "document.querySelector('#main').dataset.lost === '1'"
ON_BOARD = "[...document.querySelectorAll('.room.alarm')].some((one) => one.querySelector('h2').textContent.trim() === '{name}')"
ON_RIG = "document.querySelector('#rig-state .chip.alarm') !== null"
WATCH = """() => {
  const began = performance.now();
  window.tookMs = 0;
  const timer = setInterval(() => {
    if (!(TEST)) return;
    window.tookMs = performance.now() - began;
    clearInterval(timer);
  }, 20);
}"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A centre of our own: its parts are killed."""
    with open_town(tmp_path_factory.mktemp("shaken")) as made:
        yield made


@pytest.fixture
def desk(browser: Any, town: Town) -> Iterator[Desk]:
    """Browsers for one test; faults may stand in their consoles."""
    made = Desk(browser, town)
    yield made
    for context in made.contexts:
        context.close()


class Watch:
    """Pages that each measure by their own clock how long something takes from now."""

    def __init__(self, **pages: tuple[Page, str]) -> None:
        self.pages = pages
        for page, test in pages.values():
            page.evaluate(WATCH.replace("TEST", test))

    def check(self) -> None:
        """See that each page said so in time."""
        took = {}
        for name, (page, _) in self.pages.items():
            wait_until(page, lambda page=page: page.evaluate("window.tookMs > 0"), 60)
            took[name] = round(page.evaluate("window.tookMs"))
        print(took)
        assert max(took.values()) < LONGEST_MS, took


class Show:
    """A room on air: its tablet, the phone of its people, the operator's board and rig page."""

    def __init__(self, desk: Desk, phone: Phone, town: Town, number: int) -> None:
        self.name = room(town, number)["name"]
        self.session = session_page(phone, town, number)
        self.tablet = check_in(pair(desk, phone, town, number), self.session)
        self.board = desk.sign_in(desk.page(1440, 900, touch=False), "Olaf")
        self.board.goto("/rigs")
        self.rig = self.board.context.new_page()
        self.rig.goto(f"/rigs/{room(town, number)['rig']}")
        self.tablet.evaluate("window.still = true")

    def go_on_air(self, key: str = KEY) -> None:
        """Paste a key on the phone and start on the tablet."""
        self.session.reload()
        paste(self.session, key)
        self.tablet.wait_for_selector("#start:not([disabled])", timeout=PATIENCE_MS)
        self.tablet.tap("#start")
        expect(self.tablet.locator("#tally-word")).to_have_text("推流中")

    def watch(self) -> Watch:
        """Begin to measure; the fault comes next."""
        return Watch(tablet=(self.tablet, LOST), board=(self.board, ON_BOARD.format(name=self.name)), rig=(self.rig, ON_RIG))

    def check_stale(self) -> None:
        """See what a stale tablet says, that its clock runs, and that nothing goes out from it."""
        tablet = self.tablet
        expect(tablet.locator("#tally")).to_have_class(re.compile(r"\bold\b"))
        first = seconds(tablet)
        wait_until(tablet, lambda: seconds(tablet) > first)
        assert "grayscale" in tablet.locator(".mon .pic").evaluate("(one) => getComputedStyle(one).filter")
        assert re.search(r"\d\d:\d\d:\d\d", tablet.locator("#cap-age").inner_text())
        lit = tablet.locator('.tile[aria-pressed="true"]').inner_text()
        tablet.locator('.tile[aria-pressed="false"]').first.tap()
        expect(tablet.locator("#toast")).to_be_visible()
        assert tablet.locator(".tile.ask").count() == 0
        assert tablet.locator('.tile[aria-pressed="true"]').inner_text() == lit

    def check_current(self) -> None:
        """See that everything is current again, without anybody having touched the page."""
        expect(self.tablet.locator("#main")).to_have_attribute("data-lost", "0", timeout=PATIENCE_MS)
        wait_until(self.board, lambda: not self.board.evaluate(ON_BOARD.format(name=self.name)), 60)
        wait_until(self.rig, lambda: not self.rig.evaluate(ON_RIG), 60)
        assert self.tablet.evaluate("window.still") is True


def seconds(tablet: Page) -> int:
    """Return how long ago it was on air, as the tally says."""
    found = re.search(r"(\d+) 秒前在播", tablet.locator("#tally-more").inner_text())
    assert found is not None, tablet.locator("#tally").inner_text()
    return int(found[1])


def take(tablet: Page, scene: str) -> None:
    """Tap a scene, and see it lit."""
    tile(tablet, scene).tap()
    expect(tile(tablet, scene)).to_have_attribute("aria-pressed", "true")


def whole(pid: int, number: signal.Signals) -> None:
    """Send a signal to a server and to each of its processes."""
    first = psutil.Process(pid)
    for process in (first, *first.children(recursive=True)):
        process.send_signal(number)


def rows(town: Town, sql: str) -> list[Any]:
    """Ask the database; from a thread of its own, since the browser's loop runs in this one."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(town.postgres.dsn)
        found: list[Any] = await connection.fetch(sql)
        await connection.close()
        return found

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask()).result(20)


def ran(town: Town, show: Show) -> list[str]:
    """Return the scenes, mutes and panics that the log of a show has kept."""
    uid = show.session.url.rstrip("/").split("/")[-1]
    found = rows(town, "SELECT a.what, a.detail->>'scene' AS scene FROM as_run a JOIN live_sessions s ON s.id = a.live_session"
                       f" WHERE s.uid = '{uid}' AND a.what IN ('scene', 'mute', 'panic') ORDER BY a.id")
    return [row["scene"] or row["what"] for row in found]


def test_a_killed_director_shows_everywhere_and_comes_back(desk: Desk, phone: Phone, town: Town) -> None:
    show = Show(desk, phone, town, 1)
    take(show.tablet, "双人")
    show.go_on_air()
    expect(show.session.locator(".stl.air")).to_be_visible()
    watch = show.watch()
    town.kill("director")
    watch.check()
    show.check_stale()
    desk.check_accessibility(show.tablet)
    expect(show.session.locator(".stl.alarm")).to_contain_text("断开", timeout=PATIENCE_MS)
    # a page that is opened now knows no better
    show.session.click("text=打开控制页")
    expect(show.session.locator("#main")).to_have_attribute("data-lost", "1")
    town.start("director")
    show.check_current()
    take(show.tablet, "产品特写")
    expect(tile(show.session, "产品特写")).to_have_attribute("aria-pressed", "true")


def refused(tablet: Page, address: str) -> int:
    """Open a new control socket as this tablet, and return the status with which it is refused."""
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in tablet.context.cookies())
    with pytest.raises(InvalidStatus) as told, connect(
            address.replace("http", "ws"), origin=tablet.url.rsplit("/", 1)[0], additional_headers={"cookie": cookies},
            open_timeout=20):
        pass  # pragma: no cover
    return told.value.response.status_code


def without_database(show: Show, town: Town, late: Page, sockets: list[WebSocketRoute]) -> None:
    """Work on a show while the database is away, and have a page that loses its socket say why it gets no other."""
    tablet = show.tablet
    take(tablet, "产品特写")
    tablet.locator(".chn", has_text="背景音乐").locator("button").tap()
    expect(tablet.locator('.chn [aria-pressed="true"]')).to_have_count(1)
    tablet.tap("#panic")
    expect(tile(tablet, "马上回来")).to_have_attribute("aria-pressed", "true")
    expect(tablet.locator("#over-title")).to_have_text("已遮屏")
    tablet.tap("#over-act")
    expect(tile(tablet, "产品特写")).to_have_attribute("aria-pressed", "true")
    assert refused(tablet, f"{show.session.url}/control") == 503
    sockets[-1].close()
    expect(late.locator("#health")).to_have_text("预约数据暂时连不上", timeout=PATIENCE_MS)
    expect(late.locator("#over-title")).to_contain_text("预约暂时读不到", timeout=PATIENCE_MS)
    # the tablet is told by the director, and goes on
    expect(tablet.locator("#health")).to_have_text("预约数据暂时连不上", timeout=PATIENCE_MS)
    take(tablet, "俯拍台面")


@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_without_postgresql_a_show_goes_on(desk: Desk, phone: Phone, town: Town, fault: str) -> None:
    show = Show(desk, phone, town, 2 if fault == "frozen" else 4)
    take(show.tablet, "双人")
    show.go_on_air()
    late, sockets = phone("Dora"), []

    def carry(route: WebSocketRoute) -> None:
        route.connect_to_server()
        sockets.append(route)

    late.route_web_socket(re.compile("/control$"), carry)
    late.goto(f"{show.session.url}/control")
    expect(late.locator("#main")).to_have_attribute("data-lost", "0")
    if fault == "frozen":
        whole(town.postgres.pid, signal.SIGSTOP)
    else:
        whole(town.postgres.pid, signal.SIGKILL)
        town.postgres.stop()
    try:
        without_database(show, town, late, sockets)
    finally:
        if fault == "frozen":
            whole(town.postgres.pid, signal.SIGCONT)
        else:
            town.postgres = start_postgres(town.folder / "pg", fast=True)
    expect(show.tablet.locator("#health")).to_have_text("运行正常", timeout=PATIENCE_MS)
    expect(late.locator("#health")).to_have_text("运行正常", timeout=PATIENCE_MS)
    show.check_current()
    expect(show.tablet.locator("#main")).to_have_attribute("data-air", "1")
    wanted = ["双人", "产品特写", "mute", "马上回来", "panic", "产品特写", "panic", "俯拍台面"]
    wait_until(show.tablet, lambda: len(ran(town, show)) >= len(wanted), 40)
    assert sorted(ran(town, show)) == sorted(wanted)


def test_valkey_dies_and_comes_back(desk: Desk, phone: Phone, town: Town) -> None:
    show = Show(desk, phone, town, 3)
    take(show.tablet, "双人")
    show.go_on_air()
    watch = show.watch()
    town.valkey.process.kill()
    town.valkey.stop()
    try:
        watch.check()
        show.check_stale()
        # panic has a second way, by the database
        show.tablet.tap("#panic")
        panicked = "SELECT 1 FROM panic_calls WHERE handled_at IS NOT NULL AND called_at > now() - interval '30 seconds'"
        wait_until(show.tablet, lambda: bool(rows(town, panicked)))
    finally:
        town.valkey = start_valkey(town.folder / "valkey")
    show.check_current()
    expect(tile(show.tablet, "马上回来")).to_have_attribute("aria-pressed", "true")
    show.tablet.tap("#over-act")
    expect(tile(show.tablet, "双人")).to_have_attribute("aria-pressed", "true")
    take(show.tablet, "俯拍台面")

