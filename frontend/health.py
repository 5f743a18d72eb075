"""What /health says: whether the product can serve, and how each of its parts is."""

import asyncio
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from litestar import Request, Response, get

from frontend.composition import AWAY
from incubator.ground import database, heartbeats
from incubator.ground.errors import Unavailable
from incubator.ground.queue import queries as queue

PATIENCE_S = 2.0
LEAST_MB, LOW_MB = 20, 100


async def _within(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, PATIENCE_S)


async def state_of(redis: Any, data: Path) -> dict[str, Any]:
    """Return the state of database, disk, Redis, queue, workers and directors; `ok` tells whether the product can serve.

    Without database, or room on the disk of the data folder, nothing works; without Redis, worker or director booking still does,
    so these only show as `degraded`.
    """
    try:
        jobs = await _within(queue.state())
        processes = await _within(heartbeats.processes())
    except (*database.LOST, *database.FULL, Unavailable) as error:
        return {"ok": False, "database": {"ok": False, "why": type(error).__name__}}
    free_mb = shutil.disk_usage(data).free // 1_000_000
    try:
        await _within(redis.ping())
        redis_ok = True
    except AWAY:
        redis_ok = False
    alive = {kind: sum(p.kind == kind and p.is_alive for p in processes) for kind in ("worker", "director")}
    return {
        "ok": free_mb >= LEAST_MB,
        "degraded": not redis_ok or not all(alive.values()) or free_mb < LOW_MB,
        "database": {"ok": True},
        "disk": {"ok": free_mb >= LOW_MB, "free_mb": free_mb},
        "redis": {"ok": redis_ok},
        "queue": {"ok": jobs.late == 0, "waiting": jobs.waiting, "late": jobs.late, "running": jobs.running,
                  "failed": jobs.failed, "oldest_late_s": jobs.oldest_late_s, "facts_waiting": jobs.facts_waiting},
        "workers": {"ok": alive["worker"] > 0, "alive": alive["worker"]},
        "directors": {"ok": alive["director"] > 0, "alive": alive["director"]},
    }


@get("/health", include_in_schema=False)
async def health(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Answer 200 when the product can serve, 503 when it cannot."""
    found = await state_of(request.app.state.redis, request.app.state.settings.data)
    return Response(found, status_code=200 if found["ok"] else 503, headers={"Cache-Control": "no-store"})
