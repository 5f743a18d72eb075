"""Who may book, change and see reservations."""

from datetime import datetime

from booking.reservations.tables import State
from incubator.ground.rights import DESK_ROLES, Actor
from incubator.ground.values import Span


def is_staff(actor: Actor, site_id: int) -> bool:
    """Does this actor work at the site's desk, and so book for anybody, without quota?"""
    return actor.has(*DESK_ROLES, site_id=site_id)


def can_reserve(actor: Actor, site_id: int, merchant_id: int | None) -> bool:
    """May this actor book for that merchant (None: for nobody)?"""
    return is_staff(actor, site_id) or (merchant_id is not None and actor.belongs_to(merchant_id))


def is_of_the_party(actor: Actor, merchant_id: int | None, person_id: int | None, host_id: int | None = None) -> bool:
    """Is the reservation this person's: of the merchant's people, or, where there is no merchant, who booked or hosts it?

    Whoever booked for a merchant and left it is out at once, and so is a host.
    """
    if merchant_id is not None:
        return actor.belongs_to(merchant_id)
    return actor.person_id is not None and actor.person_id in (person_id, host_id)


def can_see(actor: Actor, merchant_id: int | None, person_id: int | None, host_id: int | None, unit_id: int) -> bool:
    """May this actor see the reservation with title and people?"""
    if actor.may_read_all or actor.device_unit_id == unit_id:
        return True
    return is_of_the_party(actor, merchant_id, person_id, host_id)


def shows_on_tablet(state: str, blocked: Span, now: datetime) -> bool:
    """May the room's tablet, which hangs there for everybody, show this reservation: has its turn come, and not gone?"""
    return state in (State.CONFIRMED, State.CHECKED_IN, State.FINISHED) and blocked.contains(now)


def can_change(actor: Actor, site_id: int, merchant_id: int | None, person_id: int | None) -> bool:
    """May this actor move, extend, end or cancel the reservation?"""
    return is_staff(actor, site_id) or is_of_the_party(actor, merchant_id, person_id)


def can_command(actor: Actor, unit_id: int, *, is_checked_in: bool) -> bool:
    """May this tablet extend or end the reservation of its own room?"""
    return actor.device_id is not None and actor.device_unit_id == unit_id and is_checked_in


def can_settle(actor: Actor, site_id: int) -> bool:
    """May this actor check people in by a tap, and mark who did not come?"""
    return is_staff(actor, site_id)


def sees_code(actor: Actor, site_id: int, merchant_id: int | None, person_id: int | None) -> bool:
    """May this actor read the check-in code? Never a tablet: it is typed there."""
    return actor.device_id is None and can_change(actor, site_id, merchant_id, person_id)
