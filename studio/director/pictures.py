"""Pictures of the scenes: one grabber per rig for all who look, slow when OBS is busy or nobody watches."""

import asyncio
from typing import Any

import structlog
from redis.asyncio import Redis

from incubator.ground import clock
from studio.director import wire
from studio.director.held import Held
from studio.obs.errors import ObsError

log = structlog.get_logger()
SHARE = 0.12  # of the time may be spent on pictures
FASTEST_S = 0.5
SLOWEST_S = 5.0
LAGGING_PERCENT = 2.0
WIDTH_PORTRAIT = 180
WIDTH_LANDSCAPE = 320  # the scene on program is shown twice as large, and taken so
PROGRAM_EVERY = 3


def pause_after(took_s: float, scenes: int, is_watched: bool) -> float:
    """Return the wait before the next picture: 0.2 to 2 per second and scene, by what one costs, slow when nobody looks."""
    slowest = SLOWEST_S / max(scenes, 1)
    if not is_watched:
        return slowest
    fastest = FASTEST_S / max(scenes, 1)
    return min(max(took_s / SHARE - took_s, fastest), slowest)


class Pictures:
    """One grabber per rig for all who look: scenes in turn, the one on program more often, lowest rank on the link."""

    def __init__(self, held: Held, redis: Redis) -> None:
        self._held = held
        self._redis: Any = redis
        self._kept: dict[int, bytes] = {}
        self._turn = 0

    async def grab_for_ever(self) -> None:
        """Take one picture after another while the link has time for it."""
        held = self._held
        loop = asyncio.get_running_loop()
        while not held.is_dropped:
            if not held.is_online or loop.time() < held.busy_until or held.mirror.render_lag_percent > LAGGING_PERCENT:
                await asyncio.sleep(0.2 if held.mirror.render_lag_percent <= LAGGING_PERCENT else SLOWEST_S)
                continue
            began = loop.time()
            await self._grab()
            await asyncio.sleep(pause_after(loop.time() - began, len(held.mirror.scenes), held.watched))

    def _next(self) -> int | None:
        scenes = self._held.mirror.scenes
        if not scenes:
            return None
        self._turn += 1
        if self._turn % PROGRAM_EVERY == 0 and self._held.mirror.program in scenes:
            return scenes.index(self._held.mirror.program)
        return (self._turn - self._turn // PROGRAM_EVERY) % len(scenes)

    async def _grab(self) -> None:
        held = self._held
        index = self._next()
        if index is None:
            return
        facts = held.mirror.facts
        width = WIDTH_PORTRAIT if facts is None or facts.portrait else WIDTH_LANDSCAPE
        scene = held.mirror.scenes[index]
        before = held.audience()
        try:
            picture = await held.link.screenshot(scene, width=width * (2 if scene == held.mirror.program else 1))
            session = before if held.audience() == before else 0  # taken while the room changed hands: nobody's
            body = wire.encode_picture(wire.Picture(picture.content_type, picture.data, session))
            await self._redis.set(wire.picture_key(held.rig_id, index), body, ex=wire.PICTURE_LIFE_S)
        except (ObsError, IndexError, *wire.AWAY) as error:
            log.debug("no picture", rig=held.rig_id, why=type(error).__name__)
            await asyncio.sleep(FASTEST_S)
            return
        self._mark(index, body)

    def _mark(self, index: int, body: bytes) -> None:
        """Tell the pages that a picture is another one; it goes out with the next snapshot."""
        times = self._held.pictures_at
        times += [0] * (len(self._held.mirror.scenes) - len(times))
        if self._kept.get(index) != body and index < len(times):
            self._kept[index] = body
            times[index] = int(clock.now().timestamp() * 1000)
