"""What ends while nobody sees it ended at the last moment at which it was known to run, and nobody at the computer is blamed."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from incubator.ground import clock, database
from studio.control.queries import seat
from studio.control.service import command
from studio.destinations.service import paste
from studio.director import leases
from studio.director.director import Director
from studio.director.wire import OutputPhase, StartOutput, StartRecord
from tests.studio.conftest import Studio, until

AT_MOST = leases.TTL / 2  # a busy machine looks at the clock late; a lease that counted as seen would be off by twice as much
KEY = "rtmp://push.example.cn/live/stream-9F3K5T"
BLAMED = ("SELECT count(*) FROM as_run WHERE what IN ('alarm', 'started_at_the_computer', 'found_running')")


async def on_air(studio: Studio) -> Director:
    director = await studio.owned()
    reservation = await studio.book()
    session = await studio.prepare(reservation)
    await paste(studio.people.alice, session.uid, KEY, version=0)
    await studio.state(reservation, "ready")
    place = await seat(studio.people.alice, session.uid)
    await command(studio.board, place, StartOutput())
    await studio.shows(lambda s: s.stream.phase == OutputPhase.LIVE)
    return director


async def ended() -> Any:
    async def found() -> Any:
        return await database.fetchrow("SELECT stopped_at, stop_reason FROM air_spans WHERE kind = 'stream'"
                                       " AND stopped_at IS NOT NULL")

    return await until(found)


async def check(reason: str, earliest: datetime, latest: datetime) -> None:
    row = await ended()
    assert row["stop_reason"] == reason
    assert earliest <= row["stopped_at"] <= latest, "when it was seen last, not when OBS was back"

    async def line() -> Any:
        return await database.fetchrow("SELECT at, live_session FROM as_run WHERE what = $1", reason)

    said = await until(line)
    assert said["at"] == row["stopped_at"]
    assert said["live_session"] is not None
    assert await database.fetchval(BLAMED) == 0
    assert await database.fetchval("SELECT count(*) FROM notices WHERE once_key LIKE 'alarm:%'") == 0


async def test_obs_dies_on_air(studio: Studio) -> None:
    director = await on_air(studio)
    machine = studio.machine(director)
    before = clock.now()
    machine.power_off()
    await studio.shows(lambda s: not s.link.is_online)
    away_at = clock.now()
    await asyncio.sleep(0.2)
    machine.power_on()
    await studio.shows(lambda s: s.link.is_online)
    await check("obs_gone", before, away_at)


async def test_the_director_dies_with_the_simulated_rig(studio: Studio) -> None:
    await studio.end(await on_air(studio))
    gone_at = clock.now() - timedelta(minutes=5)
    await database.execute("UPDATE rig_leases SET expires_at = now() - interval '5 minutes'")
    await database.execute("UPDATE air_spans SET started_at = now() - interval '10 minutes'")
    await studio.owned()
    await check("director_gone", gone_at - AT_MOST, gone_at + AT_MOST)


async def test_a_lease_that_was_not_released_tells_when_it_was_renewed_last(studio: Studio) -> None:
    await studio.end(await on_air(studio))
    # as a killed director leaves it: its lease runs on for ten seconds after its last sign of life
    await database.execute("UPDATE rig_leases SET owner = 'x', expires_at = now() - interval '5 minutes'")
    await database.execute("UPDATE air_spans SET started_at = now() - interval '10 minutes'")
    gone_at = clock.now() - timedelta(minutes=5) - leases.TTL
    await studio.owned()
    await check("director_gone", gone_at - AT_MOST, gone_at + AT_MOST)


async def test_what_is_stopped_in_sight_after_that_is_told_as_ever(studio: Studio) -> None:
    director = await on_air(studio)
    machine = studio.machine(director)
    machine.power_off()
    await studio.shows(lambda s: not s.link.is_online)
    machine.power_on()
    await studio.shows(lambda s: s.link.is_online)
    assert (await ended())["stop_reason"] == "obs_gone"
    session = await database.fetchval("SELECT uid FROM live_sessions")
    place = await seat(studio.people.alice, session)
    await command(studio.board, place, StartRecord())
    await studio.shows(lambda s: s.record.phase == OutputPhase.LIVE)
    machine.record.stop()

    async def found() -> bool:
        return await database.fetchval("SELECT stop_reason FROM air_spans WHERE kind = 'record'") == "stopped_at_the_computer"

    await until(found)
