"""A live session as its page tells it: how far it is, what went out, what happened."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from booking.reservations.rules import STANDING
from frontend import formats, i18n
from frontend.pages.booking_words import Chip
from frontend.pages.control_state import Around, extensions, ms, room_name
from frontend.pages.reasons import reason_text
from incubator.ground import clock
from incubator.ground.errors import N_
from incubator.ground.values import Span
from studio.control.switchboard import Seen
from studio.director.wire import OutputPhase, RigSnapshot
from studio.live_sessions.queries import AsRun, LiveSession
from studio.live_sessions.rules import OVER

OUTPUT_NAMES = {"stream": N_("Stream"), "client": N_("Platform client"), "record": N_("Record only")}
OUTPUT_NOTES = {
    "stream": N_("With the platform’s key; the usual way"),
    "client": N_("If the platform gives no key: go live on the room’s PC"),
    "record": N_("No live stream; edit it later"),
}
HAPPENED = {
    "scene": N_("Scene: {scene}"), "mute": N_("{input} muted"), "open": N_("{input} opened"), "start": N_("Start asked"),
    "stop": N_("Stop asked"), "refused": N_("The server did not accept"), "panic": N_("Screen covered"),
    "panic2": N_("Stopped by force"), "panic0": N_("Picture and sound brought back"),
    "armed": N_("Stream key written and verified"), "wiped": N_("Stream key wiped, read back empty"),
    "not_wiped": N_("OBS kept the stream key although it was wiped"), "link_lost": N_("Link to OBS lost"),
    "alarm": N_("A stream with another key was started at the PC and stopped"),
    "reconnecting": N_("Stream broken, reconnecting"),
    "reconnected": N_("Stream is back"),
    "obs_gone": N_("OBS was gone; last seen running then"),
    "director_gone": N_("Nothing served the room; last seen running then"),
}
CHIPS: Mapping[str, tuple[str, str, str]] = {
    "saving": ("info", "clock", N_("Key being written")), "returning": ("info", "clock", N_("Being restored")),
    "closing": ("info", "clock", N_("Being closed")),
    "planned": ("line", "clock", N_("Planned")), "preparing": ("info", "clock", N_("Preparing")),
    "waiting_for_key": ("wait", "key", N_("Waiting for key")), "ready": ("ok", "check", N_("Ready")),
    "failed": ("alarm", "alert", N_("Not ready")), "ended": ("", "flag", N_("Over")), "cancelled": ("line", "x", N_("Cancelled")),
}
MOVING = frozenset({"saving", "returning", "closing", "preparing"})  # states that pass by themselves within moments
STUCK_WAY = N_("OBS has to be restarted at the room’s computer. Call staff.")
ENDING = timedelta(minutes=10)
STALE_S = 2.0


class LiveChip(Chip, frozen=True):
    """How far a session is, in one word; `is_moving`: that changes by itself within moments."""

    is_moving: bool = False


class Hero(msgspec.Struct, frozen=True):
    """The state in one glance: colour, icon ("" = a pulsing dot), words, and since when a clock runs (milliseconds)."""

    kind: str
    icon: str
    title: str
    text: str
    since: int | None = None


class Run(msgspec.Struct, frozen=True):
    """One line of what happened."""

    at: datetime
    text: str
    who: str


class LiveView(msgspec.Struct, frozen=True):
    """Everything that the page shows of a session; `stage` is before, live or after."""

    session: LiveSession
    state: str
    room: str
    span: Span
    stage: str
    hero: Hero
    needs_key: bool
    extensions: tuple[dict[str, Any], ...]
    is_ending: bool
    has_begun: bool
    follows: str
    setup: str
    runs: tuple[Run, ...]
    key_state: str
    is_streaming: bool

    @property
    def is_moving(self) -> bool:
        """Tell whether it changes by itself within moments, so that the page looks more often."""
        return self.state in MOVING


def state_of(session: LiveSession) -> str:
    """Return how far a session is, never against its booking, which the session's own row follows a moment later.

    Beside the states of the row: `returning`, its booking stands again; `closing`, its booking was ended; `saving`, its key is
    kept and OBS has not confirmed it yet.
    """
    if session.reservation_state in STANDING:
        if session.state == "cancelled":
            return "returning"
        is_kept = session.output == "stream" and session.key is not None
        return "saving" if session.state == "waiting_for_key" and is_kept else session.state
    if session.is_over:
        return session.state
    return "closing" if session.reservation_state == "finished" else "cancelled"


def state_now(session: LiveSession, snapshot: RigSnapshot | None) -> str:
    """Return how far a session is: what its director says now wins over what it wrote down, unless the key is newer."""
    state, key = state_of(session), session.key
    if session.output != "stream" or state not in {"preparing", "waiting_for_key", "saving", "ready"}:
        return state
    if key is None:
        return "waiting_for_key" if state == "ready" else state
    if snapshot is None or snapshot.plan.session != session.id:
        return state
    if snapshot.at < key.pasted_at:
        return "saving"
    said = snapshot.plan.state
    return said if said in {"preparing", "ready"} else "saving" if said == "waiting_for_key" else state


def live_chip(session: LiveSession) -> LiveChip:
    """Return how far a session is, in one word; red while something is sent, as its director wrote it down."""
    if session.is_sending:
        return LiveChip("air", "", i18n.gettext(N_("Picture sent") if session.output == "client" else N_("Streaming")))
    state = state_of(session)
    kind, icon, word = CHIPS[state]
    return LiveChip(kind, icon, i18n.gettext(word), state in MOVING)


def heard(seen: Seen | None, stale_s: float = STALE_S) -> RigSnapshot | None:
    """Return what the director said, None when it is so old that it says nothing about now."""
    return None if seen is None or seen.age_s > stale_s else seen.snapshot


def hero_of(session: LiveSession, snapshot: RigSnapshot | None) -> Hero:
    """Return the state in one glance: what the machine said wins over what is planned."""
    state = state_now(session, snapshot)
    if state in OVER:
        return _after(session, state)
    if snapshot is not None and snapshot.plan.session == session.id:
        on_air = _on_air(session, snapshot)
        if on_air is not None:
            return on_air
    elif session.is_sending:
        return _lost()
    return _before(session, state)


def _lost() -> Hero:
    """Say that nobody knows: the stream may well go on without anybody to tell."""
    look = N_("Check the platform to see whether you are still on air.")
    return Hero("alarm", "off", i18n.translate(N_("Link to the room lost")), i18n.translate(look))


def is_running(session: LiveSession, snapshot: RigSnapshot | None) -> bool:
    """Tell whether something of this session is sent or recorded, as far as was last heard."""
    if snapshot is None or snapshot.plan.session != session.id:
        return any(span.stopped_at is None for span in session.spans)
    return snapshot.sending.is_live or snapshot.record.is_live


def _on_air(session: LiveSession, snapshot: RigSnapshot) -> Hero | None:
    tell, now = i18n.translate, snapshot.sending
    if now.is_live and not snapshot.link.is_online:
        return _lost()
    if now.phase == OutputPhase.RECONNECTING:
        return Hero("wait", "alert", tell(N_("Stream broken")), tell(N_("OBS is reconnecting")), ms(now.since))
    if now.is_live:
        title = N_("Picture sent") if session.output == "client" else N_("Streaming")
        text = STUCK_WAY if now.phase == OutputPhase.STUCK else N_("What viewers see is up to the platform.")
        return Hero("air", "", tell(title), tell(text), ms(now.since))
    if snapshot.record.is_live:
        kind, title, text = recording_words(snapshot.record.phase)
        return Hero(kind, "rec", tell(title), tell(text), ms(snapshot.record.since))
    return None


def recording_words(phase: OutputPhase) -> tuple[str, str, str]:
    """Return colour, word and what one can do while something is recorded."""
    return {
        OutputPhase.STUCK: ("alarm", N_("Cannot be ended"), STUCK_WAY),
        OutputPhase.PAUSED: (
            "wait", N_("Recording paused"), N_("Paused at the room’s computer. Go on in OBS there, or stop it here.")),
    }.get(phase, ("ok", N_("Recording"), N_("Nothing is streamed.")))


BEFORE: dict[str, tuple[str, str, str, str]] = {
    "waiting_for_key": ("wait", "key", N_("Waiting for key"), N_(
        "Picture and sound are ready. Press “Go live” on the platform and paste the address below.")),
    "saving": ("", "clock", N_("Key saved, being written to OBS"), N_("It is read back there; then this page says “Ready”.")),
    "returning": ("", "clock", N_("Being restored"), N_("The booking stands again; its session follows in a moment.")),
    "closing": ("", "clock", N_("Being closed"), N_("Everything is stopped and the key is wiped from OBS.")),
    "preparing": ("", "clock", N_("Preparing"), N_("OBS is being set up for this session.")),
    "ready/stream": ("ok", "check", N_("Ready"), N_("Written to OBS and verified. Press “Start stream” on the tablet.")),
    "ready/client": ("ok", "cam", N_("Ready · platform client"), N_(
        "No key needed. Open the platform’s program on the room’s PC and choose “OBS Virtual Camera”.")),
    "ready/record": ("ok", "rec", N_("Ready · record only"), N_("No key needed. Press “Record” on the tablet.")),
    "planned/key": ("", "clock", N_("Not prepared yet"), N_(
        "You can paste the key already; the room is prepared shortly before.")),
    "planned/kept": ("", "clock", N_("Not prepared yet"), N_(
        "The key is kept; it is written to OBS when the room is prepared, shortly before.")),
    "planned": ("", "clock", N_("Not prepared yet"), N_("The room is prepared shortly before the start.")),
}


def _before(session: LiveSession, state: str) -> Hero:
    if state == "failed":
        why = reason_text(session.reason_code, session.reason_params)
        return Hero("alarm", "alert", i18n.translate(N_("Not ready")), why)
    name = state
    if name == "ready":
        name = f"ready/{session.output}"
    elif name == "planned" and session.output == "stream":
        name = "planned/key" if session.key is None else "planned/kept"
    kind, icon, title, text = BEFORE[name]
    return Hero(kind, icon, i18n.gettext(title), i18n.gettext(text))


def _after(session: LiveSession, state: str) -> Hero:
    tell = i18n.translate
    if state == "cancelled":
        return Hero("", "x", tell(N_("Cancelled")), "")
    if session.key_is_left and session.key_reset_at is not None:
        return Hero("ok", "check", tell(N_("The key was reset on the platform")), tell(N_(
            "The old one is void. The room stays closed until an operator has looked at it.")))
    if session.key_is_left:
        return Hero("alarm", "alert", tell(N_("The key is not wiped yet")), tell(N_(
            "The room’s OBS is out of reach. Reset the key on the platform and the old one is void.")))
    stopped = max((span.stopped_at for span in session.on_air if span.stopped_at), default=None)
    if stopped is None:
        return Hero("", "check", tell(N_("The session is over")), tell(N_("Nothing was sent.")))
    return Hero("", "check", tell(N_("Stopped at {at:time}"), {"at": stopped}), tell(N_("End it on the platform too.")))


def key_state(session: LiveSession) -> str:
    """Return what to show of the key: none (a form), kept, locked, wiped, left, hidden."""
    if session.output != "stream":
        return "hidden"
    if state_of(session) in {*OVER, "closing"}:
        return "hidden" if session.key is None else "wiped" if session.key.wiped_at else "left"
    return "none" if session.key is None else "kept"


def runs_of(lines: Sequence[AsRun]) -> tuple[Run, ...]:
    """Return what happened in words; lines that say nothing to people are left out."""
    return tuple(Run(line.at, text, i18n.person(line.who, line.who_latin)) for line in lines if (text := _happened(line)))


def _happened(line: AsRun) -> str:
    what = line.what
    if what == "mute" and not line.detail.get("muted"):
        what = "open"
    if what == "panic" and line.detail.get("level") in {0, 2}:
        what = f"panic{line.detail['level']}"
    msgid = HAPPENED.get(what)
    return "" if msgid is None else i18n.translate(msgid, line.detail)


def view_of(found: Around, seen: Seen | None, lines: Sequence[AsRun]) -> LiveView:
    """Put together what the page shows."""
    snapshot = heard(seen)
    session, speech = found.session, i18n.speech()
    is_today = found.follower is not None and speech.date_of(found.follower.starts_at) == speech.today()
    follower = found.follower if is_today else None
    hero = hero_of(session, snapshot)
    state = state_now(session, snapshot)
    is_over = state in {*OVER, "closing"}
    stage = "after" if is_over else "live" if is_running(session, snapshot) else "before"
    left = session.ends_at - clock.now()
    return LiveView(
        session=session, state=state, room=room_name(session.unit_name, session.unit_name_en),
        span=Span(session.starts_at, session.ends_at), stage=stage, hero=hero,
        needs_key=session.output == "stream" and session.key is None and session.may_paste and not is_over,
        extensions=tuple(extensions(found)) if session.checked_in_at is not None and not is_over else (),
        is_ending=left < ENDING, has_begun=session.starts_at <= clock.now(),
        follows="" if follower is None else formats.hour(follower.starts_at, speech),
        setup="" if follower is None else formats.hour(follower.blocked_from, speech), runs=runs_of(lines),
        key_state=key_state(session),
        is_streaming=any(span.kind == "stream" and span.stopped_at is None for span in session.on_air),
    )
