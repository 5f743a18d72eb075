"""Sound of the simulated OBS: levels that rise and fall like speech and music."""

import math
import random
from typing import Any, Final

BEAT_S = 0.05
# how loud on the average, and how much it moves, in dB
_CHARACTER: Final = {"主播麦": (-20.0, 9.0), "助播麦": (-26.0, 9.0), "背景音乐": (-32.0, 4.0), "短片声音": (-90.0, 1.0)}
_QUIET: Final = (-55.0, 3.0)


class SimulatedSound:
    """One input with sound."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.muted = False
        self.volume_db = 0.0
        self._mean_db, self._swing_db = _CHARACTER.get(name, _QUIET)
        self._dice = random.Random(name)  # noqa: S311  # draws a meter
        self._level_db = self._mean_db

    @property
    def multiplier(self) -> float:
        """The fader as a factor; the lowest position is silence."""
        return 0.0 if self.volume_db <= -100 else 10 ** (self.volume_db / 20)

    def meter(self) -> dict[str, Any]:
        """Return the next reading in the protocol's form: magnitude, peak, peak before the fader."""
        pull = (self._mean_db - self._level_db) * 0.15
        self._level_db = min(-1.0, self._level_db + pull + self._dice.gauss(0, self._swing_db * 0.35))
        before = math.pow(10, self._level_db / 20)
        after = 0.0 if self.muted else before * self.multiplier
        channel = [after * 0.6, min(after, 1.0), before]
        return {"inputName": self.name, "inputLevelsMul": [channel, channel]}
