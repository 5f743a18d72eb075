"""A room on air as journeys need it, and pages that measure by their own clock how soon they say what happened."""

import re

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Desk, Town
from tests.journeys.test_tablet import Phone, check_in, pair, paste, room, session_page, tile, wait_until

LONGEST_MS = 3000  # from the fault to the page that says so
PATIENCE_MS = 60_000
KEY = "rtmp://push.example.com/live/stream-118722?sign=ab12"
LOST = "document.querySelector('#main').dataset.lost === '1'"
ON_BOARD = "[...document.querySelectorAll('.room.alarm')].some((one) => one.querySelector('h2').textContent.trim() === '{name}')"
ON_RIG = "document.querySelector('#rig-state .chip.alarm') !== null"
WATCH = """() => {
  const began = performance.now();
  window.tookMs = 0;
  clearInterval(window.watching);
  window.watching = setInterval(() => {
    if (!(TEST)) return;
    window.tookMs = performance.now() - began;
    clearInterval(window.watching);
  }, 20);
}"""


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
        self.label = f"平板 {number}"
        self.session = session_page(phone, town, number)
        self.tablet = pair(desk, phone, town, number)
        self.tablet.wait_for_selector("#pad, .tile")
        if self.tablet.locator("#pad").count():
            check_in(self.tablet, self.session)
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

    def put_away(self) -> None:
        """Revoke the tablet, as one that is replaced: it stays in control of the room no longer."""
        staff = self.board.context.new_page()
        staff.goto("/devices")
        row = staff.locator(".li", has_text=self.label)
        row.locator("button").click()
        expect(row).to_have_count(0)
        staff.close()

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
