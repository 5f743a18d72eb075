"""Long runs: collected only when SOAK_MIN says how long, as `make soak` does."""

import os

import pytest

collect_ignore_glob = [] if "SOAK_MIN" in os.environ else ["test_*.py"]


@pytest.fixture
def soak_s() -> float:
    """Return how long one of the two runs may take, in seconds: each gets half of SOAK_MIN."""
    return float(os.environ["SOAK_MIN"]) * 60 / 2
