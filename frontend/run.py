"""The supervisor `kaibo run`: everything on one machine in one terminal, and each part that dies is started again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NoReturn, Protocol

from frontend.demo_accounts import ACCOUNTS, PASSWORD
from incubator.ground.postgres_home import SYSTEM_HOME
from incubator.ground.processes import FolderLock, ServerFailed, spawn, stop
from incubator.ground.servers import start_postgres, start_valkey
from incubator.ground.settings import BadSetting, Settings, load

TICK_S = 0.05
SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
PORT_PATIENCE_S = 5.0
FIRST_MB = 200  # what a first start must find free: the demo takes 67 MB, and PostgreSQL's log some more
FULL_MB = 30  # with less than this, whatever failed may have failed for want of space
# Web keeps nothing, and must not sit on the port when it hangs after the supervisor was killed.
COMMAND = (sys.executable, "-m", "frontend")
PROGRAMS = {"web": signal.SIGKILL, "worker": signal.SIGTERM, "director": signal.SIGTERM}


class Running(Protocol):
    """What the supervisor needs of a server or a program."""

    @property
    def pid(self) -> int:
        """Return its process id."""

    def alive(self) -> bool:
        """Tell whether it runs."""

    def ready(self) -> bool:
        """Tell whether it does its work."""

    def stop(self) -> None:
        """End it within a bounded time."""


class Stopped(Exception):
    """Somebody asked for the end while the start was still going on."""


class StartFailed(Exception):
    """The first start cannot go on; the message says why."""


# Names get their pinyin where people write them, in web and demo; elsewhere its dictionary of phrases (42 MiB) is not needed.
LEAN = {name: {"PYPINYIN_NO_PHRASES": "true"} for name in ("worker", "director")}


class Program:
    """One of our own processes; its output goes to the terminal, each line with its name in front."""

    def __init__(self, command: Sequence[str], name: str, environment: dict[str, str]) -> None:
        death_signal = PROGRAMS.get(name, signal.SIGTERM)
        own = environment | LEAN.get(name, {})
        self.process = spawn([*command, name], death_signal=death_signal, env=own, output=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read, args=(name,), daemon=True)
        self.reader.start()

    def _read(self, name: str) -> None:
        if self.process.stdout is not None:
            for line in self.process.stdout:
                say(line.decode(errors="replace").rstrip(), name)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.process.pid

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self.process.poll() is None

    def ready(self) -> bool:
        """Tell whether it runs: it reports no more than that."""
        return self.alive()

    def stop(self) -> None:
        """End it: SIGTERM, and after 6 s SIGKILL."""
        stop(self.process, [(signal.SIGTERM, 6.0)])
        self.reader.join(1.0)


class Child:
    """A part that must run: started, watched, started again after a pause that grows from 0.5 to 10 s."""

    def __init__(self, name: str, begin: Callable[[], Running]) -> None:
        self.name = name
        self.begin = begin
        self.running: Running | None = None
        self.pause_s = SHORTEST_PAUSE_S
        self.due = 0.0
        self.began = 0.0

    def start(self) -> Running:
        """Start it now.

        Raises:
            ServerFailed: it cannot be started.
        """
        self.began = time.monotonic()
        self.running = self.begin()
        return self.running

    def watch(self) -> None:
        """Look once: plan the next start of what has ended, start what is due."""
        now = time.monotonic()
        if self.running is None:
            if now >= self.due:
                self._start_again()
        elif not self.running.alive():
            self.running.stop()
            self.running = None
            self._plan("ended")
        elif now - self.began > STEADY_S:
            self.pause_s = SHORTEST_PAUSE_S

    def _start_again(self) -> None:
        try:
            say(f"{self.name} started again (process {self.start().pid})")
        except (ServerFailed, OSError) as error:
            self._plan(f"could not be started: {error}")

    def _plan(self, what: str) -> None:
        say(f"{self.name} {what}; next start in {self.pause_s:g} s")
        self.due = time.monotonic() + self.pause_s
        self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)

    def ready(self) -> bool:
        """Tell whether it does its work."""
        return self.running is not None and self.running.ready()

    def stop(self) -> None:
        """End it for good."""
        if self.running is not None:
            self.running.stop()
            self.running = None


class Supervisor:
    """Starts servers first and programs last, and stops them the other way round."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self.settings = settings
        self.command = command
        self.environment = os.environ | {
            "KAIBO_DATA": str(settings.data),
            "HOST": settings.host,
            "PORT": str(settings.port),
            "PYTHONUNBUFFERED": "1",
        }
        self.children: list[Child] = []
        self.lock: FolderLock | None = None
        self.stopping = threading.Event()

    def run(self) -> int:
        """Start everything, watch it until a signal comes, stop everything; return the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        try:
            self._start()
            while not self.stopping.wait(TICK_S):
                self._watch()
        except Stopped:
            pass
        except (StartFailed, ServerFailed, OSError) as error:
            for reason in dict.fromkeys((str(error), shortage(self.settings.data, FULL_MB) or "")):
                say(reason)
            return 1
        finally:
            self._stop()
        return 0

    def _start(self) -> None:
        began = time.monotonic()
        self._claim()
        self._await_port()
        self._start_servers()
        say("Bringing the database to this version")
        self._run_to_end("migrate")
        self._fill_once()
        for name in PROGRAMS:
            self._add(name, partial(Program, self.command, name, self.environment))
        self._await(self._is_healthy, "/health does not answer yet; the reason may stand above")
        self._welcome(time.monotonic() - began)

    def _claim(self) -> None:
        """Take the data folder for this supervisor alone; a first start also needs space on its disk."""
        data = self.settings.data
        self.lock = FolderLock(data)
        is_first = self.settings.database_url is None and not (data / "postgres").exists()
        if is_first and (why := shortage(data, FIRST_MB)):
            raise StartFailed(why)

    def _start_servers(self) -> None:
        data = self.settings.data
        if self.settings.database_url is None:
            if not (data / "postgres").exists():
                say(f"Making the database in {data / 'postgres'} (once)")
            postgres = start_postgres(data / "postgres", patience_s=0)
            self.environment["DATABASE_URL"] = postgres.dsn
            if postgres.note:
                say(postgres.note)
            self._add("postgres", partial(start_postgres, data / "postgres", patience_s=0), postgres)
        if self.settings.redis_url is None:
            # Waited for at once, since a log that cannot be read is moved aside only then.
            valkey = start_valkey(data / "valkey")
            self.environment["REDIS_URL"] = valkey.url
            self._add("valkey", partial(start_valkey, data / "valkey"), valkey)
        for child in self.children:
            self._await(child.ready, f"{child.name} does not answer yet")
            say(f"{child.name} is up")

    def _add(self, name: str, begin: Callable[[], Running], running: Running | None = None) -> None:
        child = Child(name, begin)
        child.running = running
        self.children.append(child)
        if running is None:
            child.start()

    def _fill_once(self) -> None:
        done = self.settings.data / "demo-made"
        if not self.settings.demo or done.exists():
            return
        say("Making a centre to try (once, up to a minute)")
        self._run_to_end("demo")
        done.touch()

    def _run_to_end(self, name: str) -> None:
        program = Program(self.command, name, self.environment)
        try:
            self._await(lambda: not program.alive(), f"{name} is still at work", patience_s=60.0)
        finally:
            program.stop()
        if program.process.returncode != 0:
            raise StartFailed(f"{name} stopped with status {program.process.returncode}; its reason stands above.")

    def _await(self, done: Callable[[], bool], late: str, *, patience_s: float = 15.0) -> None:
        """Wait without end but not in silence; children that die meanwhile are started again."""
        told = time.monotonic()
        while not done():
            if self.stopping.wait(TICK_S):
                raise Stopped
            self._watch()
            if time.monotonic() - told > patience_s:
                say(f"... {late}")
                told = time.monotonic()

    def _watch(self) -> None:
        for child in self.children:
            child.watch()

    def _await_port(self) -> None:
        """Refuse early when somebody sits on the port; a web process that is ending gets a moment."""
        host, port = self.settings.host, self.settings.port
        deadline = time.monotonic() + PORT_PATIENCE_S
        while (why := refusal_of_port(host, port)) is not None:
            if time.monotonic() > deadline:
                raise StartFailed(f"Cannot listen on {host} port {port} ({why}). Choose another with HOST and PORT, "
                                  f"such as: make run PORT={another(port)}")
            if self.stopping.wait(0.2):
                raise Stopped

    def _is_healthy(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.host, self.settings.host)  # noqa: S104 -- asked, not bound
        connection = HTTPConnection(host, self.settings.port, timeout=3)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _welcome(self, took_s: float) -> None:
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        say(f"Ready after {took_s:.1f} s: http://{host}:{self.settings.port}  (Ctrl-C ends it)")
        if self.settings.demo:
            say(f"Demo accounts, password {PASSWORD}:")
            for account in ACCOUNTS:
                say(f"  {account.login:32} {account.hint}")

    def _stop(self) -> None:
        """End programs before servers, each within a bounded time."""
        programs = [child for child in self.children if child.name in PROGRAMS]
        servers = [child for child in reversed(self.children) if child.name not in PROGRAMS]
        for child in programs + servers:
            child.stop()
        if self.lock is not None:
            self.lock.release()
        say("Stopped")


def refusal_of_port(host: str, port: int) -> str | None:
    """Return why nobody can listen there now, or None."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def another(port: int) -> int:
    """Return a port near this one that everybody may listen on."""
    return port + 1 if 1024 <= port < 65535 else 8001


def shortage(data: Path, wanted_mb: int) -> str | None:
    """Return which disk that Kaibo writes to has less than this free, in words that also say what to do, or None."""
    for folder in (data, SYSTEM_HOME) if os.geteuid() == 0 else (data,):
        # PostgreSQL's data lie in the second where root may make no user namespace; it may not be there, nor the first.
        with suppress(OSError):
            free_mb = shutil.disk_usage(folder).free // 1_000_000
            if free_mb < wanted_mb:
                return (f"The disk of {folder} is full but for {free_mb} MB; a first start takes {FIRST_MB}. "
                        "Free some space, or choose another folder with KAIBO_DATA.")
    return None


def say(text: str, name: str = "kaibo") -> None:
    """Print what happened, its name in front of each line; a terminal that has gone stops nothing."""
    with suppress(OSError):
        sys.stdout.write("".join(f"{name:8} | {line}\n" for line in text.splitlines()))
        sys.stdout.flush()


def become_supervisor() -> NoReturn:
    """Turn this process into the supervisor alone: it needs 16 MiB, together with the whole product 110 (measured)."""
    os.execv(sys.executable, [sys.executable, "-m", "frontend.run"])  # noqa: S606 -- no shell is the point


def main() -> int:
    """Run everything until Ctrl-C or SIGTERM; return 0, 1 when the first start failed, 2 for a bad setting."""
    try:
        settings = load()
    except BadSetting as error:
        print(f"kaibo: {error}", file=sys.stderr)
        return 2
    return Supervisor(settings).run()


if __name__ == "__main__":
    sys.exit(main())
