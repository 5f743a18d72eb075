"""The five kinds of refusal; each names a fact by an English msgid and its parameters, never a translated text or a status."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec


def N_(msgid: str) -> str:  # noqa: N802 -- the name that gettext tools look for
    """Mark a msgid for translation; the domain itself knows no language."""
    return msgid


class FieldError(msgspec.Struct, frozen=True):
    """One field of a form, what is wrong with it and what is expected."""

    field: str
    msgid: str
    params: Mapping[str, Any] = {}


class KaiboError(Exception):
    """A refusal that a person can understand.

    `code` is the stable slug of the fact (`slot-taken`), `extra` holds public members of the answer (ids, alternatives).
    """

    code: ClassVar[str] = "error"
    msgid: ClassVar[str] = N_("This did not work.")

    def __init__(self, msgid: str | None = None, *, extra: Mapping[str, Any] | None = None, **params: Any) -> None:
        self.text = msgid or self.msgid
        self.params: dict[str, Any] = params
        self.extra: dict[str, Any] = dict(extra or {})
        super().__init__(self.text)

    def __str__(self) -> str:
        return f"{self.code}: {self.text} {self.params}"


class NotFound(KaiboError):
    """It does not exist, or is not visible to this actor."""

    code = "not-found"
    msgid = N_("This does not exist, or you cannot see it.")


class Forbidden(KaiboError):
    """It is visible, but this actor may not do that with it."""

    code = "forbidden"
    msgid = N_("You may not do this.")


class Invalid(KaiboError):
    """Fields of the form are wrong; all of them are reported at once."""

    code = "invalid"
    msgid = N_("Some fields need another look.")

    def __init__(self, errors: Sequence[FieldError], msgid: str | None = None) -> None:
        super().__init__(msgid)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return f"{self.code}: " + "; ".join(f"{e.field}: {e.msgid} {dict(e.params)}" for e in self.errors)

    @classmethod
    def field(cls, field: str, msgid: str, **params: Any) -> "Invalid":
        """Return the refusal of one single field."""
        return cls([FieldError(field, msgid, params)])


class Conflict(KaiboError):
    """The request is well formed, but the state of the world refuses it."""

    code = "conflict"


class Stale(Conflict):
    """Somebody changed the row since the actor read it."""

    code = "stale"
    msgid = N_("Somebody changed this meanwhile. Look at the current state and try again.")


class Unavailable(KaiboError):
    """A part that is needed does not answer now; trying again later is right."""

    code = "unavailable"
    msgid = N_("Busy at the moment. Nothing was changed; try again in a few seconds.")

    def __init__(self, msgid: str | None = None, *, retry_after_s: int = 2, **params: Any) -> None:
        super().__init__(msgid, **params)
        self.retry_after_s = retry_after_s


class NoRoom(Unavailable):
    """The server has no disk or memory left for a write; somebody has to make room."""

    code = "no-room"
    msgid = N_("Nothing was saved: the server’s disk is full. Tell the administrator; everything that was there before is safe.")
