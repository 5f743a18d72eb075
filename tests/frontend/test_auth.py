"""The gate: sign-in, foreign origins, language, headers, refusals."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from frontend import limits
from frontend.auth import is_ours
from frontend.composition import connect_redis
from frontend.pages.sign_in import safe_next
from tests.frontend.conftest import ORIGIN
from tests.people import PASSWORD, People

ALICE = {"login": "13800000001", "password": PASSWORD}


async def test_it_works(people: People, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/api/v1/sign-in", json=ALICE)
    assert answer.status_code == 200
    assert answer.json()["name"] == "Alice"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await anonymous.get("/notices")).status_code == 200


async def test_nothing_tells_who_exists(people: People, anonymous: httpx.AsyncClient) -> None:
    known = await anonymous.post("/api/v1/sign-in", json=ALICE | {"password": "wrong"})
    unknown = await anonymous.post("/api/v1/sign-in", json=ALICE | {"login": "13899999999"})
    assert known.status_code == unknown.status_code == 401
    assert known.json()["detail"] == unknown.json()["detail"]
    assert known.json()["type"] == "/problems/wrong-sign-in"


async def test_guessing_is_slowed_down(people: People, anonymous: httpx.AsyncClient) -> None:
    for _ in range(10):
        await anonymous.post("/api/v1/sign-in", json=ALICE | {"password": "wrong"})
    answer = await anonymous.post("/api/v1/sign-in", json=ALICE)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 60, "the five minutes that are told, not the two seconds of a busy moment"
    assert f" {answer.headers['retry-after']} " in answer.json()["detail"]
    for same in ("138\u200b00000001", "+86 138-0000-0001", " 13800000001 ", "１３８０００００００１"):
        assert (await anonymous.post("/api/v1/sign-in", json=ALICE | {"login": same})).status_code == 429


async def test_right_passwords_do_not_count(people: People, anonymous: httpx.AsyncClient) -> None:
    for _ in range(12):
        assert (await anonymous.post("/api/v1/sign-in", json=ALICE)).status_code == 200


async def test_wrong_guesses_of_others_lock_nobody_out_of_a_known_browser(
        people: People, app: Any, anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.post("/api/v1/sign-in", json=ALICE)).status_code == 200
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, headers={"origin": ORIGIN}) as attacker:
        await attacker.get("/sign-in")
        for _ in range(10):
            await attacker.post("/api/v1/sign-in", json=ALICE | {"password": "wrong"})
        assert (await attacker.post("/api/v1/sign-in", json=ALICE)).status_code == 429
        attacker.cookies.set("kaibo_known", "guess.0123456789abcdef0123456789abcdef")
        assert (await attacker.post("/api/v1/sign-in", json=ALICE)).status_code == 429
    assert (await anonymous.post("/api/v1/sign-in", json=ALICE)).status_code == 200


async def test_guesses_from_many_addresses_are_slowed_down(people: People, app: Any, redis: Any) -> None:
    for number in range(10):
        transport = httpx.ASGITransport(app, client=(f"10.0.0.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as one:
            for _ in range(10):
                assert (await one.post("/api/v1/sign-in", json=ALICE | {"password": "wrong"})).status_code == 401
    transport = httpx.ASGITransport(app, client=("10.0.0.99", 1))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN}) as one:
        assert (await one.post("/api/v1/sign-in", json=ALICE)).status_code == 429


async def test_limits_hold_without_redis(people: People, app: Any, anonymous: httpx.AsyncClient,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_own", limits.Own())
    app.state.redis = connect_redis("redis://127.0.0.1:1/0")
    for _ in range(10):
        assert (await anonymous.post("/api/v1/sign-in", json=ALICE | {"password": "wrong"})).status_code == 401
    assert (await anonymous.post("/api/v1/sign-in", json=ALICE)).status_code == 429


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example", "https://evil.example",
                                    "evil", "", "/\\/evil.example"])
def test_no_next_leads_elsewhere(target: str) -> None:
    assert safe_next(target) == "/"


@pytest.mark.parametrize("target", ["/days", "/reservations?q=王 小满", "/days/2026-11-24?kind=desk&free=1"])
def test_next_leads_on(target: str) -> None:
    assert safe_next(target) == target


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ""},
                                     {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {}])
async def test_a_foreign_write_is_refused(app: Any, people: People, headers: dict[str, str]) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kaibo.test", headers=headers) as client:
        answer = await client.post("/api/v1/sign-in", json=ALICE)
    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign-origin"


async def test_a_form_needs_its_token(people: People, client_for: Callable[[Any], Any]) -> None:
    client = await client_for(people.alice)
    answer = await client.post("/notices/read", data={"_token": "guess"})
    assert answer.status_code == 403
    assert "本次登录之前" in answer.text
    assert "前台" not in answer.text


async def test_a_stranger_is_sent_to_sign_in(people: People, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/notices", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/notices")


@pytest.mark.parametrize(("body", "content_type", "status", "code"), [
    (b"{", "application/json", 400, "malformed"), (b"\xff", "application/json", 400, "malformed"),
    (b"login=1", "application/x-www-form-urlencoded", 415, "wrong-content-type"),
    (b'{"login": 1, "password": "x"}', "application/json", 422, "invalid"),
    (b'{"login": "x"}', "application/json", 422, "invalid"), (b"[]", "application/json", 422, "invalid"),
    (b"[" * 100000, "application/json", 422, "invalid"),
])
async def test_a_bad_body_is_named(anonymous: httpx.AsyncClient, body: bytes, content_type: str, status: int, code: str) -> None:
    answer = await anonymous.post("/api/v1/sign-in", content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_refusal_speaks_the_readers_language(anonymous: httpx.AsyncClient) -> None:
    chinese = await anonymous.get("/api/v1/nowhere", headers={"accept-language": "zh-CN"})
    english = await anonymous.get("/api/v1/nowhere", headers={"accept-language": "en"})
    assert chinese.status_code == english.status_code == 404
    assert english.json()["detail"] == "There is nothing at this address."
    assert chinese.json()["detail"] != english.json()["detail"]


@pytest.mark.parametrize(("path", "status"), [
    ("/sign-in", 200), ("/nowhere", 404), ("/sign-out", 405), ("/days", 303), ("/static/x/nothing.css", 404),
    ("/api/v1/spaces", 401)])
async def test_every_answer_carries_the_policy(anonymous: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await anonymous.get(path)
    assert answer.status_code == status
    assert answer.headers["cache-control"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("origin", "base_url", "is_so"), [
    ("https://kaibo.example", "https://kaibo.example", True), ("http://kaibo.example", "https://kaibo.example", False),
    ("https://kaibo.example:444", "https://kaibo.example", False), ("http://127.0.0.1:8000", None, True),
    ("http://127.0.0.1:8001", None, False), ("null", None, False), ("", "https://kaibo.example", False)])
def test_which_origins_are_ours(origin: str, base_url: str | None, is_so: bool) -> None:
    assert is_ours(origin, None, "127.0.0.1:8000", base_url) is is_so


async def test_demo_accounts_are_offered_in_a_demo(anonymous: httpx.AsyncClient) -> None:
    assert "owner@demo.kaibo.example" in (await anonymous.get("/sign-in")).text


@pytest.mark.parametrize(("target", "lands"), [("/days", "/days"), ("//evil.example", "/"), ("https://evil.example", "/"),
                                               ("/\\evil.example", "/")])
async def test_signing_in_leads_home(people: People, anonymous: httpx.AsyncClient, target: str, lands: str) -> None:
    answer = await anonymous.post("/sign-in", data=ALICE | {"next": target})
    assert (answer.status_code, answer.headers["location"]) == (303, lands)


async def test_the_browsers_language_is_spoken_until_one_is_chosen(people: People, anonymous: httpx.AsyncClient) -> None:
    english = {"accept-language": "en-GB"}
    await anonymous.post("/sign-in", data=ALICE, headers=english)
    page = (await anonymous.get("/notices", headers=english)).text
    assert '<html lang="en"' in page
    token = page.split('name="_token" value="')[1].split('"')[0]
    await anonymous.post("/language", data={"_token": token, "locale": "zh_CN", "next": "/notices"}, headers=english)
    anonymous.cookies.delete("kaibo_locale")
    assert '<html lang="zh-CN"' in (await anonymous.get("/notices", headers=english)).text


async def test_signing_out_ends_it(people: People, anonymous: httpx.AsyncClient) -> None:
    await anonymous.post("/api/v1/sign-in", json=ALICE)
    page = (await anonymous.get("/notices")).text
    token = page.split('name="_token" value="')[1].split('"')[0]
    await anonymous.post("/sign-out", data={"_token": token})
    assert (await anonymous.get("/notices", headers={"accept": "text/html"})).status_code == 303


async def test_health_tells_the_parts(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/health")
    assert answer.status_code == 200
    assert answer.json()["database"] == {"ok": True}
    assert answer.json()["redis"] == {"ok": True}
