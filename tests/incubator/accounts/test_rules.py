"""What counts as visible text."""

import pytest

from incubator.accounts.rules import visible


@pytest.mark.parametrize(("text", "seen"), [
    ("  山药 ", "山药"), ("a\x00b", "ab"), ("\u202eabc\u2066", "abc"), ("a\u200bb", "ab"), ("e\u0301", "é"),
    ("👨\u200d👩\u200d👧 专场", "👨\u200d👩\u200d👧 专场"), ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"), ("a\u200db", "ab"), ("\u200d👧", "👧")])
def test_it_works(text: str, seen: str) -> None:
    assert visible(text) == seen
