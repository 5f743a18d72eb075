"""The line that tells of changed days ends with the right to hear it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from frontend import feeds_days, feeds_rights
from incubator.accounts import service as accounts
from tests.frontend.served.conftest import Served

DAY = "2026-11-25"


async def _until_ended(lines: AsyncIterator[str], patience_s: float = feeds_days.BEAT_S * 0.75) -> None:
    """Read on to the end, while the day may change all the time."""
    async with asyncio.timeout(patience_s):
        async for _ in lines:
            pass


async def _keeps_changing(served: Served) -> None:
    while True:
        await feeds_days.tell(served.redis, {DAY})
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("is_busy", [False, True], ids=["quiet", "busy"])
async def test_after_signing_out_nothing_more_is_told(served: Served, monkeypatch: pytest.MonkeyPatch, is_busy: bool) -> None:
    monkeypatch.setattr(feeds_days, "BEAT_S", 0.5)
    cookie = await served.cookie(served.people.charlie)
    changing = asyncio.create_task(_keeps_changing(served)) if is_busy else None
    async with served.client(cookie) as client, client.stream("GET", f"/days/{DAY}/changes") as answer:
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith("retry")
        await asyncio.sleep(1.2)
        assert not answer.is_closed
        await accounts.sign_out(cookie.partition("=")[2])
        await _until_ended(lines)
    if changing is not None:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


async def test_while_the_database_is_away_the_line_stays(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(feeds_days, "BEAT_S", 0.2)
    cookie = await served.cookie(served.people.charlie)
    async with served.client(cookie) as client, client.stream("GET", f"/days/{DAY}/changes") as answer:
        assert isinstance(answer, httpx.Response)
        lines = answer.aiter_lines()
        await anext(lines)
        monkeypatch.setattr(feeds_rights.accounts, "by_cookie", lost)
        with pytest.raises(TimeoutError):
            await _until_ended(lines, 1.5)
