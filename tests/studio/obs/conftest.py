"""A scripted OBS for the tests of one connection."""

from collections.abc import Iterator

import pytest

from tests.obs_faults import FaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server
