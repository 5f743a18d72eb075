"""Who may see and change rigs."""

from incubator.ground.rights import Actor, Role


def can_see_rigs(actor: Actor) -> bool:
    """May this actor look at the rooms' rigs?"""
    return actor.may_read_all


def can_change_rig(actor: Actor, site_id: int) -> bool:
    """May this actor set up a rig, test it, or call it clean?"""
    return actor.has(Role.OPERATOR, Role.ADMIN, site_id=site_id)
