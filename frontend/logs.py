"""Structured logs with the request id; values under secret-looking names never reach them."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAMES = ("password", "token", "key", "secret", "server", "authorization", "cookie")


def without_secrets(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of anything that is named like a secret."""
    for name in event:
        if any(word in name.lower() for word in SECRET_NAMES) and name not in ("once_key", "key_state"):
            event[name] = "***"
    return event


def configure(*, as_json: bool) -> None:
    """Set up logging of this process: one line per event on standard error."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback)  # the rich one prints local variables, tokens too
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S"),
            without_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    # the pool writes a traceback per try while the database is away; the processes say it once themselves
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    # at DEBUG the protocol library would write stream keys
    logging.getLogger("obswebsocket").setLevel(logging.WARNING)
