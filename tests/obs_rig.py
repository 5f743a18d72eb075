"""Starts a real OBS under Xvfb for tests, and a listener that takes its streams; everything dies with the test run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from obswebsocket import requests

from studio.obs.errors import ObsError, OutputNotRunning
from studio.obs.port import Step
from studio.obs.protocol import Ask
from studio.obs.websocket import ObsSocket
from tests.parts import without

PASSWORD = "room-password"
NEEDED = ("obs", "Xvfb", "ffmpeg")
BOOT_S = 30.0
SCENES = ("主播全景", "产品特写", "马上回来")
STAND_BY = "马上回来"
MICROPHONE = "主播麦"
MUSIC = "背景音乐"
TITLE = "商品名称"
BACKDROP = "底色"


def require(*programs: str) -> None:
    """Skip the test without the programs; on CI their absence is a failure."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        without(f"not installed: {', '.join(missing)}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _mortal(*command: str) -> list[str]:
    """Let the kernel end the program with us, also when the test run is killed."""
    return ["setpriv", "--pdeathsig", "KILL", *command] if shutil.which("setpriv") else list(command)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait(10)


class ObsRig:
    """One OBS with its own home, screen, port and small canvas."""

    def __init__(self, *, width: int = 360, height: int = 640, fps: int = 20, password: str = PASSWORD) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.password = password
        self.home = Path(tempfile.mkdtemp(prefix="obs-rig-"))
        self.recordings = self.home / "recordings"
        self._canvas = (width, height, fps)
        self._screen: subprocess.Popen[bytes] | None = None
        self._display = ""
        self.obs: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._write_settings()
        self._open_screen()
        try:
            self.start()
            self.build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _end(self.obs)
        _end(self._screen)
        if self._screen and self._screen.stdout:
            self._screen.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _write_settings(self) -> None:
        folder = self.home / ".config" / "obs-studio"
        profile = folder / "basic" / "profiles" / "Untitled"
        profile.mkdir(parents=True)
        self.recordings.mkdir()
        width, height, fps = self._canvas
        (folder / "global.ini").write_text(
            "[General]\nFirstRun=true\n"
            "[Basic]\nProfile=Untitled\nProfileDir=Untitled\nSceneCollection=Untitled\nSceneCollectionFile=Untitled\n"
            f"[OBSWebSocket]\nServerEnabled=true\nServerPort={self.port}\nAuthRequired=true\nServerPassword={self.password}\n"
        )
        (profile / "basic.ini").write_text(
            "[General]\nName=Untitled\n"
            f"[Video]\nBaseCX={width}\nBaseCY={height}\nOutputCX={width}\nOutputCY={height}\nFPSType=0\nFPSCommon={fps}\n"
            "[Output]\nMode=Simple\nReconnect=true\nRetryDelay=1\nMaxRetries=20\n"
            f"[SimpleOutput]\nFilePath={self.recordings}\nRecFormat=mkv\nVBitrate=200\nABitrate=64\nStreamEncoder=x264\n"
            "Preset=ultrafast\nRecQuality=Stream\nUseAdvanced=true\n"
        )

    def _open_screen(self) -> None:
        self._screen = subprocess.Popen(
            _mortal("Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._screen.stdout
        self._display = ":" + self._screen.stdout.readline().decode().strip()

    def start(self) -> None:
        """Start OBS and wait until its port lets us in."""
        environment = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_RUNTIME_DIR": str(self.home),
            "DISPLAY": self._display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_QPA_PLATFORM": "xcb",
        }
        with (self.home / "obs.log").open("ab") as log:
            self.obs = subprocess.Popen(
                _mortal("obs", "--minimize-to-tray", "--disable-updater", "--multi"),
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                )
        deadline = time.monotonic() + BOOT_S
        while True:
            try:
                with self.client() as client:
                    client.call(requests.GetSceneList())
                return
            except ObsError:
                if time.monotonic() > deadline or self.obs.poll() is not None:
                    raise AssertionError(f"OBS did not start: {(self.home / 'obs.log').read_text()[-2000:]}") from None
                time.sleep(0.1)

    @contextmanager
    def client(self) -> Iterator[ObsSocket]:
        """Open a connection of the test's own: the hand at the room's computer."""
        client = ObsSocket(self.host, self.port, self.password)
        client.connect()
        try:
            yield client
        finally:
            client.disconnect()

    def build(self) -> None:
        """Make the scenes and inputs that the tests speak of; fine when OBS has kept them."""
        with self.client() as client:
            known = {one["sceneName"] for one in client.call(requests.GetSceneList()).datain["scenes"]}
            if SCENES[0] in known:
                return
            client.call(requests.SetSceneName(sceneName="Scene", newSceneName=SCENES[0]))
            for name in SCENES[1:]:
                client.call(requests.CreateScene(sceneName=name))
            for place, scene in enumerate(SCENES):
                colour = (0xFF2F6D68, 0xFF6D2F68, 0xFF686D2F)[place]
                settings = {"color": colour, "width": self._canvas[0], "height": self._canvas[1]}
                self.add_input(client, scene, f"{BACKDROP}{place}", "color_source_v3", settings)
            self.add_input(client, SCENES[0], TITLE, "text_ft2_source_v2", {"text": "山药"})
            for name in (MICROPHONE, MUSIC):
                tone = {"input": "sine=frequency=440:sample_rate=48000", "input_format": "lavfi", "is_local_file": False}
                self.add_input(client, SCENES[0], name, "ffmpeg_source", tone)
            client.call(requests.SetCurrentProgramScene(sceneName=SCENES[0]))
            client.call(requests.SetCurrentSceneTransition(transitionName="Cut"))

    @staticmethod
    def add_input(client: ObsSocket, scene: str, name: str, kind: str, settings: Mapping[str, object]) -> None:
        client.call(requests.CreateInput(sceneName=scene, inputName=name, inputKind=kind, inputSettings=settings))

    def freeze(self) -> None:
        """Hang OBS: its sockets stay open and nothing answers."""
        assert self.obs
        self.obs.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.obs
        self.obs.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Let OBS die as in a power cut."""
        _end(self.obs)

    def quit(self) -> None:
        """Ask OBS to end as its window does."""
        assert self.obs
        self.obs.terminate()
        self.obs.wait(10)

    def settle(self) -> None:
        """Stop all outputs and wait until they have stopped, so that one test never meets another's.

        An OBS that is gone, hangs or cannot end an output (docs/obs-facts.md) is started anew: whatever brought it there has
        failed or passed by itself, and the next test is to see an OBS in order.
        """
        try:
            self._stop_all()
        except (ObsError, TimeoutError):
            self.kill()
            self.start()

    def _stop_all(self) -> None:
        with self.client() as client:
            for kind in ("Stream", "Record"):
                deadline = time.monotonic() + 10
                while client.call(getattr(requests, f"Get{kind}Status")()).datain["outputActive"]:
                    with suppress(OutputNotRunning):
                        client.call(getattr(requests, f"Stop{kind}")())
                    if time.monotonic() > deadline:
                        raise TimeoutError(kind)
                    time.sleep(0.1)


class Ingest:
    """A platform's server on this machine: takes one stream after another into a file."""

    def __init__(self) -> None:
        self.port = free_port()
        self.server = f"rtmp://127.0.0.1:{self.port}/live"
        self.folder = Path(tempfile.mkdtemp(prefix="ingest-"))
        self.file = self.folder / "taken.flv"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Listen for one stream (ffmpeg takes one and ends with it)."""
        self._process = subprocess.Popen(
            _mortal(
                *("ffmpeg", "-y", "-loglevel", "error", "-f", "flv", "-listen", "1", "-i", f"{self.server}/key"),
                *("-c", "copy", "-f", "flv", "-flush_packets", "1", str(self.file)),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self._listens():
            assert time.monotonic() < deadline, "ffmpeg does not listen"
            time.sleep(0.05)

    def _listens(self) -> bool:
        """Look into the kernel's table: a trial connection would use up the only place."""
        wanted = f":{self.port:04X}"
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in lines)

    def taken_bytes(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def video(self) -> tuple[str, int, int, int]:
        """Return codec, width, height and number of packets of the video that came, as ffprobe reads the file; ("", 0, 0, 0): none."""
        told = subprocess.run(
            ("ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-of", "json",
             "-show_entries", "stream=codec_name,width,height,nb_read_packets", str(self.file)),
            capture_output=True, timeout=20, check=False)
        streams = json.loads(told.stdout or b"{}").get("streams", [])
        if not streams:
            return "", 0, 0, 0
        found = streams[0]
        return found["codec_name"], found["width"], found["height"], int(found["nb_read_packets"])

    def shows_video(self) -> bool:
        """Tell whether half a second of the rig's picture has come, in its size."""
        codec, width, height, packets = self.video()
        return (codec, width, height) == ("h264", 360, 640) and packets > 10

    def stop(self) -> None:
        _end(self._process)


def ask(request: str, **data: Any) -> Ask:
    """Return one request as a connection of the test's own sends it."""
    return Ask((Step(request, data),))
