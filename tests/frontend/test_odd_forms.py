"""Forms with nonsense in one field each: told what is wrong, never broken."""

from contextlib import suppress
from typing import Any

import httpx
import pytest

from frontend.views import whole
from incubator.ground import database
from tests.architecture.test_roles import Town, Undo, _address, _fields, _forget_tries, _without_stream, town
from tests.frontend.conftest import ORIGIN

__all__ = ["town"]
ODD = ["²:30", "9" * 5000, "-1", "\x00", "x" * 20_000, "9999-12-31"]


@pytest.mark.parametrize(("text", "number"), [("15", 15), ("0", 0), ("", None), ("²", None), ("-1", None), ("9" * 5000, None),
                                              ("1.5", None), ("１５", None)])
def test_whole_numbers(text: str, number: int | None) -> None:
    assert whole(text) == number


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_nonsense_in_a_form_never_breaks_it(town: Town, role: str) -> None:
    broken = []
    for path, fields in _fields(town).items():
        for name in {**fields, "version": "", "choose": "", "next": ""}:
            for odd in ODD:
                status = await _sent(town, role, path, {**fields, name: odd})
                if status >= 500:
                    broken.append((path, name, odd[:12], status))
    assert not broken


async def _sent(town: Town, role: str, path: str, fields: dict[str, Any]) -> int:
    someone, status = town.roles[role], 0
    transport = httpx.ASGITransport(town.app, raise_app_exceptions=False)
    with suppress(Undo):
        async with database.transaction():
            await _forget_tries(town)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN, "accept": "text/html"},
                                         cookies=someone.cookies) as client:
                answer = await client.post(_address(town, "POST", path), data={"_token": someone.form_token, **fields})
            status = answer.status_code
            raise Undo
    return status


@pytest.mark.parametrize("path", ["/days/{}", "/days/{}/sheet", "/days/{}/changes", "/units/{uid}/week/{}"])
async def test_a_day_that_is_none(town: Town, path: str) -> None:
    transport = httpx.ASGITransport(_without_stream(town.app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, cookies=town.roles["owner"].cookies) as client:
        for odd in ("x", "²", "2026-02-30", "9999-12-31", "0001-01-01", "2026-W10-1", "%00", "２０２６-01-01"):
            answer = await client.get(path.replace("{uid}", str(town.room.unit.uid)).replace("{}", odd))
            assert answer.status_code < 500, (path, odd)
