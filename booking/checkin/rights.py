"""Who may pair tablets and take them off again."""

from incubator.ground.rights import Actor, Role


def can_pair(actor: Actor, site_id: int) -> bool:
    """May this actor bind a tablet to a room of the site, and revoke it?"""
    return actor.device_id is None and actor.has(Role.STAFF, Role.OPERATOR, Role.MANAGER, Role.ADMIN, site_id=site_id)
