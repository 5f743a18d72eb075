"""A whole evening in a centre of its own: panic pressed twice, a new key on air, and the way from the booking to the end."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from obswebsocket import requests
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Desk, Town, open_town
from tests.journeys.test_tablet import Phone, bind, check_in, hold, pair, paste, session_page, tile, wait_until
from tests.obs_rig import SCENES, Ingest, ObsRig, require

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]
PATIENCE_MS = 60_000
ZONE = ZoneInfo("Asia/Shanghai")
KEY = "rtmp://push.example.com/live/stream-118722?sign=ab12"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A centre of our own: its clock is moved on by days."""
    with open_town(tmp_path_factory.mktemp("evening")) as made:
        yield made


@pytest.fixture(scope="module")
def obs() -> Iterator[ObsRig]:
    """A real OBS with a small portrait canvas."""
    require("obs", "Xvfb", "ffmpeg", "ffprobe")
    with ObsRig() as rig:
        yield rig


def go_on_air(tablet: Page, session: Page, key: str) -> None:
    session.reload()
    paste(session, key)
    tablet.wait_for_selector("#start:not([disabled])", timeout=PATIENCE_MS)
    tablet.tap("#start")
    expect(tablet.locator("#main")).to_have_attribute("data-air", "1")


# Two presses, the second so long after the first by the page's own clock, however long this machine was busy meanwhile.
PRESS = """([gap, until]) => new Promise((done) => {
  const panic = document.querySelector("#panic"), real = performance.now;
  const at = real.call(performance);
  const press = (now) => {
    performance.now = () => now;
    panic.click();
    delete performance.now;
  };
  press(at);
  setTimeout(() => { press(at + gap); setTimeout(done, until) }, gap);
})"""


def test_a_double_tap_on_panic_goes_on_streaming_and_a_later_one_stops(desk: Desk, phone: Phone, town: Town) -> None:
    session = session_page(phone, town, 1)
    tablet = check_in(pair(desk, phone, town, 1), session)
    go_on_air(tablet, session, KEY)
    for gap_ms in (60, 300, 600):
        tablet.evaluate(PRESS, [gap_ms, 1500])  # long enough for a stop to show
        expect(tablet.locator("#over-title")).to_have_text("已遮屏")
        expect(tablet.locator("#main")).to_have_attribute("data-air", "1")
        tablet.tap("#over-act")
        expect(tablet.locator("#panic")).to_have_text("紧急遮屏")
    tablet.evaluate(PRESS, [850, 0])
    expect(tablet.locator("#over-title")).to_have_text("已强制停播")
    expect(tablet.locator("#main")).to_have_attribute("data-air", "0")
    assert tablet.locator("#start").is_visible()
    tablet.tap("#over-act")
    expect(tablet.locator("#panic")).to_have_text("紧急遮屏")


def is_sending(obs: ObsRig) -> bool:
    with obs.client() as hand:
        return bool(hand.call(requests.GetStreamStatus()).datain["outputActive"])


def server_of(obs: ObsRig) -> str:
    with obs.client() as hand:
        return str(hand.call(requests.GetStreamServiceSettings()).datain["streamServiceSettings"].get("server", ""))


@pytest.mark.obs
def test_a_new_key_on_air_stops_and_asks_for_a_start(desk: Desk, phone: Phone, town: Town, obs: ObsRig) -> None:
    operator = desk.sign_in(desk.page(1440, 900, touch=False), "Olaf")
    bind(operator, town, obs)
    session = session_page(phone, town, 6)
    tablet = check_in(pair(desk, phone, town, 6), session)
    tile(tablet, SCENES[1]).tap()
    with Ingest() as first, Ingest() as second:
        go_on_air(tablet, session, f"{first.server}/key?sign=7f3kq9xywv")
        wait_until(tablet, first.shows_video)
        session.reload()
        session.click("#replace summary")
        paste(session, f"{second.server}/key?sign=4r8m2ncu5t")
        expect(tablet.locator("#over-title")).to_have_text("新推流码已写入", timeout=PATIENCE_MS)
        expect(tablet.locator("#tally-word")).to_have_text("准备好")
        assert (is_sending(obs), server_of(obs)) == (False, second.server)
        desk.check_accessibility(tablet)
        tablet.wait_for_timeout(2000)
        assert (is_sending(obs), second.taken_bytes()) == (False, 0), "nobody pressed start"
        tablet.tap("#start")
        expect(tablet.locator("#tally-word")).to_have_text("推流中")
        expect(tablet.locator("#over")).to_be_hidden()
        taken = first.taken_bytes()
        wait_until(tablet, second.shows_video)
        assert first.taken_bytes() == taken
        hold(tablet, "#stop")
        expect(tablet.locator("#over-title")).to_contain_text("下播")
        obs.settle()


WORDS: dict[str, dict[str, Any]] = {
    "zh-CN": {"day": 2, "live": "推流中", "stopped": "未推流", "end": "提前结束这一场", "wiped": "已清除", "both": "下播"},
    "en-GB": {"day": 3, "live": "Streaming", "stopped": "Not streaming", "end": "End this session early", "wiped": "Wiped: removed",
              "both": "End it on the platform too"},
}
HOURS = re.compile(r"(\d\d):(\d\d)\s*–")


def book(page: Page, ahead: int) -> datetime:
    """Book an hour on the phone, and return when it begins; the page is that of the booking afterwards."""
    day = (datetime.now(ZONE) + timedelta(days=ahead)).date()
    page.goto(f"/book?date={day}&hours=1")
    page.locator("a[data-confirm]").first.tap()
    page.locator("#confirm button.pri").tap()
    page.wait_for_url("**/book/done/**")
    found = HOURS.search(page.locator(".hero h1").inner_text())
    assert found
    page.locator(".acts a.pri").tap()
    page.wait_for_url("**/reservations/**")
    return datetime(day.year, day.month, day.day, int(found[1]), int(found[2]), tzinfo=ZONE)


def number_of_room(page: Page, town: Town) -> int:
    """Return which room was booked, counted from 1."""
    text = page.locator("main").inner_text()
    return next(number for number, room in enumerate(town.data["rooms"], 1)
                if room["name"] in text or f"Room {number}" in text)


def move_on(town: Town, moment: datetime) -> None:
    town.shift((moment - datetime.fromisoformat(town.data["starts_at"])) / timedelta(minutes=1))


@pytest.mark.parametrize("locale", WORDS)
def test_from_the_booking_on_the_phone_to_the_end(desk: Desk, phone: Callable[[str], Page], town: Town, locale: str) -> None:
    words = WORDS[locale]
    session = desk.sign_in(desk.page(390, 844, is_mobile=True, locale=locale), "Alice")
    starts_at = book(session, words["day"])
    number = number_of_room(session, town)
    move_on(town, starts_at + timedelta(minutes=1))
    link = session.locator("#reservation-live a.btn")

    def is_there() -> bool:
        session.reload()
        return link.count() == 1

    wait_until(session, is_there, 40)
    link.click()
    session.wait_for_selector("#session")
    tablet = check_in(pair(desk, phone, town, number, locale=locale), session)
    scene = tablet.locator('.tile[aria-pressed="false"]').first
    name = scene.get_attribute("data-scene")
    scene.tap()
    expect(tablet.locator(f'.tile[data-scene="{name}"]')).to_have_attribute("aria-pressed", "true")
    go_on_air(tablet, session, KEY)
    expect(tablet.locator("#tally-word")).to_have_text(words["live"])
    desk.check_accessibility(tablet)
    hold(tablet, "#stop")
    expect(tablet.locator("#tally-word")).to_have_text(words["stopped"])
    expect(tablet.locator("#over-title")).to_contain_text(words["both"])
    session.reload()
    session.click(f"text={words['end']}")
    hold(session, "[data-hold]")
    expect(tablet.locator("#pad, .bigst")).to_be_visible(timeout=PATIENCE_MS)
    expect(session.locator("#session")).to_contain_text(words["wiped"], timeout=PATIENCE_MS)
    assert "stream-118722" not in session.content() + tablet.content()
    if locale == "en-GB":
        assert re.findall("推流|场次|已清除|预约", session.locator("#session").inner_text()) == []
