"""The verbs of stream destinations: paste, forget; the only place where a key is sealed, opened and marked."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations.rules import STANDING
from incubator.ground import clock, database, secrets
from incubator.ground.audit.service import record
from incubator.ground.database import retried
from incubator.ground.errors import N_, Conflict, Forbidden, NotFound, Stale
from incubator.ground.notices.service import settle
from incubator.ground.rights import Actor
from studio.destinations import rights
from studio.destinations.rules import Pasted, read
from studio.rigs.service import poke


class SessionOver(Conflict):
    """The session has ended, so nothing can be sent any more."""

    code = "session-over"
    msgid = N_("This session is over.")


class StreamRuns(Conflict):
    """The key is on air."""

    code = "on-air"
    msgid = N_("The stream runs with this key. Stop it first, then remove the key.")


class Shown(msgspec.Struct, frozen=True):
    """A destination as people see it; `version` is needed to replace it."""

    shown: str
    expires_at: datetime | None
    version: int


class Opened(msgspec.Struct, frozen=True):
    """A destination in the clear, for the director's hands only."""

    server: str
    key: str
    mark: str

    def __repr__(self) -> str:
        """Say nothing that may not stand in a log."""
        return "Opened(***)"


SESSION = """
SELECT s.id, s.uid, s.state, s.rig, v.merchant, v.person, v.unit, v.state AS reservation_state, v.checked_in_at,
       d.version AS destination_version, d.shown
FROM live_sessions s JOIN reservations v ON v.id = s.reservation LEFT JOIN destinations d ON d.live_session = s.id
WHERE s.uid = $1 FOR NO KEY UPDATE OF s"""
UPSERT = """
INSERT INTO destinations (live_session, server_sealed, key_sealed, mark, shown, expires_at, pasted_by, pasted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (live_session) DO UPDATE SET server_sealed = $2, key_sealed = $3, mark = $4, shown = $5, expires_at = $6,
    pasted_by = $7, pasted_at = $8, wiped_at = NULL, version = destinations.version + 1
RETURNING version"""


def mark_of(server: str, key: str) -> str:
    """Return the fingerprint of a destination: equal for equal ones, and nobody without the secrets key can guess it."""
    return secrets.current().mark(f"{server}\n{key}", "destination")


def _purpose(uid: UUID, part: str) -> str:
    return f"destination-{part}:{uid}"


@retried
async def paste(actor: Actor, session_uid: UUID, text: str, *, version: int) -> Shown:
    """Store where a session streams to, from one pasted address or two lines; also while on air, until the session's end.

    On air the director stops the stream, arms the new destination and offers the start. `version` is that of the destination
    seen, 0 when there was none.

    Raises:
        NotFound: no such session, or not visible to this actor.
        Forbidden: only members of the merchant paste a key, or the room's tablet after check-in.
        SessionOver: it has ended or was cancelled.
        Stale: somebody pasted another one meanwhile.
        Invalid: the text is no usable address, or the address has ended already.
    """
    async with database.transaction():
        row = await _locked(actor, session_uid, version)
        found = read(text, clock.now())
        new_version: int = await database.fetchval(UPSERT, row["id"], *_sealed(session_uid, found), actor.person_id, clock.now())
        await record(actor, "paste", "destination", row["id"], merchant_id=row["merchant"],
                     before=None if row["shown"] is None else {"shown": row["shown"]}, after={"shown": found.shown})
        await settle(f"waiting_for_key:{row['id']}")
        if row["rig"] is not None:
            await poke(row["rig"])
    return Shown(found.shown, found.expires_at, new_version)


def _sealed(uid: UUID, found: Pasted) -> tuple[bytes, bytes, str, str, datetime | None]:
    ring = secrets.current()
    return (ring.seal(found.server, _purpose(uid, "server")), ring.seal(found.key, _purpose(uid, "key")),
            mark_of(found.server, found.key), found.shown, found.expires_at)


async def _locked(actor: Actor, session_uid: UUID, version: int) -> Any:
    row = await database.fetchrow(SESSION, session_uid)
    if row is None or not rights.can_see(actor, row["merchant"], row["person"], row["unit"]):
        raise NotFound()
    if not rights.can_paste(actor, row["merchant"], row["person"], row["unit"], row["checked_in_at"] is not None):
        raise Forbidden()
    if row["state"] in {"ended", "cancelled"} or row["reservation_state"] not in STANDING:
        raise SessionOver()
    if (row["destination_version"] or 0) != version:
        raise Stale()
    return row


@retried
async def forget(actor: Actor, session_uid: UUID, *, version: int) -> None:
    """Take a session's destination away again; the director wipes it from OBS and reads back that it is gone.

    A stream that begins at this very moment is stopped by the director before it wipes.

    Raises:
        NotFound, Forbidden, SessionOver, Stale: as `paste`.
        StreamRuns: it is on air.
    """
    async with database.transaction():
        row = await _locked(actor, session_uid, version)
        if await database.fetchval(
                "SELECT 1 FROM air_spans WHERE live_session = $1 AND kind = 'stream' AND stopped_at IS NULL", row["id"]):
            raise StreamRuns()
        await database.execute("DELETE FROM destinations WHERE live_session = $1", row["id"])
        await record(actor, "forget", "destination", row["id"], merchant_id=row["merchant"], before={"shown": row["shown"]})
        if row["rig"] is not None:
            await poke(row["rig"])


async def open_sealed(session_id: int) -> Opened | None:
    """Return a session's destination in the clear, None when there is none; for the director."""
    row = await database.fetchrow(
        "SELECT s.uid, d.server_sealed, d.key_sealed, d.mark FROM destinations d JOIN live_sessions s ON s.id = d.live_session"
        " WHERE d.live_session = $1 AND d.key_sealed IS NOT NULL", session_id)
    if row is None:
        return None
    ring = secrets.current()
    return Opened(ring.open(row["server_sealed"], _purpose(row["uid"], "server")),
                  ring.open(row["key_sealed"], _purpose(row["uid"], "key")), row["mark"])


async def drop_sealed(session_id: int, wiped_at: datetime) -> None:
    """Throw the sealed parts away once OBS was proven empty after the session's end; mark and mask stay."""
    await database.execute(
        "UPDATE destinations SET server_sealed = NULL, key_sealed = NULL, wiped_at = $2 WHERE live_session = $1",
        session_id, wiped_at)
