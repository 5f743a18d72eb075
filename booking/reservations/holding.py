"""Holds: one per person and page, and not many per person, so that nobody keeps the whole day by opening pages."""

from uuid import UUID

from booking.reservations import rights, rules, slots
from booking.reservations.planning import Plan
from booking.reservations.queries import OF_PAGE, held_by
from booking.reservations.refusals import TooManyHolds
from booking.reservations.rules import HOLD_MIN
from incubator.ground import clock, database
from incubator.ground.errors import N_, Invalid
from incubator.ground.rights import Actor


async def own_hold(actor: Actor, page_key: str | None) -> list[int]:
    """Return the units that the page's hold takes, so that they can be locked together with the new ones.

    Raises:
        Invalid: the key is too long, or cannot be printed.
    """
    if page_key is None:
        return []
    if not rules.is_page_key(page_key):
        raise Invalid.field("page_key", N_("The key of a page has at most {most} printable characters."), most=rules.LONGEST_KEY)
    rows = await database.fetch(f"SELECT unit FROM allocations WHERE reservation IN ({OF_PAGE})", actor.person_id, page_key)
    return [row["unit"] for row in rows]


async def replace(actor: Actor, page_key: str | None) -> None:
    """Let the page's hold go: its next wish takes the place."""
    await slots.expire(await held_by(actor, page_key), clock.now())


async def check_count(actor: Actor, plan: Plan) -> None:
    """Refuse a further hold to whoever keeps enough of them; that of the same page has gone already.

    Raises:
        TooManyHolds: twelve, or sixty at the desk.
    """
    most = rules.MOST_HOLDS_OF_STAFF if rights.is_staff(actor, plan.unit.site_id) else rules.MOST_HOLDS
    kept = await database.fetchval("SELECT count(*) FROM reservations WHERE person = $1 AND state = 'held' AND hold_until > $2",
                                   actor.person_id, clock.now())
    if kept >= most:
        raise TooManyHolds(most=most, minutes=HOLD_MIN)


async def of_page(actor: Actor, page_key: str) -> list[tuple[UUID, int]]:
    """Return public id and version of what the page holds: one, or none."""
    if not rules.is_page_key(page_key):
        return []
    rows = await database.fetch("SELECT uid, version FROM reservations WHERE person = $1 AND page_key = $2 AND state = 'held'",
                                actor.person_id, page_key)
    return [(row["uid"], row["version"]) for row in rows]
