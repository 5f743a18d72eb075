"""House rules that no linter knows."""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from booking.reservations.rules import STANDING
from studio.director.mirror import BEGINNING
from studio.director.wire import RUNNING, STILL
from studio.live_sessions.rules import OVER
from tests.architecture.calls import trees

ROOT = Path(__file__).parents[2]
FLOORS = ("incubator", "booking", "studio", "frontend")


def sources() -> list[Path]:
    return [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")]


def importing(pattern: str) -> set[str]:
    return {str(p.relative_to(ROOT)) for p in sources() if re.search(pattern, p.read_text("utf-8"), re.MULTILINE)}


def test_only_one_door_writes_allocations() -> None:
    writing = {str(p.relative_to(ROOT)) for p in sources() if "migrations" not in p.parts
               and re.search(r"(INSERT INTO|UPDATE|DELETE FROM)\s+allocations\b", p.read_text("utf-8"))}
    assert writing == {"booking/reservations/slots.py"}


def test_nobody_asks_the_clock_but_the_clock() -> None:
    allowed = {"incubator/ground/clock.py"}
    assert importing(r"datetime\.(now|utcnow|today)\(|date\.today\(") <= allowed


def test_nobody_locks_harder_than_needed() -> None:
    """A plain FOR UPDATE on a merchant deadlocks with any child insert."""
    assert importing(r"FOR UPDATE") == set()


def test_one_door_lets_holds_go() -> None:
    assert importing(r"SET state = 'expired'") == {"booking/reservations/slots.py"}


def test_the_channel_of_a_panic_has_one_name() -> None:
    assert importing(r"[\"']studio_panic[\"']") == {"studio/director/wire.py"}


def test_what_has_a_quota_is_said_once() -> None:
    written = importing(r"live_room")
    assert "booking/policies/rules.py" in written
    assert "booking/policies/queries.py" not in written


def test_how_long_a_session_has_its_room_is_said_once() -> None:
    assert importing(r"coalesce\(r\.overrun_min") == {"studio/live_sessions/queries.py"}
    assert importing(r"OVERRUN_MIN = ") == {"studio/rigs/rules.py"}
    assert {name for name in importing(r"(lower|upper)\(a\.blocked\)") if name.startswith("studio/")} == {
        "studio/live_sessions/queries.py"}


def _member(node: ast.expr) -> str:
    """Return a state as text, however it is written: "ended" or SessionState.ENDED."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Attribute(attr=name):
            return name.lower()
    return ""


def _sets(tree: ast.Module) -> Iterator[frozenset[str]]:
    """Yield what is listed in a file, in any order: in Python's sets, tuples and lists, and after SQL's IN."""
    for node in ast.walk(tree):
        match node:
            case ast.Set(elts=elts) | ast.Tuple(elts=elts) | ast.List(elts=elts):
                yield frozenset(map(_member, elts))
            case ast.Constant(value=str(text)):
                yield from (frozenset(re.findall(r"\w+", listed)) for listed in re.findall(r"\(('\w+'(?:, '\w+')*)\)", text))


SAID: dict[Collection[str], set[str]] = {
    RUNNING: {"studio/director/wire.py"},
    STILL: {"studio/director/wire.py"},
    BEGINNING: {"studio/director/mirror.py"},
    STANDING: {"booking/reservations/rules.py", "booking/reservations/jobs.py"},  # SQL in the words of the index that serves it
    OVER: {"studio/live_sessions/rules.py", "studio/destinations/service.py"},  # which lies below the live sessions
}


@pytest.mark.parametrize(("states", "files"), SAID.items(), ids=["running", "still", "beginning", "standing", "over"])
def test_which_states_belong_together_is_said_once(states: Collection[str], files: set[str]) -> None:
    assert {path for path, tree in trees() if "migrations" not in path and frozenset(map(str, states)) in _sets(tree)} == files


def test_how_old_a_word_of_a_director_may_be_is_asked_in_one_place() -> None:
    assert importing(r"age_s > (STALE_S|stale_s) else") == {"frontend/pages/live_view.py"}
