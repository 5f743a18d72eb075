"""Every route of the product, page by page and API by API; an architecture test holds docs/roles.md against this list."""

from collections.abc import Sequence
from typing import Any

HANDLERS: Sequence[Any] = ()
