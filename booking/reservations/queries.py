"""Reservations as pages and upper floors read them: one whole, lists, what follows, what may be extended, quota, arrivals."""

import base64
import binascii
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from booking.offers.queries import LONGEST, rooms_within
from booking.offers.rules import free_spans
from booking.reservations import questions, rights
from booking.reservations.rules import STANDING, is_page_key
from booking.reservations.tables import State
from booking.units.queries import counts_at, units_by_id
from incubator.ground import clock, database
from incubator.ground.errors import NotFound
from incubator.ground.rights import Actor
from incubator.ground.values import Span, visible
from incubator.sites.queries import site


class ReservationFacts(msgspec.Struct, frozen=True):
    """One reservation whole, but for the check-in code; names are empty where there is nobody.

    `number` is None while held, `blocked` the interval of the place with setup and teardown, `hold_until` only for holds.
    """

    id: int
    uid: UUID
    number: str | None
    state: str
    site_id: int
    unit_id: int
    unit_uid: UUID
    unit_kind: str
    unit_name: str
    unit_name_en: str
    merchant_id: int | None
    merchant_uid: UUID | None
    merchant_name: str
    person_id: int | None
    person_name: str
    host_id: int | None
    host_name: str
    title: str
    starts_at: datetime
    ends_at: datetime
    blocked: Span
    version: int
    hold_until: datetime | None
    checked_in_at: datetime | None
    checked_in_by: str
    closed_at: datetime | None
    reason: str
    created_at: datetime
    person_latin: str = ""
    host_latin: str = ""

    @property
    def span(self) -> Span:
        """Return the time of use."""
        return Span(self.starts_at, self.ends_at)


FACTS = """
SELECT r.id, r.uid, r.number, r.state, r.site AS site_id, r.unit AS unit_id, u.uid AS unit_uid, u.kind AS unit_kind,
       u.name AS unit_name, u.name_en AS unit_name_en, r.merchant AS merchant_id, m.uid AS merchant_uid,
       coalesce(m.short_name, '') AS merchant_name, r.person AS person_id, coalesce(p.name, '') AS person_name,
       coalesce(p.name_latin, '') AS person_latin, coalesce(h.name_latin, '') AS host_latin,
       r.host AS host_id, coalesce(h.name, '') AS host_name, r.title, r.starts_at, r.ends_at,
       lower(a.blocked) AS blocked_from, upper(a.blocked) AS blocked_to, r.version, r.hold_until, r.checked_in_at,
       coalesce(c.name, '') AS checked_in_by, r.closed_at, r.reason, r.created_at
FROM reservations r JOIN units u ON u.id = r.unit LEFT JOIN merchants m ON m.id = r.merchant
LEFT JOIN people p ON p.id = r.person LEFT JOIN people h ON h.id = r.host LEFT JOIN people c ON c.id = r.checked_in_by
LEFT JOIN allocations a ON a.reservation = r.id AND a.unit = r.unit"""


def facts_of(row: Any) -> ReservationFacts:
    """Return the facts of a row of the query FACTS."""
    values = dict(row)
    blocked = Span(values.pop("blocked_from") or row["starts_at"], values.pop("blocked_to") or row["ends_at"])
    return ReservationFacts(**values, blocked=blocked)


async def facts(reservation_id: int) -> ReservationFacts | None:
    """Return one reservation by its inner id, for upper floors and handlers; None when there is none (any more)."""
    row = await database.fetchrow(f"{FACTS} WHERE r.id = $1", reservation_id)
    return None if row is None else facts_of(row)


async def reservation(actor: Actor, uid: UUID) -> ReservationFacts:
    """Return one reservation whole.

    Raises:
        NotFound: unknown, or not visible to the actor.
    """
    row = await database.fetchrow(f"{FACTS} WHERE r.uid = $1", uid)
    if row is None or not _may_see(actor, row):
        raise NotFound()
    return facts_of(row)


def _may_see(actor: Actor, row: Any) -> bool:
    return rights.can_see(actor, row["merchant_id"], row["person_id"], row["host_id"], row["unit_id"])


async def check_in_code(actor: Actor, uid: UUID) -> str:
    """Return the four digits; empty while held.

    Raises:
        NotFound: unknown, or the actor may not read it.
    """
    row = await database.fetchrow("SELECT site, merchant, person, check_in_code FROM reservations WHERE uid = $1", uid)
    if row is None or not rights.sees_code(actor, row["site"], row["merchant"], row["person"]):
        raise NotFound()
    code: str = row["check_in_code"]
    return code


class Filters(msgspec.Struct, frozen=True):
    """What a list is narrowed to; None and empty mean no narrowing. `starts_after` is inclusive, `starts_before` is not."""

    states: tuple[str, ...] = ()
    unit_uid: UUID | None = None
    kind: str | None = None
    merchant_id: int | None = None
    starts_after: datetime | None = None
    starts_before: datetime | None = None
    soonest_first: bool = False


class Page(msgspec.Struct, frozen=True):
    """Part of a list; `next` leads on, None at the end."""

    items: tuple[ReservationFacts, ...]
    next: str | None


FIND = """
 WHERE r.site = $1 AND ($2::text[] IS NULL OR r.state = ANY($2)) AND ($3::uuid IS NULL OR u.uid = $3)
   AND ($4::text IS NULL OR u.kind = $4) AND ($5::bigint IS NULL OR r.merchant = $5)
   AND ($6::timestamptz IS NULL OR r.starts_at >= $6) AND ($7::timestamptz IS NULL OR r.starts_at < $7)
   AND ($8::bigint[] IS NULL OR r.merchant = ANY($8) OR (r.merchant IS NULL AND (r.person = $9 OR r.host = $9)))
   AND ($10 = '' OR r.number ILIKE $10 || '%' OR r.title ILIKE '%' || $10 || '%'
        OR p.search LIKE '%' || lower($10) || '%' OR h.search LIKE '%' || lower($10) || '%'
        OR (($8::bigint[] IS NULL OR r.merchant = ANY($8))
            AND (m.search LIKE '%' || lower($10) || '%' OR m.contact_phone LIKE $10 || '%'))
        OR (($8::bigint[] IS NULL OR r.person = $9) AND p.phone LIKE $10 || '%'))"""
SHOWN = tuple(state for state in State if state not in (State.HELD, State.EXPIRED))


async def find(actor: Actor, site_id: int, text: str = "", filters: Filters | None = None, cursor: str | None = None,
               limit: int = 50) -> Page:
    """Return reservations that the actor may see, latest start first, found by number, phone, title, name or pinyin.

    A number of a person or merchant finds only for those who may read it, since what is found would tell it digit by digit.
    """
    wanted = filters or Filters()
    own = None if actor.may_read_all else list(actor.merchant_ids)
    order, sign = ("", ">") if wanted.soonest_first else (" DESC", "<")
    after = _read_cursor(cursor)
    rows = await database.fetch(
        f"{FACTS}{FIND} AND ($11::timestamptz IS NULL OR (r.starts_at, r.id) {sign} ($11, $12))"
        f" ORDER BY r.starts_at{order}, r.id{order} LIMIT $13",
        site_id, list(wanted.states or SHOWN), wanted.unit_uid, wanted.kind, wanted.merchant_id, wanted.starts_after,
        wanted.starts_before, own, actor.person_id, _searchable(text), *after, limit + 1)
    items = tuple(facts_of(row) for row in rows[:limit])
    return Page(items, _cursor(items[-1]) if len(rows) > limit else None)


def _searchable(text: str) -> str:
    return visible(text).replace("%", "").replace("_", "").replace("\\", "")[:80]


def _cursor(last: ReservationFacts) -> str:
    return base64.urlsafe_b64encode(f"{last.starts_at.isoformat()}|{last.id}".encode()).decode()


def is_cursor(text: str) -> bool:
    """Tell whether this is the `next` of a page."""
    return _read_cursor(text)[0] is not None


def _read_cursor(cursor: str | None) -> tuple[datetime | None, int]:
    """Return where to go on; an unreadable cursor begins anew."""
    try:
        text, last = base64.urlsafe_b64decode(cursor or "").decode().split("|")
        moment = datetime.fromisoformat(text).astimezone(UTC)
        return moment, min(int(last), 2**63 - 1)
    except (ValueError, OverflowError, binascii.Error):
        return None, 0


async def of_merchant(actor: Actor, merchant_id: int, limit: int = 50) -> tuple[ReservationFacts, ...]:
    """Return a merchant's reservations, latest start first; empty when the actor may not see them."""
    if not (actor.belongs_to(merchant_id) or actor.may_read_all):
        return ()
    rows = await database.fetch(
        f"{FACTS} WHERE r.merchant = $1 AND r.state = ANY($2) ORDER BY r.starts_at DESC LIMIT $3",
        merchant_id, list(SHOWN), limit)
    return tuple(facts_of(row) for row in rows)


async def by_ids(ids: Collection[int]) -> dict[int, ReservationFacts]:
    """Return reservations by inner id, for upper floors that know already that their reader may see them."""
    rows = await database.fetch(f"{FACTS} WHERE r.id = ANY($1)", list(ids))
    return {row["id"]: facts_of(row) for row in rows}


async def by_numbers(actor: Actor, numbers: Collection[str]) -> dict[str, ReservationFacts]:
    """Return reservations by number, as far as the actor may see them."""
    rows = await database.fetch(f"{FACTS} WHERE r.number = ANY($1)", list(numbers))
    return {row["number"]: facts_of(row) for row in rows if _may_see(actor, row)}


async def coming(actor: Actor, limit: int = 10) -> tuple[ReservationFacts, ...]:
    """Return what the actor (or the merchant acted for) has now and next, soonest first."""
    now = clock.now()
    own = None if actor.may_read_all else list(actor.merchant_ids)  # who hosts for a merchant and left it is out
    rows = await database.fetch(
        f"{FACTS} WHERE (r.merchant = $1 OR (r.merchant IS NULL AND r.person = $2)"
        " OR (r.host = $2 AND (r.merchant IS NULL OR $7::bigint[] IS NULL OR r.merchant = ANY($7))))"
        " AND r.state = ANY($3) AND r.starts_at > $4 AND r.ends_at > $5 ORDER BY r.starts_at LIMIT $6",
        actor.merchant_id, actor.person_id, [State.PENDING, *STANDING], now - LONGEST, now, limit, own)
    return tuple(facts_of(row) for row in rows)


async def arrivals(site_id: int, day: date) -> tuple[ReservationFacts, ...]:
    """Return everything that starts on one of the site's days, for the front desk, by start and room."""
    span = (await site(site_id)).day(day)
    rows = await database.fetch(
        f"{FACTS} WHERE r.site = $1 AND r.starts_at >= $2 AND r.starts_at < $3 AND r.state = ANY($4)"
        " ORDER BY r.starts_at, u.sort, u.code", site_id, span.starts_at, span.ends_at, list(SHOWN))
    return tuple(facts_of(row) for row in rows)


async def check_in_codes(actor: Actor, facts_seen: Sequence[ReservationFacts]) -> dict[UUID, str]:
    """Return the codes of those reservations that the actor may read, for the staff's list."""
    readable = [r.id for r in facts_seen if rights.sees_code(actor, r.site_id, r.merchant_id, r.person_id)]
    rows = await database.fetch("SELECT uid, check_in_code FROM reservations WHERE id = ANY($1)", readable)
    return {row["uid"]: row["check_in_code"] for row in rows}


JUST = timedelta(minutes=10)


async def just_booked(actor: Actor, unit_uid: UUID, span: Span, merchant_id: int | None) -> ReservationFacts | None:
    """Return what the actor booked of this unit for exactly these times and this merchant within ten minutes and still has."""
    row = await database.fetchrow(
        f"{FACTS} WHERE r.person = $1 AND u.uid = $2 AND r.starts_at = $3 AND r.ends_at = $4"
        " AND r.merchant IS NOT DISTINCT FROM $5 AND r.state = ANY($6) AND r.created_at > $7",
        actor.person_id, unit_uid, span.starts_at, span.ends_at, merchant_id, list(STANDING), clock.now() - JUST)
    return None if row is None else facts_of(row)


OF_PAGE = "SELECT id FROM reservations WHERE person = $1 AND page_key = $2 AND state = 'held'"


async def held_by(actor: Actor, page_key: str | None) -> list[int]:
    """Return the hold that the actor's page has, by its inner id; another wish of the page will take its place."""
    if page_key is None or not is_page_key(page_key):
        return []
    return [row["id"] for row in await database.fetch(OF_PAGE, actor.person_id, page_key)]


class Follower(msgspec.Struct, frozen=True):
    """Who has the room next; the title is for those who may see it."""

    uid: UUID
    merchant_id: int | None
    merchant_name: str
    title: str
    starts_at: datetime
    ends_at: datetime
    blocked_from: datetime


async def next_on(unit_id: int, after: datetime) -> Follower | None:
    """Return the next reservation of a unit whose blocked interval begins at or after a moment; None: nobody follows."""
    row = await database.fetchrow(
        "SELECT r.uid, r.merchant, coalesce(m.short_name, ''), r.title, r.starts_at, r.ends_at, lower(a.blocked)"
        " FROM reservations r JOIN allocations a ON a.reservation = r.id AND a.unit = r.unit AND a.holds"
        " LEFT JOIN merchants m ON m.id = r.merchant"
        f" WHERE r.unit = $1 AND r.starts_at >= $2 AND lower(a.blocked) >= $2 AND {counts_at('$3')}"
        " ORDER BY r.starts_at LIMIT 1", unit_id, after, clock.now())
    return None if row is None else Follower(*row)


async def extension_room(found: ReservationFacts) -> int:
    """Return by how many minutes a reservation can be extended now: 0, 15, 30 ... up to two hours, whole steps; none too late."""
    unit = (await units_by_id([found.unit_id]))[found.unit_id]
    facts_of_site = await site(found.site_id)
    longest = min(timedelta(minutes=unit.max_use_min) - found.span.length, timedelta(hours=2))
    if longest <= timedelta(0) or found.state not in STANDING:
        return 0
    if await questions.against_cut_off(found.id) is not None:
        return 0
    within = Span(found.starts_at, found.ends_at + longest)
    rooms = await rooms_within(found.site_id, [unit], within, [found.id])
    for span in free_spans(rooms[0], facts_of_site.zone, within):
        if span.starts_at <= found.starts_at and found.ends_at < span.ends_at:
            return Span(found.ends_at, span.ends_at).minutes // unit.step_min * unit.step_min
    return 0
