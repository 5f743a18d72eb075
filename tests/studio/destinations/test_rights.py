"""Who may paste a key: the merchant's people; for a booking of the centre its booker and the house; the room's tablet."""

from studio.destinations.rights import can_paste
from tests.people import People

ROOM = 1


async def test_a_merchants_key_is_its_peoples(people: People) -> None:
    for actor, may in ((people.alice, True), (people.bob, True), (people.charlie, False), (people.olaf, False), (people.ada, False)):
        assert can_paste(actor, people.sunrise_id, people.charlie.person_id, ROOM, is_checked_in=True) == may, actor.name


async def test_a_key_of_the_centre_is_its_bookers_and_the_houses(people: People) -> None:
    for actor, may in ((people.charlie, True), (people.olaf, True), (people.mia, True), (people.alice, False), (people.aud, False)):
        assert can_paste(actor, None, people.charlie.person_id, ROOM, is_checked_in=False) == may, actor.name
