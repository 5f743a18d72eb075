"""Makes the links to rigs: real ones by address, simulated ones to a machine that lives as long as this director."""

from collections.abc import Callable
from urllib.parse import urlsplit

from studio.obs.machine import SimulatedMachine
from studio.obs.port import ObsLink
from studio.obs.real import RealObs
from studio.obs.simulated import SimulatedObs
from studio.rigs.queries import LinkFacts
from studio.rigs.rules import Driver

MakeLink = Callable[[int, LinkFacts, bool], ObsLink]
DEFAULT_PORT = 4455
# Both connections are made to speak this often: a page calls a room stale two seconds after the quieter one's last word.
BEAT_S = 0.5


class Links:
    """One per director; keeps the simulated machines."""

    def __init__(self) -> None:
        self.machines: dict[int, SimulatedMachine] = {}

    def make(self, rig_id: int, facts: LinkFacts, is_portrait: bool) -> ObsLink:
        """Return a new link to a rig, not connected yet."""
        if facts.driver == Driver.SIMULATED:
            machine = self.machines.setdefault(rig_id, SimulatedMachine(portrait=is_portrait))
            return SimulatedObs(machine)
        parts = urlsplit(facts.address)
        return RealObs(parts.hostname or "", parts.port or DEFAULT_PORT, facts.password, beat_s=BEAT_S)
