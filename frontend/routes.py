"""Every route of the product, page by page and API by API; a test holds docs/roles.md against this list."""

from collections.abc import Sequence
from typing import Any

from frontend.api import sign_in as api_sign_in
from frontend.pages import jobs, notices, sign_in

HANDLERS: Sequence[Any] = (
    *api_sign_in.HANDLERS,
    *jobs.HANDLERS,
    *notices.HANDLERS,
    *sign_in.HANDLERS,
)
