"""Control does not stay with somebody whose right has ended: the next who may command takes the room."""

from booking.checkin import service as checkin
from incubator.accounts import service as accounts
from incubator.ground import database
from incubator.ground.jsons import loads
from incubator.ground.queue.registry import Registry
from incubator.ground.rights import Role
from incubator.merchants import service as merchants
from studio.control import jobs
from studio.control.queries import seat
from studio.control.service import answer_control, ask_control, command, take_control
from studio.director.wire import Outcome, SwitchScene
from tests.studio.conftest import HOUSE, Studio, tablet


async def relayed() -> None:
    """Run what the facts so far lead to, as the worker would."""
    registry = Registry()
    jobs.register(registry)
    for fact in await database.fetch("SELECT kind, payload FROM facts ORDER BY id"):
        for name in registry.by_fact.get(fact["kind"], ()):
            await registry.handlers[name].run(loads(fact["payload"]))


async def controls() -> tuple[int | None, int | None]:
    row = await database.fetchrow("SELECT controller_person, controller_device FROM live_sessions")
    return row["controller_person"], row["controller_device"]


async def test_a_removed_member_leaves_the_room_to_others(studio: Studio) -> None:
    await studio.owned()
    session = await studio.prepare(await studio.book())
    bob, alice = studio.people.bob, studio.people.alice
    await take_control(studio.board, bob, session.uid)
    await studio.shows(lambda s: s.plan.controller_person == bob.person_id)
    await merchants.remove_member(HOUSE, studio.people.sunrise_id, bob.person_id or 0)
    await relayed()
    await studio.shows(lambda s: s.plan.session == session.id and not s.plan.is_held)
    assert (await command(studio.board, await seat(alice, session.uid), SwitchScene("双人"))).outcome == Outcome.DONE
    assert await controls() == (alice.person_id, None)
    assert await database.fetchval("SELECT count(*) FROM audit_entries WHERE verb = 'free_control'") == 1


async def test_a_revoked_tablet_leaves_the_room_to_others(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    first, second = [await tablet(studio.unit, studio.people.site.id) for _ in range(2)]
    await take_control(studio.board, first, session.uid)
    await ask_control(second, session.uid)
    uid = await database.fetchval("SELECT uid FROM devices WHERE id = $1", first.device_id)
    await checkin.revoke(studio.people.dora, uid)
    await relayed()
    assert await controls() == (None, None)
    await take_control(studio.board, second, session.uid)
    assert (await controls())[1] == second.device_id


async def test_nothing_is_handed_to_somebody_who_was_removed(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await take_control(studio.board, studio.people.alice, session.uid)
    await ask_control(studio.people.bob, session.uid)
    await merchants.remove_member(HOUSE, studio.people.sunrise_id, studio.people.bob.person_id or 0)
    await relayed()
    await answer_control(studio.people.alice, session.uid, hand_over=True)
    assert await controls() == (studio.people.alice.person_id, None)


async def test_a_closed_account_leaves_the_room_to_others(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    await take_control(studio.board, studio.people.bob, session.uid)
    await accounts.close_account(studio.people.ada, studio.people.bob.person_id or 0, "stolen")
    await relayed()
    assert await controls() == (None, None)


async def test_whoever_keeps_another_role_keeps_control(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    bob = studio.people.bob.person_id or 0
    await accounts.grant(HOUSE, bob, Role.STREAMER, "merchant", studio.people.sunrise_id)
    await take_control(studio.board, studio.people.bob, session.uid)
    await accounts.end_grant(HOUSE, bob, Role.MEMBER, "merchant", studio.people.sunrise_id)
    await relayed()
    assert await controls() == (bob, None)


async def test_a_tablet_keeps_control_when_whoever_checked_in_is_removed(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    device = await tablet(studio.unit, studio.people.site.id)
    await take_control(studio.board, device, session.uid)
    person, held = await controls()
    assert held == device.device_id
    await accounts.end_grant(HOUSE, person or 0, Role.OWNER, "merchant", studio.people.sunrise_id)
    await relayed()
    assert (await controls())[1] == device.device_id
