"""Makes the plan true in OBS and keeps it so: prepare, arm, follow changes, empty at the cut-off by the director's own clock."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from incubator.ground import clock, database
from incubator.ground.errors import KaiboError
from incubator.ground.secrets import SecretsError
from studio.destinations.service import Opened, open_sealed
from studio.director import fencing, rows
from studio.director.held import NOBODY, Held
from studio.director.journal import NotWiped
from studio.director.outputs import Outputs, mark_of_destination
from studio.director.rows import Plan
from studio.director.wire import OutputPhase, PanicNow
from studio.live_sessions.preparation import Reported, report
from studio.live_sessions.rules import PREPARED
from studio.obs.errors import ObsError
from studio.obs.port import Destination, OutputKind, Step
from studio.obs.profiles import note_key, wipe_noted
from studio.rigs.rules import Cleanliness, stand_by_scene

log = structlog.get_logger()
EVERY_S = 5.0
ROWS_PATIENCE_S = 4.0
AGAIN_S = 1.0
FILE_NAME = "{number}-%CCYY%MM%DD-%hh%mm%ss"


class NotReady(Exception):
    """The plan cannot be made true yet: state and code of the report, with what a person needs to mend it."""

    def __init__(self, state: str, code: str, **detail: Any) -> None:
        super().__init__(f"{state} {code}")
        self.said = (state, code, detail)


class Reconciler:
    """Works for one rig; `act` is level-triggered: it looks at everything, does what is missing, and reports."""

    def __init__(self, held: Held, outputs: Outputs) -> None:
        self._held = held
        self._outputs = outputs
        self._named: tuple[int, int] | None = None  # epoch and session for which the recording's name was written
        self._reported: tuple[Any, ...] | None = None
        self._unwiped: int | None = None  # the session whose kept key was told

    async def refresh_for_ever(self) -> None:
        """Read the rows every 5 s and when poked; while the database is away the last ones hold."""
        held = self._held
        while not held.is_dropped:
            try:
                found = await asyncio.wait_for(rows.wanted(held.rig_id), ROWS_PATIENCE_S)
                if found is None:
                    held.drop("the rig is gone")
                    return
                self._take(found)
            except (*database.LOST, TimeoutError) as error:
                if not held.database_away:
                    log.warning("director goes on without database", rig=held.rig_id, why=type(error).__name__)
                held.database_away = True
                held.changed.set()
            await _wait(held.refresh, AGAIN_S if held.database_away else EVERY_S)

    def _take(self, found: rows.Wanted) -> None:
        held = self._held
        held.database_away = False
        if held.wanted.rig.cleanliness == Cleanliness.UNCLEAN and found.rig.cleanliness == Cleanliness.CLEAN:
            held.armed_mark = held.armed_session = None  # a person called it clean
        if found != held.wanted:
            held.wanted = found
            held.changed.set()
        held.due.set()

    async def act_for_ever(self) -> None:
        """Act when something is due, at the cut-off to the moment, and every 5 s."""
        held = self._held
        while not held.is_dropped:
            try:
                await self.act()
                pause = EVERY_S
            except (ObsError, NotReady) as error:
                log.warning("plan not true yet", rig=held.rig_id, why=f"{type(error).__name__}: {error}")
                pause = AGAIN_S
            except fencing.FenceLost:
                return
            await _wait(held.due, min(pause, self._until_cut_off()))

    def _until_cut_off(self) -> float:
        plan = self._held.plan
        if plan is None:
            return EVERY_S
        left = (plan.cut_off_at - clock.now()) / timedelta(seconds=1)
        return left if left > 0 else AGAIN_S

    async def act(self) -> None:
        """Look at everything, do what is missing, report.

        Raises:
            ObsError: the link went or OBS refused; called again soon.
        """
        held = self._held
        plan = held.plan
        if plan is not None and held.is_over(clock.now()):
            await self._close(plan)
        elif plan is not None:
            await self._prepare(plan)
        elif held.is_online:
            await self._keep_empty()
            held.report = ("idle", "", {})

    async def _prepare(self, plan: Plan) -> None:
        try:
            await self._make_true(plan)
            self._say(plan, "ready")
        except NotReady as missing:
            state, code, detail = missing.said
            self._say(plan, state, code, detail)
        await self._send_report(plan)

    def _say(self, plan: Plan, state: str, code: str = "", detail: dict[str, Any] | None = None) -> None:
        held = self._held
        if held.report != (state, code, detail or {}):
            held.ran("report", state=state, code=code, session=plan.session)
        held.report = (state, code, detail or {})
        held.changed.set()

    async def _send_report(self, plan: Plan) -> None:
        held = self._held
        state, code, detail = held.report
        said = (plan.session, plan.version, state, code, str(detail), plan.session_state)
        is_lost = state in set(PREPARED) and plan.session_state in set(PREPARED) and state != plan.session_state
        if (said == self._reported and not is_lost) or held.database_away:
            return
        try:
            told = await asyncio.wait_for(
                report(Reported(held.rig_id, held.lease.fence, plan.session, plan.version, state, code, detail)), ROWS_PATIENCE_S)
        except (*database.LOST, *database.BUSY, TimeoutError, KaiboError):
            return
        if not told:
            held.drop("a later owner has reported")
            return
        self._reported = said
        held.refresh.set()

    async def _make_true(self, plan: Plan) -> None:
        held = self._held
        if not held.is_online:
            raise NotReady("failed", "obs_unreachable", reason=held.keeper.status.reason)
        if held.armed_session not in {None, plan.session}:
            await self._empty_former(held.armed_session)
        if held.wanted.rig.cleanliness == Cleanliness.UNCLEAN:
            raise NotReady("failed", "unclean")
        if held.mirror.studio_mode:
            await held.link.leave_studio_mode()
        self._check_scenes()
        await self._check_output(plan)
        await self._name_recording(plan)
        if plan.output == "stream":
            await self._keep_armed(plan)
        else:
            await self._keep_disarmed(plan)

    def _check_scenes(self) -> None:
        held = self._held
        chosen = held.wanted.rig.stand_by_scene
        if not held.mirror.scenes:
            raise NotReady("failed", "no_scenes")
        if stand_by_scene(chosen, held.mirror.scenes) is None:
            raise NotReady("failed", "stand_by_missing", scene=chosen)

    async def _check_output(self, plan: Plan) -> None:
        held = self._held
        if plan.output == "client" and held.mirror.outputs[OutputKind.VIRTUAL_CAMERA].phase is OutputPhase.ABSENT:
            raise NotReady("failed", "no_virtual_camera")
        if plan.output == "record" and held.mirror.outputs[OutputKind.RECORD].phase is OutputPhase.STUCK:
            raise NotReady("failed", "recording_stuck")
        if plan.output != "stream" and not held.mirror.is_still(OutputKind.STREAM):
            await self._outputs.stop(OutputKind.STREAM, NOBODY, "other_output", urgent=True)

    async def _name_recording(self, plan: Plan) -> None:
        held = self._held
        wanted = (held.mirror.epoch, plan.session)
        if self._named != wanted:
            await held.link.set_recording(file_name=FILE_NAME.format(number=plan.number or "kaibo"))
            self._named = wanted

    async def _keep_armed(self, plan: Plan) -> None:
        """See that exactly this session's key lies in OBS; another one on air is stopped first."""
        held = self._held
        if plan.mark is None:
            await self._keep_disarmed(plan)
            raise NotReady("waiting_for_key", "")
        if held.proven_mark == plan.mark and held.armed_mark == plan.mark:
            return
        if held.armed_mark == plan.mark:
            if await self._outputs.mark_in_obs() == plan.mark:
                await note_key(held.link)
                held.proven_mark = plan.mark
                return
            self._say(plan, "preparing", "destination_changed")
        elif held.armed_mark is not None:
            self._say(plan, "preparing", "key_changed")  # "ready" was said of the key before
        await self._arm(plan, plan.mark)

    async def _arm(self, plan: Plan, mark: str) -> None:
        """Write the key into OBS and prove it.

        1. Our fence stands in OBS; the stream is stopped, until STOPPED, if another key was on air.
        2. The row says armed, and a note in OBS in which of its profiles, before OBS knows the key, so that a crash
           between leaves it to be wiped.
        3. All fields are written, read back, compared by fingerprint.
        """
        held = self._held
        await fencing.check(held)
        if not held.mirror.is_still(OutputKind.STREAM):
            await self._outputs.stop(OutputKind.STREAM, NOBODY, "new_key", urgent=True)
        opened = await self._claim_arm(plan, mark)
        held.proven_mark = None
        await note_key(held.link)
        await held.link.write_destination(Destination(opened.server, opened.key))
        if await self._outputs.mark_in_obs() != mark:
            raise NotReady("failed", "destination_not_kept")
        held.proven_mark = mark
        held.ran("armed")

    async def _claim_arm(self, plan: Plan, mark: str) -> Opened:
        held = self._held
        try:
            opened = await asyncio.wait_for(open_sealed(plan.session), ROWS_PATIENCE_S)
            if opened is None or opened.mark != mark:
                held.refresh.set()
                raise NotReady("preparing", "key_changed")
            if not await asyncio.wait_for(rows.arm(held.rig_id, held.lease.fence, plan.session, mark), ROWS_PATIENCE_S):
                raise NotReady("failed", "not_armable")
        except (*database.LOST, *database.BUSY, TimeoutError) as error:
            raise NotReady("failed", "database_away") from error
        except SecretsError as error:
            raise NotReady("failed", "wrong_secrets_key") from error
        held.armed_mark, held.armed_session = mark, plan.session
        return opened

    async def _keep_disarmed(self, plan: Plan) -> None:
        """See that no key lies in OBS while this session needs none, or has none yet."""
        held = self._held
        if held.armed_mark is None and held.proven_mark == "":
            return
        is_armed = held.armed_session == plan.session  # then the key may lie in a profile that is not in force
        if is_armed or await self._outputs.mark_in_obs() != "":
            await self._wipe("no_key")
        held.proven_mark = ""
        if held.armed_session == plan.session:
            held.armed_mark = held.armed_session = None
            try:
                await asyncio.wait_for(rows.write_unarmed(held.rig_id, plan.session), ROWS_PATIENCE_S)
            except (*database.LOST, TimeoutError):
                held.refresh.set()

    def doubt(self) -> None:
        """Believe no longer that OBS would stream to where it was proven to: another profile may be in force."""
        self._held.proven_mark = None
        self._held.due.set()

    async def _wipe(self, reason: str) -> None:
        """Stop the stream until STOPPED, overwrite every field, and see that OBS has nothing left, in other profiles neither.

        Raises:
            NotReady: something was still there.
        """
        held = self._held
        if not held.mirror.is_still(OutputKind.STREAM):
            await self._outputs.stop(OutputKind.STREAM, NOBODY, reason, urgent=True)
        await held.link.wipe_destination()
        left = await held.link.read_destination()
        if mark_of_destination(left) != "":
            self._tell_kept(reason)
            raise NotReady("failed", "not_wiped")
        other = await wipe_noted(held.link, may_switch=not held.mirror.anything_runs)
        if other:
            raise NotReady("failed", "key_in_other_profile", profile=other[0])
        self._unwiped = None
        held.ran("wiped", reason=reason)

    def _tell_kept(self, reason: str) -> None:
        """Have the room closed, once, whose session is over and whose key OBS keeps; a session that goes on hears it itself."""
        held = self._held
        session = held.armed_session
        if session is None or reason == "no_key" or self._unwiped == session:
            return
        self._unwiped = session
        held.ran("not_wiped", session=session)
        held.journal(NotWiped(held.rig_id, session))

    async def _empty_former(self, session: int | None) -> None:
        """Empty what was left armed for an earlier session."""
        held = self._held
        await self._wipe("former_session")
        if session is not None:
            held.write_closed(session, 0)
        self._reported = None
        held.refresh.set()

    async def _close(self, plan: Plan) -> None:
        """After the cut-off: stop everything, wipe, read back empty; needs neither database nor Redis."""
        held = self._held
        held.report = ("cleaning", "" if held.is_online else "obs_unreachable", {})
        held.changed.set()
        if not held.is_online:
            await self._send_report(plan)
            return
        await self._outputs.stop_all("cut_off")
        try:
            await self._wipe("cut_off")
        except NotReady as missing:
            held.report = missing.said
            held.changed.set()
            return
        await self._end_panic()
        held.write_closed(plan.session, plan.version)
        held.report = ("clean", "", {})
        held.changed.set()
        held.refresh.set()

    async def _end_panic(self) -> None:
        """End a panic with its session: nothing goes out any more, and the next party must be able to speak and change scenes."""
        held = self._held
        if held.panic.level == 0:
            return
        before, held.panic_before = held.panic_before, None
        held.set_panic(PanicNow(0, clock.now(), held=True))
        names = [name for name in (before or {}).get("open", ()) if name in held.mirror.inputs]
        try:
            await held.link.run_steps([Step("SetInputMute", {"inputName": name, "inputMuted": False}) for name in names])
        except ObsError as error:
            log.warning("sound stays muted after a panic", rig=held.rig_id, why=f"{type(error).__name__}: {error}")

    async def _keep_empty(self) -> None:
        """Between sessions: nothing may run, and what was left armed is wiped."""
        held = self._held
        if held.armed_session is not None:
            await self._outputs.stop_all("former_session")
            await self._empty_former(held.armed_session)
        if not held.mirror.is_still(OutputKind.STREAM):
            await self._outputs.stop(OutputKind.STREAM, NOBODY, "no_session", urgent=True)


async def _wait(event: asyncio.Event, patience_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), patience_s)
    except TimeoutError:
        return
    finally:
        event.clear()
