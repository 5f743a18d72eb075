"""The operators' page of the queue: what waits, is late, runs or failed, and a retry."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from frontend import i18n
from frontend.auth import signed_in
from frontend.health import state_of
from frontend.pages.reasons import REASONS, reason_text
from frontend.views import AnyRequest, app_redis, form, page, see_other
from incubator.ground.errors import N_, Forbidden
from incubator.ground.queue import queries, service
from incubator.ground.queue.outcomes import parts_of
from incubator.ground.queue.queries import JobRow

NAMES = {
    "prepare_session": N_("Prepare the room for a live session"),
    "close_session": N_("See that the room is clean after a live session"),
    "sweep_live_sessions": N_("Look for live sessions that were missed"),
    "release_holds": N_("Release holds that ran out"),
    "finish_reservations": N_("Finish bookings whose time is over"),
    "tell_confirmed": N_("Tell whom a new booking concerns"),
    "tell_moved": N_("Tell whom a moved booking concerns"),
    "tell_cancelled": N_("Tell whom a cancelled booking concerns"),
    "tell_closed": N_("Tell whose bookings a closure hits"),
    "tell_lifted": N_("Tell whose bookings can take place after all"),
    "forget_unpaired_devices": N_("Forget tablets that were never paired"),
    "forget_kept_answers": N_("Forget answers kept for repeated requests"),
    "seal_audit": N_("Seal the history of the last minute"),
}
FAMILIES = {
    "announce_": N_("Show a change on open day pages"),
    "control_on_": N_("Free rooms whose holder lost the right to them"),
    "live_session_on_": N_("Plan the live session of a booking"),
}
# What became of a job, by the code of its outcome; why a room is not ready is told by `reasons`
OUTCOMES = {
    "announced": N_("{count} days announced"), "announced_every_day": N_("every open day announced"),
    "cancelled": N_("live session cancelled"), "clean": N_("clean"), "ended": N_("live session ended"),
    "finished": N_("{count} finished"), "followed": N_("{count} looked after"), "forgotten": N_("{count} forgotten"),
    "freed": N_("{count} freed"), "gone": N_("gone"), "moved": N_("moved; another job does it"),
    "never_planned": N_("was never planned"), "never_prepared": N_("was never prepared"),
    "no_live_room": N_("not a live room"), "no_longer_so": N_("no longer so"), "no_rig": N_("no rig in this room"),
    "not_clean_yet": N_("the rig is not wiped yet"), "not_wanted": N_("not wanted any more"), "nothing_yet": N_("nothing yet"),
    "over": N_("already over"), "planned": N_("planned"), "ready": N_("ready"),
    "released": N_("{count} released, {deleted} deleted"), "room_taken": N_("the session before still has the room"),
    "sealed": N_("{count} minutes sealed"), "told": N_("{count} told"), "waiting_for_director": N_("waits for the director"),
    "waiting_for_key": N_("waits for the stream key"), "worker_vanished": N_("the worker vanished; another does it"),
}


class Line(msgspec.Struct, frozen=True):
    """A job in words; `code` is what the log calls it."""

    job: JobRow
    name: str
    code: str
    outcome: str


def line_of(job: JobRow) -> Line:
    """Tell what a job does and what became of it."""
    about = job.key or " ".join(f"{name} {value}" for name, value in job.args.items())
    code = job.handler if about.startswith(f"{job.handler}:") or not about else f"{job.handler} · {about}"
    return Line(job, name_of(job.handler), code, outcome_of(job.error or job.result))


def name_of(handler: str) -> str:
    """Return what a handler does, in words; its own name when nobody wrote them."""
    family = next((words for start, words in FAMILIES.items() if handler.startswith(start)), handler)
    return i18n.gettext(NAMES.get(handler, family))


def outcome_of(text: str) -> str:
    """Return what became of a job in words; an error of an outside part stays as it came."""
    code, figures = parts_of(text)
    if code in OUTCOMES:
        return i18n.translate(OUTCOMES[code], {name: int(figure) for name, figure in figures.items()})
    return reason_text(code) if code in REASONS else text


def lines_of(jobs: Sequence[JobRow]) -> list[Line]:
    """Return jobs in words."""
    return [line_of(job) for job in jobs]


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
    health = await state_of(app_redis(request), request.app.state.settings.data)
    return await page(request, "jobs.html", state=state, chosen=chosen, lines=lines_of(await queries.jobs(chosen)), health=health,
                      can_retry=service.can_retry(actor))


@post("/jobs/{job_id:int}/retry", include_in_schema=False, status_code=303)
async def retry(request: AnyRequest, job_id: FromPath[int]) -> Response[Any]:
    """Run a failed job again."""
    actor = signed_in(request)
    await form(request)
    await service.retry(actor, job_id)
    return see_other(request, "/jobs?show=waiting")


HANDLERS = (jobs_page, retry)
