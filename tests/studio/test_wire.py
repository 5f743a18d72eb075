"""What web and director send each other is read one release apart, and refused, without a word too much, beyond that."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import msgspec
import pytest
from structlog.testing import capture_logs

from incubator.ground import clock
from studio.control.queries import seat
from studio.control.service import command
from studio.director import wire
from studio.director.wire import Outcome, SwitchScene
from tests.studio.conftest import Studio

FAR = wire.VERSION + 98
ONE = uuid4()
SNAPSHOT = wire.RigSnapshot(1, "simulated", 1, 1, 1, clock.now(), wire.LinkNow("online", 0.1), 1080, 1920, "", False)
BODIES = {
    wire.command: wire.CommandBody(ONE, 1, 1, wire.Sender(), "test", SwitchScene("双人")),
    wire.panic: wire.PanicBody(ONE, 1, 1, wire.Sender()), wire.probe: wire.ProbeBody(ONE, 1, "test"),
    wire.answer: wire.Answer(ONE, Outcome.DONE), wire.snapshot: SNAPSHOT, wire.meters: wire.MetersNow(()),
}


@pytest.mark.parametrize(("read", "body"), BODIES.items(), ids=[type(one).__name__ for one in BODIES.values()])
def test_every_body_says_its_version_and_is_read_one_release_apart(read: Callable[[bytes], wire.Body], body: wire.Body) -> None:
    for apart in (-1, 0, 1):
        of_release = msgspec.structs.replace(body, v=wire.VERSION + apart)
        assert read(wire.encode(of_release)) == of_release
    for apart in (-2, 2, 98):
        with pytest.raises(msgspec.DecodeError, match="version"):
            read(wire.encode(msgspec.structs.replace(body, v=wire.VERSION + apart)))


def test_a_picture_says_whose_it_is() -> None:
    taken = wire.Picture("image/png", b"\n 1\n2", 7)
    assert wire.picture(wire.encode_picture(taken)) == taken
    assert wire.picture(b"image/png\nbytes") == wire.Picture("image/png", b"bytes", 0)


async def test_a_director_goes_on_after_bodies_that_it_does_not_understand(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    shown = await studio.shows(lambda s: s.plan.session == session.id)
    odd = wire.CommandBody(ONE, studio.rig.id, session.id, wire.Sender(), "test", SwitchScene("双人"), v=FAR)
    await studio.redis.set(wire.command_key(ONE), wire.encode(odd), px=2000)
    await studio.redis.rpush(wire.command_list(studio.rig.id, shown.fence), wire.list_entry(ONE, "test"))
    panic = wire.PanicBody(uuid4(), studio.rig.id, 2, wire.Sender(), v=FAR)
    await studio.redis.rpush(wire.panic_list(studio.rig.id, shown.fence), wire.encode(panic))
    await studio.redis.rpush(wire.probe_list(studio.rig.zone), wire.encode(wire.ProbeBody(uuid4(), studio.rig.id, "test", v=FAR)))
    answer = await command(studio.board, await seat(studio.people.alice, session.uid), SwitchScene("产品特写"))
    assert answer.outcome == Outcome.DONE
    assert (await studio.board.probe(studio.rig.id, studio.rig.zone)).outcome == Outcome.DONE
    assert studio.machine(director).program == "产品特写"
    assert (await studio.shows(lambda s: s.program == "产品特写")).panic.level == 0


async def test_a_rig_whose_director_is_not_understood_is_not_served_and_that_is_said_once(studio: Studio) -> None:
    odd = wire.encode(msgspec.structs.replace(SNAPSHOT, rig=studio.rig.id, v=FAR))
    key, channel = wire.snapshot_key(studio.rig.id), wire.snapshot_channel(studio.rig.id)
    watching = studio.board.watch(studio.rig.id)
    with capture_logs() as logs:
        await studio.redis.set(key, odd)
        first = asyncio.ensure_future(anext(watching))
        for _ in range(3):
            assert await studio.board.snapshot(studio.rig.id) is None
            await studio.redis.publish(channel, odd)
        assert (await studio.board.send(studio.rig.id, 1, wire.Sender(), SwitchScene("双人"))).code == "no_director"
        assert (await first).kind == "silence"
    assert [one["event"] for one in logs] == ["a director is not understood"]
    ours = msgspec.structs.replace(SNAPSHOT, rig=studio.rig.id)
    await studio.redis.set(key, wire.encode(ours))
    assert await studio.board.snapshot(studio.rig.id) == ours
    await studio.redis.publish(channel, wire.encode(ours))
    assert (await anext(watching)).kind == "snapshot"
    await watching.aclose()
