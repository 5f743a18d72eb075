"""The supervisor: order of start and end, each killed child comes back, nothing stays behind."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from redis import Redis

from frontend.run import FIRST_MB, LONGEST_PAUSE_S, Child, another, refusal_of_port, say, shortage
from incubator.ground.processes import ServerFailed
from tests.frontend.terminal import PARTS, ROOT, Terminal, eventually, free_port, gone
from tests.parts import require_mounts

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def run(**environment: str) -> Terminal:
        started.append(Terminal(tmp_path / "data", **environment))
        return started[-1]

    yield run
    for terminal in started:
        terminal.close()


async def ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def answers(dsn: str) -> bool:
    """Tell whether a database that was killed is through with its recovery."""
    try:
        return asyncio.run(ask(dsn, "SELECT true")) is True
    except (OSError, asyncpg.CannotConnectNowError):
        return False


def test_it_works(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.wait_for(r"Ready after [\d.]+ s: http://127\.0\.0\.1:\d+")
    terminal.wait_for(r"owner@demo\.kaibo\.example")
    assert terminal.order()[:2] == ["+migrate", "+demo"]
    assert sorted(terminal.pids()) == sorted(PARTS)
    assert eventually(lambda: {"+worker", "+director"} <= set(terminal.order()))
    pids = terminal.pids()
    assert terminal.end() == 0
    assert all(gone(pid) for pid in pids.values())
    assert terminal.order()[-3:] == ["-web", "-worker", "-director"]


def test_ctrl_c_ends_it_too(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.wait_for("Ready after")
    assert terminal.end(signal.SIGINT) == 0


def test_the_second_start_makes_no_second_cluster_and_no_second_demo(start: Callable[..., Terminal]) -> None:
    first = start()
    first.wait_for("Ready after")
    first.end()
    version = next(first.data.rglob("PG_VERSION"))
    made = version.stat()
    second = start()
    second.wait_for("Ready after")
    assert (version.stat().st_ino, version.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
    assert second.order().count("+demo") == 1


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_comes_back(start: Callable[..., Terminal], name: str) -> None:
    terminal = start()
    terminal.wait_for("Ready after")
    before = terminal.pids()
    os.kill(before[name], signal.SIGKILL)
    terminal.wait_for(f"{name} ended")
    terminal.wait_for(f"{name} started again")
    assert eventually(lambda: set(terminal.pids()) == set(PARTS))
    after = terminal.pids()
    assert after.pop(name) != before.pop(name)
    assert after == before


def test_restarted_servers_keep_address_and_rows(start: Callable[..., Terminal]) -> None:
    terminal = start()
    dsn, url = terminal.wait_for("postgresql://").split()[-2:]
    terminal.wait_for("Ready after")
    asyncio.run(ask(dsn, "CREATE TABLE kept AS SELECT 1 AS one"))
    for name in ("postgres", "valkey"):
        os.kill(terminal.pids()[name], signal.SIGKILL)
        terminal.wait_for(f"{name} started again")
    assert eventually(lambda: "valkey" in terminal.pids() and bool(Redis.from_url(url).ping()))
    assert eventually(lambda: answers(dsn))
    assert asyncio.run(ask(dsn, "SELECT one FROM kept")) == 1


def test_nothing_blocks_the_next_start_after_kill(start: Callable[..., Terminal]) -> None:
    first = start()
    first.wait_for("Ready after")
    pids = first.pids()
    first.process.kill()
    first.process.wait()
    second = start(PORT=str(first.port))
    second.wait_for("Ready after")
    assert all(gone(pid) for pid in pids.values())


def test_a_kill_during_the_first_start_does_no_harm(start: Callable[..., Terminal]) -> None:
    for pause_s in (0.3, 0.6, 0.9, 1.2):
        terminal = start()
        time.sleep(pause_s)
        terminal.process.kill()
        terminal.process.wait()
    last = start()
    last.wait_for("Ready after")
    assert sorted(last.pids()) == sorted(PARTS)


def test_a_deaf_part_does_not_hold_up_the_end(start: Callable[..., Terminal]) -> None:
    terminal = start(STAND_IN_DEAF="worker")
    terminal.wait_for("Ready after")
    assert eventually(lambda: "+worker" in terminal.order())
    pids = terminal.pids()
    assert terminal.end() == 0
    assert all(gone(pid) for pid in pids.values())


def test_a_deaf_web_does_not_sit_on_the_port_after_kill(start: Callable[..., Terminal]) -> None:
    first = start(STAND_IN_DEAF="web")
    first.wait_for("Ready after")
    first.process.kill()
    first.process.wait()
    start(PORT=str(first.port)).wait_for("Ready after")
    assert first.order().count("+web") == 2


def test_a_second_supervisor_on_the_same_data_is_refused(start: Callable[..., Terminal]) -> None:
    first = start()
    first.wait_for("Ready after")
    second = start()
    second.wait_for(f"in use by process {first.process.pid}.*KAIBO_DATA")
    assert second.process.wait(30) == 1
    assert sorted(first.pids()) == sorted(PARTS)


def test_a_taken_port_is_named(start: Callable[..., Terminal]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        terminal = start(PORT=str(other.getsockname()[1]))
        terminal.wait_for(r"Cannot listen on 127\.0\.0\.1 port \d+ \(Address already in use\).*make run PORT=\d+")
        assert terminal.process.wait(30) == 1


def test_a_second_supervisor_on_the_same_port_hears_of_the_first(start: Callable[..., Terminal]) -> None:
    first = start()
    first.wait_for("Ready after")
    second = start(PORT=str(first.port))
    second.wait_for(f"in use by process {first.process.pid}.*KAIBO_DATA")
    assert second.process.wait(30) == 1


def test_a_folder_that_cannot_be_written_to_is_named(start: Callable[..., Terminal], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    terminal = start(KAIBO_DATA=str(tmp_path / "file" / "data"))
    terminal.wait_for(r"Cannot write to .*file/data.*KAIBO_DATA")
    assert terminal.process.wait(30) == 1


def test_a_first_start_on_a_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shortage(tmp_path, 1) is None
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=FIRST_MB * 1_000_000 - 1))
    found = shortage(tmp_path, FIRST_MB)
    assert found is not None
    assert f"The disk of {tmp_path} is full but for {FIRST_MB - 1} MB" in found
    assert "KAIBO_DATA" in found


@needs_root
def test_a_small_disk_is_named_before_anything_is_made(tmp_path: Path) -> None:
    script = f'mount -t tmpfs -o size=20m none "{tmp_path}" && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    require_mounts(prefix)
    env = os.environ | {"KAIBO_DATA": str(tmp_path / "data"), "PORT": str(free_port())}
    env.pop("DATABASE_URL", None)
    command = [*prefix, sys.executable, "-m", "frontend.run"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [line[:30] for line in done.stdout.splitlines()] == ["kaibo    | The disk of " + str(tmp_path)[:7], "kaibo    | Stopped"]


def test_a_database_that_is_away_is_told_in_one_line(tmp_path: Path) -> None:
    env = os.environ | {"KAIBO_DATA": str(tmp_path), "PORT": str(free_port()),
                        "DATABASE_URL": f"postgresql://kaibo@127.0.0.1:{free_port()}/kaibo"}
    command = [sys.executable, "-m", "frontend", "migrate"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"kaibo: the database cannot be reached \(.*\)\. Start its server, or correct DATABASE_URL\.\n", done.stderr)


def test_each_line_of_a_reason_has_its_name_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    say("initdb failed:\nno space")
    say("")
    assert capsys.readouterr().out == "kaibo    | initdb failed:\nkaibo    | no space\n"


@pytest.mark.parametrize(("port", "other"), [(8000, 8001), (80, 8001), (65535, 8001)])
def test_another_port_is_one_that_everybody_may_use(port: int, other: int) -> None:
    assert another(port) == other


def test_a_failed_migration_stops_the_start(start: Callable[..., Terminal]) -> None:
    terminal = start(STAND_IN_MIGRATE="1")
    terminal.wait_for("migrate stopped with status 1")
    assert terminal.process.wait(30) == 1
    assert terminal.order() == ["+migrate"]


def test_other_servers_are_used_instead(start: Callable[..., Terminal]) -> None:
    terminal = start(DATABASE_URL="postgresql://elsewhere/kaibo", REDIS_URL="redis://elsewhere:6379")
    terminal.wait_for("postgresql://elsewhere/kaibo redis://elsewhere:6379")
    terminal.wait_for("Ready after")
    assert sorted(terminal.pids()) == ["director", "web", "worker"]


def test_pauses_grow_and_end_at_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def fail() -> None:
        raise ServerFailed("broken")

    child = Child("part", fail)  # type: ignore[arg-type]  # it never runs
    pauses = []
    for _ in range(7):
        child.watch()
        pauses.append(child.due - now[0])
        now[0] = child.due
    assert pauses == [0.5, 1, 2, 4, 8, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_the_supervisor_stays_small() -> None:
    """It lives as long as the installation, so the product's libraries have no business in it."""
    code = "import sys, frontend.run; print(*(name for name in ('litestar', 'piccolo', 'arq') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_bad_setting_is_named() -> None:
    command = [sys.executable, "-m", "frontend.run"]
    env = os.environ | {"PORT": "x"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "PORT='x' cannot be used" in done.stderr


def test_an_unknown_host_cannot_be_listened_on() -> None:
    assert refusal_of_port("203.0.113.7", 8000) is not None
    assert refusal_of_port("127.0.0.1", free_port()) is None
