"""The profiles of one OBS: each keeps a stream destination of its own, so a key may lie in one that is not in force."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from studio.obs.errors import refused
from studio.obs.port import ObsLink, Step

NOTE: Final = "kaibo-key-profiles"  # kept by OBS outside of its profiles, so that the next owner of the room finds it too


class Profiles(msgspec.Struct, frozen=True):
    """The profile in force, and all that there are."""

    current: str
    names: tuple[str, ...]


class KeyNote(msgspec.Struct, frozen=True):
    """Which profiles may hold a key of ours, and the one to go back to when wiping them was cut short ("" = it was not)."""

    profiles: tuple[str, ...] = ()
    back: str = ""


async def read_profiles(link: ObsLink) -> Profiles:
    """Read which profile is in force. Raises: what the link's verbs raise."""
    found = await _carry(link, Step("GetProfileList"))
    return Profiles(found["currentProfileName"], tuple(found["profiles"]))


async def note_key(link: ObsLink) -> None:
    """Write into OBS that the profile in force is about to hold a key, before it does. Raises: what the link's verbs raise."""
    note = await _read_note(link)
    current = (await read_profiles(link)).current
    if current not in note.profiles:
        await _write_note(link, KeyNote((*note.profiles, current), note.back))


async def wipe_noted(link: ObsLink, *, may_switch: bool) -> tuple[str, ...]:
    """Wipe the noted profiles that are not in force, and return those that may still hold a key.

    The one in force has been wiped by the caller. A profile can only be reached by putting it in force for a moment, which
    nothing that runs would survive: `may_switch` tells whether nothing does. Raises: what the link's verbs raise.
    """
    note = await _read_note(link)
    if note == KeyNote():
        return ()
    found = await read_profiles(link)
    left = tuple(name for name in note.profiles if name != found.current and name in found.names)
    back = note.back if note.back in found.names else found.current
    if not may_switch and (left or back != found.current):
        return left
    if left:
        await _write_note(link, KeyNote(note.profiles, back))
    left = await _wipe_each(link, left)
    if (await read_profiles(link)).current != back:
        await link.switch_profile(back)
    await _write_note(link, KeyNote(left))
    return left


async def _wipe_each(link: ObsLink, names: Sequence[str]) -> tuple[str, ...]:
    """Wipe profiles one after another, and return those that are not proven empty."""
    left = []
    for name in names:
        await link.switch_profile(name)
        await link.wipe_destination()
        is_there = (await read_profiles(link)).current == name
        if not is_there or not (await link.read_destination()).empty:
            left.append(name)
    return tuple(left)


async def _read_note(link: ObsLink) -> KeyNote:
    found = await link.read_note(NOTE)
    if found is None:
        return KeyNote()
    note = msgspec.convert(found, KeyNote)
    return KeyNote(tuple(unquote(name) for name in note.profiles), unquote(note.back))


async def _write_note(link: ObsLink, note: KeyNote) -> None:
    """Write the names in ASCII: OBS 29 gives all other characters of a note back garbled, and no profile has such a name."""
    await link.write_note(NOTE, {"profiles": [quote(name) for name in note.profiles], "back": quote(note.back)})


async def _carry(link: ObsLink, step: Step) -> dict[str, Any]:
    result = (await link.run_steps([step]))[0]
    if not result.done:
        raise refused(result.request, result.code, result.comment)
    return result.data
