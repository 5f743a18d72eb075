"""Password hashes (Argon2id, RFC 9106), always computed in a thread: one takes a tenth of a second of a core."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

hasher = PasswordHasher()
SHORTEST = 8
LONGEST = 200


async def hashed(password: str) -> str:
    """Return the hash to keep."""
    return await asyncio.to_thread(hasher.hash, password)


async def matches(password: str, kept: str | None) -> bool:
    """Tell whether the password fits; with no kept hash the same work is done, so that timing tells nothing."""
    if kept is None:
        await asyncio.to_thread(hasher.hash, password)
        return False
    try:
        return await asyncio.to_thread(hasher.verify, kept, password)
    except (VerificationError, InvalidHashError):
        return False
