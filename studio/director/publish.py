"""What the web sees of a rig: full snapshots at each change and every second, levels, pictures of the scenes."""

import asyncio
import math
from typing import Any

import structlog
from redis.asyncio import Redis

from incubator.ground import clock
from studio.director import wire
from studio.director.held import Held
from studio.director.wire import LevelNow, LinkNow, MetersNow, PlanNow, RigSnapshot, StatsNow
from studio.obs.errors import ObsError
from studio.obs.port import LinkState, Meters, OutputKind
from studio.rigs.rules import stand_by_scene

log = structlog.get_logger()
GAP_S = 0.015  # changes within this time go out as one
METERS_UNHEARD_S = 1.0


class Publisher:
    """Sends one rig's state out; whoever cannot hear it in time gets the next one."""

    def __init__(self, held: Held, redis: Redis) -> None:
        self._held = held
        self._redis: Any = redis  # typed for both kinds of client
        self._version = 0
        self._levels_busy = False
        self._levels_rest_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def snapshot(self) -> RigSnapshot:
        """Return the state of this moment under a new version."""
        held = self._held
        mirror = held.mirror
        rig = held.wanted.rig
        self._version += 1
        facts = mirror.facts
        return RigSnapshot(
            rig=rig.id, rig_uid=rig.uid, driver=rig.driver, fence=held.lease.fence, epoch=mirror.epoch, version=self._version,
            at=clock.now(), link=self._link(), canvas_width=facts.canvas_width if facts else rig.canvas_width,
            canvas_height=facts.canvas_height if facts else rig.canvas_height,
            stand_by_scene=stand_by_scene(rig.stand_by_scene, mirror.scenes) or "", audio_through_obs=rig.audio_through_obs,
            scenes=mirror.scenes, program=mirror.program, inputs=tuple(mirror.inputs.values()),
            stream=mirror.outputs[OutputKind.STREAM], record=mirror.outputs[OutputKind.RECORD],
            virtual_camera=mirror.outputs[OutputKind.VIRTUAL_CAMERA], stats=self._stats(), studio_mode=mirror.studio_mode,
            panic=held.panic, plan=self._plan(), obs_version=facts.obs_version if facts else "",
            websocket_version=facts.websocket_version if facts else "", pictures_at=tuple(held.pictures_at),
            database_away=held.database_away,
        )

    def _link(self) -> LinkNow:
        held = self._held
        status = held.keeper.status
        state = status.state
        if state is LinkState.ONLINE and not held.is_online:
            state = LinkState.SYNCING
        link = held.keeper.link
        heard = link.last_heard_s if link is not None else math.inf
        return LinkNow(state.value, round(heard, 1) if heard < 1e6 else -1.0, status.reason)

    def _stats(self) -> StatsNow:
        mirror = self._held.mirror
        if mirror.stats is None:
            return StatsNow()
        rate = mirror.record_bytes_s
        left = int(mirror.stats.disk_free_mb * 1_000_000 / rate / 60) if rate > 0 else None
        stats = mirror.stats
        return StatsNow(round(stats.fps, 1), round(stats.cpu_percent, 1), round(stats.disk_free_mb), mirror.kbit_s,
                        mirror.dropped_percent, left)

    def _plan(self) -> PlanNow:
        held = self._held
        state, code, detail = held.report
        plan = held.wanted.plan
        if plan is None or (held.plan is None and state not in {"clean", "cleaning"}):
            return PlanNow(state="idle")
        return PlanNow(
            session=plan.session, session_uid=plan.session_uid, output=plan.output, state=state, code=code, detail=detail,
            cut_off_at=plan.cut_off_at, key_shown=plan.key_shown, is_armed=held.armed_mark is not None,
            controller=plan.controller, controller_person=plan.controller_person, controller_device=plan.controller_device,
            asked_by=plan.asked_by, asked_person=plan.asked_person, asked_device=plan.asked_device, asked_at=plan.asked_at,
            version=plan.version,
        )

    async def publish_for_ever(self) -> None:
        """Publish at each change, at most every 15 ms, and at least every second."""
        held = self._held
        while not held.is_dropped:
            held.changed.clear()
            await self._publish()
            await asyncio.sleep(GAP_S)
            try:
                await asyncio.wait_for(held.changed.wait(), wire.SNAPSHOT_EVERY_S - GAP_S)
            except TimeoutError:
                continue

    async def _publish(self) -> None:
        held = self._held
        body = wire.encode(self.snapshot())
        pipe = self._redis.pipeline(transaction=False)
        pipe.publish(wire.snapshot_channel(held.rig_id), body)
        pipe.set(wire.snapshot_key(held.rig_id), body, ex=wire.SNAPSHOT_LIFE_S)
        pipe.sadd(wire.fences_key(held.rig_id), held.lease.fence)
        pipe.expire(wire.fences_key(held.rig_id), wire.FENCES_LIFE_S)
        try:
            held.watched = (await pipe.execute())[0] > 0
        except wire.AWAY as error:
            log.warning("snapshot not published", rig=held.rig_id, why=type(error).__name__)
            await asyncio.sleep(0.2)

    def levels(self, meters: Meters) -> None:
        """Send levels, unless the last ones are still on their way or nobody listens."""
        now = asyncio.get_running_loop().time()
        if self._levels_busy or now < self._levels_rest_until or not self._held.watched:
            return
        self._levels_busy = True
        task = asyncio.create_task(self._send_levels(meters, now))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_levels(self, meters: Meters, now: float) -> None:
        body = MetersNow(tuple(LevelNow(one.input, round(one.magnitude_db, 1), round(one.peak_db, 1)) for one in meters.levels))
        try:
            heard = await self._redis.publish(wire.meters_channel(self._held.rig_id), wire.encode(body))
            self._levels_rest_until = 0.0 if heard else now + METERS_UNHEARD_S
        except wire.AWAY:
            self._levels_rest_until = now + METERS_UNHEARD_S
        finally:
            self._levels_busy = False

    async def leave(self) -> None:
        """Forget our fence at a clean end; the snapshot goes stale by its own TTL."""
        try:
            await self._redis.srem(wire.fences_key(self._held.rig_id), self._held.lease.fence)
        except wire.AWAY:
            log.info("fence not forgotten", rig=self._held.rig_id)


SHARE = 0.12  # of the time may be spent on pictures
FASTEST_S = 0.5
SLOWEST_S = 5.0
LAGGING_PERCENT = 2.0
WIDTH_PORTRAIT = 180
WIDTH_LANDSCAPE = 320
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
        try:
            picture = await held.link.screenshot(held.mirror.scenes[index], width=width)
            body = picture.content_type.encode() + b"\n" + picture.data
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
