"""Who may see that there is a key, and who may paste one."""

from incubator.ground.rights import Actor


def can_see(actor: Actor, merchant_id: int | None, person_id: int | None, unit_id: int) -> bool:
    """May this actor know of the session: its merchant, who booked it for nobody else, its room's tablet, the house?"""
    if merchant_id is not None and actor.belongs_to(merchant_id):
        return True
    is_booker = merchant_id is None and actor.person_id is not None and actor.person_id == person_id  # who left is out
    return is_booker or actor.may_read_all or actor.device_unit_id == unit_id


def can_paste(actor: Actor, merchant_id: int | None, person_id: int | None, unit_id: int, is_checked_in: bool) -> bool:
    """May this actor paste the session's key?"""
    if actor.device_unit_id == unit_id:
        return is_checked_in
    if merchant_id is not None:
        return actor.belongs_to(merchant_id)
    return actor.is_of_the_house or (actor.person_id is not None and actor.person_id == person_id)
