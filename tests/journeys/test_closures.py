"""Closing a room in a real browser: listed first, seen by others without reload, refused with its reason, taken back by a toast."""

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Desk
from tests.journeys.test_booking import day, drag, finish, lane

pytestmark = pytest.mark.browser


def fill(page: Page, room: str, on: str, reason: str) -> None:
    """Fill in the form for half a day of one room."""
    page.goto(f"/closures?from_date={on}")
    page.get_by_label(room, exact=True).check()
    page.select_option("#c-from", "09:00")
    page.select_option("#c-to", "13:00")
    page.get_by_label("原因", exact=True).fill(reason)


@pytest.fixture
def merchant(desk: Desk) -> Page:
    """Charlie's browser."""
    return desk.sign_in(desk.page(1440, 900, touch=False), "Charlie")


def test_staff_close_and_a_merchant_sees_it_at_once(desk: Desk, merchant: Page) -> None:
    on = day(11)
    merchant.goto(f"/days/{on}")
    merchant.evaluate("window.sameDocument = true")
    drag(merchant, 3, 10, 11.75)
    expect(merchant.locator("#sheet-title")).to_have_text("3 号间 10:00–12:00")
    expect(merchant.locator("#findings .ck.ok").first).to_be_visible()
    dora = desk.sign_in(desk.page(1180, 820), "Dora")
    fill(dora, "3 号间", on, "排风检修")
    expect(dora.locator("#hits")).to_contain_text("这段时间内没有预约。")
    desk.check_accessibility(dora)
    dora.get_by_role("button", name="停用房间").click()
    expect(dora.locator("#toasts .toast")).to_contain_text("已停用 3 号间")
    expect(lane(merchant, 3).locator(".closed")).to_contain_text("排风检修")
    expect(merchant.locator("#findings .ck.alarm")).to_contain_text("排风检修")
    merchant.fill("#s-title", "关着也要播")
    merchant.click("#go")
    expect(merchant.locator("#sheet .note.alarm")).to_contain_text("排风检修")
    expect(merchant.locator("#s-title")).to_have_value("关着也要播")
    expect(lane(merchant, 3).locator(".bk.mine")).to_have_count(0)
    merchant.locator("#sheet header [data-shut]").click()
    dora.locator("#toasts .toast").get_by_role("button", name="撤销").click()
    expect(dora.locator("#toasts .toast")).to_contain_text("已恢复开放")
    expect(lane(merchant, 3).locator(".closed")).to_have_count(0)
    assert merchant.evaluate("window.sameDocument === true")
    desk.complaints[:] = [one for one in desk.complaints if "409" not in one]  # the refusal itself


def test_the_booking_in_the_way_is_listed_and_its_people_move_it(desk: Desk, merchant: Page) -> None:
    on = day(12)
    merchant.goto(f"/days/{on}")
    drag(merchant, 2, 10, 11.75)
    finish(merchant, "要改期的场")
    dora = desk.sign_in(desk.page(390, 844, is_mobile=True), "Dora")
    fill(dora, "2 号间", on, "停电")
    expect(dora.locator("#hits")).to_contain_text("要改期的场")
    desk.check_accessibility(dora)
    assert dora.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    dora.get_by_role("button", name="停用房间").click()
    expect(dora.locator(".closure", has_text="停电")).to_contain_text("要改期的场")
    merchant.goto("/notices")
    notice = merchant.locator("article", has_text="停电")
    for _ in range(20):
        if notice.count():
            break
        merchant.wait_for_timeout(500)
        merchant.reload()
    notice.get_by_role("link").click()
    expect(merchant.locator("#closed")).to_contain_text("停电")
    desk.check_accessibility(merchant)
    merchant.locator("#move .alt").first.click()
    expect(merchant.locator("#toasts .toast")).to_contain_text("已改到")
    expect(merchant.locator("#closed")).to_have_count(0)
    dora.goto("/closures")
    expect(dora.locator(".closure", has_text="停电")).not_to_contain_text("要改期的场")


def test_undo_by_the_toast_and_without_scripts(desk: Desk, merchant: Page) -> None:
    on = day(13)
    merchant.goto(f"/days/{on}")
    drag(merchant, 4, 14, 15.75)
    finish(merchant, "差点取消")
    merchant.locator(".bk.mine", has_text="差点取消").click()
    merchant.wait_for_url("**/reservations/**")
    address = merchant.url
    merchant.locator("#cancel button").click()
    toast = merchant.locator("#toasts .toast", has_text="已取消")
    expect(toast).to_be_visible()
    desk.check_accessibility(merchant)
    toast.get_by_role("button", name="撤销").click()
    expect(merchant.locator("#toasts .toast")).to_contain_text("已恢复")
    expect(merchant.locator("#toasts .toast")).to_have_count(0, timeout=12_000)
    plain = desk.sign_in(desk.page(390, 844, java_script_enabled=False), "Charlie")
    plain.goto(address)
    plain.select_option("#m-from", "16:00")
    plain.select_option("#m-to", "18:00")
    plain.locator("#move button.pri").click()
    plain.locator(".note.ok").get_by_role("button", name="撤销").click()
    expect(plain.locator(".head .sub")).to_contain_text("14:00–16:00")
