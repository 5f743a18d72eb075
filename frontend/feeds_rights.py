"""Looks again who somebody is that keeps a line open: rights end while it stays."""

import asyncio

from booking.checkin import queries as checkin
from frontend.auth import Who
from incubator.accounts import queries as accounts
from incubator.ground import database
from incubator.ground.rights import Actor

PATIENCE_S = 3.0  # with the database: a frozen one says nothing and closes nothing


async def identify_again(found: Who) -> Actor | None:
    """Return who this is now, with the rights of now; None after signing out, or when the tablet was revoked.

    None too for whoever came with an API token: it is not kept, and a program opens its line anew.
    """
    request_id = found.actor.request_id
    if found.means == "cookie":
        session = await accounts.by_cookie(found.token, request_id)
        return None if session is None else session.actor
    if found.means == "device":
        return await checkin.device_actor(found.token, request_id)
    return None


async def may_stay(found: Who) -> bool:
    """Tell whether somebody is still signed in; while the database does not answer, nobody is sent away."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await identify_again(found) is not None
    except (*database.LOST, *database.BUSY):
        return True
