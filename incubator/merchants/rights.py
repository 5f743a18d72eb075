"""Who may see and change merchants."""

from incubator.ground.rights import Actor, Role


def can_see(actor: Actor, merchant_id: int) -> bool:
    """May this actor know of the merchant, and read its public profile: names, kind, town, products, state, shops?"""
    return can_see_whole(actor, merchant_id) or actor.has(Role.MENTOR)


def can_see_whole(actor: Actor, merchant_id: int) -> bool:
    """May this actor read the whole file: credit code, contact, members, bookings, live sessions, history?

    A mentor will, once mentors belong to merchants; until then to none.
    """
    return actor.belongs_to(merchant_id) or actor.may_read_all


def can_register(actor: Actor) -> bool:
    """May this actor put a new merchant on file?"""
    return actor.has(Role.STAFF, Role.MANAGER, Role.ADMIN)


def can_update(actor: Actor, merchant_id: int) -> bool:
    """May this actor change the profile and its shops?"""
    return actor.belongs_to(merchant_id, Role.OWNER) or actor.has(Role.STAFF, Role.MANAGER, Role.ADMIN)


def can_change_status(actor: Actor) -> bool:
    """May this actor pause a merchant or take it back?"""
    return actor.has(Role.MANAGER, Role.ADMIN)


def can_change_members(actor: Actor, merchant_id: int) -> bool:
    """May this actor invite and remove members?"""
    return actor.belongs_to(merchant_id, Role.OWNER) or actor.has(Role.STAFF, Role.MANAGER, Role.ADMIN)


def can_add_at_once(actor: Actor) -> bool:
    """May this actor make somebody on file a member without asking that person, and so learn who is on file?"""
    return actor.has(Role.STAFF, Role.MANAGER, Role.ADMIN)
