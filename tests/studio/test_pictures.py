"""Pictures cost OBS time: their pace follows what one costs, and the slow one holds while nobody looks."""

import pytest

from studio.director.pictures import FASTEST_S, SLOWEST_S, pause_after
from tests.studio.conftest import Studio, until


@pytest.mark.parametrize("took_s", [0.0, 0.001, 0.05, 0.5, 5.0])
@pytest.mark.parametrize("scenes", [1, 8, 30])
def test_each_scene_gets_between_a_fifth_and_two_pictures_a_second(took_s: float, scenes: int) -> None:
    pause = pause_after(took_s, scenes, True)
    assert FASTEST_S / scenes <= pause <= SLOWEST_S / scenes
    assert pause_after(took_s, scenes, False) == SLOWEST_S / scenes


def test_a_dear_picture_is_taken_less_often() -> None:
    assert pause_after(0.05, 4, True) > pause_after(0.001, 4, True)


async def test_pictures_lie_apart_with_their_type(studio: Studio) -> None:
    await studio.owned()

    async def there() -> bool:
        found = await studio.board.picture(studio.rig.id, 0)
        return found is not None and found.content_type.startswith("image/") and len(found.data) > 100

    await until(there)
    assert 0 < await studio.redis.ttl(f"thumb:{studio.rig.id}:0") <= 60
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
