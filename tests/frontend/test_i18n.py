"""Both languages: which one is spoken, how things are told, and how messages take their parameters."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from frontend import formats, i18n
from incubator.ground import clock
from incubator.ground.values import Money, Span

NOW = datetime(2026, 11, 23, 6, 20, tzinfo=UTC)  # Monday, 14:20 in the county


@pytest.fixture(autouse=True)
def _monday():
    with clock.frozen_at(NOW):
        yield


def both(tell, value):
    """Tell a value in Chinese and in English."""
    said = []
    for code in ("zh_CN", "en"):
        with i18n.using(code):
            said.append(tell(value, i18n.speech()))
    return tuple(said)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_it_works():
    msgid = "A mobile number has 11 digits; this one has {count}."
    with i18n.using("zh_CN"):
        assert i18n.translate(msgid, {"count": 7}) == "手机号应为 11 位，现在是 7 位。"
    with i18n.using("en"):
        assert i18n.translate(msgid, {"count": 7}) == "A mobile number has 11 digits; this one has 7."


@pytest.mark.parametrize(("accept", "cookie", "person", "expected"), [
    (None, None, None, "zh_CN"),
    ("en-GB,en;q=0.9,zh;q=0.8", None, None, "en"),
    ("fr,zh-TW;q=0.9,en;q=0.8", None, None, "zh_CN"),
    ("en;q=0.2,zh-CN;q=0.9", None, None, "zh_CN"),
    ("en;q=0,zh", None, None, "zh_CN"),
    ("en;q=nonsense, de", None, None, "zh_CN"),
    ("zh-CN", "en", None, "en"),
    ("zh-CN", "en", "zh_CN", "zh_CN"),
    ("en", "klingon", "", "en"),
])
def test_the_person_goes_before_the_browser_and_its_header(accept, cookie, person, expected):
    assert i18n.negotiate(accept, cookie, person) == expected


def test_an_unknown_language_is_the_default():
    i18n.use("tlh")
    assert (i18n.current_code(), i18n.current_tag()) == ("zh_CN", "zh-CN")


def test_a_language_lasts_as_long_as_its_block():
    with i18n.using("en", ZoneInfo("Europe/Berlin")):
        assert (i18n.current_tag(), i18n.current_zone().key) == ("en", "Europe/Berlin")
    assert (i18n.current_tag(), i18n.current_zone().key) == ("zh-CN", "Asia/Shanghai")


@pytest.mark.parametrize(("tell", "value", "zh", "en"), [
    (formats.day, at(23, 9), "11 月 23 日 周一", "Monday 23 November"),
    (formats.day, date(2027, 1, 5), "2027 年 1 月 5 日 周二", "Tuesday 5 January 2027"),
    (formats.short_day, at(3, 9), "11-03", "3 Nov"),
    (formats.short_day, date(2025, 9, 12), "2025-09-12", "12 Sep 2025"),
    (formats.weekday, at(28, 9), "周六", "Sat"),
    (formats.near_day, at(24, 9), "明天", "tomorrow"),
    (formats.near_day, at(22, 9), "昨天", "yesterday"),
    (formats.moment, at(23, 16, 15), "今天 16:15", "today 16:15"),
    (formats.moment, at(28, 19), "11 月 28 日 周六 19:00", "Saturday 28 November 19:00"),
    (formats.short_moment, at(23, 16, 15), "16:15", "16:15"),
    (formats.short_moment, at(28, 19), "11-28 19:00", "28 Nov 19:00"),
    (formats.span, Span(at(23, 16, 15), at(23, 18, 15)), "今天 16:15–18:15", "today 16:15–18:15"),
    (formats.hours, Span(at(23, 22), at(24, 0)), "22:00–24:00", "22:00–24:00"),
    (formats.hours, Span(at(23, 22), at(24, 1)), "22:00–次日 01:00", "22:00–01:00 next day"),
    (formats.duration, timedelta(hours=1, minutes=20), "1 小时 20 分", "1 h 20 min"),
    (formats.duration, timedelta(hours=2), "2 小时", "2 h"),
    (formats.duration, timedelta(minutes=15), "15 分钟", "15 min"),
    (formats.duration, timedelta(seconds=40), "40 秒", "40 s"),
    (formats.duration, timedelta(), "0 小时", "0 h"),
    (formats.duration, timedelta(days=3), "3 天", "3 days"),
    (formats.duration, -timedelta(minutes=15), "\u221215 分钟", "\u221215 min"),
    (formats.stopwatch, timedelta(hours=1, minutes=9, seconds=24), "1:09:24", "1:09:24"),
    (formats.stopwatch, timedelta(minutes=8, seconds=4), "8:04", "8:04"),
    (formats.money, Money(3990), "¥39.90", "¥39.90"),
    (formats.money, Money(-123450), "\u2212¥1,234.50", "\u2212¥1,234.50"),
    (formats.money_summary, Money(4_123_400), "4.1 万", "¥41,000"),
    (formats.money_summary, Money(5_000_000), "5 万", "¥50,000"),
    (formats.money_summary, Money(621_449), "¥6,214", "¥6,214"),
    (formats.percent, Decimal("0.941"), "94.1%", "94.1%"),
    (formats.percent, -0.21, "\u221221.0%", "\u221221.0%"),
    (formats.number, 1204, "1,204", "1,204"),
    (formats.number, -3, "\u22123", "\u22123"),
    (formats.masked, "13812345621", "138****5621", "138****5621"),
    (formats.masked, "91410882MA40F73K5T", "91410882****3K5T", "91410882****3K5T"),
    (formats.listing, ["山药", "菊花"], "山药、菊花", "山药, 菊花"),
])
def test_things_are_told_as_the_house_writes_them(tell, value, zh, en):
    assert both(tell, value) == (zh, en)


def test_how_long_ago():
    with i18n.using("zh_CN"):
        said = [formats.ago(NOW - timedelta(seconds=s), i18n.speech()) for s in (5, 6 * 60 + 59, 3 * 3600)]
    assert said == ["刚刚", "6 分钟前", "3 小时前"]


def test_a_moment_is_told_in_the_zone_of_the_site():
    with i18n.using("en", ZoneInfo("Europe/Berlin")):
        assert formats.hour(NOW, i18n.speech()) == "07:20"


def test_a_moment_without_zone_is_refused():
    with pytest.raises(ValueError, match="without zone"):
        formats.hour(datetime(2026, 11, 23, 9), i18n.speech())  # noqa: DTZ001 -- that is the point


def test_parameters_are_told_by_type_or_as_the_placeholder_says():
    params = {"span": Span(at(23, 16), at(23, 18)), "length": timedelta(minutes=90), "role": "Owner"}
    with i18n.using("zh_CN"):
        said = i18n.filled("{span:hours}，{span}，{length}，{length:clock}，{role:word}", params)
    assert said == "16:00–18:00，今天 16:00–18:00，1 小时 30 分，1:30:00，负责人"


def test_a_missing_parameter_shows_its_name_rather_than_breaking_the_page():
    assert i18n.filled("Booked: {room}", {}) == "Booked: {room}"


def test_counts_have_their_form():
    with i18n.using("en"):
        assert [i18n.ngettext("{count} row", "{count} rows", n) for n in (1, 2)] == ["{count} row", "{count} rows"]


@pytest.mark.parametrize("code", ["zh_CN", "en"])
def test_telling_a_day_parses_no_locale(code, monkeypatch):
    """A locale given as a string made this ten times dearer; 121 strings and 40 dates stand on a page."""
    parsed, parse = [], Locale.parse

    def noted(identifier, *args, **kwargs):
        parsed.extend([identifier] if isinstance(identifier, str) else [])
        return parse(identifier, *args, **kwargs)

    monkeypatch.setattr(Locale, "parse", noted)
    with i18n.using(code):
        i18n.filled("{at} {price} {length} {count}", {"at": NOW, "price": Money(3990), "length": timedelta(minutes=90), "count": 1204})
        formats.day(NOW, i18n.speech())
    assert parsed == []


def test_a_strange_character_is_named_once_as_strange():
    with i18n.using("zh_CN"):
        said = i18n.translate("{characters} cannot occur in a credit code: it has no I, O, S, V or Z.", {"characters": "I"})
    assert said == "信用代码里不会有 I：其中不用 I、O、S、V、Z。"
