"""Panic: cover and mute at once, stop when asked again, bring everything back; repeated until OBS says that it is so."""

import asyncio
from collections import OrderedDict
from typing import Any
from uuid import UUID

import structlog

from incubator.ground import clock, database
from studio.director import rows
from studio.director.held import NOBODY, Held
from studio.director.journal import PanicHandled
from studio.director.outputs import Outputs
from studio.director.wire import PANIC_LIFE_S, Answer, Outcome, PanicBody, PanicNow, Sender
from studio.obs.errors import ObsError
from studio.obs.port import OutputKind, Step, StepResult
from studio.obs.protocol import NOT_FOUND
from studio.rigs.rules import stand_by_scene

log = structlog.get_logger()
AGAIN_S = 0.25
BACK_TRIES = 6  # as long as a tap waits for its answer
REMEMBERED = 256


class Panics:
    """The panics of one rig, by whichever way they come; each id counts once."""

    def __init__(self, held: Held, outputs: Outputs) -> None:
        self._held = held
        self._outputs = outputs
        self._seen: OrderedDict[UUID, Answer] = OrderedDict()
        self._latest: UUID | None = None
        self._due = asyncio.Event()

    async def call(self, body: PanicBody) -> Answer:
        """Carry out a panic and return what became of it: done once OBS says so, unknown while it does not yet."""
        known = self._seen.get(body.id)
        if known is not None:
            return known
        self._seen[body.id] = Answer(body.id, Outcome.UNKNOWN)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        answer = await self._carry_out(body)
        self._seen[body.id] = answer
        return answer

    async def _carry_out(self, body: PanicBody) -> Answer:
        held = self._held
        if body.session not in {0, held.session_now()}:
            log.warning("panic for another session", rig=held.rig_id, session=body.session, person=body.sender.person)
            return Answer(body.id, Outcome.REFUSED, "not_prepared")
        self._latest = body.id
        tell, said = (log.warning, "panic") if body.level else (log.info, "panic over")
        tell(said, rig=held.rig_id, level=body.level, person=body.sender.person, device=body.sender.device)
        if body.level == 0:
            await self._bring_back(body)
        else:
            self._remember_before()
            held.set_panic(PanicNow(body.level, clock.now(), held=False))
            await self._once()
        held.journal(PanicHandled(body.id, held.rig_id, body.level, clock.now(), held.session_now(), held.panic_before,
                                  body.sender.person, body.sender.device))
        held.ran("panic", body.sender, level=body.level)
        self._due.set()
        return Answer(body.id, Outcome.DONE if held.panic.held else Outcome.UNKNOWN, self._remark(body.level))

    def _remark(self, level: int) -> str:
        held = self._held
        if not held.is_online:
            return "link_down"
        if level and stand_by_scene(held.wanted.rig.stand_by_scene, held.mirror.scenes) is None:
            return "stand_by_missing"
        is_client = held.plan is not None and held.plan.output == "client"
        return "mute_in_client" if level and is_client and not held.wanted.rig.audio_through_obs else ""

    def _remember_before(self) -> None:
        """Keep scene and mutes of the moment before the first panic; a second press does not overwrite them."""
        held = self._held
        if held.panic.level == 0 or held.panic_before is None:
            held.panic_before = {
                "scene": held.mirror.program, "open": [name for name, one in held.mirror.inputs.items() if not one.muted]}

    async def _once(self) -> None:
        """Send the batch past everything that waits, then see what came of it; `stay_for_ever` repeats until it is true."""
        held = self._held
        try:
            await self._cover()
            if held.panic.level == 2:
                await self._stop_sending()
        except ObsError as error:
            log.warning("panic not confirmed yet", rig=held.rig_id, why=f"{type(error).__name__}: {error}")
        self._judge()

    async def _cover(self) -> None:
        held = self._held
        scene = stand_by_scene(held.wanted.rig.stand_by_scene, held.mirror.scenes)
        link = held.link
        await link.stand_by(scene, held.mirror.audio_inputs)  # without a scene to cover with, silence at least
        held.mirror.load(await link.read_snapshot(), clock.now())
        held.changed.set()

    async def _stop_sending(self) -> None:
        for kind in (OutputKind.STREAM, OutputKind.VIRTUAL_CAMERA):
            if kind == self._outputs.sending_kind() or not self._held.mirror.is_still(kind):
                await self._outputs.stop(kind, NOBODY, "panic", urgent=True)

    def is_true(self) -> bool:
        """Tell whether OBS shows all of what the panic wants."""
        held = self._held
        mirror = held.mirror
        scene = stand_by_scene(held.wanted.rig.stand_by_scene, mirror.scenes)
        is_covered = held.is_online and scene in {None, mirror.program} and all(one.muted for one in mirror.inputs.values())
        is_stopped = held.panic.level < 2 or all(
            mirror.is_still(kind) for kind in (OutputKind.STREAM, OutputKind.VIRTUAL_CAMERA))
        return is_covered and is_stopped

    def _judge(self) -> None:
        panic = self._held.panic
        if panic.level and not panic.held and self.is_true():
            self._held.set_panic(PanicNow(panic.level, panic.since, held=True))

    async def _bring_back(self, body: PanicBody) -> None:
        """Take the scene and open the sounds that were open; nothing is started.

        While OBS does not do all of it the panic stays in force, so that nobody speaks into a microphone that is still muted.
        """
        held = self._held
        before, held.panic_before = held.panic_before, None
        held.set_panic(PanicNow(0, clock.now(), held=True))
        if not before:
            return
        try:
            left = await self._run_back(body, self._steps_back(before))
        except ObsError as error:
            left = f"{type(error).__name__}: {error}"
        if left and self._latest == body.id:
            log.warning("not brought back", rig=held.rig_id, why=left, panic=str(body.id))
            held.panic_before = before
            held.set_panic(PanicNow(1, clock.now(), held=False))

    def _steps_back(self, before: dict[str, Any]) -> list[Step]:
        mirror = self._held.mirror
        steps = [Step("SetInputMute", {"inputName": name, "inputMuted": False}) for name in before.get("open", ())
                 if name in mirror.inputs]
        if before.get("scene") in mirror.scenes:
            steps.append(Step("SetCurrentProgramScene", {"sceneName": before["scene"]}))
        return steps

    async def _run_back(self, body: PanicBody, steps: list[Step]) -> str:
        """Carry out the steps, those that OBS refuses again and again for a while; return what it would not do, "" for nothing.

        What is no longer in OBS need not come back; a later panic ends the attempts.
        """
        refused: list[StepResult] = []
        for attempt in range(BACK_TRIES):
            if attempt:
                await asyncio.sleep(AGAIN_S)
            if self._latest != body.id:
                return ""
            results = await self._held.link.run_steps(steps)
            answered = list(zip(steps, results, strict=True))
            steps = [step for step, result in answered if not result.done and result.code != NOT_FOUND]
            refused = [result for result in results if not result.done and result.code != NOT_FOUND]
            if not steps:
                return ""
        return ", ".join(f"{one.request} {one.code}" for one in refused)

    async def stay_for_ever(self) -> None:
        """Repeat what is not true yet, four times a second, also after the link came back; once true it is done."""
        while not self._held.is_dropped:
            await self._due.wait()
            self._due.clear()
            while self._held.panic.level and not self._held.panic.held and not self._held.is_dropped:
                if self._held.is_online:
                    await self._once()
                await asyncio.sleep(AGAIN_S)

    def again(self) -> None:
        """Look again: the link came back."""
        self._due.set()

    async def read_rows(self) -> None:
        """Carry out the panics that came by the database, as soon as it says so and at each wake-up.

        Raises:
            database.LOST: the database is away.
        """
        for row in await rows.panics_waiting(self._held.rig_id, PANIC_LIFE_S):
            sender = Sender(row.person, row.device)
            await self.call(PanicBody(row.id, self._held.rig_id, row.level, sender, session=row.session))

    async def adopt(self) -> None:
        """Take over the panic that a former owner had put in force; without database none is known."""
        held = self._held
        try:
            level, before = await rows.panic_in_force(held.rig_id, held.session_now())
        except database.LOST:
            return
        if level and held.panic.level == 0 and held.session_now() is not None:
            held.panic_before = before
            held.set_panic(PanicNow(level, clock.now(), held=True))

