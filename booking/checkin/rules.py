"""Pairing codes and the patience of a keypad."""

import secrets
from datetime import timedelta

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that reads as something else
PAIRING = timedelta(minutes=10)
MOST_MISSES = 5
FIRST_REST, LONGEST_REST = timedelta(minutes=2), timedelta(minutes=30)
FORGIVEN = timedelta(hours=12)
TOLD_FROM = 2


def rest(number: int) -> timedelta:
    """Return how long the keypad rests the n-th time in a row: 2, 4, 8, 16, then 30 minutes, so 35 guesses in 2.5 hours."""
    return min(FIRST_REST * (1 << min(number, 10) - 1), LONGEST_REST)


def new_code() -> str:
    """Return a pairing code such as `K7-P2`."""
    letters = [secrets.choice(ALPHABET) for _ in range(4)]
    return f"{letters[0]}{letters[1]}-{letters[2]}{letters[3]}"


def as_typed(code: str) -> str:
    """Return a pairing code as it is kept, however it was typed."""
    bare = "".join(c for c in code.upper() if c.isalnum())
    return f"{bare[:2]}-{bare[2:]}"
