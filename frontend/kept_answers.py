"""Answers are kept for a day by idempotency key, then forgotten."""

from incubator.ground import database

KEPT_FOR = "24 hours"


async def forget_old() -> int:
    """Delete what is older than a day, and return how many; runs by job."""
    return await database.execute(f"DELETE FROM kept_answers WHERE kept_at < now() - interval '{KEPT_FOR}'")
