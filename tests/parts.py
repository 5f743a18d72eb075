"""What a test needs of the machine: on CI its absence is a failure, elsewhere the test says what is missing and is skipped."""

import os
import subprocess
from collections.abc import Sequence
from typing import NoReturn

import pytest


def without(reason: str) -> NoReturn:
    """End the test for want of a real part."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def require_mounts(prefix: Sequence[str]) -> None:
    """Want a machine on which that command, with mounts of its own, can run anything."""
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        without("this machine allows no mounts; a container needs --cap-add SYS_ADMIN")
