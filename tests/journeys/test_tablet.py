"""A room's evening in real browsers: pair, four digits, scenes, panic, key, on air, extension, end; once with a real OBS."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from obswebsocket import requests
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Desk, Town
from tests.obs_rig import PASSWORD as OBS_PASSWORD, SCENES, STAND_BY, Ingest, ObsRig, require

pytestmark = pytest.mark.browser
PATIENCE_MS = 30_000
SECRET = "7f3kq9xywv"
Phone = Callable[[str], Page]
WECHAT = ("Mozilla/5.0 (Linux; Android 13; 22081212C) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/122.0.0.0 Mobile"
          " Safari/537.36 XWEB/1220099 MMWEBSDK/20240404 MicroMessenger/8.0.49 Language/zh_CN")


def room(town: Town, number: int) -> dict[str, Any]:
    """Return one room of the centre; each journey has its own, since a booking is checked in once."""
    found: dict[str, Any] = town.data["rooms"][number - 1]
    return found


def session_page(phone: Phone, town: Town, number: int) -> Page:
    """Open a room's session on Alice's phone, as she finds it: from the list."""
    page = phone("Alice")
    page.goto("/live")
    page.locator("li", has_text=room(town, number)["name"]).locator("a").first.click()
    page.wait_for_selector("#session")
    return page


def pair(desk: Desk, phone: Phone, town: Town, number: int, *, width: int = 1180, height: int = 820, **options: Any) -> Page:
    """Put a new tablet into a room: it shows a code, staff compare and confirm it on a phone."""
    tablet = desk.page(width, height, **options)
    tablet.goto("/tablet")
    code = tablet.locator(".nxt .code").inner_text()
    staff = phone("Dora")
    staff.goto(f"/pair/{code}")
    expect(staff.locator(".paircode")).to_have_text(code)
    staff.select_option("select[name=unit]", str(room(town, number)["id"]))
    staff.fill("input[name=label]", f"平板 {number}")
    staff.click("main button[type=submit]")
    expect(staff.locator("main .note.ok")).to_be_visible()
    return tablet


def check_in(tablet: Page, session: Page) -> Page:
    """Type the digits that stand on the phone."""
    tablet.wait_for_selector("#pad")
    for digit in session.locator(".cdg span").all_inner_texts():
        tablet.tap(f'[data-key="{digit}"]')
    tablet.wait_for_selector('#main[data-lost="0"] .tile')
    return tablet


def tile(page: Page, name: str) -> Any:
    return page.locator(".tile", has_text=name)


def paste(session: Page, text: str) -> None:
    session.fill("#key-text", text)
    session.click("#key-form button[type=submit]")


def ends_after(town: Town, minutes: int) -> str:
    """Return the clock time so many minutes after the start of the bookings."""
    at = datetime.fromisoformat(town.data["starts_at"]) + timedelta(minutes=minutes)
    return f"{at.astimezone(ZoneInfo('Asia/Shanghai')):%H:%M}"


def wait_until(page: Page, is_so: Callable[[], bool], seconds: int = 20) -> None:
    """Let the page live on until something outside is so."""
    for _ in range(seconds * 4):
        if is_so():
            return
        page.wait_for_timeout(250)
    raise AssertionError("it did not become so")


def hold(page: Page, selector: str) -> None:
    """Hold a button for as long as it wants."""
    box = page.locator(selector).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(1700)
    page.mouse.up()


def test_a_tablet_is_paired_and_checked_in_without_reload(desk: Desk, phone: Phone, town: Town) -> None:
    session = session_page(phone, town, 1)
    tablet = pair(desk, phone, town, 1)
    tablet.evaluate("window.still = true")
    tablet.wait_for_selector("#pad")
    expect(tablet.locator("h1")).to_have_text(room(town, 1)["name"])
    desk.check_accessibility(tablet)
    right = "".join(session.locator(".cdg span").all_inner_texts())
    for digit in f"{(int(right) + 1) % 10000:04}":
        tablet.tap(f'[data-key="{digit}"]')
    expect(tablet.locator("#wrong")).to_be_visible()
    desk.complaints.clear()  # the browser notes the refusal of the wrong code
    check_in(tablet, session)
    assert tablet.evaluate("window.still") is True
    desk.check_accessibility(tablet)


def test_one_tap_takes_a_scene_and_everybody_sees_it(desk: Desk, phone: Phone, town: Town) -> None:
    session = session_page(phone, town, 2)
    tablet = check_in(pair(desk, phone, town, 2), session)
    tile(tablet, "双人").tap()
    expect(tile(tablet, "双人")).to_have_attribute("aria-pressed", "true")
    expect(tablet.locator("#lease-who")).to_have_text("你在操控")
    expect(tablet.locator("#lease-initial svg use")).to_have_attribute("href", re.compile("i-tablet$"))
    session.reload()
    session.click("text=打开控制页")
    expect(tile(session, "双人")).to_have_attribute("aria-pressed", "true")
    expect(session.locator("#lease-who")).to_have_text("平板在操控")
    tablet.keyboard.press("3")
    expect(tile(session, "产品特写")).to_have_attribute("aria-pressed", "true")
    desk.check_accessibility(session)
    # a viewer sees everything and takes nothing; asking reaches the one in control
    tile(session, "俯拍台面").tap()
    expect(tile(session, "产品特写")).to_have_attribute("aria-pressed", "true")
    session.click("#take")
    tablet.click("#ask-hand")
    expect(session.locator("#lease-who")).to_have_text("你在操控")
    tile(session, "俯拍台面").tap()
    expect(tile(tablet, "俯拍台面")).to_have_attribute("aria-pressed", "true")


def test_panic_covers_mutes_and_gives_back(desk: Desk, phone: Phone, town: Town) -> None:
    tablet = check_in(pair(desk, phone, town, 3, dark=True), session_page(phone, town, 3))
    expect(tablet.locator("#main")).to_have_attribute("data-canvas", "16x9")
    tile(tablet, "双人").tap()
    expect(tile(tablet, "双人")).to_have_attribute("aria-pressed", "true")
    tablet.locator(".chn", has_text="背景音乐").locator("button").tap()
    expect(tablet.locator('.chn [aria-pressed="true"]')).to_have_count(1)
    tablet.locator("#panic").dblclick()
    expect(tile(tablet, "马上回来")).to_have_attribute("aria-pressed", "true")
    expect(tablet.locator('.chn [aria-pressed="false"]')).to_have_count(0)
    expect(tablet.locator("#panic")).to_have_text("强制停播")
    desk.check_accessibility(tablet)
    tablet.tap("#over-act")
    expect(tile(tablet, "双人")).to_have_attribute("aria-pressed", "true")
    expect(tablet.locator('.chn [aria-pressed="true"]')).to_have_count(1)


def test_key_on_the_phone_then_on_air_and_off(desk: Desk, phone: Phone, town: Town) -> None:
    session = session_page(phone, town, 4)
    tablet = check_in(pair(desk, phone, town, 4, width=820, height=1180), session)
    expect(tablet.locator("#start")).to_be_disabled()
    session.reload()
    paste(session, "rtmp://push.example.com/live/stream-118722?expire=1700000000&sign=ab12")
    expect(session.locator("#key-error")).to_be_visible()
    expect(session.locator("#key-text")).to_have_value(re.compile("expire=1700000000"))
    desk.complaints.clear()  # the browser notes the refusal of the expired key
    paste(session, "rtmp://push.example.com/live/stream-118722?sign=ab12")
    expect(session.locator(".msk")).to_contain_text("****")
    assert "stream-118722" not in session.content()
    desk.check_accessibility(session)
    tablet.wait_for_selector("#start:not([disabled])")
    tablet.tap("#start")
    expect(tablet.locator("#tally-word")).to_have_text("推流中")
    expect(tablet.locator("#main")).to_have_attribute("data-air", "1")
    expect(session.locator(".stl.air")).to_be_visible()
    session.click("text=平台已开播")
    expect(session.locator(".ck.ok", has_text="确认平台已开播")).to_contain_text("Alice")
    hold(tablet, "#stop")
    expect(tablet.locator("#tally-word")).to_have_text("未推流")
    expect(tablet.locator("#over-title")).to_contain_text("下播")
    assert "stream-118722" not in tablet.content()
    session.reload()
    session.click("text=提前结束这一场")
    hold(session, "[data-hold]")
    expect(tablet.locator("#pad, .bigst")).to_be_visible(timeout=PATIENCE_MS)
    expect(session.locator("#session")).to_contain_text("已清除", timeout=PATIENCE_MS)
    desk.check_accessibility(session)


def test_the_page_works_in_wechat_without_sockets(desk: Desk, phone: Phone, town: Town) -> None:
    session = session_page(phone, town, 5)
    tablet = check_in(pair(desk, phone, town, 5), session)
    tile(tablet, "双人").tap()
    page = desk.page(390, 844, is_mobile=True, user_agent=WECHAT)
    page.add_init_script("delete window.WebSocket; delete Navigator.prototype.wakeLock; delete Navigator.prototype.serviceWorker")
    staff = desk.sign_in(page, "Dora")
    staff.goto(session.url + "/control")
    expect(tile(staff, "双人")).to_have_attribute("aria-pressed", "true")
    tile(staff, "俯拍台面").tap()
    expect(tile(tablet, "俯拍台面")).to_have_attribute("aria-pressed", "true")
    assert staff.evaluate("document.documentElement.scrollWidth <= innerWidth")


def at_the_controls(desk: Desk, phone: Phone, town: Town, number: int, **options: Any) -> Page:
    """Put one more tablet into a room, and check in there unless another journey has."""
    session = session_page(phone, town, number)
    tablet = pair(desk, phone, town, number, **options)
    tablet.wait_for_selector("#pad, .tile")
    return check_in(tablet, session) if tablet.locator("#pad").count() else tablet


def test_the_page_asks_for_little_and_shows_who_controls(desk: Desk, phone: Phone, town: Town) -> None:
    tablet = at_the_controls(desk, phone, town, 2)
    asked: list[str] = []
    page = tablet.context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/tablet")
    page.wait_for_selector('#main[data-lost="0"] .tile')
    expect(page.locator(".tile img:not([hidden])")).to_have_count(8)
    assert len([url for url in asked if "/pictures/" not in url]) <= 16, asked  # eight small modules among them, all preloaded
    assert not [url for url in asked if "htmx" in url]
    # a room's tablet has no initial: it is shown as what it is, and an empty seat as one
    expect(page.locator("#lease-initial")).to_have_count(1)
    assert page.locator("#lease-initial").inner_html().strip()


CUT = """() => [...document.querySelectorAll('h1, .ttl p, .tally b, .tally small, .lease b, .tile .nm > span')].filter((one) =>
  one.offsetParent && (one.scrollWidth > one.clientWidth + 1 || one.getClientRects().length > 1
    || one.offsetHeight > 1.9 * parseFloat(getComputedStyle(one).lineHeight))
  && getComputedStyle(one).display !== 'inline').map((one) => one.textContent)"""


@pytest.mark.parametrize("number", [2, 3])
def test_upright_in_english_nothing_is_cut(desk: Desk, phone: Phone, town: Town, number: int) -> None:
    tablet = at_the_controls(desk, phone, town, number, width=820, height=1180, locale="en-GB")
    expect(tablet.locator('.tile[aria-pressed="true"]')).to_have_count(1)
    expect(tablet.locator("#tally-word")).not_to_have_text("Connecting")
    assert tablet.evaluate(CUT) == []
    tablet.evaluate("document.querySelector('#tally-word').textContent = 'Waiting for key'")
    tablet.evaluate("document.querySelector('.tile.cur .nm span').textContent = '主播全景和产品'")
    assert tablet.evaluate(CUT) == []
    desk.check_accessibility(tablet)


def test_a_stranger_sees_nothing(desk: Desk, phone: Phone, town: Town) -> None:
    address = session_page(phone, town, 5).url
    stranger = phone("Charlie")
    for part in ("", "/control", "/parts", "/control/state", "/pictures/0"):
        assert stranger.request.get(address + part).status == 404
    stranger.goto("/live")
    said = stranger.evaluate(
        "(url) => new Promise((done) => { const s = new WebSocket(url); s.onmessage = () => done('told');"
        " s.onclose = (e) => done(e.code); })", address.replace("http", "ws") + "/control")
    assert said == 4404


@pytest.fixture(scope="module")
def obs() -> Iterator[ObsRig]:
    """A real OBS with a small portrait canvas."""
    require("obs", "Xvfb", "ffmpeg")
    with ObsRig() as rig:
        yield rig


def bind(operator: Page, town: Town, obs: ObsRig) -> None:
    """Bind room 6 to a real OBS on its rig's page, and test the connection."""
    operator.goto(f"/rigs/{room(town, 6)['rig']}")
    operator.select_option("select[name=driver]", "obs")
    operator.fill("input[name=address]", f"ws://127.0.0.1:{obs.port}")
    operator.fill("input[name=password]", OBS_PASSWORD)
    operator.click("text=保存")
    operator.wait_for_load_state()
    assert OBS_PASSWORD not in operator.content()
    operator.click("text=测试连接")
    expect(operator.locator("#found")).to_contain_text(SCENES[1])
    expect(operator.locator("#rig-state")).to_contain_text("5.1.0")


def go_live(tablet: Page, session: Page, ingest: Ingest) -> None:
    """Paste the sink's address on the phone, start on the tablet, cover and uncover while it takes pictures."""
    session.reload()
    paste(session, f"{ingest.server}/key?sign={SECRET}")
    tablet.wait_for_selector("#start:not([disabled])")
    tablet.tap("#start")
    expect(tablet.locator("#tally-word")).to_have_text("推流中")
    tablet.tap("#panic")
    expect(tile(tablet, STAND_BY)).to_have_attribute("aria-pressed", "true")
    wait_until(tablet, ingest.shows_video)
    tablet.tap("#over-act")
    expect(tile(tablet, SCENES[1])).to_have_attribute("aria-pressed", "true")


def run_out(tablet: Page, town: Town) -> None:
    """Extend eight minutes before the end, then let the cut-off pass."""
    town.shift(82)
    expect(tablet.locator("#time")).to_have_class(re.compile("end"), timeout=PATIENCE_MS)
    tablet.locator("#extend .btn").first.tap()
    expect(tablet.locator("#till")).to_contain_text(ends_after(town, 105), timeout=PATIENCE_MS)
    town.shift(111)
    expect(tablet.locator("#pad, .bigst")).to_be_visible(timeout=PATIENCE_MS)


def check_nothing_is_left(obs: ObsRig) -> None:
    """Read OBS and its own files: neither may know the key."""
    with obs.client() as hand:
        left = hand.call(requests.GetStreamServiceSettings()).datain["streamServiceSettings"]
        assert (left.get("server") or "", left.get("key") or "") == ("", "")
    kept = [path for path in (obs.home / ".config").rglob("*") if path.is_file()]
    assert kept
    assert [path.name for path in kept if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.obs
def test_real_obs_from_the_rig_page_to_the_proven_wipe(desk: Desk, phone: Phone, town: Town, obs: ObsRig) -> None:
    operator = desk.sign_in(desk.page(1440, 900, touch=False), "Olaf")
    bind(operator, town, obs)
    desk.check_accessibility(operator)
    session = session_page(phone, town, 6)
    tablet = check_in(pair(desk, phone, town, 6), session)
    tile(tablet, SCENES[1]).tap()
    expect(tile(tablet, SCENES[1])).to_have_attribute("aria-pressed", "true")
    with obs.client() as hand:
        assert hand.call(requests.GetCurrentProgramScene()).datain["currentProgramSceneName"] == SCENES[1]
    with Ingest() as ingest:
        go_live(tablet, session, ingest)
        run_out(tablet, town)
    session.reload()
    expect(session.locator("#session")).to_contain_text("已清除", timeout=PATIENCE_MS)
    check_nothing_is_left(obs)
