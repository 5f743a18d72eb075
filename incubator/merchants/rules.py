"""Arithmetic of merchant identifiers: the unified social credit code and the organisation code within it."""

import re
import unicodedata

import msgspec

from incubator.ground.errors import N_, FieldError, Invalid

# GB 32100-2015: digits, then A to Y without I, O, S, V; Z does not occur.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
VALUES = {character: value for value, character in enumerate(ALPHABET)}
WEIGHTS = [3**i % 31 for i in range(17)]
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
BEGINNINGS = {"enterprise": "91", "sole_trader": "92", "cooperative": "93"}

KINDS = {
    "enterprise": N_("Company"),
    "sole_trader": N_("Sole trader"),
    "cooperative": N_("Co-operative"),
    "natural_person": N_("Natural person"),
}
STATUSES = {"active": N_("Active"), "paused": N_("Paused"), "left": N_("Left")}
PLATFORMS = {  # of shops and of live sessions alike
    "douyin": N_("Douyin"),
    "kuaishou": N_("Kuaishou"),
    "taobao": N_("Taobao"),
    "tmall": N_("Tmall"),
    "wechat_channels": N_("WeChat Channels"),
    "xiaohongshu": N_("Xiaohongshu"),
    "pinduoduo": N_("Pinduoduo"),
    "jd": N_("JD"),
    "other": N_("Other platform"),
}


class CreditCode(msgspec.Struct, frozen=True):
    """A code that satisfies the hard rules, and what is odd about it all the same."""

    code: str
    warnings: tuple[FieldError, ...] = ()


def check_character(body: str) -> str:
    """Return the 18th character for the first 17 (GB 32100-2015, appendix: modulus 31, powers of 3)."""
    total = sum(VALUES[character] * weight for character, weight in zip(body, WEIGHTS, strict=True))
    return ALPHABET[(31 - total % 31) % 31]


def organisation_check(body: str) -> str:
    """Return the check character of an eight-character organisation code (GB 11714: modulus 11)."""
    total = sum(int(character, 36) * weight for character, weight in zip(body, ORGANISATION_WEIGHTS, strict=True))
    return "0X987654321"[total % 11]


def credit_code(text: str, kind: str, field: str = "credit_code") -> CreditCode:
    """Check a unified social credit code as GB 32100-2015 lays it down.

    Hard rules refuse: 18 characters, the alphabet without I, O, S, V and Z, digits in 3 to 8, the check character. Soft rules
    warn: the organisation code within, and a beginning that does not fit the kind.

    Raises:
        Invalid: a hard rule is broken.
    """
    code = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper()
    if len(code) != 18:
        raise Invalid.field(field, N_("A credit code has 18 characters; this one has {count}."), count=len(code))
    strange = sorted({character for character in code if character not in VALUES})
    if strange:
        raise Invalid.field(field, N_("{characters} cannot occur in a credit code: it has no I, O, S, V or Z."),
                            characters=" ".join(strange))
    if not code[2:8].isdigit():
        raise Invalid.field(field, N_("Characters 3 to 8 of a credit code are the region and must be digits."))
    if code[17] != check_character(code[:17]):
        raise Invalid.field(field, N_("The last character does not fit the others: one of them is mistyped."))
    return CreditCode(code, tuple(_oddities(code, kind, field)))


def _oddities(code: str, kind: str, field: str) -> list[FieldError]:
    found = []
    if code[16] != organisation_check(code[8:16]):
        found.append(FieldError(field, N_("The organisation code within (characters 9 to 17) does not fit its check character.")))
    expected = BEGINNINGS.get(kind)
    if expected and not code.startswith(expected):
        found.append(FieldError(field, N_("A code of this kind usually begins with {expected}; this one begins with {found}."),
                                {"expected": expected, "found": code[:2]}))
    return found
