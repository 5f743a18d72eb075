"""The page of the queue."""

from typing import Any

from frontend import i18n
from frontend.handlers import build_registry
from frontend.pages.jobs import name_of, outcome_of
from incubator.ground import clock, database
from incubator.ground.queue import service as queue
from tests.people import People


async def test_it_works(people: People, client_for: Any) -> None:
    await queue.plan("prepare_session", "prepare:1", clock.now(), {"session": 1})
    await database.execute("UPDATE jobs SET state = 'failed', error = 'no_rig', finished_at = now()")
    page = (await (await client_for(people.olaf)).get("/jobs?show=failed")).text
    assert "为场次备好直播间" in page
    assert "prepare_session · prepare:1" in page
    assert "这间没有直播设备" in page


async def test_staff_may_not(people: People, client_for: Any) -> None:
    assert (await (await client_for(people.dora)).get("/jobs")).status_code == 403


def test_every_handler_has_words_in_both_languages() -> None:
    for handler in build_registry(redis=object()).handlers:
        with i18n.using("en"):
            english = name_of(handler)
        with i18n.using("zh_CN"):
            assert name_of(handler) not in (handler, english), handler
        assert english != handler


def test_outcomes_are_told_and_what_others_say_stays() -> None:
    with i18n.using("zh_CN"):
        assert outcome_of("released count=3 deleted=1") == "已释放 3 个，已删除 1 个"
        assert outcome_of("OSError: no route to host, at all") == "OSError: no route to host, at all"
