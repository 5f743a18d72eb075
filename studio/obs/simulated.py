"""The simulated twin of a real OBS behind the same port, for rooms without equipment, for practice and for tests."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from studio.obs import protocol
from studio.obs.errors import LinkLost, Unreachable
from studio.obs.machine import SimulatedMachine
from studio.obs.port import Event, Facts, LinkDown, SceneStarted, StepResult
from studio.obs.protocol import Ask
from studio.obs.simulated_meters import BEAT_S
from studio.obs.verbs import ObsVerbs, Way


class SimulatedObs(ObsVerbs):
    """A link to a simulated machine; several links, one after another, may lead to the same machine."""

    def __init__(self, machine: SimulatedMachine | None = None, *, portrait: bool = True) -> None:
        super().__init__()
        self.machine = machine or SimulatedMachine(portrait=portrait)
        self._detach: Callable[[], None] | None = None
        self._meters: asyncio.Task[None] | None = None
        self._open = False

    async def connect(self) -> Facts:
        """Open the link. Raises: Unreachable while the machine is without power."""
        if not self.machine.powered:
            raise Unreachable("the simulated OBS is switched off")
        self._open = True
        self._detach = self.machine.attach(self._hear)
        self._meters = asyncio.get_running_loop().create_task(self._measure())
        return await self._read_facts()

    async def close(self) -> None:
        """End the link without an event."""
        self._end()

    @property
    def alive(self) -> bool:
        """Is the link open?"""
        return self._open

    @property
    def last_heard_s(self) -> float:
        """Nothing is ever late here."""
        return 0.0

    def _end(self) -> None:
        self._open = False
        if self._detach is not None:
            self._detach()
        if self._meters is not None:
            self._meters.cancel()

    def _hear(self, name: str, data: Mapping[str, Any]) -> None:
        if name == "PowerCut":
            self._end()
            self._tell(LinkDown(reason="the simulated OBS was switched off"))
        elif event := self._event(name, data):
            # after the answer to the request that caused it, as on a wire
            asyncio.get_running_loop().call_soon(self._tell_alive, event)

    def _event(self, name: str, data: Mapping[str, Any]) -> Event | None:
        if name == "SceneTransitionStarted":
            return SceneStarted(scene=self.machine.program)
        return protocol.event_of(name, data)

    def _tell_alive(self, event: Event) -> None:
        if self._open:
            self._tell(event)

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            readings = [sound.meter() for sound in self.machine.sounds.values()]
            self._hear("InputVolumeMeters", {"inputs": readings})

    async def _carry(self, ask: Ask, _way: Way, _key: str | None = None, /) -> tuple[StepResult, ...]:
        if not self._open:
            raise LinkLost("not connected", sent=False)
        await asyncio.sleep(0)
        if not self._open:
            raise LinkLost("the simulated OBS was switched off", sent=False)
        return tuple(self.machine.carry(step) for step in ask.steps)

    def _drop_waiting(self) -> None:
        """Nothing ever waits here."""
