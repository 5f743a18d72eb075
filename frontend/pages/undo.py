"""What takes a change back: a form of one button, which scripts show as a toast for eight seconds."""

from collections.abc import Mapping

import msgspec


class Undo(msgspec.Struct, frozen=True):
    """A form that takes a change back; `text` is what its button says, empty for the plain word."""

    action: str
    fields: Mapping[str, str]
    text: str = ""
