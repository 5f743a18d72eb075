"""Refusals as pages: in the frame and the language of whoever asks, and without them where the database cannot be asked."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from frontend import auth, errors
from frontend.views import AnyRequest
from incubator.accounts import service as accounts
from incubator.ground import database
from tests.people import People


@pytest.mark.parametrize(("path", "status"), [
    ("/nowhere", 404), ("/merchants/none/such", 404), ("/reservations/none", 404), ("/password/none", 404), ("/sign-out", 405),
    ("/jobs", 403)])
async def test_it_works(people: People, client_for: Callable[[Any], Any], path: str, status: int) -> None:
    async with await client_for(people.alice) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert 'class="rail"' in answer.text
    assert '<b class="clip">朝阳山药</b>' in answer.text


async def test_it_speaks_the_language_that_was_chosen(people: People, client_for: Callable[[Any], Any]) -> None:
    async with await client_for(people.alice) as client:
        chinese = await client.get("/nowhere", headers={"accept-language": "en"})
        await accounts.set_locale(people.alice, "en")
        english = await client.get("/nowhere", headers={"accept-language": "zh-CN"})
    assert 'lang="zh-CN"' in chinese.text
    assert "There is nothing at this address." in english.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_is_there_whatever_is_asked(people: People, client_for: Callable[[Any], Any], method: str) -> None:
    async with await client_for(people.alice) as client:
        assert (await client.request(method, "/nowhere")).status_code == 404


async def test_strangers_get_no_rail(people: People, anonymous: httpx.AsyncClient) -> None:
    for headers in ({}, {"cookie": "kaibo=unknown"}):
        answer = await anonymous.get("/nowhere", headers={"accept-language": "en", **headers})
        assert answer.status_code == 404
        assert "There is nothing at this address." in answer.text
        assert 'class="rail"' not in answer.text


async def test_an_unknown_token_learns_nothing(people: People, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/nowhere", headers={"authorization": "Bearer x"})
    assert answer.status_code == 404


@pytest.mark.parametrize("lost", [OSError, TimeoutError, *database.BUSY])
async def test_a_lost_database_leaves_the_frame_bare(people: People, client_for: Callable[[Any], Any],
                                                     monkeypatch: pytest.MonkeyPatch, lost: type[Exception]) -> None:
    async def away(_request: AnyRequest) -> dict[str, Any]:
        raise lost()

    monkeypatch.setattr(errors, "shell", away)
    async with await client_for(people.alice) as client:
        answer = await client.get("/jobs")
    assert answer.status_code == 403
    assert 'class="rail"' in answer.text
    assert "朝阳山药" not in answer.text


async def test_a_database_that_is_away_is_not_asked_again(people: People, client_for: Callable[[Any], Any],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def away(*_args: Any) -> Any:
        asked.append("once")
        raise OSError

    monkeypatch.setattr(auth, "_who_and_where", away)
    async with await client_for(people.alice) as client:
        answer = await client.get("/notices", headers={"accept": "text/html"})
    assert answer.status_code == 503
    assert asked == ["once"]


async def test_what_is_no_route_is_answered_without_a_database(people: People, client_for: Callable[[Any], Any],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_args: Any) -> Any:
        raise OSError

    monkeypatch.setattr(auth, "_who_and_where", away)
    async with await client_for(people.alice) as client:
        answer = await client.get("/nowhere", headers={"accept-language": "en"})
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text
