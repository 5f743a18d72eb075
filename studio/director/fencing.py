"""The fence inside OBS: who owns the rig stands in OBS itself, and is read back before anything is armed or started."""

from typing import Any

from studio.director.held import Held
from studio.obs.port import ObsLink

SLOT = "kaibo-owner"


class FenceLost(Exception):
    """A later owner has written its fence into this OBS, or another installation took it."""


def is_later(found: Any, rig_uid: str, fence: int) -> bool:
    """Tell whether the note found in OBS is of a later owner of the same rig."""
    return isinstance(found, dict) and found.get("rig") == rig_uid and int(found.get("fence", 0)) > fence


async def claim(held: Held, link: ObsLink) -> None:
    """Write our fence into OBS and see it there; a note of another installation gives way.

    Raises:
        FenceLost: a later owner was here.
        ObsError: as the link's verbs.
    """
    mine = held.note()
    if is_later(await link.read_note(SLOT), mine["rig"], held.lease.fence):
        raise FenceLost("a later owner was here first")
    await link.write_note(SLOT, mine)
    if await link.read_note(SLOT) != mine:
        raise FenceLost("the fence did not stay")


async def check(held: Held) -> None:
    """See that our fence still stands in OBS; asked before each arm and start.

    Raises:
        FenceLost: it does not; the rig was dropped.
        ObsError: as the link's verbs.
    """
    if await held.link.read_note(SLOT) != held.note():
        held.drop("another fence stands in OBS")
        raise FenceLost("another fence stands in OBS")
