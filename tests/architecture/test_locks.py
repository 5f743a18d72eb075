"""The locks pin by hash, name no host, and agree with each other."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-node.lock"]


def pins(name: str) -> dict[str, str]:
    """Return the text of each pin, hashes included."""
    blocks = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    return {re.split(r"[=;\[ ]", block)[0]: block for block in blocks}


@pytest.mark.parametrize("name", [*LOCKS, "package-lock.json"])
def test_no_lock_names_a_host(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_its_hashes(name: str) -> None:
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins(name).values())


def test_every_browser_library_has_its_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_tests_run_on_what_is_served() -> None:
    served, tested = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: tested.get(name) for name in served} == served
