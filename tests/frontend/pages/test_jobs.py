"""The page of the queue."""

import re
from typing import Any
from uuid import UUID

import pytest

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


def numbered(app: Any) -> list[tuple[str, str]]:
    """Return method and path of every route with a number in its address."""
    return [(method, re.sub(r"{\w+:uuid}", str(UUID(int=7)), route.path)) for route in app.routes
            if ":int}" in route.path for method in sorted(route.methods - {"OPTIONS"})]


@pytest.mark.parametrize("number", ["9" * 20, "-" + "9" * 20, str(2**63), "9" * 5000])
async def test_a_number_that_no_column_holds_is_not_found(people: People, client_for: Any, app: Any, number: str) -> None:
    client, routes = await client_for(people.ada), numbered(app)
    assert ("POST", "/jobs/{job_id:int}/retry") in routes
    for method, path in routes:
        answer = await client.request(method, re.sub(r"{\w+:int}", number, path))
        assert answer.status_code == 404, (method, path)


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
