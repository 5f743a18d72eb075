"""A supervisor in a terminal, as the tests see it."""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
PARTS = ["web", "worker", "director", "postgres", "valkey"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Terminal:
    """A running supervisor and the lines that it has printed."""

    def __init__(self, data: Path, program: Sequence[str] = (str(STAND_IN),), **environment: str) -> None:
        self.data = data
        self.port = int(environment.get("PORT", free_port()))
        data.mkdir(exist_ok=True)
        inherited = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
        mine = {"KAIBO_DATA": str(data), "PORT": str(self.port), "PYTHONPATH": str(ROOT), "HOST": "127.0.0.1"}
        self.process = subprocess.Popen(
            [sys.executable, *program, "run"],
            env=inherited | mine | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip())

    def wait_for(self, pattern: str, patience_s: float = 60.0) -> str:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                self.lines.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                pytest.fail(f"no line like {pattern!r} in:\n" + "\n".join(self.lines))
            if re.search(pattern, self.lines[-1]):
                return self.lines[-1]

    def pids(self) -> dict[str, int]:
        """Return the pid of each child by name."""
        servers = {"postgres": "postgres", "valkey-server": "valkey", "redis-server": "valkey"}
        found = {}
        for child in psutil.Process(self.process.pid).children():
            # A child that was just killed has no name any more, and no command line.
            with suppress(psutil.Error):
                name = servers.get(child.name()) or "".join(child.cmdline()[-1:])
                if name:
                    found[name] = child.pid
        return found

    def order(self) -> list[str]:
        return (self.data / "order").read_text().split()

    def end(self, number: signal.Signals = signal.SIGTERM, patience_s: float = 60.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(patience_s)

    def close(self) -> None:
        """End it, if need be by force, and let go of its output."""
        if self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.end()
        self.process.kill()
        self.process.wait()
        self.reader.join(30)
        if self.process.stdout is not None:
            self.process.stdout.close()


def eventually(true: Callable[[], bool], patience_s: float = 30.0) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
