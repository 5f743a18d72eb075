"""Units as other slices and pages see them."""

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec

from booking.units.rules import SPACES
from booking.units.tables import Kind
from incubator.ground import database
from incubator.ground.errors import NotFound


class UnitFacts(msgspec.Struct, frozen=True):
    """One unit; `person_id` only for people, `calendar_id` None means open around the clock."""

    id: int
    uid: UUID
    site_id: int
    kind: str
    code: str
    name: str
    name_en: str
    note: str
    note_en: str
    capacity: int
    person_id: int | None
    calendar_id: int | None
    step_min: int
    setup_min: int
    teardown_min: int
    min_use_min: int
    max_use_min: int
    ahead_days: int
    sort: int
    is_retired: bool
    version: int


COLUMNS = (
    "u.id, u.uid, u.site, u.kind, u.code, u.name, u.name_en, u.note, u.note_en, u.capacity, u.person, u.calendar, u.step_min,"
    " u.setup_min, u.teardown_min, u.min_use_min, u.max_use_min, u.ahead_days, u.sort, u.retired_at IS NOT NULL, u.version"
)
COLUMN_COUNT = len(UnitFacts.__struct_fields__)
# Which allocations `a` a wanted stretch `w` of a unit meets. The ranges are written as the exclusion constraint has them, so that
# its index finds them.
MEETS = """int8range(a.unit, a.unit, '[]') && int8range(w.unit, w.unit, '[]') AND a.holds
 AND a.blocked && tstzrange(w.starts_at, w.ends_at)"""


def counts_at(now: str) -> str:
    """Return the condition under which a reservation `r` still takes its units: a hold that ran out does not."""
    return f"(r.state <> 'held' OR r.hold_until > {now})"


async def unit(uid: UUID) -> UnitFacts:
    """Return one unit, retired or not.

    Raises:
        NotFound: no such unit.
    """
    row = await database.fetchrow(f"SELECT {COLUMNS} FROM units u WHERE u.uid = $1", uid)
    if row is None:
        raise NotFound()
    return UnitFacts(*row)


async def units_by_id(ids: Collection[int]) -> dict[int, UnitFacts]:
    """Return these units by their inner id, in one query."""
    rows = await database.fetch(f"SELECT {COLUMNS} FROM units u WHERE u.id = ANY($1)", list(ids))
    return {row["id"]: UnitFacts(*row) for row in rows}


async def spaces(site_id: int, kinds: Sequence[str] | None = None, *, after: tuple[int, str] | None = None,
                 limit: int | None = None) -> list[UnitFacts]:
    """Return the site's places that are in use, in their fixed order.

    `kinds` None means every kind of place, `limit` None all of them; `after` is the `sort` and `code` of the place behind which
    the list goes on, whether that place is still in use or not.
    """
    known = [kind for kind in (SPACES if kinds is None else kinds) if kind in SPACES]  # a form can say anything
    rows = await database.fetch(
        f"SELECT {COLUMNS} FROM units u WHERE u.site = $1 AND u.kind = ANY($2) AND u.retired_at IS NULL"
        " AND ($3::integer IS NULL OR (u.sort, u.code) > ($3, $4::text)) ORDER BY u.sort, u.code LIMIT $5",
        site_id, known, *(after or (None, None)), limit)
    return [UnitFacts(*row) for row in rows]


async def unit_id_of_person(person_id: int) -> int | None:
    """Return the unit of a person, None when nobody ever booked that person."""
    found: int | None = await database.fetchval(
        "SELECT id FROM units WHERE person = $1 AND kind = $2", person_id, Kind.PERSON)
    return found
