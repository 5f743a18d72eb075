"""House rules that no linter knows."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS = ("incubator", "booking", "studio", "frontend")


def sources() -> list[Path]:
    return [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")]


def importing(pattern: str) -> set[str]:
    return {str(p.relative_to(ROOT)) for p in sources() if re.search(pattern, p.read_text("utf-8"), re.MULTILINE)}


def test_arq_is_imported_in_two_files() -> None:
    assert importing(r"^(from|import) arq\b") == {"incubator/ground/queue/relay.py", "frontend/worker.py"}


def test_the_protocol_library_is_imported_in_one_file() -> None:
    assert importing(r"^(from|import) obswebsocket\b") <= {"studio/obs/websocket.py"}


def test_the_web_framework_stays_on_the_top_floor() -> None:
    assert all(name.startswith("frontend/") for name in importing(r"^(from|import) (litestar|jinja2)\b"))


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


def test_which_states_stand_and_which_are_over_is_said_once() -> None:
    assert importing(r"^(STANDING|HOLDING) = frozenset") == {"booking/reservations/rules.py"}
    ended = importing(r"""["']ended["'], ["']cancelled["']""") - {"studio/migrations/m0001_rigs_and_live_sessions.py"}
    assert ended == {"studio/destinations/service.py"}, "which lies below the live sessions"
    assert importing(r"OutputPhase\.LIVE, OutputPhase\.RECONNECTING") == {"studio/director/wire.py"}


def test_how_old_a_word_of_a_director_may_be_is_asked_in_one_place() -> None:
    assert importing(r"age_s > (STALE_S|stale_s) else") == {"frontend/pages/live_view.py"}
