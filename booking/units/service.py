"""The verbs of units: added, changed, retired; and a person's unit, made when the person is booked for the first time."""

from typing import Any

import asyncpg
import msgspec

from booking.units import rights, rules
from booking.units.queries import COLUMNS, UnitFacts
from incubator.ground import clock, database
from incubator.ground.audit.service import record
from incubator.ground.errors import N_, Conflict, Forbidden, NotFound, Stale
from incubator.ground.rights import Actor
from incubator.ground.values import new_uid, visible


class CodeTaken(Conflict):
    """Another unit of the site has the code."""

    code = "code-taken"
    msgid = N_("Another unit has the code {code} already.")


class UnitInUse(Conflict):
    """Somebody has booked it."""

    code = "unit-in-use"
    msgid = N_("{count} bookings lie ahead. Move or cancel them first.")


class NewUnit(msgspec.Struct, frozen=True):
    """What is said of a new unit; all times in minutes, `calendar_id` None means open around the clock."""

    kind: str
    code: str
    name: str
    name_en: str = ""
    note: str = ""
    note_en: str = ""
    capacity: int = 1
    calendar_id: int | None = None
    step_min: int = 15
    setup_min: int = 0
    teardown_min: int = 0
    min_use_min: int = 30
    max_use_min: int = 720
    ahead_days: int = 60
    sort: int = 0


async def add_unit(actor: Actor, site_id: int, new: NewUnit) -> UnitFacts:
    """Put a unit into use; people need none of this, see `unit_of_person`.

    Raises:
        Forbidden: only managers and administrators may.
        Invalid: fields, all at once.
        CodeTaken: the site has the code already.
    """
    if not rights.can_arrange(actor, site_id):
        raise Forbidden()
    values = msgspec.structs.asdict(new)
    for field in ("code", "name", "name_en", "note", "note_en"):
        values[field] = visible(values[field])
    values["name_en"] = values["name_en"] or values["name"]
    rules.check(new.kind, values["code"], values["name"], values)
    names = [name.removesuffix("_id") for name in values]
    places = ", ".join(f"${number}" for number in range(3, len(names) + 3))
    async with database.transaction():
        row = await database.fetchrow(
            f"INSERT INTO units AS u (uid, site, {', '.join(names)}) VALUES ($1, $2, {places})"
            f" ON CONFLICT ON CONSTRAINT unit_code DO NOTHING RETURNING {COLUMNS}",
            new_uid(), site_id, *values.values())
        if row is None:
            raise CodeTaken(code=values["code"])
        await record(actor, "add_unit", "unit", row["id"], after=values)
    return UnitFacts(*row)


class UnitChanges(msgspec.Struct, frozen=True):
    """What is to be changed; None leaves it as it is. `is_around_the_clock` takes the calendar away."""

    code: str | None = None
    name: str | None = None
    name_en: str | None = None
    note: str | None = None
    note_en: str | None = None
    capacity: int | None = None
    calendar_id: int | None = None
    is_around_the_clock: bool = False
    step_min: int | None = None
    setup_min: int | None = None
    teardown_min: int | None = None
    min_use_min: int | None = None
    max_use_min: int | None = None
    ahead_days: int | None = None
    sort: int | None = None


@database.retried
async def change(actor: Actor, unit_id: int, changes: UnitChanges, *, version: int) -> UnitFacts:
    """Change a unit's own data; bookings made before keep their times, setup and teardown included.

    Raises:
        NotFound: no such unit, retired, a person's, or no such calendar of the site.
        Forbidden: only managers and administrators may.
        Stale: changed since `version`; a closure counts as a change too.
        Invalid: fields, all at once.
        CodeTaken: the site has the code already.
    """
    async with database.transaction():
        row = await database.fetchrow(f"SELECT {COLUMNS} FROM units u WHERE u.id = $1 FOR NO KEY UPDATE", unit_id)
        unit = None if row is None else UnitFacts(*row)
        if unit is None or unit.is_retired or unit.person_id is not None:
            raise NotFound()
        if not rights.can_arrange(actor, unit.site_id):
            raise Forbidden()
        if unit.version != version:
            raise Stale()
        before, after = await _changed(unit, changes)
        if not after:
            return unit
        await _write(unit, after)
        await record(actor, "change", "unit", unit_id, before=before, after=after)
        row = await database.fetchrow(f"SELECT {COLUMNS} FROM units u WHERE u.id = $1", unit_id)
    return UnitFacts(*row)


async def _changed(unit: UnitFacts, changes: UnitChanges) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what changes, before and after, by the names of UnitFacts; refuse what the database would refuse."""
    wanted = {name: visible(value) if isinstance(value, str) else value
              for name, value in msgspec.structs.asdict(changes).items() if value is not None and name != "is_around_the_clock"}
    if changes.is_around_the_clock:
        wanted["calendar_id"] = None
    old = msgspec.structs.asdict(unit)
    new = old | wanted
    new["name_en"] = new["name_en"] or new["name"]
    rules.check(unit.kind, new["code"], new["name"], new)
    if new["calendar_id"] != unit.calendar_id and new["calendar_id"] is not None and not await database.fetchval(
            "SELECT 1 FROM calendars WHERE id = $1 AND site = $2", new["calendar_id"], unit.site_id):
        raise NotFound()
    after = {name: value for name, value in new.items() if value != old[name]}
    return {name: old[name] for name in after}, after


async def _write(unit: UnitFacts, after: dict[str, Any]) -> None:
    sets = ", ".join(f"{name.removesuffix('_id')} = ${number}" for number, name in enumerate(after, 2))
    try:
        async with database.transaction():
            await database.execute(f"UPDATE units SET {sets}, version = version + 1 WHERE id = $1", unit.id, *after.values())
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "unit_code":
            raise
        raise CodeTaken(code=after["code"]) from error


@database.retried
async def retire(actor: Actor, unit_id: int, *, version: int) -> None:
    """Take a unit out of use for good; its past stays.

    Raises:
        NotFound, Forbidden: no such unit, or not the actor's to change.
        Stale: changed since `version`.
        UnitInUse: bookings lie ahead.
    """
    async with database.transaction():
        row = await database.fetchrow("SELECT site, version FROM units WHERE id = $1 FOR NO KEY UPDATE", unit_id)
        if row is None:
            raise NotFound()
        if not rights.can_arrange(actor, row["site"]):
            raise Forbidden()
        if row["version"] != version:
            raise Stale()
        count = await database.fetchval(
            "SELECT count(*) FROM allocations WHERE unit = $1 AND holds AND upper(blocked) > $2", unit_id, clock.now())
        if count:
            raise UnitInUse(count=count)
        await database.execute("UPDATE units SET retired_at = $2, version = version + 1 WHERE id = $1", unit_id, clock.now())
        await record(actor, "retire", "unit", unit_id)


async def unit_of_person(person_id: int, site_id: int) -> int:
    """Return the unit of a person, made now if this is the first booking; safe against a rival who does the same."""
    await database.execute(
        "INSERT INTO units (uid, site, kind, code, name, name_en, person)"
        " SELECT $1, $2, 'person', '@' || id, name, coalesce(nullif(name_latin, ''), name), id FROM people WHERE id = $3"
        " ON CONFLICT (person) DO NOTHING", new_uid(), site_id, person_id)
    found: int | None = await database.fetchval("SELECT id FROM units WHERE person = $1", person_id)
    if found is None:
        raise NotFound()
    return found
