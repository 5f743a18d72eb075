"""What the web sees of a rig: full snapshots at each change and every second, and sound levels."""

import asyncio
import math
from typing import Any

import structlog
from redis.asyncio import Redis

from incubator.ground import clock
from studio.director import wire
from studio.director.held import Held
from studio.director.wire import LevelNow, LinkNow, MetersNow, PlanNow, RigSnapshot, StatsNow
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
            rig=rig.id, driver=rig.driver, fence=held.lease.fence, epoch=mirror.epoch, version=self._version,
            at=clock.now(), link=self._link(), canvas_width=facts.canvas_width if facts else rig.canvas_width,
            canvas_height=facts.canvas_height if facts else rig.canvas_height,
            stand_by_scene=stand_by_scene(rig.stand_by_scene, mirror.scenes) or "", audio_through_obs=rig.audio_through_obs,
            scenes=mirror.scenes, program=mirror.program, inputs=tuple(mirror.inputs.values()),
            stream=mirror.outputs[OutputKind.STREAM], record=mirror.outputs[OutputKind.RECORD],
            virtual_camera=mirror.outputs[OutputKind.VIRTUAL_CAMERA], stats=self._stats(), studio_mode=mirror.studio_mode,
            panic=held.panic, plan=self._plan(), obs_version=facts.obs_version if facts else "",
            websocket_version=facts.websocket_version if facts else "", pictures_at=held.pictures_at(),
            database_away=held.database_away, can_be_aborted=facts is not None and facts.can_be_aborted,
            is_lagging=mirror.is_lagging,
        )

    def _link(self) -> LinkNow:
        held = self._held
        status = held.keeper.status
        state = status.state
        if state is LinkState.ONLINE and not held.is_online:
            state = LinkState.SYNCING
        link = held.keeper.link
        heard = link.last_heard_s if link is not None else math.inf
        return LinkNow(state.value, round(heard, 1) if heard < 1e6 else -1.0, status.reason, status.code)

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
            version=plan.version, controller_latin=plan.controller_latin, asked_by_latin=plan.asked_by_latin,
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
        levels = (LevelNow(one.input, round(one.magnitude_db, 1), round(one.peak_db, 1)) for one in meters.levels)
        body = MetersNow(tuple(levels), self._held.audience())
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
