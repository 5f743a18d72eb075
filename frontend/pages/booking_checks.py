"""What a pre-check found, as lines of a page."""

from collections.abc import Sequence

from booking.reservations import precheck
from frontend import i18n
from frontend.pages.booking_words import Finding, field_texts, refusal_text
from incubator.ground.errors import N_, Forbidden, KaiboError

KINDS = {"for": "ok", "mind": "wait", "against": "alarm"}
NO_MERCHANT = N_("You belong to no merchant here, or have not chosen for whom you act. Choose above, or ask the front desk.")


def lines_of(findings: Sequence[precheck.Finding]) -> list[Finding]:
    """Return the findings in the reader's words."""
    return [Finding(KINDS[one.weight], i18n.translate(one.msgid, one.params), one.code) for one in findings]


def lines_of_refusal(refusal: KaiboError, *, is_chosen: bool) -> list[Finding]:
    """Return what a wish lacks that could not be looked at; as long as no room `is_chosen`, it is only incomplete."""
    texts = list(field_texts(refusal).values()) or [
        i18n.gettext(NO_MERCHANT) if isinstance(refusal, Forbidden) else refusal_text(refusal)]
    return [Finding("alarm" if is_chosen else "wait", text, refusal.code) for text in texts]
