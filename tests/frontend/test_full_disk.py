"""A full disk: each refusal says so, and /health does not say that all is well."""

from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx
import pytest
from redis.exceptions import ResponseError

from frontend.composition import AWAY
from incubator.ground import database
from incubator.ground.errors import NoRoom
from studio.director import wire
from tests.people import People


async def _full(*_args: Any, **_options: Any) -> None:
    raise asyncpg.DiskFullError("could not extend file: No space left on device")


async def test_it_works(people: People, client_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await client_for(people.alice)
    monkeypatch.setattr(database, "fetchval", _full)
    answer = await client.get("/notices", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (503, "no-room")


async def test_a_verb_says_so(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "in_transaction", lambda: False)
    with pytest.raises(NoRoom):
        await database.retried(_full)()


@pytest.mark.parametrize(("free_mb", "status", "degraded", "is_well"), [
    (5_000, 200, None, True), (50, 200, True, False), (5, 503, True, False)])
async def test_health_tells_of_a_disk_that_runs_full(anonymous: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, free_mb: int,
                                                     status: int, degraded: bool | None, is_well: bool) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free_mb * 1_000_000))
    answer = await anonymous.get("/health")
    assert answer.status_code == status
    assert answer.json()["disk"] == {"ok": is_well, "free_mb": free_mb}
    assert degraded is None or answer.json()["degraded"] is degraded


def test_a_redis_that_refuses_to_write_counts_as_away() -> None:
    refusal = ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
    assert isinstance(refusal, AWAY)
    assert isinstance(refusal, wire.AWAY)
