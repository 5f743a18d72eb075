"""Half a minute without PostgreSQL, or without Redis, does not blind a show; what happened meanwhile goes in afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from incubator.ground import clock, database
from incubator.ground.values import new_uid
from studio.control import switchboard
from studio.control.queries import seat
from studio.control.service import command, panic
from studio.destinations.service import paste
from studio.director import rows
from studio.director.journal import Journal, RanAt
from studio.director.wire import Outcome, OutputPhase, StartOutput, StopOutput, SwitchScene
from studio.obs.machine import STAND_BY
from tests.studio.conftest import Studio, until

KEY = "rtmp://push.example.cn/live/stream-9F3K5T"


@asynccontextmanager
async def no_database() -> AsyncIterator[None]:
    """Point the process at a server that is not there."""
    pool, config = database.DB.pool, database.DB.config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.DB, "pool", Gone(pool))
        patch.setattr(database.DB, "config", config | {"dsn": "postgresql://kaibo@/kaibo?host=/nowhere"})
        yield
    assert database.DB.pool is pool


class Gone:
    """A pool whose server is gone; what was taken from the one before is given back to that."""

    def __init__(self, former: Any) -> None:
        self.release = former.release

    def acquire(self, **_: object) -> "Gone":
        return self

    def __await__(self) -> object:
        raise ConnectionRefusedError("gone")

    async def __aenter__(self) -> None:
        raise ConnectionRefusedError("gone")

    async def __aexit__(self, *_: object) -> None:
        """Nothing was opened."""


async def test_a_show_goes_on_without_database(studio: Studio) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    async with no_database():
        director.owners[studio.rig.id].poke()
        await studio.shows(lambda s: s.database_away)
        assert (await command(studio.board, place, SwitchScene("双人"))).outcome == Outcome.DONE
        assert (await panic(studio.board, place, 1)).outcome == Outcome.DONE
        assert (await panic(studio.board, place, 0)).outcome == Outcome.DONE
        assert (await command(studio.board, place, StopOutput())).outcome == Outcome.DONE
        refused = await command(studio.board, place, StartOutput())
        assert (refused.outcome, refused.code) == (Outcome.REFUSED, "database_away")
        await until(lambda: director.journal.waiting >= 4)
        assert next((studio.data / "spool").glob("*.jsonl")).stat().st_size > 0
    await until(lambda: director.journal.waiting == 0)
    scenes = await database.fetch("SELECT detail->>'scene' AS scene FROM as_run WHERE what = 'scene' ORDER BY id")
    assert [row["scene"] for row in scenes] == ["双人", STAND_BY, "双人"]
    assert await database.fetchval("SELECT count(*) FROM air_spans WHERE stopped_at IS NOT NULL") == 1


async def test_the_cut_off_comes_without_database_and_redis(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    await command(studio.board, await seat(studio.people.alice, session.uid), StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    machine = studio.machine(director)
    async with no_database():
        with monkeypatch.context() as patch:
            patch.setattr(studio.redis, "execute_command", _gone)
            clock.set_offset(int(timedelta(minutes=61).total_seconds()))
            director.owners[studio.rig.id].held.due.set()
            await until(lambda: not machine.stream.active and machine._service[1].get("key") == "")
    ended = await studio.state(reservation, "ended")
    assert ended.key is not None
    assert ended.key.wiped_at is not None


async def _gone(*_: object, **__: object) -> None:
    raise ConnectionRefusedError("gone")


async def test_who_writes_at_the_same_time_loses_no_entry(studio: Studio, tmp_path: Path) -> None:
    journal = Journal(tmp_path, rows.write_closed, rows.tell_alarmed)
    for _ in range(5):
        journal.add(RanAt(new_uid(), studio.rig.id, None, clock.now(), "scene", {"scene": "双人"}))
    assert await asyncio.gather(journal.flush(), journal.flush(), journal.flush()) == [True] * 3
    assert journal.waiting == 0
    assert await database.fetchval("SELECT count(*) FROM as_run") == 5
    journal.close()


async def test_the_next_director_takes_over_what_a_dead_one_spooled(scratch: object, tmp_path: Path) -> None:
    left = tmp_path / "spool" / "4711-dead.jsonl"
    left.parent.mkdir()
    journal = Journal(tmp_path, rows.write_closed, rows.tell_alarmed)
    entry = RanAt(new_uid(), 1, None, clock.now(), "scene", {"scene": "双人"})
    async with no_database():
        journal.add(entry)
        assert not await journal.flush()
    written = journal._path.read_bytes()
    journal.close()
    left.write_bytes(written + b'{"torn')
    second = Journal(tmp_path, rows.write_closed, rows.tell_alarmed)
    # both files hold the same entry; it is one row all the same, and the torn line is left out
    assert second.waiting == 2
    assert not left.exists()
    second._queue.clear()
    second.close()


async def test_an_expired_command_is_not_carried_out(studio: Studio) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    heard = studio.redis.pubsub()
    await heard.subscribe("answers:somebody")
    await studio.redis.rpush(f"rig:{studio.rig.id}:1", f"{uuid4()} somebody")

    async def expired() -> bool:
        message = await heard.get_message(ignore_subscribe_messages=True, timeout=1)
        return message is not None and b'"expired"' in message["data"]

    await until(expired)
    await heard.aclose()
    assert studio.machine(director).program != ""


async def test_without_director_nothing_is_promised(studio: Studio) -> None:
    session = await studio.session_of(await studio.book())
    answer = await command(studio.board, await seat(studio.people.alice, session.uid), SwitchScene("双人"))
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "no_director")


async def test_a_silent_director_leaves_a_command_unknown(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    director = await studio.owned()
    session = await studio.prepare(await studio.book())
    await studio.shows(lambda s: s.plan.session == session.id)
    owner = director.owners[studio.rig.id]
    body = await studio.redis.get(f"snap:{studio.rig.id}")
    await studio.end(director)
    await studio.redis.set(f"snap:{studio.rig.id}", body, ex=60)
    monkeypatch.setattr(switchboard, "DEADLINE_S", 1.0)
    answer = await command(studio.board, await seat(studio.people.alice, session.uid), SwitchScene("双人"))
    assert answer.outcome == Outcome.UNKNOWN
    assert owner.held.mirror.program != "双人"


async def test_a_watcher_sees_snapshots_levels_and_silence(studio: Studio) -> None:
    director = await studio.owned()
    await studio.shows(lambda s: s.link.is_online)
    kinds: set[str] = set()

    async def watch() -> None:
        async for frame in studio.board.watch(studio.rig.id):
            kinds.add(frame.kind)

    watching = asyncio.create_task(watch())
    await until(lambda: kinds >= {"snapshot", "meters"})
    await studio.end(director)
    await until(lambda: "silence" in kinds)
    assert studio.rig.id in studio.board._watchers
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert studio.rig.id not in studio.board._watchers
