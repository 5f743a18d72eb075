"""Every route of the product, page by page and API by API; a test holds docs/roles.md against this list."""

from collections.abc import Sequence
from typing import Any

from frontend import feeds_days
from frontend.api import sign_in as api_sign_in
from frontend.pages import (
    devices,
    grid,
    home,
    jobs,
    live_session,
    notices,
    phone_booking,
    reservations,
    rigs,
    sign_in,
    tablet,
)

HANDLERS: Sequence[Any] = (
    *api_sign_in.HANDLERS,
    *devices.HANDLERS,
    *feeds_days.HANDLERS,
    *grid.HANDLERS,
    *home.HANDLERS,
    *jobs.HANDLERS,
    *live_session.HANDLERS,
    *notices.HANDLERS,
    *phone_booking.HANDLERS,
    *reservations.HANDLERS,
    *rigs.HANDLERS,
    *sign_in.HANDLERS,
    *tablet.HANDLERS,
)
