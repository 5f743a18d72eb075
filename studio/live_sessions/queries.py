"""Live sessions as pages, tablets and API show them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations.rights import sees_code
from booking.reservations.rules import STANDING
from incubator.ground import clock, database
from incubator.ground.errors import NotFound
from incubator.ground.jsons import loads
from incubator.ground.rights import Actor
from studio.destinations.rights import can_paste, can_see
from studio.live_sessions import rights
from studio.live_sessions.rules import OVER, cut_off
from studio.rigs.rules import OVERRUN_MIN


class Key(msgspec.Struct, frozen=True):
    """A session's destination as people see it; `wiped_at` is set once OBS was proven empty after the end."""

    shown: str
    expires_at: datetime | None
    pasted_at: datetime
    pasted_by: str
    wiped_at: datetime | None
    version: int
    pasted_by_latin: str = ""


class AirSpan(msgspec.Struct, frozen=True):
    """One stretch from STARTED to STOPPED; `stopped_at` None: it still runs. `path` and `bytes` for recordings only."""

    uid: UUID
    kind: str
    started_at: datetime
    stopped_at: datetime | None
    stop_reason: str
    path: str
    bytes: int

    def seconds(self, now: datetime) -> int:
        """Return how long it is, up to now when it still runs."""
        return int(((self.stopped_at or now) - self.started_at).total_seconds())


class LiveSession(msgspec.Struct, frozen=True):
    """One live session with its reservation's times, room, rig, key and spans; `version` is the session's own."""

    id: int
    uid: UUID
    version: int
    state: str
    reason_code: str
    reason_params: dict[str, Any]
    output: str
    platform: str
    ended_at: datetime | None
    shown_live_at: datetime | None
    shown_live_by: str
    shown_live_by_latin: str
    account_left_at: datetime | None
    account_left_by: str
    account_left_by_latin: str
    key_reset_at: datetime | None
    key_reset_by: str
    key_reset_by_latin: str
    reservation_uid: UUID
    reservation_version: int
    number: str
    reservation_state: str
    title: str
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    check_in_code: str
    checked_in_at: datetime | None
    checked_in_by: str
    merchant_id: int | None
    merchant_uid: UUID | None
    merchant_name: str
    person_id: int | None
    site_id: int
    unit_id: int
    unit_uid: UUID
    unit_name: str
    unit_name_en: str
    rig_id: int | None
    driver: str
    canvas_width: int
    canvas_height: int
    audio_through_obs: bool
    cleanliness: str
    controller_person: int | None
    controller_device: int | None
    key: Key | None
    spans: tuple[AirSpan, ...]
    may_paste: bool
    may_choose: bool
    may_declare: bool

    @property
    def is_over(self) -> bool:
        """Tell whether it has ended or was cancelled: nothing of it can go out any more."""
        return self.state in OVER

    @property
    def key_is_left(self) -> bool:
        """Tell whether the key could not be wiped after the end, so that only its reset on the platform makes it void."""
        return self.is_over and bool(self.reason_code) and self.key is not None and self.key.wiped_at is None

    @property
    def recordings(self) -> tuple[AirSpan, ...]:
        """Return the recordings."""
        return tuple(span for span in self.spans if span.kind == "record")

    @property
    def on_air(self) -> tuple[AirSpan, ...]:
        """Return the stretches in which something was sent."""
        return tuple(span for span in self.spans if span.kind != "record")

    @property
    def is_sending(self) -> bool:
        """Tell whether something is being sent, as the director wrote it down last."""
        return any(span.stopped_at is None for span in self.on_air)

    def seconds_on_air(self) -> int:
        """Return how long something was sent, up to now."""
        now = clock.now()
        return sum(span.seconds(now) for span in self.on_air)

    def seconds_recorded(self) -> int:
        """Return how long was recorded, up to now."""
        now = clock.now()
        return sum(span.seconds(now) for span in self.recordings)


# What `rules.cut_off` needs of a reservation v and its rig r, and the interval that the session has the room.
TURN = f"""
LEFT JOIN LATERAL (
    SELECT coalesce(r.overrun_min, {OVERRUN_MIN}) AS overrun_min, min(lower(a.blocked)) AS blocked_from,
           max(upper(a.blocked)) AS blocked_until
    FROM allocations a WHERE a.reservation = v.id AND a.unit = v.unit AND a.holds
) AS turn ON true"""
BODY = f"""
SELECT s.id, s.uid, s.version, s.state, s.reason_code, s.reason_params, s.output, s.platform, s.ended_at, s.shown_live_at,
       s.account_left_at, s.key_reset_at, s.controller_person, s.controller_device,
       v.uid AS reservation_uid, v.version AS reservation_version, coalesce(v.number, '') AS number, v.state AS reservation_state,
       v.title, v.starts_at, v.ends_at, v.check_in_code, v.checked_in_at, v.merchant AS merchant_id, v.person AS person_id,
       v.site AS site_id, v.unit AS unit_id, u.uid AS unit_uid, u.name AS unit_name, u.name_en AS unit_name_en,
       m.uid AS merchant_uid, coalesce(m.short_name, '') AS merchant_name,
       r.id AS rig_id, coalesce(r.driver, '') AS driver, coalesce(r.canvas_width, 0) AS canvas_width,
       coalesce(r.canvas_height, 0) AS canvas_height, coalesce(r.audio_through_obs, false) AS audio_through_obs,
       coalesce(r.cleanliness, 'clean') AS cleanliness, turn.overrun_min, turn.blocked_until, turn.blocked_from,
       coalesce(sp.name, '') AS shown_live_by, coalesce(ap.name, '') AS account_left_by,
       coalesce(sp.name_latin, '') AS shown_live_by_latin, coalesce(ap.name_latin, '') AS account_left_by_latin,
       coalesce(kp.name_latin, '') AS key_reset_by_latin, coalesce(dp.name_latin, '') AS pasted_by_latin,
       coalesce(kp.name, '') AS key_reset_by, coalesce(ci.name, '') AS checked_in_by,
       d.shown, d.expires_at, d.pasted_at, coalesce(dp.name, '') AS pasted_by, d.wiped_at, d.version AS key_version
FROM live_sessions s
JOIN reservations v ON v.id = s.reservation JOIN units u ON u.id = v.unit
LEFT JOIN merchants m ON m.id = v.merchant LEFT JOIN rigs r ON r.id = s.rig {TURN}
LEFT JOIN destinations d ON d.live_session = s.id LEFT JOIN people dp ON dp.id = d.pasted_by
LEFT JOIN people sp ON sp.id = s.shown_live_by LEFT JOIN people ap ON ap.id = s.account_left_by
LEFT JOIN people kp ON kp.id = s.key_reset_by LEFT JOIN people ci ON ci.id = v.checked_in_by"""
SPANS = """
SELECT live_session, uid, kind, started_at, stopped_at, stop_reason, path, bytes FROM air_spans
WHERE live_session = ANY($1) ORDER BY started_at"""
OWN = (
    "reason_params", "shown", "expires_at", "pasted_at", "pasted_by", "pasted_by_latin", "wiped_at", "key_version",
    "overrun_min", "blocked_until", "blocked_from", "check_in_code",
)


def _session(actor: Actor, row: Any, spans: Sequence[AirSpan]) -> LiveSession:
    values = {name: value for name, value in row.items() if name not in OWN}
    key = None
    if row["shown"] is not None:
        key = Key(row["shown"], row["expires_at"], row["pasted_at"], row["pasted_by"], row["wiped_at"], row["key_version"],
                  row["pasted_by_latin"])
    who = (row["merchant_id"], row["person_id"])
    return LiveSession(
        **values, reason_params=loads(row["reason_params"]), key=key, spans=tuple(spans),
        check_in_code=row["check_in_code"] if sees_code(actor, row["site_id"], *who) else "",
        cut_off_at=cut_off(row["ends_at"], row["overrun_min"], row["blocked_until"]),
        may_paste=can_paste(actor, *who, row["unit_id"], row["checked_in_at"] is not None),
        may_choose=rights.can_choose(actor, *who, row["site_id"]), may_declare=rights.can_declare(actor, *who, row["site_id"]),
    )


def _is_seen(actor: Actor, row: Any) -> bool:
    if not can_see(actor, row["merchant_id"], row["person_id"], row["unit_id"]):
        return False
    until = cut_off(row["ends_at"], row["overrun_min"], row["blocked_until"])
    return not rights.is_kept_from(actor, clock.now(), row["blocked_from"], until)


async def _read(actor: Actor, condition: str, *args: Any) -> list[LiveSession]:
    rows = await database.fetch(f"{BODY} WHERE {condition}", *args)
    seen = [row for row in rows if _is_seen(actor, row)]
    spans: dict[int, list[AirSpan]] = {row["id"]: [] for row in seen}
    if spans:
        for span in await database.fetch(SPANS, list(spans)):
            spans[span["live_session"]].append(AirSpan(*list(span)[1:]))
    return [_session(actor, row, spans[row["id"]]) for row in seen]


async def live_session(actor: Actor, uid: UUID) -> LiveSession:
    """Return one live session.

    Raises:
        NotFound: no such session, or not visible to this actor.
    """
    found = await _read(actor, "s.uid = $1", uid)
    if not found:
        raise NotFound()
    return found[0]


async def of_reservation(actor: Actor, reservation_uid: UUID) -> LiveSession | None:
    """Return the live session of a reservation; None when there is none (yet), or it is not visible to this actor."""
    found = await _read(actor, "v.uid = $1", reservation_uid)
    return found[0] if found else None


async def of_reservations(actor: Actor, reservation_uids: Sequence[UUID]) -> dict[UUID, LiveSession]:
    """Return the live sessions of some reservations by these, as far as there are any and this actor sees them."""
    return {one.reservation_uid: one for one in await _read(actor, "v.uid = ANY($1)", list(reservation_uids))}


async def of_merchant(actor: Actor, merchant_id: int, limit: int = 50) -> list[LiveSession]:
    """Return a merchant's live sessions, newest first, as far as this actor sees them."""
    return await _read(actor, "v.merchant = $1 ORDER BY v.starts_at DESC LIMIT $2", merchant_id, limit)


async def sessions_between(actor: Actor, site_id: int, starts_at: datetime, ends_at: datetime) -> list[LiveSession]:
    """Return a site's sessions that touch a stretch of time, by start, as far as this actor sees them."""
    return await _read(
        actor, "v.site = $1 AND v.starts_at < $3 AND v.ends_at > $2 AND (s.state <> 'cancelled' OR v.state = ANY($4))"
        " ORDER BY v.starts_at, v.unit", site_id, starts_at, ends_at, list(STANDING))


class AsRun(msgspec.Struct, frozen=True):
    """One line of what happened on air."""

    at: datetime
    who: str
    what: str
    detail: dict[str, Any]
    who_latin: str = ""


async def as_run_of(session_id: int, limit: int = 500) -> list[AsRun]:
    """Return the newest lines of a session's as-run log, newest first."""
    rows = await database.fetch(
        "SELECT a.at, coalesce(p.name, d.label, '') AS who, a.what, a.detail,"
        " coalesce(p.name_latin, '') AS who_latin FROM as_run a"
        " LEFT JOIN people p ON p.id = a.person LEFT JOIN devices d ON d.id = a.device"
        " WHERE a.live_session = $1 ORDER BY a.id DESC LIMIT $2", session_id, limit)
    return [AsRun(row["at"], row["who"], row["what"], loads(row["detail"]), row["who_latin"]) for row in rows]


class KeyReset(msgspec.Struct, frozen=True):
    """Whose word it is, and of when, that a key which was left on a rig was reset on the platform."""

    by: str
    at: datetime
    by_latin: str


async def key_reset(session_id: int) -> KeyReset | None:
    """Return who declared that a session's key was reset on the platform; None: nobody yet."""
    row = await database.fetchrow(
        "SELECT p.name, s.key_reset_at, p.name_latin FROM live_sessions s JOIN people p ON p.id = s.key_reset_by"
        " WHERE s.id = $1", session_id)
    return None if row is None else KeyReset(*row)


async def on_air(site_id: int) -> frozenset[UUID]:
    """Return the reservations of a site that are being sent now, by stream or through the platform's own program."""
    rows = await database.fetch(
        "SELECT r.uid FROM air_spans a JOIN live_sessions s ON s.id = a.live_session JOIN reservations r ON r.id = s.reservation"
        " WHERE a.stopped_at IS NULL AND a.kind <> 'record' AND r.site = $1", site_id)
    return frozenset(row["uid"] for row in rows)
