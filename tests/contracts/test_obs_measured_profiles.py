"""What was measured on OBS 29 about profiles, scene collections and a pause in the first moment.

Each of these may kill its OBS, so each has one of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
import pytest_asyncio
from obswebsocket import requests

from studio.obs.errors import AnswerTimeout, LinkLost, ObsError, OutputUnsettled
from studio.obs.outputs import stop_until_stopped
from studio.obs.port import Destination, LinkDown, ListChanged, Listing, OutputChanged, OutputKind, OutputState
from studio.obs.profiles import note_key, read_profiles, wipe_noted
from studio.obs.real import BEAT_S, RealObs
from studio.obs.websocket import ObsSocket
from tests import obs_rig
from tests.obs_faults import heard_on, patient, true
from tests.obs_rig import ObsRig, ask

pytestmark = pytest.mark.obs
OTHER = "另一个"


@pytest.fixture
def victim() -> Iterator[ObsRig]:
    obs_rig.require(*obs_rig.NEEDED)
    with ObsRig() as rig:
        yield rig


@pytest_asyncio.fixture
async def link(victim: ObsRig) -> AsyncIterator[RealObs]:
    link = patient(victim.host, victim.port, victim.password, beat_s=BEAT_S)
    await link.connect()
    yield link
    await link.close()


async def test_m19c_a_key_belongs_to_a_profile_and_waits_there(victim: ObsRig, link: RealObs) -> None:
    """Somebody changes the profile by hand: the key seems gone and comes back with the profile; the change is told."""
    mine = Destination(server="rtmp://merchant-a/live", key="key-a")
    await link.write_destination(mine)
    heard = heard_on(link)
    with victim.client() as hand:
        await asyncio.to_thread(hand.call, requests.CreateProfile(profileName=OTHER))
        await true(lambda: ListChanged(what=Listing.EVERYTHING) in heard)
        assert (await link.read_destination()).empty
        await link.wipe_destination()  # reaches the profile in force only
        heard.clear()
        await asyncio.to_thread(hand.call, requests.SetCurrentProfile(profileName="Untitled"))
        await true(lambda: ListChanged(what=Listing.EVERYTHING) in heard)
        assert await link.read_destination() == mine
        await link.wipe_destination()
        assert (await link.read_destination()).empty


async def test_m19c_a_noted_key_is_wiped_in_the_profile_where_it_waits(victim: ObsRig, link: RealObs) -> None:
    """Putting a profile in force for a moment reaches its key, while the director goes on reading and picturing."""
    await note_key(link)
    await link.write_destination(Destination(server="rtmp://merchant-a/live", key="key-a"))
    with victim.client() as hand:
        await asyncio.to_thread(hand.call, requests.CreateProfile(profileName=OTHER))
    await link.wipe_destination()
    polls = asyncio.create_task(_poll(link))
    assert await wipe_noted(link, may_switch=False) == ("Untitled",)
    assert "key-a" in _files(victim)
    for _ in range(3):
        assert await wipe_noted(link, may_switch=True) == ()
        await note_key(link)
    assert (await read_profiles(link)).current == OTHER, "what was in force is in force again"
    polls.cancel()
    await asyncio.gather(polls, return_exceptions=True)
    assert link.alive
    assert "key-a" not in _files(victim)


async def test_a_wipe_cut_short_by_the_death_of_obs_goes_on_after_its_restart(
        victim: ObsRig, link: RealObs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note in OBS outlives it: which profiles may hold a key, in whatever script, and which one to go back to."""
    with victim.client() as hand:
        for name in (OTHER, "第三个"):
            await asyncio.to_thread(hand.call, requests.CreateProfile(profileName=name))
            await note_key(link)
            await link.write_destination(Destination(server="rtmp://merchant-a/live", key="key-a"))
    await link.wipe_destination()

    async def die() -> None:
        await asyncio.to_thread(victim.kill)
        raise LinkLost("killed", sent=True)

    monkeypatch.setattr(link, "wipe_destination", die)
    with pytest.raises(LinkLost):
        await wipe_noted(link, may_switch=True)
    assert "key-a" in _files(victim)
    await asyncio.to_thread(victim.start)
    again = patient(victim.host, victim.port, victim.password, beat_s=BEAT_S)
    await again.connect()
    await again.wipe_destination()
    assert await wipe_noted(again, may_switch=True) == ()
    assert (await read_profiles(again)).current == "第三个"
    await again.close()
    assert "key-a" not in _files(victim)


async def test_m21_our_changes_of_profile_survive_hard_reading(victim: ObsRig, link: RealObs) -> None:
    """Asked for during a change, statistics killed this OBS in 9 of 22, and a panic is not held meanwhile."""
    with victim.client() as hand:
        await asyncio.to_thread(hand.call, requests.CreateProfile(profileName=OTHER))
    heard = heard_on(link)
    polls = [asyncio.create_task(_poll(link)) for _ in range(3)]
    for n in range(40):
        changing = asyncio.create_task(link.switch_profile(OTHER if n % 2 else "Untitled"))
        await asyncio.sleep(0.005 * (n % 8))
        assert all(one.done for one in await link.stand_by(obs_rig.STAND_BY, [obs_rig.MICROPHONE]))
        await changing
        await link.read_snapshot()  # lets the others have their turns
    assert victim.obs
    assert victim.obs.poll() is None
    assert not [event for event in heard if isinstance(event, LinkDown)]
    assert (await read_profiles(link)).current == OTHER
    await link.close()
    assert sum(await asyncio.gather(*polls)) > 20


async def _poll(link: RealObs) -> int:
    """Read as hard as the link lets us until it is closed; return how often."""
    read = 0
    while link.alive:
        with suppress(ObsError):
            await link.read_snapshot()
            await link.screenshot(obs_rig.SCENES[0], width=90)
            await link.read_destination()
        read += 1
        await asyncio.sleep(0)
    return read


def _files(rig: ObsRig) -> str:
    """Return all that OBS keeps of stream destinations on disk, whatever the profile."""
    profiles = rig.home / ".config" / "obs-studio" / "basic" / "profiles"
    return "".join(path.read_text() for path in sorted(profiles.glob("*/service.json*")))


async def test_m20_reading_goes_on_through_changes_of_the_scene_collection(victim: ObsRig) -> None:
    """Plain polling makes this OBS crash after four to six changes; ours stops by itself while a change lasts.

    On a busy machine this OBS hangs in a change once in 161 without any client that reads (it waits for its own queue of things to
    destroy), so a hang, unlike a crash, only begins the dozen anew.
    """
    hangs = 0
    while not await _lives_through_changes(victim, 12):
        hangs += 1
        assert hangs < 4
        await asyncio.to_thread(victim.kill)
        await asyncio.to_thread(victim.start)


async def _lives_through_changes(victim: ObsRig, count: int) -> bool:
    """Change the scene collection by hand under hard reading; False when OBS hung."""
    link = patient(victim.host, victim.port, victim.password, beat_s=BEAT_S)
    await link.connect()
    heard = heard_on(link)
    with victim.client() as hand:
        await _create_collection(hand)
        polls = [asyncio.create_task(_poll(link)) for _ in range(3)]
        try:
            await _change_collections(hand, count)
        except AnswerTimeout:
            assert victim.obs
            assert victim.obs.poll() is None, "crashed"
            await link.close()
            return False
        finally:
            ended = [event for event in heard if isinstance(event, LinkDown)]
    assert not ended
    assert obs_rig.SCENES[0] in (await link.read_snapshot()).scenes
    await link.close()
    assert sum(await asyncio.gather(*polls)) > 20
    return True


async def _create_collection(hand: ObsSocket) -> None:
    found = await asyncio.to_thread(hand.call, requests.GetSceneCollectionList())
    if OTHER not in found.datain["sceneCollections"]:
        await asyncio.to_thread(hand.call, requests.CreateSceneCollection(sceneCollectionName=OTHER))


async def _change_collections(hand: ObsSocket, count: int) -> None:
    for n in range(count):
        await asyncio.sleep(0.25)  # the reading between two changes
        name = OTHER if n % 2 == 0 else "Untitled"
        await asyncio.to_thread(hand.call, requests.SetCurrentSceneCollection(sceneCollectionName=name))


async def test_a_recording_that_obs_can_never_end_is_not_called_stopped(victim: ObsRig, link: RealObs) -> None:
    """Paused and stopped in its first moment, a recording of OBS 29 hangs until OBS is killed (seen in each of 2 tries)."""
    await link.set_profile_parameter("SimpleOutput", "RecQuality", "Small")
    heard = heard_on(link)
    with victim.client() as hand:
        await asyncio.to_thread(hand.call_batch, ask("StartRecord"))
        await true(lambda: OutputState.STARTED in [event.state for event in heard if isinstance(event, OutputChanged)])
        await asyncio.to_thread(lambda: (hand.call_batch(ask("PauseRecord")), hand.call_batch(ask("StopRecord"))))
    try:
        await stop_until_stopped(link, OutputKind.RECORD, deadline_s=3)
    except OutputUnsettled:
        assert (await link.read_outputs()).record.active
    else:
        assert not (await link.read_outputs()).record.active
