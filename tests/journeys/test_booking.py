"""Booking in a real browser: two taps on a phone; the schedule by mouse, touch and keyboard; others see it without reload."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Desk

ZONE = ZoneInfo("Asia/Shanghai")
WHERE = """name => {
  const row = document.querySelector(`.gr[data-name="${name}"]`);
  row.scrollIntoView({ block: "nearest" });
  return row.querySelector(".lane").getBoundingClientRect().toJSON();
}"""
STEPS = 288  # rooms that never close show the whole day
pytestmark = pytest.mark.browser


def day(ahead: int) -> str:
    """Return a day ahead: each journey has one of its own, so that none stands in another's way."""
    return str((datetime.now(ZONE) + timedelta(days=ahead)).date())


def lane(page: Page, room: int) -> Locator:
    """Return the lane of a room, counted from 1."""
    return page.locator(f'.gr[data-name="{room} 号间"] .lane')


def place(page: Page, room: int, hour: float) -> tuple[float, float]:
    """Return where an hour of a room lies on the screen."""
    box = page.evaluate(WHERE, f"{room} 号间")  # at once: the lanes may be replaced at any moment
    return box["x"] + box["width"] * (hour * 12 + 0.5) / STEPS, box["y"] + box["height"] / 2


def drag(page: Page, room: int, start: float, end: float) -> None:
    """Drag with the mouse from one hour to another."""
    begin, target = place(page, room, start), place(page, room, end)
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*target, steps=6)
    page.mouse.up()


def finish(page: Page, title: str) -> None:
    """Fill in the sheet and book."""
    expect(page.locator("#findings .ck.ok").first).to_be_visible()
    page.fill("#s-title", title)
    page.click("#go")
    expect(page.locator(".toast")).to_contain_text("已预约")
    expect(page.locator(".bk.mine", has_text=title)).to_be_visible()
    expect(page.locator("#sheet")).to_be_hidden()


def test_a_phone_books_in_two_taps(phone: Callable[[str], Page], desk: Desk) -> None:
    page = phone("Alice")
    page.goto(f"/book?date={day(2)}&hours=1")
    desk.check_accessibility(page)
    page.locator("a[data-confirm]").first.tap()
    expect(page.locator("#confirm-title")).to_be_visible()
    desk.check_accessibility(page)
    page.locator("#confirm button.pri").tap()
    page.wait_for_url("**/book/done/**")
    expect(page.locator(".code")).to_have_text(re.compile(r"^\d{4}$"))
    desk.check_accessibility(page)


def test_a_sheet_of_the_phone_can_be_left(phone: Callable[[str], Page]) -> None:
    page = phone("Alice")
    page.goto(f"/book?date={day(2)}&hours=2")
    slot = page.locator("a[data-confirm]").first
    slot.tap()
    expect(page.locator("#confirm-title")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(slot).to_be_focused()


def test_without_scripts(desk: Desk) -> None:
    page = desk.sign_in(desk.page(390, 844, java_script_enabled=False), "Alice")
    page.goto(f"/book?date={day(3)}&hours=1")
    page.locator("a[data-confirm]").first.click()
    page.locator("#confirm button.pri").click()
    expect(page.locator(".code")).to_have_text(re.compile(r"^\d{4}$"))
    page.goto(f"/days/{day(3)}?new=1")
    page.fill("#s-title", "无脚本也能订")
    page.locator("#go").click()
    expect(page.locator(".note.ok")).to_contain_text("已预约")


def test_the_mouse_books_and_moves(desk: Desk) -> None:
    page = desk.sign_in(desk.page(1440, 900, touch=False), "Alice")
    page.goto(f"/days/{day(4)}")
    drag(page, 2, 10, 11.75)
    expect(page.locator("#sheet-title")).to_have_text("2 号间 10:00–12:00")
    desk.check_accessibility(page)
    finish(page, "鼠标订的场")
    middle, target = place(page, 2, 11), place(page, 3, 16)
    page.mouse.move(*middle)
    page.wait_for_function("([x, y]) => document.elementFromPoint(x, y)?.closest('.bk')", arg=middle)
    page.mouse.down()
    page.mouse.move(*target, steps=8)
    page.mouse.up()
    expect(page.locator(".toast", has_text="已改到")).to_be_visible()
    expect(lane(page, 3).locator(".bk.mine", has_text="15:00–17:00")).to_be_visible()
    # the booking's undo went when the move's came: one at a time, and it names what it takes back
    expect(page.locator(".toast").get_by_role("button", name="撤销")).to_have_text(["撤销改动"])
    page.locator(".toast").get_by_role("button", name="撤销").click()
    expect(lane(page, 2).locator(".bk.mine", has_text="10:00–12:00")).to_be_visible()


def test_a_handle_makes_it_longer(desk: Desk) -> None:
    page = desk.sign_in(desk.page(1440, 900, touch=False), "Alice")
    page.goto(f"/days/{day(5)}")
    drag(page, 1, 10, 10.75)
    expect(page.locator("#sheet-title")).to_have_text("1 号间 10:00–11:00")
    handle = page.locator(".sel > .till").bounding_box()
    assert handle is not None
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(*place(page, 1, 12.5), steps=5)
    page.mouse.up()
    expect(page.locator("#sheet-title")).to_have_text("1 号间 10:00–12:30")
    expect(page.locator("#s-to")).to_have_value("12:30")
    page.keyboard.press("Escape")


def test_the_keyboard_books(desk: Desk) -> None:
    page = desk.sign_in(desk.page(1440, 900, touch=False), "Alice")
    page.goto(f"/days/{day(6)}")
    page.locator("#grid").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    for _ in range(18):
        page.keyboard.press("ArrowRight")
    named = page.locator("#grid").get_attribute("aria-activedescendant")
    assert named == "cursor"
    expect(page.locator("#cursor")).to_have_attribute("aria-label", "2 号间 09:00，空闲")
    page.keyboard.press("Enter")
    expect(page.locator("#sheet-title")).to_have_text("2 号间 09:00–10:00")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#sheet-title")).to_have_text("2 号间 09:00–10:30")
    page.keyboard.press("Enter")
    expect(page.locator("#s-title")).to_be_focused()
    page.keyboard.type("键盘订的场")
    page.keyboard.press("Enter")
    expect(page.locator(".bk.mine", has_text="键盘订的场")).to_be_visible()
    page.locator("#grid").focus()
    assert page.locator("#grid").get_attribute("aria-activedescendant") != "cursor"
    page.keyboard.press("Escape")


def touch(session: Any, kind: str, point: tuple[float, float] | None = None) -> None:
    """Send one touch event as a screen does."""
    points = [] if point is None else [{"x": point[0], "y": point[1]}]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_long_press_books_and_a_swipe_scrolls(phone: Callable[[str], Page], desk: Desk) -> None:
    page = phone("Alice")
    page.goto(f"/days/{day(7)}")
    scroller, finger = page.locator(".gscroll"), page.context.new_cdp_session(page)
    scroller.evaluate("one => { one.scrollLeft = 420 }")
    lane(page, 1).scroll_into_view_if_needed()
    start, end = place(page, 1, 11), place(page, 1, 12.75)
    touch(finger, "touchStart", start)
    touch(finger, "touchMove", (start[0] - 60, start[1]))
    touch(finger, "touchEnd")
    expect(page.locator(".sel")).to_have_count(0)
    page.wait_for_timeout(800)  # the swipe runs out
    scroller.evaluate("one => { one.scrollLeft = 420 }")
    start, end = place(page, 1, 11), place(page, 1, 12.75)
    touch(finger, "touchStart", start)
    page.wait_for_timeout(450)
    touch(finger, "touchMove", ((start[0] + end[0]) / 2, start[1]))
    touch(finger, "touchMove", end)
    touch(finger, "touchEnd")
    expect(page.locator("#sheet-title")).to_have_text("1 号间 11:00–13:00")
    desk.check_accessibility(page)
    finish(page, "手指订的场")


def test_others_see_it_without_reload(desk: Desk) -> None:
    watching = desk.sign_in(desk.page(1440, 900, touch=False), "Charlie")
    watching.goto(f"/days/{day(8)}")
    expect(watching.locator("#fresh")).to_contain_text("实时更新")
    watching.evaluate("window.sameDocument = true")
    page = desk.sign_in(desk.page(1440, 900, touch=False), "Alice")
    page.goto(f"/days/{day(8)}")
    drag(page, 1, 10, 11.75)
    expect(lane(watching, 1).locator(".bk.held")).to_be_visible()
    finish(page, "马上看得到")
    expect(lane(watching, 1).locator(".bk.taken", has_text="10:00–12:00")).to_be_visible()
    page.locator(".toast").get_by_role("button", name="撤销").click()
    expect(lane(watching, 1).locator(".bk")).to_have_count(0)
    assert watching.evaluate("window.sameDocument === true")


def test_leaving_the_sheet_frees_the_time(desk: Desk) -> None:
    watching = desk.sign_in(desk.page(1440, 900, touch=False), "Charlie")
    watching.goto(f"/days/{day(9)}")
    page = desk.sign_in(desk.page(1440, 900, touch=False), "Alice")
    page.goto(f"/days/{day(9)}")
    drag(page, 4, 15, 16.75)
    expect(lane(watching, 4).locator(".bk.held")).to_be_visible()
    page.locator("#sheet header [data-shut]").click()
    expect(lane(watching, 4).locator(".bk.held")).to_have_count(0)


WATCHED = """() => new MutationObserver(() => {  // runs before the new lanes are painted
  const box = document.querySelector(".bk.mine")?.getBoundingClientRect();
  window.atOnce = box && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).closest(".bk")?.textContent;
}).observe(document.querySelector(".gscroll"), { childList: true })"""


def test_a_press_meets_a_block_as_soon_as_it_is_there(desk: Desk) -> None:
    watching, page = (desk.sign_in(desk.page(1440, 900, touch=False), "Alice") for _ in range(2))
    for one in (watching, page):
        one.goto(f"/days/{day(14)}")
    watching.evaluate(WATCHED)
    drag(page, 2, 10, 10.75)
    finish(page, "一画出来就能点")
    expect(watching.locator(".bk.mine")).to_be_visible()
    assert "一画出来就能点" in watching.evaluate("window.atOnce")


EDGE = """(title) => {  // at once: the lanes may be replaced at any moment
  const block = [...document.querySelectorAll(".bk.mine")].find((one) => one.textContent.includes(title));
  const { x, y, width } = block?.getBoundingClientRect() ?? {};
  return width && [x + 4, y + 4, document.elementFromPoint(x + 4, y + 4).matches(".bk.mine > a")];
}"""


def test_a_block_is_a_link_from_edge_to_edge(desk: Desk) -> None:
    page = desk.sign_in(desk.page(1180, 820, touch=False), "Alice")
    page.goto(f"/days/{day(10)}")
    drag(page, 2, 10, 10.75)
    finish(page, "点边上也能打开")
    expect(page.locator("#sheet")).to_be_hidden()
    x, y, is_link = page.wait_for_function(EDGE, arg="点边上也能打开").json_value()
    assert is_link
    page.mouse.click(x, y)
    expect(page.locator("h1")).to_have_text("点边上也能打开")


def test_nothing_is_cut_on_a_phone(phone: Callable[[str], Page]) -> None:
    page = phone("Dora")
    page.goto("/days")
    for part in page.locator(".gctl > *, .lg > span, .gbar .chk").all():
        box = part.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
    clock = page.locator("#nowtime")
    if clock.is_visible():
        here, rooms = clock.bounding_box(), page.locator(".gr.hd > :first-child").bounding_box()
        assert here is not None
        assert rooms is not None
        assert here["x"] >= rooms["x"] + rooms["width"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("who", ["Alice", "Dora"])
def test_axe_finds_nothing(desk: Desk, who: str, dark: bool) -> None:
    page = desk.sign_in(desk.page(1440, 900, touch=False, dark=dark), who)
    for address in ("/", f"/days/{day(4)}", f"/days/{day(4)}?new=1", "/book", "/reservations", "/reservations?q=nothing"):
        page.goto(address)
        desk.check_accessibility(page)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address
    page.goto("/reservations?when=all")
    page.locator("a.inl[href^='/reservations/']").first.click()
    desk.check_accessibility(page)
    page.locator("a[href*='/week/']").first.click()
    desk.check_accessibility(page)


@pytest.mark.parametrize("width", [360, 390])
def test_no_sideways_scroll_on_a_phone(desk: Desk, width: int) -> None:
    page = desk.sign_in(desk.page(width, 780, is_mobile=True, locale="en-GB"), "Alice")
    for address in ("/", "/days", "/days?new=1", "/book", "/reservations", "/reservations?when=all"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address
