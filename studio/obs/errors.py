"""What can go wrong between the director and one OBS, as types that a caller can tell apart."""

from typing import ClassVar, Final


class ObsError(Exception):
    """Base of everything this package raises on purpose."""


class Unreachable(ObsError):
    """No connection came about: nobody listens, no such host, no answer in time, or something else than OBS answers."""


class LinkRefused(ObsError):
    """OBS answered and does not want us; trying again by itself cannot help. `code` is what the house calls it."""

    code: ClassVar[str]

    def __init__(self, close_code: int, reason: str = "") -> None:
        super().__init__(f"OBS closed the connection with {close_code} {reason}".rstrip())
        self.close_code = close_code
        self.reason = reason


class WrongPassword(LinkRefused):
    """Close code 4009."""

    code = "wrong_password"


class WrongVersion(LinkRefused):
    """Close code 4010: this OBS does not speak version 1 of the protocol."""

    code = "wrong_version"


class Kicked(LinkRefused):
    """Close code 4011: a person at the room's computer threw us out; a person has to let us in again."""

    code = "kicked"


class LinkLost(ObsError):
    """The connection ended; with `sent` the request may or may not have been carried out, without it certainly not."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class NotSent(ObsError):
    """The request waited its whole time behind others and never left; nothing has happened."""


class Dropped(NotSent):
    """The request was still waiting when a panic overtook it, and was thrown away."""


class AnswerTimeout(ObsError):
    """The request left and no answer came in time: its outcome is unknown, never "failed"."""


class BadAnswer(ObsError):
    """OBS answered something that the protocol does not allow."""


class OutputUnsettled(ObsError):
    """An output did not reach the wanted state in time."""


class ObsRefused(ObsError):
    """OBS carried out nothing and gave a status code."""

    def __init__(self, request: str, code: int, comment: str = "") -> None:
        super().__init__(f"{request}: {code} {comment}".rstrip())
        self.request = request
        self.code = code
        self.comment = comment


class UnknownRequest(ObsRefused):
    """204: this version of OBS does not know the request."""


class NotReady(ObsRefused):
    """207: OBS is starting, stopping or changing its scene collection; the same request may succeed later."""


class OutOfRange(ObsRefused):
    """402: a value is outside what OBS accepts."""


class OutputRunning(ObsRefused):
    """500: not while the output runs."""


class OutputNotRunning(ObsRefused):
    """501: the output does not run (also said of one that is just starting)."""


class NotFoundInObs(ObsRefused):
    """600: no scene, input or slot of that name."""


class InvalidState(ObsRefused):
    """604: the thing exists and cannot do that, for example sound of an input without sound."""


class OutputMissing(ObsRefused):
    """This OBS has no such output: a virtual camera without its driver answers 604, a build without it 204."""


_BY_CODE: Final[dict[int, type[ObsRefused]]] = {
    204: UnknownRequest,
    207: NotReady,
    402: OutOfRange,
    500: OutputRunning,
    501: OutputNotRunning,
    600: NotFoundInObs,
    604: InvalidState,
}

_BY_CLOSE_CODE: Final[dict[int, type[LinkRefused]]] = {4009: WrongPassword, 4010: WrongVersion, 4011: Kicked}


def refused(request: str, code: int, comment: str = "") -> ObsRefused:
    """Return the error for a status code, as the narrowest type known."""
    return _BY_CODE.get(code, ObsRefused)(request, code, comment)


def closed(close_code: int, reason: str = "") -> LinkRefused | None:
    """Return the error for a close code after which no retry may follow, None for all others."""
    kind = _BY_CLOSE_CODE.get(close_code)
    return kind(close_code, reason) if kind else None
