"""Long lists go out page by page: how many at once, and the cursor with which the next page is asked for."""

import base64
import binascii
from collections.abc import Mapping

from litestar.openapi.spec import Parameter

from frontend.api.bodies import LARGEST
from frontend.api.operations import at_query
from frontend.views import whole
from incubator.ground.errors import N_, Invalid

LONGEST_PAGE = 200
CURSOR = at_query("cursor", "The `next` of the page before.", {"type": "string"})
Place = tuple[int, str]


def limit_query(usual: int) -> Parameter:
    """Return the parameter that says how many come at once."""
    bounds = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE}
    return at_query("limit", f"How many at once, {usual} unless told.", bounds)


def limit_of(given: Mapping[str, str], usual: int) -> int:
    """Return how many are asked for at once.

    Raises:
        Invalid: no number from 1 to 200.
    """
    text = given.get("limit")
    if text is None:
        return usual
    if not (found := whole(text)) or found > LONGEST_PAGE:
        raise Invalid.field("limit", N_("Choose a number from {least} to {most}."), least=1, most=LONGEST_PAGE)
    return found


def bad_cursor() -> Invalid:
    """Return the refusal of a cursor that we never gave."""
    return Invalid.field("cursor", N_("Give the `next` of the page before."))


def cursor_at(place: Place) -> str:
    """Return the cursor behind a place of the fixed order: its rank, and its code among those of one rank."""
    return base64.urlsafe_b64encode(f"{place[0]}|{place[1]}".encode()).decode()


def place_of(given: Mapping[str, str]) -> Place | None:
    """Return the place behind which the page begins, None for the first page.

    Raises:
        Invalid: a cursor that we never gave.
    """
    text = given.get("cursor")
    if text is None:
        return None
    try:
        rank, divider, code = base64.urlsafe_b64decode(text).decode().partition("|")
        place = int(rank), code
    except (ValueError, binascii.Error) as error:
        raise bad_cursor() from error
    if not divider or "\x00" in code or abs(place[0]) > LARGEST or cursor_at(place) != text:
        raise bad_cursor()
    return place
