"""Who acts, in which roles: the actor that every verb receives first."""

from enum import StrEnum
from functools import cached_property
from typing import Literal

import msgspec

from incubator.ground.errors import N_


class Role(StrEnum):
    """Roles are fixed in code; a grant gives one of them for everything, one site or one merchant."""

    OWNER = "owner"
    MEMBER = "member"
    STREAMER = "streamer"
    CONTROLLER = "controller"
    MENTOR = "mentor"
    MANAGER = "manager"
    STAFF = "staff"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"


ROLE_NAMES: dict[Role, str] = {
    Role.OWNER: N_("Owner"),
    Role.MEMBER: N_("Member"),
    Role.STREAMER: N_("Streamer"),
    Role.CONTROLLER: N_("Controller"),
    Role.MENTOR: N_("Mentor"),
    Role.MANAGER: N_("Incubator manager"),
    Role.STAFF: N_("Centre staff"),
    Role.OPERATOR: N_("Studio operator"),
    Role.AUDITOR: N_("Auditor"),
    Role.ADMIN: N_("Administrator"),
}
MERCHANT_ROLES = frozenset({Role.OWNER, Role.MEMBER, Role.STREAMER, Role.CONTROLLER})
HOUSE_ROLES = frozenset({Role.MANAGER, Role.STAFF, Role.OPERATOR, Role.ADMIN})
DESK_ROLES = HOUSE_ROLES  # the centre is small: whoever works for it stands at the desk when it is busy
Scope = Literal["all", "site", "merchant"]


class Grant(msgspec.Struct, frozen=True):
    """One role within one scope; `scope_id` is the site or merchant, None for `all`."""

    role: Role
    scope: Scope
    scope_id: int | None = None


class Actor(msgspec.Struct, frozen=True, dict=True):
    """The person (or device, or the house itself) on whose behalf a verb runs; made anew for each request.

    `person_id` is None for the house itself and for a device on which nobody checked in. `merchant_id` is the merchant
    acted for, None when acting as oneself. `device_id` and `device_unit_id` are set when the request came from a paired tablet.
    """

    person_id: int | None
    name: str
    grants: tuple[Grant, ...] = ()
    merchant_id: int | None = None
    device_id: int | None = None
    device_unit_id: int | None = None
    request_id: str = ""
    locale: str | None = None
    is_house: bool = False
    name_latin: str = ""

    def has(self, *roles: Role, site_id: int | None = None) -> bool:
        """Tell whether the actor holds one of the roles for everything or for that site (None: for any site)."""
        if self.is_house:
            return True
        return any(
            g.role in roles and (g.scope == "all" or (g.scope == "site" and site_id in (None, g.scope_id)))
            for g in self.grants
        )

    def belongs_to(self, merchant_id: int, *roles: Role) -> bool:
        """Tell whether the actor belongs to the merchant, in one of the roles (none given: in any)."""
        if not roles:
            return merchant_id in self.merchant_ids
        return any(
            g.scope == "merchant" and g.scope_id == merchant_id and g.role in roles for g in self.grants
        )

    @cached_property
    def merchant_ids(self) -> frozenset[int]:
        """Return the merchants that the actor belongs to."""
        return frozenset(g.scope_id for g in self.grants if g.scope == "merchant" and g.scope_id is not None)

    @cached_property
    def is_of_the_house(self) -> bool:
        """Tell whether the actor works for the centre (manager, staff, operator, administrator)."""
        return self.has(*HOUSE_ROLES)

    @cached_property
    def may_read_all(self) -> bool:
        """Tell whether the actor reads other people's business: the house and its auditors."""
        return self.has(*HOUSE_ROLES, Role.AUDITOR)


def house(reason: str, request_id: str = "") -> Actor:
    """Return the actor of jobs and start-up code; `reason` is the name that the audit shows."""
    return Actor(person_id=None, name=reason, request_id=request_id, is_house=True)
