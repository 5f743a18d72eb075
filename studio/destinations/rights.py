"""Who may see that there is a key, and who may paste one."""

from booking.reservations.rights import is_of_the_party
from incubator.ground.rights import Actor


def can_see(actor: Actor, merchant_id: int | None, person_id: int | None, unit_id: int) -> bool:
    """May this actor know of the session: its merchant, who booked it for nobody else, its room's tablet, the house?"""
    return is_of_the_party(actor, merchant_id, person_id) or actor.may_read_all or actor.device_unit_id == unit_id


def can_paste(actor: Actor, merchant_id: int | None, person_id: int | None, unit_id: int, is_checked_in: bool) -> bool:
    """May this actor paste the session's key? The house only for a booking of the centre, which has no merchant."""
    if actor.device_unit_id == unit_id:
        return is_checked_in
    return is_of_the_party(actor, merchant_id, person_id) or (merchant_id is None and actor.is_of_the_house)
