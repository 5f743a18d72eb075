"""A room's rig as the board and its page tell it: one word of state, the worst first, and why."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from frontend import i18n
from frontend.pages.control_state import ms, room_name
from frontend.pages.live_view import STUCK_WAY, heard, recording_words
from frontend.pages.reasons import REASONS, reason_text
from incubator.ground import clock
from incubator.ground.errors import N_
from studio.control.queries import HelpCall
from studio.control.switchboard import Seen
from studio.director.wire import LinkNow, OutputPhase, RigSnapshot
from studio.live_sessions.queries import LiveSession
from studio.obs.port import LinkState
from studio.rigs.queries import Incident, RigPage

STALE_S = 1.8  # with a look every second, what is stale shows within 3 s; directors speak twice a second
FRESH = timedelta(minutes=30)  # so long the board warns of what was done by hand; the rig's page keeps it for a week
ABORTABLE_WARNING = N_(
    "obs-websocket below 5.2: one message without password ends this OBS. Let only the director’s address reach its port.")
LINK_WORDS = {
    "down": N_("OBS unreachable"), "connecting": N_("Connecting to OBS"), "syncing": N_("Reading OBS"),
    "refused": N_("OBS refuses"), "stalled": N_("OBS hangs"),
}
NO_WORD = N_("No word from it.")


class RigState(msgspec.Struct, frozen=True):
    """The state of a rig in one word, with colour, icon, reason ("" = none), and since when a clock runs (milliseconds).

    `detail` is what the system said of it, in its own words.
    """

    kind: str
    icon: str
    word: str
    why: str = ""
    since: int | None = None
    detail: str = ""


class Room(msgspec.Struct, frozen=True):
    """One room on the board."""

    page: RigPage
    name: str
    state: RigState
    driver: str
    link: str
    who: str
    until: datetime | None
    session: LiveSession | None
    versions: str
    warnings: tuple[str, ...]
    incidents: tuple[Incident, ...]
    reset: str


def hangs(snapshot: RigSnapshot) -> bool:
    """Tell whether OBS keeps its connection open and says nothing."""
    return snapshot.link.is_online and snapshot.link.heard_s > STALE_S


def state_of(page: RigPage, snapshot: RigSnapshot | None) -> RigState:
    """Return the state of a rig: what needs a person comes before what is going well."""
    tell = i18n.translate
    if not page.rig.is_enabled:
        return RigState("line", "off", tell(N_("Out of use")))
    if snapshot is None:
        return RigState("alarm", "off", tell(N_("Not served")), reason_text("no_director"))
    if hangs(snapshot):
        return RigState("alarm", "off", tell(LINK_WORDS["stalled"]), tell(NO_WORD))
    if not snapshot.link.is_online:
        word = LINK_WORDS.get(snapshot.link.state, N_("OBS unreachable"))
        return RigState("alarm", "off", tell(word), _why_apart(page, snapshot.link), detail=snapshot.link.reason)
    return _trouble(page, snapshot) or _going(snapshot)


def _why_apart(page: RigPage, link: LinkNow) -> str:
    """Return in our words why there is no link; "" while it is being made."""
    if link.state == LinkState.REFUSED:
        return reason_text(link.code)
    if link.state == LinkState.STALLED:
        return i18n.gettext(NO_WORD)
    if link.state != LinkState.DOWN:
        return ""
    if page.rig.driver != "obs":
        return i18n.gettext(N_("The simulated OBS is switched off."))
    return i18n.translate(N_("Nothing answers at {address}."), {"address": page.rig.address})


def _trouble(page: RigPage, snapshot: RigSnapshot) -> RigState | None:
    tell = i18n.translate
    if page.rig.cleanliness == "unclean":
        return RigState("alarm", "key", tell(N_("Not clean")), reason_text(page.rig.unclean_reason) or reason_text("unclean"))
    if snapshot.plan.state == "failed":
        return RigState("alarm", "alert", tell(N_("Not ready")), reason_text(snapshot.plan.code, snapshot.plan.detail))
    if page.rig.cleanliness == "account_open" and snapshot.plan.session is None:
        return RigState("wait", "user", tell(N_("Account open")), tell(N_(
            "Nobody has confirmed that the last party’s platform account is signed out.")))
    return None


def _going(snapshot: RigSnapshot) -> RigState:
    tell, sending = i18n.translate, snapshot.sending
    if snapshot.panic.level:
        return RigState("wait", "alert", tell(N_("Covered")))
    if sending.phase == OutputPhase.RECONNECTING:
        return RigState("alarm", "alert", tell(N_("Stream broken")), tell(N_("OBS is reconnecting")), ms(sending.since))
    if sending.is_live:
        word = N_("Picture sent") if snapshot.plan.output == "client" else N_("Streaming")
        return RigState("air", "", tell(word), tell(STUCK_WAY) if sending.phase == OutputPhase.STUCK else "", ms(sending.since))
    if snapshot.record.is_live:
        kind, word, text = recording_words(snapshot.record.phase)
        tone, why = ("info", "") if kind == "ok" else (kind, tell(text))
        return RigState(tone, "rec", tell(word), why, ms(snapshot.record.since))
    words = {"ready": ("ok", "check", N_("Ready")), "waiting_for_key": ("wait", "key", N_("Waiting for key")),
             "preparing": ("info", "clock", N_("Preparing")), "cleaning": ("info", "clock", N_("Being wiped"))}
    kind, icon, word = words.get(snapshot.plan.state, ("", "check", N_("Idle, clean")))
    return RigState(kind, icon, tell(word))


def versions_of(snapshot: RigSnapshot | None) -> str:
    """Return which OBS and obs-websocket run there, "" before the first connection."""
    if snapshot is None or not snapshot.obs_version:
        return ""
    return f"OBS {snapshot.obs_version} · obs-websocket {snapshot.websocket_version}"


def warnings_of(page: RigPage, snapshot: RigSnapshot | None) -> tuple[str, ...]:
    """Return what an operator should put right although it works."""
    found = []
    if snapshot is not None and snapshot.can_be_aborted:
        found.append(ABORTABLE_WARNING)
    if snapshot is not None and snapshot.link.is_online and not snapshot.stand_by_scene:
        found.append(N_("There is no scene to cover the picture with. Choose one."))
    if snapshot is not None and snapshot.record.phase == OutputPhase.STUCK:
        found.append(REASONS["recording_stuck"])
    if snapshot is not None and snapshot.studio_mode:
        found.append(N_("Studio mode is on in OBS."))
    if page.rig.driver == "obs" and not page.has_password:
        found.append(N_("No password is stored. Set one in OBS and here."))
    return tuple(i18n.gettext(text) for text in found)


def by_hand(incidents: Sequence[Incident]) -> tuple[str, ...]:
    """Return the warning of a stream that was started at the computer a short while ago."""
    fresh = [one for one in incidents if clock.now() - one.at < FRESH]
    if not fresh:
        return ()
    return (i18n.translate(N_("At {at:time} a stream was started at the computer by hand; it was not this session’s and was"
                              " stopped."), {"at": fresh[0].at}),)


def room_of(page: RigPage, seen: Seen | None, session: LiveSession | None, incidents: Sequence[Incident] = (),
            reset: str = "") -> Room:
    """Put together one room for the board."""
    link, snapshot = "", heard(seen, STALE_S)
    if snapshot is not None and snapshot.link.is_online and not hangs(snapshot):
        is_real = page.rig.driver == "obs"
        link = i18n.translate(N_("Online, OBS {version}") if is_real else N_("Online"), {"version": snapshot.obs_version})
    return Room(
        page=page, name=room_name(page.unit_name, page.unit_name_en), state=state_of(page, snapshot), driver=page.rig.driver,
        link=link, who="" if session is None else session.merchant_name or session.title,
        until=None if session is None else session.ends_at,
        session=session, versions=versions_of(snapshot), warnings=(*by_hand(incidents), *warnings_of(page, snapshot)),
        incidents=tuple(incidents), reset=reset,
    )


class Call(msgspec.Struct, frozen=True):
    """One open call for help."""

    call: HelpCall
    room: str


def calls_of(found: Sequence[HelpCall]) -> tuple[Call, ...]:
    """Return the open calls with the names of their rooms."""
    return tuple(Call(one, room_name(one.unit_name, one.unit_name_en)) for one in found)
