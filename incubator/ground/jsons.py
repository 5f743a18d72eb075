"""JSON in and out of jsonb columns and wires, with one encoder for all."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_encoder = msgspec.json.Encoder(order="sorted")


def dumps(value: Any) -> str:
    """Return compact JSON text with sorted keys."""
    return _encoder.encode(value).decode()


def loads(text: str | bytes | None) -> Any:
    """Return the value of a JSON text; None for None."""
    return None if text is None else msgspec.json.decode(text)


def typed(text: str | bytes, kind: type[T]) -> T:
    """Return the value as that type.

    Raises:
        msgspec.ValidationError: it has another shape.
    """
    return msgspec.json.decode(text, type=kind)
