"""Which director owns which rig: a row per rig with owner, end and fencing number, by the database's clock."""

import os
import socket
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from incubator.ground import clock, database

TTL = timedelta(seconds=10)
RENEW_EVERY_S = 3.0
# A foreign lease that was not released may belong to an owner that is merely slow: it gets its whole time once more.
FOREIGN_WAIT = TTL + timedelta(seconds=2)


class Lease(msgspec.Struct, frozen=True):
    """One rig held under one fencing number; `former_until`: when an owner before was last seen to hold it, None: none was."""

    rig: int
    fence: int
    former_until: datetime | None = None


def owner_name(serial: int = 0) -> str:
    """Return a name that tells which process on which boot of which machine this is, so that its end can be proven."""
    boot = _boot_id()
    return f"{socket.gethostname()}|{boot}|{_pid_space()}|{os.getpid()}|{_started(os.getpid())}|{serial}"


def is_gone(owner: str) -> bool:
    """Tell whether the owner certainly runs no more: a process of this machine, this boot and this pid space that ended."""
    parts = owner.split("|")
    if len(parts) != 6 or parts[0] != socket.gethostname() or (parts[1], parts[2]) != (_boot_id(), _pid_space()):
        return False
    if not parts[1] or not parts[3].isdigit():
        return False
    return _started(int(parts[3])) != parts[4]


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id")[:13]


def _pid_space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process began, in ticks since boot; "" for one that ended: pids are used again, this moment is not."""
    fields = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split(" ")
    return fields[19] if len(fields) > 19 and fields[0] not in {"Z", "X"} else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


SEEN = """
SELECT r.id, coalesce(l.owner, '') AS owner, coalesce(l.fence, 0) AS fence,
       coalesce(l.expires_at < now() - $3::interval, true) AS is_over,
       now() - CASE WHEN l.owner = '' THEN l.expires_at ELSE l.expires_at - $4::interval END AS unheld
FROM rigs r LEFT JOIN rig_leases l ON l.rig = r.id
WHERE r.is_enabled AND (cardinality($1::text[]) = 0 OR r.zone = ANY($1)) AND r.id <> ALL($2) ORDER BY r.id"""
TAKE = """
INSERT INTO rig_leases (rig, fence, owner, expires_at) VALUES ($1, $2 + 1, $3, now() + $4::interval)
ON CONFLICT (rig) DO UPDATE SET fence = $2 + 1, owner = $3, expires_at = now() + $4::interval
WHERE rig_leases.fence = $2 RETURNING fence"""


async def take_free(owner: str, zones: Collection[str], held: Iterable[int], most: int) -> list[Lease]:
    """Take rigs of the zones (none named: of all) that nobody owns, at most `most`, and return the new leases.

    Free is a lease that was released, whose owner certainly ended, or that ended `FOREIGN_WAIT` ago. The fence of the row seen
    is compared in the same statement, so of two takers one gets it.
    """
    found: list[Lease] = []
    for row in await database.fetch(SEEN, list(zones), list(held), FOREIGN_WAIT, TTL):
        if len(found) >= most:
            break
        if not (row["is_over"] or not row["owner"] or is_gone(row["owner"])):
            continue
        fence = await database.fetchval(TAKE, row["id"], row["fence"], owner, TTL)
        if fence is not None:
            found.append(Lease(row["id"], fence, None if row["unheld"] is None else clock.now() - row["unheld"]))
    return found


async def renew(owner: str, held: Collection[Lease]) -> set[int]:
    """Lengthen our leases, and return the rigs that are no longer ours: taken by another, or out of use."""
    rows = await database.fetch(
        "UPDATE rig_leases l SET expires_at = now() + $3::interval"
        " FROM rigs r, unnest($1::bigint[], $2::bigint[]) AS h (rig, fence)"
        " WHERE l.rig = h.rig AND l.fence = h.fence AND l.owner = $4 AND r.id = l.rig AND r.is_enabled RETURNING l.rig",
        [lease.rig for lease in held], [lease.fence for lease in held], TTL, owner)
    return {lease.rig for lease in held} - {row["rig"] for row in rows}


async def release(owner: str, held: Collection[Lease]) -> None:
    """Give leases back, so that the next owner need not wait."""
    for lease in held:
        await database.execute(
            "UPDATE rig_leases SET owner = '', expires_at = now() WHERE rig = $1 AND fence = $2 AND owner = $3",
            lease.rig, lease.fence, owner)


async def holds(lease: Lease, owner: str) -> bool:
    """Tell whether the lease is ours at this moment; asked before each arm and start."""
    return bool(await database.fetchval(
        "SELECT 1 FROM rig_leases WHERE rig = $1 AND fence = $2 AND owner = $3 AND expires_at > now()",
        lease.rig, lease.fence, owner))
