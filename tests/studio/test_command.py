"""A tap travels from a seat over Redis and the director to OBS, and comes back as a snapshot."""

from incubator.ground import database
from studio.control.queries import seat
from studio.control.service import command
from studio.director.wire import Outcome, SwitchScene
from tests.studio.conftest import Studio, tablet


async def test_it_works(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await studio.shows(lambda s: s.plan.session == session.id and s.plan.state == "waiting_for_key")
    place = await seat(await tablet(studio.unit, studio.people.site.id), session.uid)
    answer = await command(studio.board, place, SwitchScene("双人"))
    assert answer.outcome == Outcome.DONE, answer
    await studio.shows(lambda s: s.program == "双人")
    assert studio.machine(director).program == "双人"


async def test_whoever_is_in_control_is_named_in_both_scripts(studio: Studio) -> None:
    await studio.owned()
    await database.execute("UPDATE people SET name_latin = 'Alice Lin' WHERE id = $1", studio.people.alice.person_id)
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    await command(studio.board, await seat(studio.people.alice, session.uid), SwitchScene("双人"))
    shown = await studio.shows(lambda s: s.plan.is_held)
    assert (shown.plan.controller, shown.plan.controller_latin) == ("Alice", "Alice Lin")
