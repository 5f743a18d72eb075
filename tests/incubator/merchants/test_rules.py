"""The unified social credit code, with the published vectors and the errors seen in public code."""

import pytest
from hypothesis import given, settings, strategies as st

from incubator.ground.errors import Invalid
from incubator.merchants.rules import ALPHABET, check_character, credit_code, organisation_check


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91110000600037341L"])
def test_published_codes_are_valid(code: str) -> None:
    assert credit_code(code, "enterprise").code == code


def test_spaces_case_and_full_width_are_forgiven() -> None:
    assert credit_code(" 9135 0100-m000100y43 ", "enterprise").code == "91350100M000100Y43"
    for text in ("９１３５０１００M000100Y43", "９１３５０１００Ｍ０００１００Ｙ４３", "９１３５０１００－ｍ０００１００ｙ４３"):
        assert credit_code(text, "enterprise").code == "91350100M000100Y43"


@pytest.mark.parametrize(("code", "words"), [
    ("91350100M000100Y4Z", "no I, O, S, V or Z"), ("913501OOM000100Y43", "no I, O, S, V or Z"),
    ("91350100M000100Y44", "last character"), ("91350100M000100Y4", "18 characters"), ("91A50100M000100Y43", "region"),
])
def test_hard_rules_refuse(code: str, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        credit_code(code, "enterprise")
    error = refusal.value.errors[0]
    assert words in error.msgid.format(**error.params)


def test_letters_may_lead() -> None:
    body = "N2410882MF4T2X4A0"
    assert credit_code(body + check_character(body), "cooperative").code.startswith("N2")


def test_soft_rules_only_warn() -> None:
    assert credit_code("91350100M000100Y43", "enterprise").warnings == ()
    assert "usually begins" in credit_code("91350100M000100Y43", "sole_trader").warnings[0].msgid
    body = "91350100M000100Y5"
    [warning] = credit_code(body + check_character(body), "enterprise").warnings
    assert "organisation code" in warning.msgid


def test_organisation_vectors() -> None:
    assert (organisation_check("M000100Y"), organisation_check("66195133")) == ("4", "X")


@settings(deadline=None)
@given(st.text(ALPHABET, min_size=2, max_size=2), st.text("0123456789", min_size=6, max_size=6),
       st.text(ALPHABET, min_size=9, max_size=9), st.integers(0, 16), st.sampled_from(ALPHABET))
def test_any_single_slip_shows(head: str, region: str, tail: str, place: int, other: str) -> None:
    code = head + region + tail
    code += check_character(code)
    slipped = code[:place] + other + code[place + 1:]
    if slipped == code:
        assert credit_code(code, "enterprise").code == code
    else:
        with pytest.raises(Invalid):
            credit_code(slipped, "enterprise")
