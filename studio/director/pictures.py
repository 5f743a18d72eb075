"""Pictures of the scenes: one grabber per rig for all who look, slow when nobody watches, slowest when OBS is busy."""

import asyncio
from typing import Any

import structlog
from redis.asyncio import Redis

from incubator.ground import clock
from studio.director import wire
from studio.director.held import Held, Taken
from studio.obs.errors import ObsError

log = structlog.get_logger()
SHARE = 0.12  # of the time may be spent on pictures
FASTEST_S = 0.5
SLOWEST_S = 5.0
LAGGING_S = 10.0  # one picture costs a few frames, which even an OBS that has none to spare can lose this seldom
WIDTH_PORTRAIT = 180
WIDTH_LANDSCAPE = 320  # the scene on program is shown twice as large, and taken so
PROGRAM_EVERY = 3
SHORTEST_LIFE_S = 60
ROUNDS = 2  # a picture outlives one that OBS refused
FETCH_S = 5.0  # so long a page that was told of a picture surely finds it


def pause_after(took_s: float, scenes: int, is_watched: bool, is_lagging: bool = False) -> float:
    """Return the wait before the next picture: 0.2 to 2 per second and scene, by what one costs, slow when nobody looks.

    While OBS skips frames it is one each 10 s, however many scenes there are.
    """
    if is_lagging:
        return LAGGING_S
    slowest = SLOWEST_S / max(scenes, 1)
    if not is_watched:
        return slowest
    fastest = FASTEST_S / max(scenes, 1)
    return min(max(took_s / SHARE - took_s, fastest), slowest)


def life_s(scenes: int) -> int:
    """Return how long a picture is kept: until its scene's turn comes again, also at the slowest pace."""
    round_s = LAGGING_S * max(scenes, 1) * PROGRAM_EVERY / (PROGRAM_EVERY - 1)
    return max(SHORTEST_LIFE_S, int(ROUNDS * round_s))


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
            if not held.is_online or loop.time() < held.busy_until:
                await asyncio.sleep(0.2)
                continue
            began = loop.time()
            await self._grab()
            await asyncio.sleep(pause_after(loop.time() - began, len(held.mirror.scenes), held.watched, held.mirror.is_lagging))

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
            life, began = life_s(len(held.mirror.scenes)), asyncio.get_running_loop().time()
            await self._redis.set(wire.picture_key(held.rig_id, index), body, ex=life)
        except (ObsError, IndexError, *wire.AWAY) as error:
            log.debug("no picture", rig=held.rig_id, why=type(error).__name__)
            await asyncio.sleep(FASTEST_S)
            return
        held.pictures[index] = Taken(scene, session, self._version(index, body), began + life - FETCH_S)

    def _version(self, index: int, body: bytes) -> int:
        """Return when this picture was taken first, in milliseconds: pages ask again for another one only."""
        held = self._held
        if self._kept.get(index) != body or index not in held.pictures:
            self._kept[index] = body
            return int(clock.now().timestamp() * 1000)
        return held.pictures[index].version
