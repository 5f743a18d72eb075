"""What a mentor finds at home: the merchants of the centre, and what was told lately."""

from collections.abc import Sequence

import msgspec

from frontend.pages.notices import revived
from incubator.ground.notices import queries as notices
from incubator.ground.notices.queries import Notice
from incubator.ground.rights import Actor
from incubator.merchants import queries as merchants
from incubator.merchants.queries import MerchantRow

MOST_MERCHANTS = 12
MOST_NOTICES = 4


class Desk(msgspec.Struct, frozen=True):
    """The merchants by name (`has_more`: there are others), and the newest notices."""

    merchants: Sequence[MerchantRow]
    has_more: bool
    notices: Sequence[Notice]


async def desk_of(actor: Actor) -> Desk:
    """Return the mentor's desk, in two queries."""
    found = await merchants.merchants(actor, limit=MOST_MERCHANTS + 1)
    told = await notices.latest(actor.person_id or 0, MOST_NOTICES)
    return Desk(found[:MOST_MERCHANTS], len(found) > MOST_MERCHANTS,
                [msgspec.structs.replace(one, params=revived(one.params)) for one in told])
