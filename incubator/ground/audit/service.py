"""The only writer of the audit: who did what to which thing, before and after, in the transaction of the deed itself."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incubator.ground import clock, database
from incubator.ground.jsons import dumps
from incubator.ground.rights import Actor

LOOK = timedelta(hours=1)  # so long a look counts as one
INSERT = """
INSERT INTO audit_entries (at, person, device, actor, merchant, verb, thing, thing_id, before, after, reason, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""


async def record(
    actor: Actor,
    verb: str,
    thing: str,
    thing_id: int,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    merchant_id: int | None = None,
    reason: str = "",
) -> None:
    """Write one entry; must be called inside the transaction of the deed.

    `verb` is the name of the service verb, `thing` the noun of the table. `before` and `after` hold only what changed and never
    a secret; None means that the thing did not exist before, or does not after.
    """
    await database.execute(
        INSERT, clock.now(), actor.person_id, actor.device_id, actor.name, merchant_id, verb, thing, thing_id,
        None if before is None else dumps(before), None if after is None else dumps(after), reason, actor.request_id,
    )


async def record_look(actor: Actor, thing: str, thing_id: int) -> None:
    """Write that somebody was shown the personal data of others whole; once per person, thing and hour."""
    now = clock.now()
    await database.execute(
        "INSERT INTO audit_looks (at, person, thing, thing_id) SELECT $1, $2, $3, $4 WHERE NOT EXISTS"
        " (SELECT FROM audit_looks WHERE person = $2 AND thing = $3 AND thing_id = $4 AND at > $5)",
        now, actor.person_id, thing, thing_id, now - LOOK)


async def seal_minutes() -> int:
    """Seal every whole minute that has unsealed entries, and return how many were sealed.

    A seal is SHA-256 over the previous seal's digest and the minute's rows as text, so a later change of any row shows.
    Runs once a minute by job; a minute is sealed two minutes after it ended, when no transaction of it is open any more.
    """
    return await database.fetchval(SEAL, clock.now()) or 0


SEAL = """
WITH RECURSIVE fresh AS (
    SELECT date_trunc('minute', at) AS minute, min(id) AS first_id, max(id) AS last_id, count(*)::int AS rows,
           string_agg(audit_entries::text, E'\\n' ORDER BY id) AS body
    FROM audit_entries
    WHERE at < date_trunc('minute', $1::timestamptz) - interval '2 minutes'
      AND at >= coalesce((SELECT max(minute) + interval '1 minute' FROM audit_seals), '-infinity')
    GROUP BY 1
), numbered AS (
    SELECT *, row_number() OVER (ORDER BY minute) AS place FROM fresh
), chained AS (
    SELECT n.*, sha256(coalesce((SELECT digest FROM audit_seals ORDER BY minute DESC LIMIT 1), ''::bytea)
                       || convert_to(n.body, 'UTF8')) AS digest
    FROM numbered n WHERE place = 1
    UNION ALL
    SELECT n.*, sha256(c.digest || convert_to(n.body, 'UTF8')) FROM numbered n JOIN chained c ON n.place = c.place + 1
), sealed AS (
    INSERT INTO audit_seals (minute, first_id, last_id, rows, digest)
    SELECT minute, first_id, last_id, rows, digest FROM chained
    ON CONFLICT (minute) DO NOTHING RETURNING 1
)
SELECT count(*) FROM sealed"""
