"""Why OBS refuses a link is a code from the link to the page; whatever its words say, only a person lets in what was thrown out."""

import asyncio

import pytest

from studio.director import owner
from studio.obs.errors import Kicked, LinkRefused, WrongPassword
from studio.obs.machine import SimulatedMachine
from studio.obs.port import Facts, LinkState
from studio.obs.simulated import SimulatedObs
from tests.studio.conftest import Studio, until


@pytest.mark.parametrize(("refusal", "is_tried_again"), [
    (Kicked(4011, "not 4009"), False), (WrongPassword(4009, "after 4011 ms"), True)])
async def test_it_works(studio: Studio, monkeypatch: pytest.MonkeyPatch, refusal: LinkRefused, is_tried_again: bool) -> None:
    tries = 0

    class Refusing(SimulatedObs):
        async def connect(self) -> Facts:
            nonlocal tries
            tries += 1
            raise refusal

    monkeypatch.setattr(owner, "REFUSED_AGAIN_S", 0.1)
    await studio.direct(make=lambda *_: Refusing(SimulatedMachine()))
    shown = await studio.shows(lambda s: s.link.state == LinkState.REFUSED)
    assert (shown.link.code, shown.link.reason) == (refusal.code, str(refusal))
    if is_tried_again:
        await until(lambda: tries > 2, what="tried again")
    else:
        await asyncio.sleep(0.5)
        assert tries == 1
