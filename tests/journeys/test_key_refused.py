"""A refused stream key in a real browser: it stays in its field, and no answer of the server holds it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Desk, Town
from tests.journeys.test_tablet import session_page

pytestmark = pytest.mark.browser
SECRET = "stream-4f8z2qk1"
EXPIRED = f"rtmp://push.example.com/live/{SECRET}?expire=1700000000"
Phone = Callable[[str], Page]


def test_the_key_stays_in_the_browser(desk: Desk, phone: Phone, town: Town) -> None:
    page = session_page(phone, town, 6)
    page.fill("#key-text", EXPIRED)
    for _ in range(2):  # the form can be sent again
        with page.expect_response("**/key") as answer:
            page.click("#key-form button[type=submit]")
        assert answer.value.status == 422
        assert SECRET not in answer.value.text()
        expect(page.locator("#key-error")).to_be_visible()
        expect(page.locator("#key-form button")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#key-text")).to_have_value(EXPIRED)
    expect(page.locator("#key-text")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#key-text")).to_be_focused()
    assert all("422" in said for said in desk.complaints)
    desk.complaints.clear()
