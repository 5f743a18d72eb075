"""Who sits at the demo's desks on which days, and what is held in its training and meeting rooms."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import msgspec

from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

MORNING, AFTERNOON, DAY = (time(9), time(12, 30)), (time(13, 30), time(18)), (time(9), time(18))
WORKDAYS, SOME, OTHERS, SATURDAY = (0, 1, 2, 3, 4), (0, 2, 4), (1, 3), (5,)


class Regular(msgspec.Struct, frozen=True):
    """A merchant (its short name) at one desk: the weekdays from Monday as 0, the hours, and what it does there."""

    desk: str
    merchant: str
    weekdays: tuple[int, ...]
    hours: tuple[time, time]
    title: str


class Event(msgspec.Struct, frozen=True):
    """Something held in a room so many days from today; without merchant it is the centre's own."""

    room: str
    merchant: str
    offset: int
    hours: tuple[time, time]
    title: str


class Occupation(msgspec.Struct, frozen=True):
    """One booking to make: the unit's code, the merchant's short name or "", the time and the title."""

    unit: str
    merchant: str
    span: Span
    title: str


REGULARS = (
    Regular("D01", "怀山堂", WORKDAYS, DAY, "客服值班"),
    Regular("D02", "怀药人家", WORKDAYS, DAY, "客服值班"),
    Regular("D03", "怀府驴肉", SOME, MORNING, "对账"),
    Regular("D03", "巧媳妇手工", SOME, AFTERNOON, "短视频剪辑"),
    Regular("D05", "沁河花茶", OTHERS, MORNING, "短视频剪辑"),
    Regular("D06", "良农果蔬", WORKDAYS, AFTERNOON, "客服值班"),
    Regular("D07", "盆窑黑陶", OTHERS, DAY, "商品图修图"),
    Regular("D08", "丹河蜂业", OTHERS, AFTERNOON, "上新、改详情页"),
    Regular("D09", "许家小米", SATURDAY, DAY, "打单"),
)
EVENTS = (
    Event("T1", "", -6, (time(14), time(17)), "主播入门：从脚本到开播"),
    Event("T2", "", 5, (time(9), time(12)), "短视频剪辑实操"),
    Event("M1", "", -8, (time(15), time(16, 30)), "入驻商家例会"),
    Event("M2", "覃怀地黄", -4, (time(10), time(11)), "包材供应商洽谈"),
    Event("M1", "神农陶", -1, (time(14), time(15)), "快递报价"),
    Event("M2", "太行牛膝", 0, (time(16), time(17)), "达人合作洽谈"),
    Event("M1", "沁河花茶", 1, (time(10), time(11)), "秋季场选品会"),
    Event("M2", "怀山堂", 3, (time(15), time(16)), "直播复盘"),
    Event("M1", "", 6, (time(15), time(16, 30)), "入驻商家例会"),
)


def desk_days(site: SiteFacts, day: date) -> Iterator[Occupation]:
    """Yield who sits at the desks on one day."""
    for one in REGULARS:
        if day.weekday() in one.weekdays:
            yield Occupation(one.desk, one.merchant, _span(site, day, one.hours), one.title)


def events(site: SiteFacts, today: date, days: int) -> Iterator[Occupation]:
    """Yield what is held in the rooms within so many days back and ahead."""
    for one in EVENTS:
        if abs(one.offset) <= days:
            yield Occupation(one.room, one.merchant, _span(site, today + timedelta(days=one.offset), one.hours), one.title)


def _span(site: SiteFacts, day: date, hours: tuple[time, time]) -> Span:
    starts_at, ends_at = (datetime.combine(day, hour, site.zone) for hour in hours)
    return Span(starts_at, ends_at)
