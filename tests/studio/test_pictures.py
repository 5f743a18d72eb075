"""Pictures cost OBS time: their pace follows what one costs, and the slow one holds while nobody looks."""

import asyncio

import pytest
from msgspec.structs import replace

from studio.director import pictures
from studio.director.mirror import LAGGING_PERCENT, Mirror
from studio.director.pictures import FASTEST_S, FETCH_S, LAGGING_S, PROGRAM_EVERY, SLOWEST_S, life_s, pause_after
from tests.studio.conftest import Studio, until


@pytest.mark.parametrize("took_s", [0.0, 0.001, 0.05, 0.5, 5.0])
@pytest.mark.parametrize("scenes", [1, 8, 30])
def test_each_scene_gets_between_a_fifth_and_two_pictures_a_second(took_s: float, scenes: int) -> None:
    pause = pause_after(took_s, scenes, True)
    assert FASTEST_S / scenes <= pause <= SLOWEST_S / scenes
    assert pause_after(took_s, scenes, False) == SLOWEST_S / scenes


def test_a_dear_picture_is_taken_less_often() -> None:
    assert pause_after(0.05, 4, True) > pause_after(0.001, 4, True)


@pytest.mark.parametrize("took_s", [0.0, 5.0])
@pytest.mark.parametrize("scenes", [1, 8, 30])
def test_a_busy_obs_is_asked_seldom_and_no_picture_goes_before_the_next(took_s: float, scenes: int) -> None:
    for is_watched in (True, False):
        assert 10 <= pause_after(took_s, scenes, is_watched, True) <= 15
    turns = -(-scenes * PROGRAM_EVERY // (PROGRAM_EVERY - 1)) + 1
    assert life_s(scenes) > turns * LAGGING_S


async def test_a_busy_obs_shows_pictures_all_the_same(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mirror, "is_lagging", True)
    monkeypatch.setattr(pictures, "LAGGING_S", 0.05)  # the same way, in less time
    held = (await studio.owned()).owners[studio.rig.id].held
    shown = await studio.shows(lambda s: s.pictures_at and all(s.pictures_at))
    assert shown.is_lagging
    first = held.pictures[0]
    await until(lambda: held.pictures[0].until > first.until, what="taken again")


async def test_what_lags_is_told_by_skipped_frames(studio: Studio) -> None:
    director = await studio.owned()
    mirror = director.owners[studio.rig.id].held.mirror
    for percent, is_lagging in ((LAGGING_PERCENT, False), (LAGGING_PERCENT + 0.1, True)):
        mirror.render_lag_percent = percent
        assert mirror.is_lagging is is_lagging


async def test_a_picture_that_is_gone_is_not_asked_for(studio: Studio) -> None:
    """Also not by the pages of another session, nor for a scene that took its place."""
    director = await studio.owned()
    held = director.owners[studio.rig.id].held
    await until(lambda: held.pictures_at() and all(held.pictures_at()), what="all pictures")
    director.owners[studio.rig.id]._pictures._next = lambda: None  # type: ignore[method-assign]  # takes no more
    await asyncio.sleep(FASTEST_S)
    versions = held.pictures_at()
    assert all(versions)
    held.pictures[0] = replace(held.pictures[0], scene="another")
    held.pictures[2] = replace(held.pictures[2], until=0.0)
    held.pictures[3] = replace(held.pictures[3], session=held.audience() + 1)
    assert held.pictures_at() == (0, versions[1], 0, 0, *versions[4:])
    assert (await studio.shows(lambda s: s.pictures_at[0] == 0)).pictures_at == held.pictures_at()


async def test_a_version_is_told_for_a_shorter_time_than_its_picture_lies_there(studio: Studio) -> None:
    director = await studio.owned()
    held = director.owners[studio.rig.id].held
    await until(lambda: 0 in held.pictures, what="a picture")
    director.owners[studio.rig.id]._pictures._next = lambda: None  # type: ignore[method-assign]  # takes no more
    await asyncio.sleep(FASTEST_S)
    told_s = held.pictures[0].until - asyncio.get_running_loop().time()
    assert 0 < told_s < await studio.redis.pttl(f"thumb:{studio.rig.id}:0") / 1000 - FETCH_S / 2


async def test_pictures_lie_apart_with_their_type(studio: Studio) -> None:
    await studio.owned()

    async def there() -> bool:
        found = await studio.board.picture(studio.rig.id, 0)
        return found is not None and found.content_type.startswith("image/") and len(found.data) > 100

    await until(there)
    assert 0 < await studio.redis.ttl(f"thumb:{studio.rig.id}:0") <= life_s(8)
    await studio.shows(lambda s: any(s.pictures_at))


async def test_a_picture_says_whose_it_is_and_a_new_party_waits_for_its_own(studio: Studio) -> None:
    await studio.owned()

    async def is_of(session: int) -> bool:
        found = await studio.board.picture(studio.rig.id, 0)
        return found is not None and found.session == session

    await until(lambda: is_of(0), what="nobody's")
    session = await studio.prepare(await studio.book())
    before = await studio.shows(lambda s: s.plan.session == session.id)
    await until(lambda: is_of(session.id), 12, what="the session's")
    after = await studio.shows(lambda s: s.pictures_at[0] > before.pictures_at[0])
    assert after.plan.session == session.id  # and its pages ask again
