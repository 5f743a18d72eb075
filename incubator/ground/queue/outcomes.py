"""What became of a job: a code with its figures, kept as text in the job's row; pages put it into words."""

from typing import NewType

Outcome = NewType("Outcome", str)


def outcome(code: str, **figures: int | str) -> Outcome:
    """Return an outcome; `code` has words on the page of the queue, and neither code nor figures hold spaces."""
    return Outcome(" ".join((code, *(f"{name}={value}" for name, value in figures.items()))))


def parts_of(text: str) -> tuple[str, dict[str, str]]:
    """Return code and figures of what a row holds; of text that is no outcome, the first word and nothing."""
    code, *figures = text.split(" ") if text else [""]
    pairs = [figure.partition("=") for figure in figures]
    return (code, {name: value for name, _, value in pairs}) if all(sign for _, sign, _ in pairs) else (text, {})
