"""Who may command a room on air."""

from incubator.ground.rights import Actor, Role


def is_room_staff(actor: Actor, site_id: int) -> bool:
    """Does this actor look after the rooms, and may therefore command one at any time, cover it, and force control?"""
    return actor.has(Role.STAFF, Role.OPERATOR, Role.ADMIN, site_id=site_id)


def is_room_tablet(actor: Actor, unit_id: int) -> bool:
    """Is this the tablet of that room?"""
    return actor.device_id is not None and actor.device_unit_id == unit_id
