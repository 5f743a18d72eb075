"""Who may see, pair and take off tablets."""

from incubator.ground.rights import DESK_ROLES, Actor


def can_pair(actor: Actor, site_id: int) -> bool:
    """May this actor bind a tablet to a room of the site, and revoke it?"""
    return actor.device_id is None and actor.has(*DESK_ROLES, site_id=site_id)


def can_see_devices(actor: Actor, site_id: int) -> bool:
    """May this actor look at the list of the site's tablets?"""
    return can_pair(actor, site_id) or actor.may_read_all
