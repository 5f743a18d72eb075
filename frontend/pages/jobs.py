"""The operators' page of the queue: what waits, is late, runs or failed, and a retry."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from frontend.auth import signed_in
from frontend.health import state_of
from frontend.views import AnyRequest, app_redis, form, page, see_other
from incubator.ground.errors import Forbidden
from incubator.ground.queue import queries, service


@get("/jobs", include_in_schema=False)
async def jobs_page(request: AnyRequest) -> Response[Any]:
    """Show the queue; failed and late jobs first."""
    actor = signed_in(request)
    if not service.can_see_jobs(actor):
        raise Forbidden()
    chosen = request.query_params.get("show", "")
    state = await queries.state()
    if chosen not in queries.CONDITIONS:
        chosen = "failed" if state.failed else "late" if state.late else "waiting"
    return await page(request, "jobs.html", state=state, chosen=chosen, jobs=await queries.jobs(chosen),
                      health=await state_of(app_redis(request)), can_retry=service.can_retry(actor))


@post("/jobs/{job_id:int}/retry", include_in_schema=False, status_code=303)
async def retry(request: AnyRequest, job_id: FromPath[int]) -> Response[Any]:
    """Run a failed job again."""
    actor = signed_in(request)
    await form(request)
    await service.retry(actor, job_id)
    return see_other(request, "/jobs?show=waiting")


HANDLERS = (jobs_page, retry)
