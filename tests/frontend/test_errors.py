"""Refusals as pages: in the frame and the language of whoever asks, and without them where the database cannot be asked."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from booking.reservations.refusals import SlotTaken
from frontend import auth, errors, i18n
from frontend.views import AnyRequest
from incubator.accounts import service as accounts
from incubator.ground import database
from incubator.ground.errors import Invalid, KaiboError
from tests.booking.conftest import at
from tests.people import People

PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
BODY = {"code": "0000", "type": "command"}  # for whichever of them
ANSWER_JSON = [("POST", "/tablet/check-in"), ("POST", "/tablet/help"), ("GET", f"/live-sessions/{UUID(int=7)}/control/state"),
               ("POST", f"/live-sessions/{UUID(int=7)}/control/commands")]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
@pytest.mark.parametrize(("method", "path"), ANSWER_JSON)
async def test_a_route_that_answers_json_refuses_in_json(people: People, anonymous: httpx.AsyncClient, method: str, path: str,
                                                         accept: str | None) -> None:
    """Scripts and programs read these, whatever they say of what they read; nobody looks at a page there."""
    del anonymous.headers["accept"]
    headers = {} if accept is None else {"accept": accept}
    answer = await anonymous.request(method, path, json=BODY, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["code"] == "not-signed-in"


@pytest.mark.parametrize(("method", "path"), ANSWER_JSON)
async def test_whoever_asks_for_a_page_gets_one(people: People, anonymous: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await anonymous.request(method, path, json=BODY, headers={"accept": PAGE})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")


async def test_a_foreign_page_is_refused_in_json_by_the_gate(people: People, anonymous: httpx.AsyncClient) -> None:
    anonymous.headers["origin"] = "https://example.com"
    answer = await anonymous.post("/tablet/check-in", json={"code": "0000"})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")


@pytest.mark.parametrize("accept", [None, "*/*", "text/html", "image/png"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v1/reservations/7"])
async def test_under_api_every_refusal_is_json(people: People, anonymous: httpx.AsyncClient, path: str, accept: str | None) -> None:
    del anonymous.headers["accept"]
    answer = await anonymous.request("POST", path, json={}, headers={} if accept is None else {"accept": accept})
    assert answer.status_code in {404, 405}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_page_stays_a_page_for_whoever_takes_anything(people: People, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/nowhere", headers={"accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("language", ["zh_CN", "en"])
@pytest.mark.parametrize("slug", errors.PROBLEMS)
def test_each_kind_of_problem_has_a_short_title(slug: str, language: str) -> None:
    i18n.use(language)
    title = i18n.gettext(errors.TITLES[slug])
    assert 0 < len(title) <= (45 if language == "en" else 25)
    assert not title.endswith((".", "。"))
    assert "{" not in title
    assert (title == errors.TITLES[slug]) == (language == "en")


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_the_title_is_of_the_kind_and_the_detail_of_the_occurrence(language: str) -> None:
    i18n.use(language)
    first, second = [errors.problem_of(SlotTaken(taken_from=at(hour), taken_to=at(hour + 1)), "/") for hour in (10, 14)]
    assert first["title"] == second["title"] != first["detail"] != second["detail"]


def test_no_title_repeats_its_detail() -> None:
    for kind in (KaiboError, Invalid, *errors.STATUS, *errors.OTHER_STATUS):
        told = errors.problem_of(kind([]) if kind is Invalid else kind(seconds=7) if kind is errors.TooMany else kind(), "/")
        assert told["title"] != told["detail"], kind


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
