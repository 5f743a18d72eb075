"""A simulated OBS that answers in the protocol's own words; it lives in one process and forgets when that ends."""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from incubator.ground import clock
from studio.obs import protocol
from studio.obs.file_names import file_name
from studio.obs.pictures import scene_picture
from studio.obs.port import OutputKind, OutputState, Step, StepResult
from studio.obs.simulated_meters import SimulatedSound
from studio.obs.simulated_outputs import BYTES_PER_S, Refusal, SimulatedOutput

SCENES: Final = ("主播全景", "双人", "产品特写", "俯拍台面", "图文价格", "产地短片", "马上回来", "感谢观看")
STAND_BY: Final = "马上回来"
SOUNDS: Final = ("主播麦", "助播麦", "背景音乐", "短片声音", "环境麦")
TEXTS: Final = ("商品名称", "到手价")
PROFILE: Final = "Untitled"
FADE_S = 0.3
FPS: Final = 30
Data = Mapping[str, Any]
Emit = Callable[[str, dict[str, Any]], None]


class SimulatedMachine:
    """Eight scenes, five sounds, two texts, three outputs; whoever is attached hears the events."""

    def __init__(self, *, portrait: bool = True) -> None:
        self.portrait = portrait
        self.powered = True
        self.scenes = list(SCENES)
        self.program = SCENES[0]
        self.sounds = {name: SimulatedSound(name) for name in SOUNDS}
        self.texts: dict[str, dict[str, Any]] = {name: {"text": name} for name in TEXTS}
        self.studio_mode = False
        self.profile = PROFILE
        self._services: dict[str, tuple[str, dict[str, Any]]] = {PROFILE: ("rtmp_common", {})}
        self._notes: dict[str, Any] = {}
        self._profile: dict[tuple[str, str], str] = {("SimpleOutput", "FilePath"): "/recordings"}
        self._attached: list[Emit] = []
        self._fade = 0
        self._booted = time.monotonic()
        self.stream = SimulatedOutput(OutputKind.STREAM, self.emit, self._server_accepts)
        self.record = SimulatedOutput(OutputKind.RECORD, self.emit)
        self.camera = SimulatedOutput(OutputKind.VIRTUAL_CAMERA, self.emit)

    # links

    def attach(self, emit: Emit) -> Callable[[], None]:
        """Let a link hear the events; the answer stops that."""
        self._attached.append(emit)
        return lambda: self._attached.remove(emit) if emit in self._attached else None

    def emit(self, name: str, data: dict[str, Any]) -> None:
        """Tell all links."""
        for tell in list(self._attached):
            tell(name, data)

    @property
    def service_settings(self) -> dict[str, Any]:
        """What the machine would stream to, as whoever sits before it sees it."""
        return dict(self._service[1])

    @property
    def _service(self) -> tuple[str, dict[str, Any]]:
        return self._services[self.profile]

    @_service.setter
    def _service(self, service: tuple[str, dict[str, Any]]) -> None:
        self._services[self.profile] = service

    def power_off(self) -> None:
        """Cut the power: outputs end without a word, links are lost."""
        self.powered = False
        for output in (self.stream, self.record, self.camera):
            output.cut()
        self.emit("PowerCut", {})

    def power_on(self) -> None:
        """Let OBS be there again, with the settings that it had."""
        self.powered = True
        self._booted = time.monotonic()

    # requests

    def carry(self, step: Step) -> StepResult:
        """Answer one request as OBS would."""
        handler = _HANDLERS.get(step.request)
        try:
            if handler is None:
                raise Refusal(204, "Your request type is not valid.")
            data = handler(self, step.data)
        except Refusal as refusal:
            return StepResult(step.request, refusal.code, refusal.comment)
        except KeyError as missing:
            return StepResult(step.request, 300, f"Your request is missing the {missing} field.")
        return StepResult(step.request, protocol.SUCCESS, "", data or {})

    def _get_version(self, _: Data) -> dict[str, Any]:
        return {
            "obsVersion": "simulated",
            "obsWebSocketVersion": "5.2.0",
            "rpcVersion": protocol.RPC_VERSION,
            "availableRequests": sorted(_HANDLERS),
            "supportedImageFormats": ["jpg", "svg"],
            "platform": "simulated",
        }

    def _get_video_settings(self, _: Data) -> dict[str, Any]:
        width, height = (1080, 1920) if self.portrait else (1920, 1080)
        size = {"baseWidth": width, "baseHeight": height, "outputWidth": width, "outputHeight": height}
        return {**size, "fpsNumerator": FPS, "fpsDenominator": 1}

    def _get_stats(self, _: Data) -> dict[str, Any]:
        frames = int((time.monotonic() - self._booted) * FPS)
        sent = int(self.stream.duration_ms / 1000 * FPS)
        return {
            "activeFps": float(FPS),
            "cpuUsage": 12.0 + 9.0 * self.stream.active + 4.0 * self.record.active,
            "memoryUsage": 410.0,
            "availableDiskSpace": 180_000.0 - self.record.duration_ms / 1000 * BYTES_PER_S / 1e6,
            "averageFrameRenderTime": 4.2,
            "renderSkippedFrames": 0,
            "renderTotalFrames": frames,
            "outputSkippedFrames": 0,
            "outputTotalFrames": sent,
        }

    # scenes

    def _get_scene_list(self, _: Data) -> dict[str, Any]:
        listed = [{"sceneIndex": place, "sceneName": name} for place, name in enumerate(reversed(self.scenes))]
        return {"currentProgramSceneName": self.program, "currentPreviewSceneName": None, "scenes": listed}

    def _get_program(self, _: Data) -> dict[str, Any]:
        return {"currentProgramSceneName": self.program}

    def _set_program(self, data: Data) -> None:
        if self._scene(data["sceneName"]) == self.program:
            return
        self.program = data["sceneName"]
        self._fade += 1
        self.emit("SceneTransitionStarted", {"transitionName": "Fade"})
        asyncio.get_running_loop().call_later(FADE_S, self._end_fade, self._fade)

    def _end_fade(self, fade: int) -> None:
        if fade == self._fade and self.powered:
            self.emit("CurrentProgramSceneChanged", {"sceneName": self.program})

    def _create_scene(self, data: Data) -> None:
        if data["sceneName"] in self.scenes:
            raise Refusal(601, "A source already exists by that scene name.")
        self.scenes.append(data["sceneName"])
        self.emit("SceneListChanged", {"scenes": []})

    def _remove_scene(self, data: Data) -> None:
        self.scenes.remove(self._scene(data["sceneName"]))
        self.emit("SceneListChanged", {"scenes": []})

    def _scene(self, name: str) -> str:
        if name not in self.scenes:
            raise Refusal(600, f"No source was found by the name of `{name}`.")
        return name

    def _get_screenshot(self, data: Data) -> dict[str, Any]:
        picture = scene_picture(self._scene(data["sourceName"]), portrait=self.portrait, width=data["imageWidth"])
        return {"imageData": "data:image/svg+xml;base64," + base64.b64encode(picture).decode()}

    def _get_studio_mode(self, _: Data) -> dict[str, Any]:
        return {"studioModeEnabled": self.studio_mode}

    def _set_studio_mode(self, data: Data) -> None:
        if data["studioModeEnabled"] != self.studio_mode:
            self.studio_mode = data["studioModeEnabled"]
            self.emit("StudioModeStateChanged", {"studioModeEnabled": self.studio_mode})

    # inputs

    def _get_input_list(self, _: Data) -> dict[str, Any]:
        sounds = [{"inputName": name, "inputKind": "pulse_input_capture"} for name in self.sounds]
        return {"inputs": sounds + [{"inputName": name, "inputKind": "text_ft2_source_v2"} for name in self.texts]}

    def _sound(self, name: str) -> SimulatedSound:
        if name in self.texts:
            raise Refusal(604, "The specified input does not support audio.")
        if name not in self.sounds:
            raise Refusal(600, f"No source was found by the name of `{name}`.")
        return self.sounds[name]

    def _get_mute(self, data: Data) -> dict[str, Any]:
        return {"inputMuted": self._sound(data["inputName"]).muted}

    def _set_mute(self, data: Data) -> None:
        sound = self._sound(data["inputName"])
        if sound.muted != data["inputMuted"]:
            sound.muted = data["inputMuted"]
            self.emit("InputMuteStateChanged", {"inputName": sound.name, "inputMuted": sound.muted})

    def _get_volume(self, data: Data) -> dict[str, Any]:
        sound = self._sound(data["inputName"])
        return {"inputVolumeDb": sound.volume_db, "inputVolumeMul": sound.multiplier}

    def _set_volume(self, data: Data) -> None:
        sound = self._sound(data["inputName"])
        if not -100 <= data["inputVolumeDb"] <= 26:
            raise Refusal(402, "The field value of `inputVolumeDb` is out of range.")
        sound.volume_db = float(data["inputVolumeDb"])
        self.emit("InputVolumeChanged", {"inputName": sound.name, **self._get_volume(data)})

    def _get_settings(self, data: Data) -> dict[str, Any]:
        if data["inputName"] not in self.texts:
            raise Refusal(600)
        return {"inputKind": "text_ft2_source_v2", "inputSettings": dict(self.texts[data["inputName"]])}

    def _set_settings(self, data: Data) -> None:
        if data["inputName"] not in self.texts:
            raise Refusal(600)
        self.texts[data["inputName"]].update(data["inputSettings"])

    # outputs

    def _server_accepts(self) -> bool:
        return "://" in self._service[1].get("server", "")

    def _get_stream(self, _: Data) -> dict[str, Any]:
        frames = int(self.stream.duration_ms / 1000 * FPS)
        return {
            "outputActive": self.stream.active,
            "outputReconnecting": self.stream.state is OutputState.RECONNECTING,
            "outputDuration": self.stream.duration_ms,
            "outputBytes": int(self.stream.duration_ms / 1000 * BYTES_PER_S),
            "outputCongestion": 0.02 if self.stream.active else 0.0,
            "outputSkippedFrames": 0,
            "outputTotalFrames": frames,
        }

    def _get_record(self, _: Data) -> dict[str, Any]:
        written = int(self.record.duration_ms / 1000 * BYTES_PER_S)
        ran_ms = self.record.duration_ms
        paused = self.record.state is OutputState.PAUSED
        return {"outputActive": self.record.active, "outputPaused": paused, "outputDuration": ran_ms, "outputBytes": written}

    def _get_camera(self, _: Data) -> dict[str, Any]:
        return {"outputActive": self.camera.active}

    def _start_record(self, _: Data) -> None:
        folder = self._profile[("SimpleOutput", "FilePath")]
        pattern = self._profile.get(("Output", "FilenameFormatting"), "%CCYY-%MM-%DD %hh-%mm-%ss")
        self.record.start(f"{folder}/{file_name(pattern, clock.now().astimezone())}.mkv")

    def _stop_record(self, _: Data) -> dict[str, Any]:
        self.record.stop()
        return {"outputPath": self.record.path}

    def _get_service(self, _: Data) -> dict[str, Any]:
        return {"streamServiceType": self._service[0], "streamServiceSettings": dict(self._service[1])}

    def _set_service(self, data: Data) -> None:
        """Lay the new settings over the old ones unless the type changes, as OBS does."""
        if self.stream.active:
            raise Refusal(500, "You cannot change stream service settings while streaming.")
        kind, settings = data["streamServiceType"], data["streamServiceSettings"]
        if not settings:
            raise Refusal(403, "The field value of `streamServiceSettings` is empty.")
        old = self._service[1] if kind == self._service[0] else {}
        self._service = (kind, {**old, **settings})

    # notes and profile

    def _get_note(self, data: Data) -> dict[str, Any]:
        return {"slotValue": self._notes.get(data["slotName"])}

    def _set_note(self, data: Data) -> None:
        """Keep a note as OBS 29 does: what is not ASCII is garbled."""
        text = msgspec.json.encode(data["slotValue"]).decode("latin-1")
        self._notes[data["slotName"]] = msgspec.json.decode(text)

    def _get_profiles(self, _: Data) -> dict[str, Any]:
        return {"currentProfileName": self.profile, "profiles": list(self._services)}

    def _set_profile(self, data: Data) -> None:
        """Put a profile in force; its destination comes with it."""
        if data["profileName"] not in self._services:
            raise Refusal(600)
        if data["profileName"] != self.profile:
            self.emit("CurrentProfileChanging", {"profileName": self.profile})
            self.profile = data["profileName"]
            self.emit("CurrentProfileChanged", {"profileName": self.profile})

    def _create_profile(self, data: Data) -> None:
        if data["profileName"] in self._services:
            raise Refusal(601)
        self._services[data["profileName"]] = ("rtmp_common", {})
        self._set_profile(data)

    def _set_parameter(self, data: Data) -> None:
        self._profile[(data["parameterCategory"], data["parameterName"])] = data["parameterValue"]


_M = SimulatedMachine
_HANDLERS: Final[dict[str, Callable[[SimulatedMachine, Data], dict[str, Any] | None]]] = {
    "GetVersion": _M._get_version,
    "GetVideoSettings": _M._get_video_settings,
    "GetStats": _M._get_stats,
    "GetSceneList": _M._get_scene_list,
    "GetCurrentProgramScene": _M._get_program,
    "SetCurrentProgramScene": _M._set_program,
    "CreateScene": _M._create_scene,
    "RemoveScene": _M._remove_scene,
    "GetSourceScreenshot": _M._get_screenshot,
    "GetStudioModeEnabled": _M._get_studio_mode,
    "SetStudioModeEnabled": _M._set_studio_mode,
    "GetInputList": _M._get_input_list,
    "GetInputMute": _M._get_mute,
    "SetInputMute": _M._set_mute,
    "GetInputVolume": _M._get_volume,
    "SetInputVolume": _M._set_volume,
    "GetInputSettings": _M._get_settings,
    "SetInputSettings": _M._set_settings,
    "GetStreamStatus": _M._get_stream,
    "StartStream": lambda machine, _: machine.stream.start(),
    "StopStream": lambda machine, _: machine.stream.stop(),
    "GetRecordStatus": _M._get_record,
    "StartRecord": _M._start_record,
    "StopRecord": _M._stop_record,
    "PauseRecord": lambda machine, _: machine.record.pause(),
    "ResumeRecord": lambda machine, _: machine.record.resume(),
    "GetVirtualCamStatus": _M._get_camera,
    "StartVirtualCam": lambda machine, _: machine.camera.start(),
    "StopVirtualCam": lambda machine, _: machine.camera.stop(),
    "GetStreamServiceSettings": _M._get_service,
    "SetStreamServiceSettings": _M._set_service,
    "GetPersistentData": _M._get_note,
    "SetPersistentData": _M._set_note,
    "GetProfileList": _M._get_profiles,
    "SetCurrentProfile": _M._set_profile,
    "CreateProfile": _M._create_profile,
    "SetProfileParameter": _M._set_parameter,
}
