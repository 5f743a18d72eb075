"""The three things that stand behind the port: a simulated OBS, a scripted server, a real OBS."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from studio.obs import machine
from studio.obs.machine import SimulatedMachine
from studio.obs.port import Event, MuteChanged, ObsLink, SceneChanged
from studio.obs.real import BEAT_S
from studio.obs.simulated import SimulatedObs
from studio.obs.websocket import ObsSocket
from tests import obs_rig
from tests.obs_faults import PATIENCE_S, FaultServer, patient
from tests.obs_rig import Ingest, ObsRig


@pytest.fixture(scope="session")
def rig() -> Iterator[ObsRig]:
    """Start one real OBS for the whole run."""
    obs_rig.require(*obs_rig.NEEDED)
    with ObsRig() as rig:
        yield rig


@pytest.fixture
def server() -> Iterator[FaultServer]:
    before = threading.active_count()
    with FaultServer() as server:
        yield server
    deadline = time.monotonic() + PATIENCE_S
    while threading.active_count() > before + 2:
        assert time.monotonic() < deadline, "a connection left its thread behind"
        time.sleep(0.005)


@dataclass
class Names:
    """What exists in an OBS under which name, and a server that takes its stream."""

    first: str
    second: str
    stand_by: str
    microphone: str
    silent_input: str
    server: str


class Room:
    """One OBS as a test sees it: the link, the names, and what was heard since the test began."""

    def __init__(self, kind: str, link: ObsLink, names: Names) -> None:
        self.kind = kind
        self.link = link
        self.first, self.second, self.stand_by = names.first, names.second, names.stand_by
        self.microphone, self.silent_input = names.microphone, names.silent_input
        self._server = names.server
        self.ingest: Ingest | None = None
        self.heard: list[Event] = []
        self._news = asyncio.Event()

    @property
    def server(self) -> str:
        """A server that takes the stream; behind the real OBS it is started when first asked for."""
        if self.kind != "real":
            return self._server
        if self.ingest is None:
            self.ingest = Ingest().__enter__()
        return self.ingest.server

    def take_next(self) -> None:
        """Forget what was heard, and let the server take one more stream: ffmpeg ends with the one that it took."""
        self.heard.clear()
        if self.ingest is not None:
            self.ingest.stop()
            self.ingest.start()

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        self._news.set()

    async def wait_for(self, wanted: Callable[[Event], bool], within_s: float = PATIENCE_S) -> Event:
        """Return the first event, past or coming, that is wanted."""
        async with asyncio.timeout(within_s):
            while True:
                for event in self.heard:
                    if wanted(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def wait_for_kind(self, kind: type[Any], within_s: float = PATIENCE_S) -> Any:
        return await self.wait_for(lambda event: isinstance(event, kind), within_s)


SIMULATED = Names(
    first=machine.SCENES[0],
    second=machine.SCENES[2],
    stand_by=machine.STAND_BY,
    microphone=machine.SOUNDS[0],
    silent_input=machine.TEXTS[0],
    server="rtmp://127.0.0.1/live",
)


@pytest_asyncio.fixture(params=["simulated", "scripted", pytest.param("real", marks=pytest.mark.obs)])
async def room(request: pytest.FixtureRequest) -> AsyncIterator[Room]:
    """Connect to each kind of OBS in turn."""
    if request.param == "simulated":
        made = Room("simulated", SimulatedObs(SimulatedMachine()), SIMULATED)
        async for one in _opened(made):
            yield one
    elif request.param == "scripted":
        server: FaultServer = request.getfixturevalue("server")
        link = patient("127.0.0.1", server.port, beat_s=BEAT_S)
        async for one in _opened(Room("scripted", link, SIMULATED)):
            yield one
    else:
        rig: ObsRig = request.getfixturevalue("rig")
        async for one in _opened(real_room(rig)):
            yield one
        rig.settle()


@pytest_asyncio.fixture
async def real(rig: ObsRig) -> AsyncIterator[Room]:
    """Connect to the real OBS alone."""
    async for one in _opened(real_room(rig)):
        yield one
    rig.settle()


def real_room(rig: ObsRig) -> Room:
    link = patient(rig.host, rig.port, rig.password, beat_s=BEAT_S)
    first, second, stand_by = obs_rig.SCENES
    return Room("real", link, Names(first, second, stand_by, obs_rig.MICROPHONE, obs_rig.TITLE, ""))


async def _opened(room: Room) -> AsyncIterator[Room]:
    await room.link.connect()
    stop = room.link.listen(room.hear)  # so that no event of this is taken for the test's own
    found = await room.link.read_snapshot()
    if found.program != room.first:
        await room.link.switch_scene(room.first)
        await room.wait_for_kind(SceneChanged)
    if any(one.muted for one in found.inputs if one.name == room.microphone):
        await room.link.set_mute(room.microphone, False)
        await room.wait_for_kind(MuteChanged)
    await room.link.wipe_destination()
    stop()
    room.heard.clear()
    room.link.listen(room.hear)
    yield room
    await room.link.close()
    if room.ingest:
        room.ingest.__exit__(None, None, None)


@pytest.fixture
def hand(rig: ObsRig) -> Iterator[ObsSocket]:
    """A connection of somebody else, for instance at the room's computer."""
    with rig.client() as client:
        yield client


def only_on(facts_version: str, wanted: str) -> None:
    if not facts_version.startswith(wanted):
        pytest.skip(f"measured on obs-websocket {wanted}, this is {facts_version}")
