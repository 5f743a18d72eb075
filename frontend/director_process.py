"""The director process: owns the rooms' OBS until SIGTERM; the stream goes on when it ends."""

import asyncio
import signal

import structlog

from frontend.composition import House, open_house
from incubator.ground import database
from incubator.ground.errors import KaiboError
from incubator.ground.settings import Settings
from studio.director.director import Director
from studio.rigs.service import bind_demo_obs

log = structlog.get_logger()
CONNECTIONS = 8


async def _bind_demo(house: House) -> None:
    """Bind room 1 to the OBS that the environment names, at every start."""
    url = house.settings.demo_obs_url
    if url is None:
        return
    try:
        await bind_demo_obs(url, house.settings.demo_obs_password)
    except (KaiboError, *database.LOST) as error:
        log.warning("room 1 was not bound to the OBS of KAIBO_DEMO_OBS_URL", why=str(error))


async def direct(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then leases are released, so another director takes over at once."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings, connections=CONNECTIONS) as house:
        await _bind_demo(house)
        await Director(house.redis, settings.data, settings.zones).run(stop)
