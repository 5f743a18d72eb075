"""What takes a change back: a form of one button, which scripts show as a toast for eight seconds."""

from collections.abc import Mapping

import msgspec


class Undo(msgspec.Struct, frozen=True):
    """A form that takes a change back."""

    action: str
    fields: Mapping[str, str]
