"""An output of the simulated OBS: the states, delays and refusals that were measured on a real one."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from studio.obs.port import OutputKind, OutputState

# seconds, as measured on OBS 29: connecting to a near server, giving up, ending
STARTS_S: Final = {OutputKind.STREAM: 0.2, OutputKind.RECORD: 0.03, OutputKind.VIRTUAL_CAMERA: 0.03}
DIES_S: Final = 0.05
STOPS_S: Final = {OutputKind.STREAM: 0.6, OutputKind.RECORD: 0.4, OutputKind.VIRTUAL_CAMERA: 0.03}
_EVENTS: Final = {
    OutputKind.STREAM: "StreamStateChanged",
    OutputKind.RECORD: "RecordStateChanged",
    OutputKind.VIRTUAL_CAMERA: "VirtualcamStateChanged",
}
_ON_THE_WAY: Final = {OutputState.STARTING, OutputState.STOPPING}  # never told of a virtual camera
BYTES_PER_S: Final = 500_000


class Refusal(Exception):
    """A request that the simulated OBS answers with a status code."""

    def __init__(self, code: int, comment: str = "") -> None:
        super().__init__(f"{code} {comment}")
        self.code = code
        self.comment = comment


class SimulatedOutput:
    """One way out; `accepted` tells at the start whether the other side takes it."""

    def __init__(
        self, kind: OutputKind, emit: Callable[[str, dict[str, Any]], None], accepted: Callable[[], bool] = lambda: True
    ) -> None:
        self.kind = kind
        self.state = OutputState.STOPPED
        self.path: str | None = None
        self._emit = emit
        self._accepted = accepted
        self._began = 0.0
        self._paused_at = 0.0
        self._step = 0

    @property
    def active(self) -> bool:
        """Does OBS call it active? Not while starting, but while paused, stopping and reconnecting."""
        return self.state in {OutputState.STARTED, OutputState.PAUSED, OutputState.STOPPING, OutputState.RECONNECTING}

    @property
    def duration_ms(self) -> int:
        """How long it has run without its pauses, 0 when it does not."""
        until = self._paused_at if self.state is OutputState.PAUSED else time.monotonic()
        return int((until - self._began) * 1000) if self.active else 0

    def start(self, path: str | None = None) -> None:
        """Begin to start; a second start before the first is through kills both."""
        if self.active:
            raise Refusal(500)
        if self.state is OutputState.STARTING:
            self._say(OutputState.STARTING)
            self._later(DIES_S, OutputState.STOPPED)
            return
        self.path = path
        self._say(OutputState.STARTING)
        if self._accepted():
            self._later(STARTS_S[self.kind], OutputState.STARTED)
        else:
            self._later(DIES_S, OutputState.STOPPED)

    def stop(self) -> None:
        """Begin to stop; one that is just starting is refused and goes on starting."""
        if not self.active:
            raise Refusal(501)
        if self.state is not OutputState.STOPPING:
            self._say(OutputState.STOPPING)
            self._later(STOPS_S[self.kind], OutputState.STOPPED)

    def pause(self) -> None:
        """Write nothing until `resume`; what does not run is answered well all the same, as OBS 29 does."""
        if self.state is OutputState.PAUSED:
            raise Refusal(502)
        if self.state is OutputState.STARTED:
            self._paused_at = time.monotonic()
            self._say(OutputState.PAUSED)

    def resume(self) -> None:
        """Go on after a pause, as if the time between had not been."""
        if self.state is not OutputState.PAUSED:
            raise Refusal(503)
        self._began += time.monotonic() - self._paused_at
        self._say(OutputState.STARTED, "OBS_WEBSOCKET_OUTPUT_RESUMED")

    def lose_server(self) -> None:
        """Let the other side go away: OBS reconnects by itself."""
        if self.state is OutputState.STARTED:
            self._step += 1
            self._say(OutputState.RECONNECTING)

    def find_server(self) -> None:
        """Let the other side come back."""
        if self.state is OutputState.RECONNECTING:
            self._say(OutputState.STARTED, "OBS_WEBSOCKET_OUTPUT_RECONNECTED")

    def cut(self) -> None:
        """End at once and silently, as in a power cut."""
        self._step += 1
        self.state = OutputState.STOPPED

    def _later(self, after_s: float, state: OutputState) -> None:
        self._step += 1
        asyncio.get_running_loop().call_later(after_s, self._arrive, self._step, state)

    def _arrive(self, step: int, state: OutputState) -> None:
        if step == self._step:
            self._say(state)

    def _say(self, state: OutputState, word: str | None = None) -> None:
        if state is OutputState.STARTED and self.state is OutputState.STARTING:
            self._began = time.monotonic()
        self.state = state
        if self.kind is OutputKind.VIRTUAL_CAMERA and state in _ON_THE_WAY:
            return
        told: dict[str, Any] = {
            "outputActive": state is OutputState.STARTED,
            "outputState": word or f"OBS_WEBSOCKET_OUTPUT_{state.name}",
        }
        if self.kind is OutputKind.RECORD:
            has_path = state in {OutputState.STARTED, OutputState.STOPPED} and not (word or "").endswith("RESUMED")
            told["outputPath"] = self.path if has_path else None
        self._emit(_EVENTS[self.kind], told)
