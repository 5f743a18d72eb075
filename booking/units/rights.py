"""Who may change what can be booked."""

from incubator.ground.rights import Actor, Role


def can_arrange(actor: Actor, site_id: int) -> bool:
    """May this actor add units to the site, change them and take them out of use?"""
    return actor.has(Role.MANAGER, Role.ADMIN, site_id=site_id)
