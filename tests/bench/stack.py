"""The product's processes on a scratch folder, with servers that write to disk as in real use."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from incubator.ground.servers import start_postgres, start_valkey

HOUSE = Path(__file__).parents[2]
PATIENCE_S = 40.0


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(address: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until somebody answers there with success."""
    until = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Stack:
    """Servers, settings of the processes, and the processes themselves."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.port = int(environ["PORT"])
        self.address = f"http://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> str:
        """Run a program of the product to its end, and return what it printed."""
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=HOUSE, env=self.environ, capture_output=True, timeout=120,
                              check=False)
        if done.returncode:
            raise SystemExit(done.stderr.decode()[-3000:])
        return done.stdout.decode()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process that is ended with the stack."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=HOUSE, env=self.environ, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End what was started."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def stack() -> Iterator[Stack]:
    """Start servers on a scratch folder and migrate; whoever measures starts the processes that he needs."""
    with tempfile.TemporaryDirectory(prefix="kaibo-bench-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        postgres, valkey = start_postgres(folder / "pg"), start_valkey(folder / "valkey")
        made = Stack(folder, os.environ | {
            "DATABASE_URL": postgres.dsn, "REDIS_URL": valkey.url, "KAIBO_DATA": str(folder / "data"), "HOST": "127.0.0.1",
            "PORT": str(free_port()), "KAIBO_DEMO": "0"})
        try:
            made.run("frontend", "migrate")
            yield made
        finally:
            made.end()
            valkey.stop()
            postgres.stop()
