"""Who may change when things are open."""

from incubator.ground.rights import DESK_ROLES, Actor, Role


def can_set_hours(actor: Actor, site_id: int) -> bool:
    """May this actor set the weekly hours?"""
    return actor.has(Role.MANAGER, Role.ADMIN, site_id=site_id)


def can_close(actor: Actor, site_id: int) -> bool:
    """May this actor close a room for a while, and open it again?"""
    return actor.has(*DESK_ROLES, site_id=site_id)
