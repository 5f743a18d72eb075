"""Every route of the product, page by page and API by API; a test holds docs/roles.md against this list."""

from collections.abc import Sequence
from typing import Any

from frontend import feeds_days
from frontend.api import (
    live_sessions as api_live_sessions,
    reservations as api_reservations,
    sign_in as api_sign_in,
    spaces as api_spaces,
)
from frontend.pages import (
    closures,
    devices,
    grid,
    home,
    invitations,
    jobs,
    live_session,
    merchants,
    notices,
    phone_booking,
    reservations,
    rigs,
    sign_in,
    tablet,
)

HANDLERS: Sequence[Any] = (
    *api_live_sessions.HANDLERS,
    *api_reservations.HANDLERS,
    *api_sign_in.HANDLERS,
    *api_spaces.HANDLERS,
    *closures.HANDLERS,
    *devices.HANDLERS,
    *feeds_days.HANDLERS,
    *grid.HANDLERS,
    *home.HANDLERS,
    *invitations.HANDLERS,
    *jobs.HANDLERS,
    *live_session.HANDLERS,
    *merchants.HANDLERS,
    *notices.HANDLERS,
    *phone_booking.HANDLERS,
    *reservations.HANDLERS,
    *rigs.HANDLERS,
    *sign_in.HANDLERS,
    *tablet.HANDLERS,
)
