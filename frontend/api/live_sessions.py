"""Live sessions by program: their state, and commands to the room."""

from datetime import datetime
from uuid import UUID, uuid4

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from frontend.answers import in_utc
from frontend.api.bodies import CommandBody, body, converted
from frontend.api.operations import PEOPLE_AND_TABLETS, operation
from frontend.auth import actor_or_device
from frontend.feeds import switchboard_of
from frontend.idempotency import once_sent
from frontend.views import AnyRequest
from studio.control import service as control
from studio.control.service import NotCheckedIn, NotInControl
from studio.control.switchboard import RoomsAway
from studio.destinations.service import SessionOver
from studio.director import wire
from studio.director.wire import Outcome
from studio.live_sessions import queries
from studio.live_sessions.queries import LiveSession


class AirSpanOut(msgspec.Struct, frozen=True):
    """One stretch on air or of recording; `stopped_at` None while it lasts."""

    kind: str
    started_at: datetime
    stopped_at: datetime | None


class LiveSessionOut(msgspec.Struct, frozen=True):
    """A live session; its times are the reservation's. The key never appears, only whether there is one."""

    id: UUID
    version: int
    state: str
    reason: str
    output: str
    platform: str
    reservation_id: UUID
    number: str
    title: str
    space_id: UUID
    starts_at: datetime
    ends_at: datetime
    cut_off_at: datetime
    checked_in_at: datetime | None
    has_key: bool
    spans: list[AirSpanOut]

    @classmethod
    def of(cls, found: LiveSession) -> "LiveSessionOut":
        """Return the public side of a live session."""
        has_key = found.key is not None and found.key.wiped_at is None
        spans = [in_utc(AirSpanOut(each.kind, each.started_at, each.stopped_at)) for each in found.spans]
        return in_utc(cls(
            found.uid, found.version, found.state, found.reason_code, found.output, found.platform, found.reservation_uid,
            found.number, found.title, found.unit_uid, found.starts_at, found.ends_at, found.cut_off_at, found.checked_in_at,
            has_key, spans))


class OutcomeOut(msgspec.Struct, frozen=True):
    """What became of a command; `unknown`: sent, not confirmed."""

    id: UUID
    outcome: str
    code: str = ""


@get("/api/v1/live-sessions/{session_id:uuid}", tags=["live sessions"],
     operation_class=operation(may=PEOPLE_AND_TABLETS))
async def read(request: AnyRequest, session_id: FromPath[UUID]) -> Response[LiveSessionOut]:
    """Read one live session."""
    return Response(LiveSessionOut.of(await queries.live_session(actor_or_device(request), session_id)))


@post("/api/v1/live-sessions/{session_id:uuid}/commands", tags=["live sessions"], status_code=202,
      operation_class=operation(
          NotCheckedIn, NotInControl, SessionOver, RoomsAway, may=PEOPLE_AND_TABLETS, takes=CommandBody, repeats=True))
async def command(request: AnyRequest, session_id: FromPath[UUID]) -> Response[OutcomeOut]:
    """Send one gesture to the room and tell what became of it.

    None is sent twice by itself, and with Idempotency-Key a repeat is not sent either but answered with what became of the first;
    where that never came to be known, with `unknown`. `unknown`: sent, not confirmed; look at the session before sending again.
    """
    actor = actor_or_device(request)
    given: CommandBody = await body(request, CommandBody)
    wanted, board = _wanted(given), await switchboard_of(request.app)

    async def verb() -> OutcomeOut:
        answer = await control.command_session(board, actor, session_id, wanted)
        return OutcomeOut(answer.id, answer.outcome, answer.code)

    return await once_sent(request, 202, verb, OutcomeOut(uuid4(), Outcome.UNKNOWN))


def _wanted(given: CommandBody) -> wire.Command:
    wanted: wire.Command = converted(given.params | {"type": given.type}, wire.Command, "params")
    return wanted


HANDLERS = (read, command)
