"""A stream that somebody starts at the room's computer: another key is stopped, logged, and told to the operators once."""

from incubator.ground import database
from studio.destinations.service import paste
from studio.director.outputs import Outputs
from studio.director.wire import OutputPhase
from studio.rigs.queries import incidents
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"
FOREIGN = ("rtmp_custom", {"server": "rtmp://elsewhere.example/live", "key": "somebody-elses"})
TOLD = "SELECT person FROM notices WHERE once_key LIKE 'alarm:%'"


async def test_it_works(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    machine = studio.machine(director)
    for incident in (1, 2):
        machine._service = FOREIGN
        machine.stream.start()
        await until(lambda wanted=incident: _count(wanted))
        await studio.shows(lambda s: s.stream.phase == OutputPhase.STOPPED and not machine.stream.active)
    assert {row["person"] for row in await database.fetch(TOLD)} == {studio.people.olaf.person_id}
    found = (await incidents([studio.rig.id]))[studio.rig.id]
    assert [(one.code, one.number) for one in found] == [("unknown_stream", session.number)] * 2


async def _count(wanted: int) -> bool:
    return len(await database.fetch(TOLD)) == wanted


async def test_one_incident_is_told_once_while_the_stream_will_not_stop(studio: Studio) -> None:
    director = await studio.owned()
    outputs: Outputs = director.owners[studio.rig.id]._outputs
    machine = studio.machine(director)
    machine._service = FOREIGN
    outputs._alarmed = True  # told, and it still runs
    outputs.guard()
    await until(lambda: outputs._guarding is None or outputs._guarding.done())
    await director.journal.flush()
    assert await database.fetch(TOLD) == []


async def test_between_sessions(studio: Studio) -> None:
    director = await studio.owned()
    machine = studio.machine(director)
    machine._service = FOREIGN
    machine.stream.start()
    await until(lambda: _count(1))
    await studio.shows(lambda s: s.stream.phase == OutputPhase.STOPPED and not machine.stream.active)
    assert (await incidents([studio.rig.id]))[studio.rig.id][0].number == ""


async def test_this_sessions_own_key_may_be_started_there(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    studio.machine(director).stream.start()
    await until(lambda: database.fetchval("SELECT 1 FROM as_run WHERE what = 'started_at_the_computer'"))
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    assert await database.fetch(TOLD) == []


async def test_a_stream_that_was_started_while_nobody_looked_is_told_too(studio: Studio) -> None:
    """It is stopped in any case, since no session sends; that it ran, the operators hear by its being found."""
    director = await studio.owned()
    machine, machines = studio.machine(director), director._links.machines
    await studio.end(director)
    machine._service = FOREIGN
    machine.stream.start()
    await until(lambda: machine.stream.active)
    second = await studio.direct()
    second._links.machines = machines
    await until(lambda: _count(1), what="told")
    assert await studio.shows(lambda s: s.fence == 2 and s.stream.phase == OutputPhase.STOPPED and not machine.stream.active)


async def test_the_next_director_finds_this_sessions_own_stream_and_leaves_it(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    machine, machines = studio.machine(director), director._links.machines
    machine.stream.start()
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    await studio.end(director)
    second = await studio.direct()
    second._links.machines = machines
    await until(lambda: database.fetchval("SELECT 1 FROM as_run WHERE what = 'found_running'"))
    await studio.shows(lambda s: s.fence == 2 and s.stream.phase == OutputPhase.LIVE)
    assert machine.stream.active
    assert await database.fetch(TOLD) == []
