"""How days, times, spans, durations, money and numbers are told in each language; the language and zone come in as `Speech`."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from incubator.ground import clock
from incubator.ground.errors import N_
from incubator.ground.values import Money, Span

MINUS = "\u2212"
DASH = "\u2013"
NONE = "\u2014"
WEEKDAYS_ZH = "一二三四五六日"
WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS_EN = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
             "December")
Number = int | Decimal | float


class Speech(msgspec.Struct, frozen=True):
    """In which language and time zone something is told."""

    code: str
    zone: ZoneInfo
    words: Callable[[str], str]

    @property
    def is_chinese(self) -> bool:
        """Tell whether the language is Chinese."""
        return self.code == "zh_CN"

    def local(self, moment: datetime) -> datetime:
        """Return an aware moment in the zone of the site.

        Raises:
            ValueError: a moment without offset from UTC; only aware ones come in.
        """
        if moment.tzinfo is None:
            raise ValueError(f"a moment without zone: {moment!r}")
        return moment.astimezone(self.zone)

    def date_of(self, when: date) -> date:
        """Return the local day of a moment, or the day itself."""
        return self.local(when).date() if isinstance(when, datetime) else when

    def today(self) -> date:
        """Return the present day by business time."""
        return clock.now().astimezone(self.zone).date()


def day(when: date, speech: Speech) -> str:
    """Return `11 月 23 日 周一` or `Monday 23 November`; with the year only if it is not the present one."""
    on = speech.date_of(when)
    is_other_year = on.year != speech.today().year
    if speech.is_chinese:
        return f"{f'{on.year} 年 ' if is_other_year else ''}{on.month} 月 {on.day} 日 周{WEEKDAYS_ZH[on.weekday()]}"
    return f"{WEEKDAYS_EN[on.weekday()]} {on.day} {MONTHS_EN[on.month - 1]}{f' {on.year}' if is_other_year else ''}"


def short_day(when: date, speech: Speech) -> str:
    """Return `11-23` or `23 Nov`, for tables; with the year only if it is not the present one."""
    on = speech.date_of(when)
    is_other_year = on.year != speech.today().year
    if speech.is_chinese:
        return f"{on:%Y-%m-%d}" if is_other_year else f"{on:%m-%d}"
    return f"{on.day} {MONTHS_EN[on.month - 1][:3]}{f' {on.year}' if is_other_year else ''}"


def weekday(when: date, speech: Speech) -> str:
    """Return `周一` or `Mon`."""
    on = speech.date_of(when)
    return f"周{WEEKDAYS_ZH[on.weekday()]}" if speech.is_chinese else WEEKDAYS_EN[on.weekday()][:3]


def hour(when: datetime | time, speech: Speech) -> str:
    """Return `16:15`, by the 24-hour clock."""
    at = speech.local(when) if isinstance(when, datetime) else when
    return f"{at:%H:%M}"


def near_day(when: date, speech: Speech) -> str:
    """Return `今天`, `明天`, `昨天` or the day."""
    words = {-1: N_("yesterday"), 0: N_("today"), 1: N_("tomorrow")}
    word = words.get((speech.date_of(when) - speech.today()).days)
    return speech.words(word) if word else day(when, speech)


def moment(when: datetime, speech: Speech) -> str:
    """Return `今天 16:15` or `11 月 28 日 周六 19:00`."""
    return f"{near_day(when, speech)} {hour(when, speech)}"


def short_moment(when: datetime, speech: Speech) -> str:
    """Return `16:15` for today, else `11-28 19:00` or `28 Nov 19:00`."""
    if speech.date_of(when) == speech.today():
        return hour(when, speech)
    return f"{short_day(when, speech)} {hour(when, speech)}"


def hours(span: Span, speech: Speech) -> str:
    """Return `19:00–21:00`; an end at midnight is 24:00, a later one on the next day says so."""
    start, end = speech.local(span.starts_at), speech.local(span.ends_at)
    days = (end.date() - start.date()).days
    if days == 1 and end.time() == time(0):
        return f"{start:%H:%M}{DASH}24:00"
    if days == 0:
        return f"{start:%H:%M}{DASH}{end:%H:%M}"
    last = speech.words(N_("{time} next day")).format(time=f"{end:%H:%M}") if days == 1 else short_moment(span.ends_at, speech)
    return f"{start:%H:%M}{DASH}{last}"


def span(of: Span, speech: Speech) -> str:
    """Return `今天 16:15–18:15`."""
    return f"{near_day(of.starts_at, speech)} {hours(of, speech)}"


def duration(length: timedelta, speech: Speech) -> str:
    """Return `1 小时 20 分` or `1 h 20 min`; under a minute in seconds, from two whole days in days, nothing as `0 h`."""
    seconds = round(length.total_seconds())
    sign = MINUS if seconds < 0 else ""
    minutes, seconds = divmod(abs(seconds), 60)
    if minutes == 0 and seconds:
        return sign + speech.words(N_("{seconds} s")).format(seconds=seconds)
    whole_hours, minutes = divmod(minutes, 60)
    if whole_hours >= 48 and minutes == 0 and whole_hours % 24 == 0:
        return sign + speech.words(N_("{days} days")).format(days=whole_hours // 24)
    if whole_hours == 0 and minutes:
        return sign + speech.words(N_("{minutes} min")).format(minutes=minutes)
    if minutes == 0:
        return sign + speech.words(N_("{hours} h")).format(hours=whole_hours)
    return sign + speech.words(N_("{hours} h {minutes} min")).format(hours=whole_hours, minutes=minutes)


def stopwatch(length: timedelta, _speech: Speech) -> str:
    """Return `1:09:24`, or `8:24` under an hour."""
    seconds = int(length.total_seconds())
    sign = MINUS if seconds < 0 else ""
    minutes, seconds = divmod(abs(seconds), 60)
    whole_hours, minutes = divmod(minutes, 60)
    return f"{sign}{whole_hours}:{minutes:02}:{seconds:02}" if whole_hours else f"{sign}{minutes}:{seconds:02}"


def ago(when: datetime, speech: Speech) -> str:
    """Return how long ago a moment was: `刚刚`, `6 分钟前`, and from a day on the day itself."""
    length = clock.now() - speech.local(when)
    if length < timedelta(minutes=1):
        return speech.words(N_("just now"))
    if length < timedelta(hours=1):
        rounded = timedelta(minutes=int(length.total_seconds()) // 60)
    elif length < timedelta(days=1):
        rounded = timedelta(hours=int(length.total_seconds()) // 3600)
    else:
        return short_moment(when, speech)
    return speech.words(N_("{duration} ago")).format(duration=duration(rounded, speech))


def number(value: Number, _speech: Speech) -> str:
    """Return `1,204`, decimals to one place, and a true minus."""
    amount = value if isinstance(value, int) else Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{amount:,}".replace("-", MINUS)


def percent(share: Number, _speech: Speech) -> str:
    """Return a share (0.941) as `94.1%`."""
    amount = (Decimal(str(share)) * 100).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{amount:,}%".replace("-", MINUS)


def _yuan(value: Money | int) -> Decimal:
    return Decimal(value.fen if isinstance(value, Money) else value) / 100


def money(value: Money | int, _speech: Speech) -> str:
    """Return a price given in fen as `¥39.90`, always with two decimals."""
    yuan = _yuan(value)
    return f"{MINUS if yuan < 0 else ''}¥{abs(yuan):,.2f}"


def money_summary(value: Money | int, speech: Speech) -> str:
    """Return a total given in fen as `4.1 万` or `¥41,000`: two digits are enough on summaries, fen are never shown."""
    yuan = _yuan(value)
    sign, yuan = (MINUS, -yuan) if yuan < 0 else ("", yuan)
    if yuan < 10_000:
        return f"{sign}¥{yuan.quantize(Decimal(1), ROUND_HALF_UP):,}"
    if not speech.is_chinese:
        return f"{sign}¥{(yuan / 1000).quantize(Decimal(1), ROUND_HALF_UP) * 1000:,}"
    unit, name = (Decimal(100_000_000), "亿") if yuan >= 100_000_000 else (Decimal(10_000), "万")
    amount = (yuan / unit).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{sign}{f'{amount:,}'.removesuffix('.0')} {name}"


def masked(text: str | None, _speech: Speech | None = None) -> str:
    """Return a phone number as `138****5621`, a credit code as `91410882****3K5T`, anything else to its last two characters."""
    if not text:
        return NONE
    if len(text) >= 15:
        return f"{text[:8]}****{text[-4:]}"
    if len(text) >= 9:
        return f"{text[:3]}****{text[-4:]}"
    return f"****{text[-2:]}"


def listing(values: Sequence[Any], speech: Speech) -> str:
    """Return `山药、菊花` or `yam, tea`."""
    return ("、" if speech.is_chinese else ", ").join(told(value, speech) for value in values)


def word(value: str, speech: Speech) -> str:
    """Return the translation of a parameter that is itself a msgid: the name of a role, a kind, a state."""
    return speech.words(str(value))


SPECS: dict[str, Callable[[Any, Speech], str]] = {
    "day": day, "short_day": short_day, "near_day": near_day, "weekday": weekday, "time": hour, "moment": moment,
    "short_moment": short_moment, "hours": hours, "span": span, "duration": duration, "clock": stopwatch, "ago": ago,
    "number": number, "percent": percent, "money": money, "summary": money_summary, "masked": masked, "word": word,
    "list": listing,
}


def told(value: Any, speech: Speech) -> str:
    """Tell a value as its type suggests: a moment with its day, a span, a duration, money, a number; other things as they are."""
    by_type: tuple[tuple[Any, Callable[[Any, Speech], str]], ...] = (
        (datetime, moment), (date, day), (time, hour), (timedelta, duration), (Span, span), (Money, money),
        ((list, tuple), listing),
    )
    for kind, tell in by_type:
        if isinstance(value, kind):
            return tell(value, speech)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (int, Decimal, float)) and not isinstance(value, bool):
        return number(value, speech)
    return NONE if value is None else str(value)


class Shown:
    """A parameter within a message: knows how to tell itself, and obeys what the placeholder asks for."""

    def __init__(self, value: Any, speech: Speech) -> None:
        self.value = value
        self.speech = speech

    def __format__(self, spec: str) -> str:
        """Tell the value, by the spec of the placeholder or else by its type."""
        return SPECS[spec](self.value, self.speech) if spec else told(self.value, self.speech)
