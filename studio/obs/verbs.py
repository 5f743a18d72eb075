"""The verbs of the port in the protocol's words, the same for a real and for a simulated OBS."""

import base64
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from studio.obs import protocol
from studio.obs.errors import (
    BadAnswer,
    InvalidState,
    NotFoundInObs,
    NotReady,
    NotSent,
    ObsRefused,
    OutputMissing,
    UnknownRequest,
    refused,
)
from studio.obs.port import (
    Destination,
    Event,
    Facts,
    Input,
    Listener,
    OutputChanged,
    OutputKind,
    Outputs,
    OutputState,
    Picture,
    Snapshot,
    Step,
    StepResult,
)
from studio.obs.protocol import Ask

_OVERVIEW = ("GetSceneList", "GetInputList", "GetStudioModeEnabled", "GetStats")
_OUTPUTS = ("GetStreamStatus", "GetRecordStatus", "GetVirtualCamStatus")
UNDECIDED_S = 15.0  # how long a start without any word of OBS forbids the next one


class Way(Enum):
    """Which connection a request takes, and with which rank."""

    URGENT = "urgent"
    ALONE = "alone"
    WRITE = "write"
    READ = "read"
    PICTURE = "picture"


class ObsVerbs(ABC):
    """Everything that can be asked; how a message travels is the heir's business."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._record_path: str | None = None
        self._output_states: dict[OutputKind, OutputState] = {}
        self._start_asked: dict[OutputKind, float] = {}

    @abstractmethod
    async def _carry(self, ask: Ask, way: Way, key: str | None = None, /) -> tuple[StepResult, ...]:
        """Bring a message to OBS and its results back."""

    @abstractmethod
    def _drop_waiting(self) -> None:
        """Throw away the requests that have not left."""

    # events

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call the listener with each event; the answer stops that."""
        self._listeners = [*self._listeners, listener]

        def stop() -> None:
            self._listeners = [one for one in self._listeners if one is not listener]

        return stop

    def _tell(self, event: Event) -> None:
        if isinstance(event, OutputChanged):
            self._output_states[event.kind] = event.state
            self._start_asked.pop(event.kind, None)
            self._record_path = event.path or self._record_path
        for listener in self._listeners:
            listener(event)

    def output_state(self, kind: OutputKind) -> OutputState | None:
        """Return what OBS last said about an output on this link; a start that was asked for counts as starting."""
        return OutputState.STARTING if self._start_undecided(kind) else self._output_states.get(kind)

    def _start_undecided(self, kind: OutputKind) -> bool:
        return time.monotonic() < self._start_asked.get(kind, -UNDECIDED_S) + UNDECIDED_S

    # reading

    async def _ask(self, request: str, way: Way, data: dict[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
        """Carry out one request. Raises: ObsRefused and what the way raises."""
        results = await self._carry(Ask((Step(request, data or {}),)), way, key)
        if not results:
            raise BadAnswer(f"{request}: no result")
        if not results[0].done:
            raise refused(request, results[0].code, results[0].comment)
        return results[0].data

    async def _read_all(self, steps: Sequence[Step]) -> tuple[StepResult, ...]:
        if not steps:
            return ()
        results = await self._carry(Ask(tuple(steps), batch=True), Way.READ)
        if len(results) != len(steps):
            raise BadAnswer(f"{len(results)} results for {len(steps)} requests")
        return results

    async def _read_facts(self) -> Facts:
        results = await self._read_all([Step("GetVersion"), Step("GetVideoSettings")])
        return protocol.facts_of(_content(results[0]), _content(results[1]))

    async def read_snapshot(self) -> Snapshot:
        """Read everything, in two serial batches."""
        first = await self._read_all([Step(name) for name in _OVERVIEW + _OUTPUTS])
        scenes, inputs, studio_mode, stats = (_content(result) for result in first[:4])
        return Snapshot(
            scenes=tuple(one["sceneName"] for one in reversed(scenes["scenes"])),
            program=scenes["currentProgramSceneName"] or "",
            inputs=await self._read_inputs([(one["inputName"], one["inputKind"]) for one in inputs["inputs"]]),
            outputs=self._outputs_of(first[4:]),
            stats=protocol.stats_of(stats),
            studio_mode=studio_mode["studioModeEnabled"],
        )

    async def _read_inputs(self, named: Sequence[tuple[str, str]]) -> tuple[Input, ...]:
        """Read the sound of each input; one that has none, or that went meanwhile, is no failure."""
        steps = [Step(get, {"inputName": name}) for name, _ in named for get in ("GetInputMute", "GetInputVolume")]
        results = await self._read_all(steps)
        inputs = []
        for place, (name, kind) in enumerate(named):
            mute, volume = results[2 * place : 2 * place + 2]
            if mute.done and volume.done:
                inputs.append(Input(name, kind, mute.data["inputMuted"], volume.data["inputVolumeDb"]))
            elif not _is_gone(mute, volume):
                inputs.append(Input(name, kind))
        return tuple(inputs)

    def _outputs_of(self, results: Sequence[StepResult]) -> Outputs:
        stream, record, camera = results
        return Outputs(
            stream=protocol.stream_of(_content(stream)),
            record=protocol.record_of(_content(record), self._record_path),
            virtual_camera=_content(camera)["outputActive"] if _is_there(camera) else None,
        )

    async def read_outputs(self) -> Outputs:
        """Read the outputs only."""
        return self._outputs_of(await self._read_all([Step(name) for name in _OUTPUTS]))

    async def read_destination(self) -> Destination:
        """Read back what OBS would stream to."""
        settings = (await self._ask("GetStreamServiceSettings", Way.READ))["streamServiceSettings"]
        return Destination(
            server=settings.get("server", ""),
            key=settings.get("key", ""),
            use_auth=settings.get("use_auth", False),
            username=settings.get("username", ""),
            password=settings.get("password", ""),
        )

    async def read_note(self, slot: str) -> Any:
        """Read a note back; None when there is none."""
        return (await self._ask("GetPersistentData", Way.READ, {"realm": protocol.NOTES, "slotName": slot}))["slotValue"]

    async def screenshot(self, scene: str, *, width: int, quality: int = 60) -> Picture:
        """Picture a scene; OBS works the height out from the canvas."""
        wanted = {"sourceName": scene, "imageFormat": "jpg", "imageWidth": width, "imageCompressionQuality": quality}
        answer = await self._ask("GetSourceScreenshot", Way.PICTURE, wanted)
        head, _, body = answer["imageData"].partition(",")
        return Picture(data=base64.b64decode(body), content_type=_content_type(head))

    # writing

    async def switch_scene(self, scene: str) -> None:
        """Take a scene."""
        await self._ask("SetCurrentProgramScene", Way.WRITE, {"sceneName": scene})

    async def set_mute(self, name: str, muted: bool) -> None:
        """Mute or open an input; never toggled, so that twice is once."""
        await self._ask("SetInputMute", Way.WRITE, {"inputName": name, "inputMuted": muted})

    async def set_volume_db(self, name: str, volume_db: float) -> None:
        """Move a fader; of several waiting moves only the last is sent."""
        moved = {"inputName": name, "inputVolumeDb": volume_db}
        await self._ask("SetInputVolume", Way.WRITE, moved, key=f"volume:{name}")

    async def start_output(self, kind: OutputKind) -> None:
        """Ask an output to start, unless it is on its way already: OBS 29 crashes on a second start of a starting one.

        Raises: OutputRunning, OutputMissing and what the way raises.
        """
        request = protocol.START[kind]
        if self.output_state(kind) not in {None, OutputState.STOPPED}:
            raise refused(request, protocol.OUTPUT_RUNNING, "not sent: the output is not at rest")
        self._start_asked[kind] = time.monotonic()
        try:
            await self._ask_output(request, Way.WRITE)
        except (ObsRefused, NotSent):
            self._start_asked.pop(kind, None)
            raise

    async def stop_output(self, kind: OutputKind, *, urgent: bool = False) -> None:
        """Ask an output to stop. Raises: OutputNotRunning, OutputMissing and what the way raises."""
        await self._ask_output(protocol.STOP[kind], Way.URGENT if urgent else Way.WRITE)

    async def _ask_output(self, request: str, way: Way) -> None:
        """Carry out a start or stop; what a missing output answers is told apart from all other refusals."""
        try:
            await self._ask(request, way)
        except (InvalidState, UnknownRequest) as error:
            raise OutputMissing(error.request, error.code, error.comment) from error

    async def stand_by(self, scene: str | None, mute: Sequence[str]) -> tuple[StepResult, ...]:
        """Take the scene and mute the inputs in one batch, at once, after dropping what waits."""
        self._drop_waiting()
        steps = [Step("SetCurrentProgramScene", {"sceneName": scene})] if scene is not None else []
        steps += [Step("SetInputMute", {"inputName": name, "inputMuted": True}) for name in mute]
        return await self._carry(Ask(tuple(steps), batch=True), Way.URGENT) if steps else ()

    async def write_destination(self, destination: Destination) -> None:
        """Write every field, because OBS lays new settings over the old ones."""
        settings = {
            "server": destination.server,
            "key": destination.key,
            "use_auth": destination.use_auth,
            "username": destination.username,
            "password": destination.password,
            "bwtest": False,
        }
        wanted = {"streamServiceType": protocol.CUSTOM_SERVER, "streamServiceSettings": settings}
        await self._ask("SetStreamServiceSettings", Way.WRITE, wanted)

    async def wipe_destination(self) -> None:
        """Overwrite every field with nothing; OBS refuses to take empty settings.

        Twice, because each save leaves the settings before it in the profile's `service.json.bak`.
        """
        await self.write_destination(Destination())
        await self.write_destination(Destination())

    async def write_note(self, slot: str, value: Any) -> None:
        """Leave a note in OBS itself."""
        wanted = {"realm": protocol.NOTES, "slotName": slot, "slotValue": value}
        await self._ask("SetPersistentData", Way.WRITE, wanted)

    async def set_profile_parameter(self, category: str, name: str, value: str) -> None:
        """Write one setting of the profile in force."""
        wanted = {"parameterCategory": category, "parameterName": name, "parameterValue": value}
        await self._ask("SetProfileParameter", Way.WRITE, wanted)

    async def set_recording(self, *, folder: str | None = None, file_name: str | None = None) -> None:
        """Name folder and file of the next recording, for both of OBS's output modes."""
        if folder is not None:
            await self.set_profile_parameter("SimpleOutput", "FilePath", folder)
            await self.set_profile_parameter("AdvOut", "RecFilePath", folder)
        if file_name is not None:
            await self.set_profile_parameter("Output", "FilenameFormatting", file_name)

    async def switch_profile(self, name: str) -> None:
        """Put a profile in force while nothing else is under way."""
        await self._ask("SetCurrentProfile", Way.ALONE, {"profileName": name})

    async def leave_studio_mode(self) -> None:
        """Turn the studio mode off."""
        await self._ask("SetStudioModeEnabled", Way.WRITE, {"studioModeEnabled": False})

    async def run_steps(self, steps: Sequence[Step], *, one_frame: bool = False) -> tuple[StepResult, ...]:
        """Carry out steps one after another; none is undone when one is refused."""
        if not steps:
            return ()
        return await self._carry(Ask(tuple(steps), batch=True, one_frame=one_frame), Way.WRITE)


def _is_there(camera: StepResult) -> bool:
    """Tell whether this OBS has a virtual camera; one that is not ready to say so has not said no."""
    return not isinstance(refused("", camera.code), InvalidState | UnknownRequest)


def _is_gone(mute: StepResult, volume: StepResult) -> bool:
    """Tell whether an input went while it was read. Raises: NotReady, which must not look like an input without sound."""
    for result in (mute, volume):
        if isinstance(refused("", result.code), NotReady):
            _content(result)
    return isinstance(refused("", mute.code), NotFoundInObs)


def _content(result: StepResult) -> dict[str, Any]:
    if not result.done:
        raise refused(result.request, result.code, result.comment)
    return result.data


def _content_type(head: str) -> str:
    """Read the type out of `data:image/jpg;base64`, in the web's spelling."""
    kind = head.removeprefix("data:").partition(";")[0]
    return "image/jpeg" if kind == "image/jpg" else kind
