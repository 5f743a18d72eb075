"""Children that end with the process that started them, and the lock that keeps two servers off one data folder."""

import fcntl
import hashlib
import importlib.util
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from incubator.ground import launch

LAUNCHER = str(Path(launch.__file__).resolve())
# A Unix socket has at most 107 bytes of path, so sockets never lie below the data folder.
SOCKETS = Path("/tmp")  # noqa: S108 -- the folder made below it is 0700 and its owner is checked


class ServerFailed(Exception):
    """An embedded server could not be started; the message says why and what to do."""


class ServerInUse(ServerFailed):
    """Another running process serves from this data folder."""


def spawn(
    command: Sequence[str],
    *,
    death_signal: signal.Signals | None = signal.SIGTERM,
    identity: str = "same",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    output: int | IO[bytes] | None = None,
    keep_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` as a child with stdout and stderr on `output`.

    `death_signal` reaches the child when this process ends, however it ends (Linux); None: the child lives on.
    The child gets a process group of its own, so that Ctrl-C in the terminal reaches the supervisor alone.

    Raises:
        ServerFailed: called outside the main thread: the signal would come when that thread ends.
    """
    if death_signal and threading.current_thread() is not threading.main_thread():
        raise ServerFailed("A child that ends with its parent must be started from the main thread.")
    return subprocess.Popen(
        launched(command, death_signal, identity),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=None if env is None else dict(env),
        cwd=cwd,
        pass_fds=tuple(keep_fds),
        process_group=0,
    )


def launched(command: Sequence[str], death_signal: signal.Signals | None, identity: str) -> list[str]:
    """Return the command line that becomes `command` under another identity."""
    return [sys.executable, "-I", "-S", LAUNCHER, str(int(death_signal or 0)), str(os.getpid()), identity, *command]


def stop(process: subprocess.Popen[Any], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal and wait its seconds, until the process has ended; SIGKILL follows the last."""
    for number, patience_s in (*steps, (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue


def wheel(package: str) -> Path:
    """Return the folder of an installed package without importing it.

    Raises:
        ServerFailed: it is not installed.
    """
    # Not imported: the PostgreSQL wheel warns at import, and starts nothing that is needed here.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(f"The package {package} is not installed. Install it, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.submodule_search_locations[0])


def plain_environment() -> dict[str, str]:
    """Return the little environment that a server gets."""
    # PGDATA, PGOPTIONS and their like belong to somebody else's server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def socket_place(data: Path, uid: int) -> Path:
    """Return where the sockets of a data folder lie while that user serves from it."""
    return SOCKETS / f"kaibo-{uid}-{hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]}"


def socket_folder(data: Path, uid: int) -> Path:
    """Return the folder of a data folder's sockets; the same at every start, so that clients reconnect.

    Raises:
        ServerFailed: somebody else made a folder of that name.
    """
    folder = socket_place(data, uid)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        made = folder.lstat()
        if made.st_uid != uid and made.st_uid == os.getuid() and stat.S_ISDIR(made.st_mode):
            os.chown(folder, uid, -1, follow_symlinks=False)
    except OSError as error:
        raise ServerFailed(f"{folder} cannot hold the sockets ({error}). Remove it and start again.") from error
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != uid or found.st_mode & 0o077:
        raise ServerFailed(f"The folder {folder} belongs to somebody else. Remove it and start again.")
    return folder


class FolderLock:
    """Right to serve from one data folder; servers inherit it, so it ends only when all their processes have ended."""

    def __init__(self, data: Path, *, patience_s: float = 20.0) -> None:
        """Take the lock; wait up to `patience_s` for servers whose owner is dead already.

        Raises:
            ServerInUse: the owner lives.
            ServerFailed: the folder cannot be written to.
        """
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.fd = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ServerFailed(f"Cannot write to {data} ({error}). Choose another folder with KAIBO_DATA.") from error
        deadline = time.monotonic() + patience_s
        while not self._take():
            owner = self._owner()
            if _is_running(owner) or time.monotonic() > deadline:
                os.close(self.fd)
                raise ServerInUse(
                    f"{data} is in use by process {owner or 'unknown'}. "
                    "Stop it first, or choose another folder with KAIBO_DATA."
                )
            time.sleep(0.05)

    def _take(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._write(str(os.getpid()))
        return True

    def _write(self, text: str) -> None:
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode(), 0)

    def _owner(self) -> int:
        text = os.pread(self.fd, 20, 0)
        return int(text) if text.isdigit() else 0

    def release(self) -> None:
        """Give the right back; children that still hold it are waited for at the next start."""
        if self.fd < 0:
            return
        self._write("")
        os.close(self.fd)
        self.fd = -1


def _is_running(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
        # A killed owner that nobody has waited for yet is a zombie: its state follows the name in brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OSError:
        return not Path("/proc/self").exists()
