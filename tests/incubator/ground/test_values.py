"""Spans, phone numbers and public ids."""

from datetime import UTC, datetime, timedelta

import pytest

from incubator.ground.errors import Invalid
from incubator.ground.values import LONGEST_REASON, Span, bounded, new_uid, phone, visible

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_spans_that_touch_do_not_overlap() -> None:
    assert not Span(NOON, NOON + HOUR).overlaps(Span(NOON + HOUR, NOON + 2 * HOUR))
    assert Span(NOON, NOON + HOUR).overlaps(Span(NOON + HOUR / 2, NOON + 2 * HOUR))


def test_a_span_is_widened_by_setup_and_teardown() -> None:
    assert Span(NOON, NOON + HOUR).widened(15, 30) == Span(NOON - HOUR / 4, NOON + HOUR * 1.5)


@pytest.mark.parametrize("ends_at", [NOON, NOON - HOUR])
def test_an_empty_or_reversed_span_is_refused(ends_at: datetime) -> None:
    with pytest.raises(Invalid) as refusal:
        Span(NOON, ends_at).checked()
    assert refusal.value.errors[0].field == "ends_at"


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        Span(datetime(2026, 11, 24, 12), NOON).checked()  # noqa: DTZ001 -- the naive time is the point
    assert refusal.value.errors[0].field == "starts_at"


@pytest.mark.parametrize("text", ["13800005621", "+86 138 0000 5621", "0086-138-0000-5621", "１３８００００５６２１"])
def test_a_phone_number_is_kept_bare(text: str) -> None:
    assert phone(text) == "13800005621"


@pytest.mark.parametrize("text", ["1380000", "12800005621", "1064812345678", "138000056a1", ""])
def test_other_phone_numbers_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        phone(text)


@pytest.mark.parametrize(("text", "seen"), [
    ("  山药 ", "山药"), ("a\x00b", "ab"), ("\u202eabc\u2066", "abc"), ("a\u200bb", "ab"), ("e\u0301", "é"),
    ("👨\u200d👩\u200d👧 专场", "👨\u200d👩\u200d👧 专场"), ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"), ("a\u200db", "ab"), ("\u200d👧", "👧")])
def test_what_counts_as_visible_text(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_a_long_text_is_refused_and_never_cut() -> None:
    assert bounded(" \u202e" + "长" * LONGEST_REASON + " ", "reason") == "长" * LONGEST_REASON
    assert bounded(" ", "reason") == ""
    with pytest.raises(Invalid) as refusal:
        bounded("长" * 41, "label", 40)
    error = refusal.value.errors[0]
    assert (error.field, error.params) == ("label", {"most": 40, "count": 41})


def test_public_ids_are_version_7_and_sort_by_time() -> None:
    first, second = new_uid(), new_uid()
    assert first.version == 7
    assert first.int >> 80 <= second.int >> 80
