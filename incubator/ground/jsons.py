"""JSON in and out of jsonb columns and wires, with one encoder for all."""

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def dumps(value: Any) -> str:
    """Return compact JSON text with sorted keys."""
    return _encoder.encode(value).decode()


def loads(text: str | bytes | None) -> Any:
    """Return the value of a JSON text; None for None."""
    return None if text is None else msgspec.json.decode(text)
