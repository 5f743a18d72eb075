"""OBS dies while a key is wiped in a profile that is not in force: what the note in OBS says is wiped after the restart."""

from collections.abc import Mapping
from typing import Any

import pytest

from studio.obs.machine import _HANDLERS, PROFILE, SimulatedMachine
from tests.studio.conftest import Studio, until
from tests.studio.test_profiles import OTHER, armed, by_hand, finish, keys, noted


async def test_the_director_goes_on_wiping_when_obs_is_back(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director, reservation, _ = await armed(studio)
    machine = studio.machine(director)
    by_hand(machine, "CreateProfile", OTHER)
    await until(lambda: noted(machine)["profiles"] == [PROFILE, OTHER])

    def die(machine: SimulatedMachine, data: Mapping[str, Any]) -> None:
        machine.profile = data["profileName"]
        machine.power_off()

    with monkeypatch.context() as patched:
        patched.setitem(_HANDLERS, "SetCurrentProfile", die)
        await finish(reservation)
        await until(lambda: not machine.powered)
        assert keys(machine)[PROFILE] == "stream-9F3K5T"
        assert noted(machine) == {"profiles": [PROFILE, OTHER], "back": OTHER}
    machine.power_on()
    assert (await studio.state(reservation, "ended", 30)).cleanliness == "clean"
    assert keys(machine) == {PROFILE: "", OTHER: ""}
    assert machine.profile == OTHER, "what was in force before the wipe is in force again"
    assert noted(machine) == {"profiles": [], "back": ""}
