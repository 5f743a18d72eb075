"""What may be entered for a rig, and which of OBS's scenes is meant for stand-by."""

from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlsplit

from incubator.ground.errors import N_, FieldError

OVERRUN_MIN = 5  # how long after its end a session is stopped, unless a rig says otherwise
LONGEST_SCENE = 200
STAND_BY_WORDS = ("稍后", "稍候", "待机", "马上回来", "stand-by", "stand by", "standby", "back soon", "brb")


class Driver(StrEnum):
    """What stands behind a rig."""

    OBS = "obs"
    SIMULATED = "simulated"


class Cleanliness(StrEnum):
    """What may be left of a merchant in the room's OBS."""

    CLEAN = "clean"
    ARMED = "armed"
    UNCLEAN = "unclean"
    ACCOUNT_OPEN = "account_open"


def address_error(driver: str, address: str) -> FieldError | None:
    """Return what is wrong with the address of an OBS, None when it can be used."""
    if driver == Driver.SIMULATED:
        return None
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme == "ws" and bool(parts.hostname) and parts.port is not None
        # whatever else an address can carry is no secret here: every reader of the rig's page sees it
        is_usable = is_usable and "@" not in parts.netloc and parts.path in {"", "/"} and not parts.query and not parts.fragment
    except ValueError:
        is_usable = False
    if is_usable:
        return None
    return FieldError("address", N_("Give the address of OBS as ws://computer:4455."))


def range_error(field: str, value: int, low: int, high: int) -> FieldError | None:
    """Return what is wrong with a number, None when it lies from `low` to `high`."""
    if low <= value <= high:
        return None
    return FieldError(field, N_("Give a number from {low} to {high}."), {"low": low, "high": high})


def length_error(field: str, text: str, most: int) -> FieldError | None:
    """Return what is wrong with a name that OBS gave, None when it is not longer than this; it is kept letter for letter."""
    if len(text) <= most:
        return None
    return FieldError(field, N_("At most {most} characters; this has {count}."), {"most": most, "count": len(text)})


def stand_by_scene(chosen: str, scenes: Sequence[str]) -> str | None:
    """Return the scene that covers the picture: the chosen one, or the first that is named like one; None: there is none."""
    if chosen:
        return chosen if chosen in scenes else None
    return next((scene for scene in scenes if any(word in scene.lower() for word in STAND_BY_WORDS)), None)
