"""Bodies in the description of the API: handlers read them by themselves, so that every error speaks the reader's language."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody


def taking(kind: type[msgspec.Struct], *, required: bool = True) -> type[Operation]:
    """Return the operation class of a route that takes this struct as JSON."""
    _, components = msgspec.json.schema_components([kind])
    schema: Any = components[kind.__name__]

    @dataclass
    class TakingOperation(Operation):
        """An operation with its body."""

        def __post_init__(self) -> None:
            """Describe the body."""
            media = OpenAPIMediaType(schema=schema)
            self.request_body = RequestBody(content={"application/json": media}, required=required)

    return TakingOperation
