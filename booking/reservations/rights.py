"""Who may book for whom, and who may change and see a reservation."""

from incubator.ground.rights import Actor, Role

DESK_ROLES = (Role.STAFF, Role.OPERATOR, Role.MANAGER, Role.ADMIN)


def can_book_for(actor: Actor, merchant_id: int | None, site_id: int) -> bool:
    """May this actor book in the name of that merchant (None: of nobody)?"""
    return actor.has(*DESK_ROLES, site_id=site_id) or (merchant_id is not None and actor.belongs_to(merchant_id))


def is_exempt(actor: Actor, site_id: int) -> bool:
    """May this actor book beyond the merchant's quota?"""
    return actor.has(*DESK_ROLES, site_id=site_id)


def can_see(actor: Actor, merchant_id: int | None, person_id: int | None) -> bool:
    """May this actor read title, merchant and people of the reservation, rather than 已占用?"""
    if actor.may_read_all or (merchant_id is not None and actor.belongs_to(merchant_id)):
        return True
    return person_id is not None and person_id == actor.person_id


def can_change(actor: Actor, merchant_id: int | None, site_id: int) -> bool:
    """May this actor move, extend, end or cancel the reservation?"""
    return actor.has(*DESK_ROLES, site_id=site_id) or (merchant_id is not None and actor.belongs_to(merchant_id))


def can_run_the_desk(actor: Actor, site_id: int) -> bool:
    """May this actor check people in by a tap, and mark no-shows?"""
    return actor.has(Role.STAFF, Role.OPERATOR, Role.ADMIN, site_id=site_id)


def can_see_code(actor: Actor, merchant_id: int | None, person_id: int | None, site_id: int) -> bool:
    """May this actor read the four digits of check-in?"""
    return can_run_the_desk(actor, site_id) or (can_see(actor, merchant_id, person_id) and not actor.has(Role.AUDITOR))
