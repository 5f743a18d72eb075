"""Who may see and change live sessions."""

from datetime import datetime

from booking.reservations.rights import is_of_the_party
from incubator.ground.rights import Actor, Role


def can_choose(actor: Actor, merchant_id: int | None, person_id: int | None, site_id: int) -> bool:
    """May this actor choose how the session goes out?"""
    is_of_the_room = actor.has(Role.STAFF, Role.OPERATOR, Role.ADMIN, site_id=site_id)
    return is_of_the_room or is_of_the_party(actor, merchant_id, person_id)


def can_declare(actor: Actor, merchant_id: int | None, person_id: int | None, site_id: int) -> bool:
    """May this actor, a person with a name, say what the platform shows, or that its account was signed out?"""
    return actor.person_id is not None and can_choose(actor, merchant_id, person_id, site_id)


def is_kept_from(actor: Actor, now: datetime, blocked_from: datetime | None, cut_off_at: datetime) -> bool:
    """Is this a tablet, which hangs there for everybody, outside the session's turn in the room: blocked interval to cut-off?"""
    has_turn = blocked_from is not None and blocked_from <= now < cut_off_at
    return actor.device_id is not None and not has_turn
