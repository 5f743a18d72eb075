"""Small values that all floors speak: spans of time, money, phone numbers, texts that people write, public ids."""

import re
import secrets
import time
import unicodedata
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from incubator.ground.errors import N_, Invalid


class Span(msgspec.Struct, frozen=True, order=True):
    """A half-open stretch of time, aware on both ends, never empty or reversed once `checked`."""

    starts_at: datetime
    ends_at: datetime

    @property
    def length(self) -> timedelta:
        """Return how long the span is."""
        return self.ends_at - self.starts_at

    @property
    def minutes(self) -> int:
        """Return the length in whole minutes."""
        return int(self.length.total_seconds()) // 60

    def overlaps(self, other: "Span") -> bool:
        """Tell whether both share at least an instant; touching ends do not."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def contains(self, moment: datetime) -> bool:
        """Tell whether the moment lies within; the end does not."""
        return self.starts_at <= moment < self.ends_at

    def covers(self, other: "Span") -> bool:
        """Tell whether the other lies wholly within."""
        return self.starts_at <= other.starts_at and other.ends_at <= self.ends_at

    def widened(self, before_min: int, after_min: int) -> "Span":
        """Return the span with setup before and teardown after, in minutes."""
        return Span(self.starts_at - timedelta(minutes=before_min), self.ends_at + timedelta(minutes=after_min))

    def moved(self, by: timedelta) -> "Span":
        """Return the span shifted as a whole."""
        return Span(self.starts_at + by, self.ends_at + by)

    def checked(self) -> "Span":
        """Return itself.

        Raises:
            Invalid: an end without offset from UTC, or an end that does not lie after the start.
        """
        for field, moment in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            if moment.tzinfo is None:
                raise Invalid.field(field, N_("Give the time with its offset from UTC, such as +08:00."))
        if self.ends_at <= self.starts_at:
            raise Invalid.field("ends_at", N_("The end must lie after the start."))
        return self


class Money(msgspec.Struct, frozen=True, order=True):
    """An amount of renminbi in fen (1/100 yuan)."""

    fen: int


MOBILE = re.compile(r"1[3-9]\d{9}")
FULL_WIDTH = str.maketrans("０１２３４５６７８９＋－　", "0123456789+- ")


def phone(text: str, field: str = "phone") -> str:
    """Return a mainland mobile number bare, eleven digits.

    Accepts +86, 0086, spaces, hyphens and full-width digits. The only hard rule is 1, then 3 to 9, then nine digits: number
    ranges are handed out anew every year, so a stricter table goes stale.

    Raises:
        Invalid: another count of digits, or another beginning.
    """
    digits = re.sub(r"[\s-]", "", text.translate(FULL_WIDTH))
    digits = re.sub(r"^(\+86|0086)", "", digits)
    if not digits.isascii() or not digits.isdigit():
        raise Invalid.field(field, N_("A mobile number has digits only."))
    if len(digits) != 11:
        raise Invalid.field(field, N_("A mobile number has 11 digits; this one has {count}."), count=len(digits))
    if not MOBILE.fullmatch(digits):
        raise Invalid.field(field, N_("A mobile number begins with 13 to 19."))
    return digits


LONGEST_REASON = 200
JOINER = "\u200d"


def visible(text: str) -> str:
    """Return the text trimmed, composed (NFC) and free of control and direction marks, which disguise what is shown.

    The joiner within an emoji stays: without it a family falls apart into three people.
    """
    composed = unicodedata.normalize("NFC", text)
    kinds = [unicodedata.category(c) for c in composed]
    return "".join(c for place, c in enumerate(composed) if kinds[place] not in ("Cc", "Cf") or (
        c == JOINER and kinds[place - 1:place] in (["So"], ["Sk"], ["Mn"]) and kinds[place + 1:place + 2] == ["So"])).strip()


def bounded(text: str, field: str, longest: int = LONGEST_REASON) -> str:
    """Return what somebody wrote as it is kept, `visible` and at most `longest` characters; empty is fine.

    Nothing is cut in silence: whoever wrote it must know what is kept.

    Raises:
        Invalid: too long.
    """
    text = visible(text)
    if len(text) > longest:
        raise Invalid.field(field, N_("At most {most} characters; this has {count}."), most=longest, count=len(text))
    return text


def new_uid() -> UUID:
    """Return a UUID version 7 (RFC 9562 section 5.7): public ids sort by the time of their making."""
    millis = time.time_ns() // 1_000_000
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
