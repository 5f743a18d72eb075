"""Keeps stream keys, passwords and authentication out of what the protocol libraries log."""

import logging
import re
from typing import Final

LOGGERS: Final = ("obswebsocket", "obswebsocket.core", "websocket")
_SECRET: Final = re.compile(
    r"""(?P<name>["'](?:key|password|username|server|authentication|challenge|salt|slotValue)["']\s*:\s*)"""
    r"""(?P<quote>["'])(?:\\.|(?!(?P=quote)).)*(?P=quote)""",
    re.DOTALL,
)


class Redaction(logging.Filter):
    """Masks every secret field in a message before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place and let it pass."""
        record.msg = redact(record.getMessage())
        record.args = None
        return True


def redact(text: str) -> str:
    """Return the text with the values of all secret fields masked."""
    return _SECRET.sub(r"\g<name>\g<quote>***\g<quote>", text)


def quieten() -> None:
    """Let the libraries speak from WARNING on only, and through the mask; repeating it changes nothing."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        if not any(isinstance(one, Redaction) for one in logger.filters):
            logger.addFilter(Redaction())
