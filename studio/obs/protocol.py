"""The words of obs-websocket 5, and their translation into the structs of the port."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from studio.obs.port import (
    Event,
    Facts,
    Level,
    ListChanged,
    Listing,
    Meters,
    MuteChanged,
    OutputChanged,
    OutputKind,
    OutputState,
    RecordStatus,
    SceneChanged,
    Stats,
    Step,
    StepResult,
    StreamStatus,
    StudioModeChanged,
    VolumeChanged,
)

HELLO, IDENTIFY, IDENTIFIED, EVENT, REQUEST, RESPONSE, BATCH, BATCH_RESPONSE = 0, 1, 2, 5, 6, 7, 8, 9
RPC_VERSION = 1
SUCCESS = 100
OUTPUT_RUNNING = 500
NOT_FOUND = 600

# General, Config, Scenes, Inputs, Transitions, Filters, Outputs, SceneItems, MediaInputs, Vendors, Ui
ALL_EVENTS: Final = 2047
METERS: Final = 1 << 16

SERIAL_REALTIME, SERIAL_FRAME = 0, 1
SILENCE_DB = -100.0
KNOCK: Final = (Step("GetStudioModeEnabled"),)  # never GetStats: OBS 29 crashes on it in the middle of a change of profile
NOTES = "OBS_WEBSOCKET_DATA_REALM_GLOBAL"
CUSTOM_SERVER = "rtmp_custom"

OUTPUT_STATES: Final[dict[str, OutputState]] = {
    "OBS_WEBSOCKET_OUTPUT_STARTING": OutputState.STARTING,
    "OBS_WEBSOCKET_OUTPUT_STARTED": OutputState.STARTED,
    "OBS_WEBSOCKET_OUTPUT_STOPPING": OutputState.STOPPING,
    "OBS_WEBSOCKET_OUTPUT_STOPPED": OutputState.STOPPED,
    "OBS_WEBSOCKET_OUTPUT_RECONNECTING": OutputState.RECONNECTING,
    "OBS_WEBSOCKET_OUTPUT_RECONNECTED": OutputState.STARTED,
    "OBS_WEBSOCKET_OUTPUT_PAUSED": OutputState.PAUSED,
    "OBS_WEBSOCKET_OUTPUT_RESUMED": OutputState.STARTED,
}
START: Final[dict[OutputKind, str]] = {
    OutputKind.STREAM: "StartStream",
    OutputKind.RECORD: "StartRecord",
    OutputKind.VIRTUAL_CAMERA: "StartVirtualCam",
}
STOP: Final[dict[OutputKind, str]] = {
    OutputKind.STREAM: "StopStream",
    OutputKind.RECORD: "StopRecord",
    OutputKind.VIRTUAL_CAMERA: "StopVirtualCam",
}


class Ask(msgspec.Struct, frozen=True):
    """What goes out as one message: a single request, or a serial batch."""

    steps: tuple[Step, ...]
    batch: bool = False
    one_frame: bool = False

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the message; a batch never runs in parallel, because its results would be mislabelled."""
        if not self.batch:
            step = self.steps[0]
            return {"op": REQUEST, "d": {"requestType": step.request, "requestId": request_id, "requestData": step.data}}
        return {
            "op": BATCH,
            "d": {
                "requestId": request_id,
                "haltOnFailure": False,
                "executionType": SERIAL_FRAME if self.one_frame else SERIAL_REALTIME,
                "requests": [{"requestType": step.request, "requestData": step.data} for step in self.steps],
            },
        }


def result_of(answer: Mapping[str, Any]) -> StepResult:
    """Read one answer with its code and comment."""
    status = answer["requestStatus"]
    return StepResult(
        request=answer["requestType"],
        code=status["code"],
        comment=status.get("comment", ""),
        data=answer.get("responseData") or {},
    )


def decibels(multiplier: float) -> float:
    """Return the level in dB below full scale, -100 for silence."""
    return max(SILENCE_DB, 20 * math.log10(multiplier)) if multiplier > 0 else SILENCE_DB


def facts_of(version: Mapping[str, Any], video: Mapping[str, Any]) -> Facts:
    """Put GetVersion and GetVideoSettings together."""
    return Facts(
        obs_version=version["obsVersion"],
        websocket_version=version["obsWebSocketVersion"],
        requests=frozenset(version["availableRequests"]),
        canvas_width=video["baseWidth"],
        canvas_height=video["baseHeight"],
        fps=video["fpsNumerator"] / video["fpsDenominator"],
    )


def stats_of(data: Mapping[str, Any]) -> Stats:
    """Read GetStats."""
    return Stats(
        fps=data["activeFps"],
        cpu_percent=data["cpuUsage"],
        disk_free_mb=data["availableDiskSpace"],
        render_skipped=data["renderSkippedFrames"],
        render_total=data["renderTotalFrames"],
    )


def stream_of(data: Mapping[str, Any]) -> StreamStatus:
    """Read GetStreamStatus; while reconnecting OBS still calls the output active."""
    return StreamStatus(
        active=data["outputActive"],
        reconnecting=data["outputReconnecting"],
        duration_ms=data["outputDuration"],
        sent_bytes=data["outputBytes"],
        skipped_frames=data["outputSkippedFrames"],
        total_frames=data["outputTotalFrames"],
    )


def record_of(data: Mapping[str, Any], path: str | None) -> RecordStatus:
    """Read GetRecordStatus; the path comes from events, the status has none."""
    return RecordStatus(
        active=data["outputActive"],
        paused=data["outputPaused"],
        duration_ms=data["outputDuration"],
        written_bytes=data["outputBytes"],
        path=path,
    )


def _meters(data: Mapping[str, Any]) -> Meters:
    levels = []
    for one in data["inputs"]:
        channels = one["inputLevelsMul"] or [[0.0, 0.0, 0.0]]
        magnitude = decibels(max(channel[0] for channel in channels))
        peak = decibels(max(channel[1] for channel in channels))
        levels.append(Level(input=one["inputName"], magnitude_db=magnitude, peak_db=peak))
    return Meters(levels=tuple(levels))


def _output(kind: OutputKind) -> Callable[[Mapping[str, Any]], Event | None]:
    def read(data: Mapping[str, Any]) -> Event | None:
        state = OUTPUT_STATES.get(data["outputState"])
        return OutputChanged(kind=kind, state=state, path=data.get("outputPath")) if state else None

    return read


def _listed(what: Listing) -> Callable[[Mapping[str, Any]], Event]:
    return lambda _: ListChanged(what=what)


_EVENTS: Final[dict[str, Callable[[Mapping[str, Any]], Event | None]]] = {
    "CurrentProgramSceneChanged": lambda d: SceneChanged(scene=d["sceneName"]),
    "InputMuteStateChanged": lambda d: MuteChanged(input=d["inputName"], muted=d["inputMuted"]),
    "InputVolumeChanged": lambda d: VolumeChanged(input=d["inputName"], volume_db=d["inputVolumeDb"]),
    "InputVolumeMeters": _meters,
    "StreamStateChanged": _output(OutputKind.STREAM),
    "RecordStateChanged": _output(OutputKind.RECORD),
    "VirtualcamStateChanged": _output(OutputKind.VIRTUAL_CAMERA),
    "StudioModeStateChanged": lambda d: StudioModeChanged(on=d["studioModeEnabled"]),
    "SceneListChanged": _listed(Listing.SCENES),
    "SceneNameChanged": _listed(Listing.SCENES),
    "SceneRemoved": _listed(Listing.SCENES),
    "InputCreated": _listed(Listing.INPUTS),
    "InputRemoved": _listed(Listing.INPUTS),
    "InputNameChanged": _listed(Listing.INPUTS),
    "CurrentSceneCollectionChanged": _listed(Listing.EVERYTHING),
    "CurrentProfileChanged": _listed(Listing.EVERYTHING),
    "ProfileListChanged": _listed(Listing.EVERYTHING),  # also when the one in force was renamed
}


def event_of(name: str, data: Mapping[str, Any]) -> Event | None:
    """Translate an event; None for those that nobody here needs. Raises: KeyError for one without its fields."""
    read = _EVENTS.get(name)
    return read(data) if read else None
