"""Start one program that ends with the process that started it; run as a script, with nothing but the standard library.

Usage: python -I -S launch.py SIGNAL PARENT IDENTITY PROGRAM [ARGUMENT...]

SIGNAL is sent to the program when its parent ends (0: nothing is sent). PARENT is the pid of that parent. IDENTITY is
`same`, `namespace` (root only: a user namespace in which root's files belong to user 1000, since PostgreSQL refuses to
run as root) or the name of a system user. It is a script of its own because code between fork and exec is not safe in a
process with threads.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
REFUSED = 93


def main(signal: int, parent: int, identity: str, command: list[str]) -> None:
    """Take the identity, tie the life to the parent, become the program."""
    if identity == "namespace":
        _enter_namespace()
    elif identity != "same":
        _become(identity)
    # The order matters: a change of user clears the death signal.
    if signal and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("The process that started this one has already ended.")
    os.execv(command[0], command)  # noqa: S606 -- no shell is the point


def _enter_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "unshare refused")
        for name, text in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
            Path(f"/proc/self/{name}").write_text(text)
    except OSError as error:
        print(f"No user namespace: {error}", file=sys.stderr)
        sys.exit(REFUSED)


def _become(name: str) -> None:
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
