"""The history of a merchant in words: who did what, and to which booking, live session or person."""

from collections.abc import Mapping, Sequence

import msgspec

from booking.reservations import queries as reservations
from booking.reservations.queries import ReservationFacts
from frontend import formats, i18n
from frontend.pages.reservation_view import doer, unit_name
from incubator.ground.audit.queries import Entry, history_of_merchant
from incubator.ground.errors import N_
from incubator.ground.rights import ROLE_NAMES
from incubator.ground.values import Span
from incubator.merchants import rules
from incubator.merchants.queries import MerchantFile
from studio.live_sessions.queries import LiveSession

VERBS: Mapping[str, str] = {
    "register": N_("registered"), "update": N_("changed the profile"), "set_status": N_("changed the state"),
    "add_shop": N_("added a shop"), "close_shop": N_("closed a shop"), "grant": N_("gave a role"),
    "end_grant": N_("took a role away"), "invite": N_("invited somebody"), "accepted": N_("accepted an invitation"),
    "declined": N_("declined an invitation"), "withdrawn": N_("took an invitation back"),
    "reserve": N_("booked"), "confirm": N_("booked"), "move": N_("changed a booking"), "extend": N_("extended a booking"),
    "end_early": N_("ended a booking early"), "cancel": N_("cancelled a booking"), "check_in": N_("checked in"),
    "mark_no_show": N_("noted a no-show"), "finish": N_("finished a booking"), "restore": N_("restored a booking"),
    "paste": N_("pasted a stream key"), "forget": N_("removed a stream key"), "take_control": N_("took control"),
    "hand_over": N_("handed control over"), "keep_control": N_("kept control when asked for it"),
    "free_control": N_("lost control with the right to it"), "choose_output": N_("changed the output"),
    "shown_live": N_("said that the platform shows the stream"), "account_left": N_("said that the account is signed out"),
    "key_reset": N_("said that the key was reset"),
}


class Told(msgspec.Struct, frozen=True):
    """One deed: when, what, by whom, what it was about (with `href` where that can be opened), and why."""

    at: str
    text: str
    by: str
    about: str
    href: str
    why: str


async def history_of(file: MerchantFile, sessions: Sequence[LiveSession]) -> list[Told]:
    """Return a merchant's history, newest first."""
    entries = await history_of_merchant(file.id)
    booked = await reservations.by_ids({entry.thing_id for entry in entries if entry.thing == "reservation"})
    live = {one.id: one for one in sessions}
    return [_told(entry, file, booked, live) for entry in entries]


def _told(entry: Entry, file: MerchantFile, booked: Mapping[int, ReservationFacts], live: Mapping[int, LiveSession]) -> Told:
    about, href = "", ""
    if entry.thing == "reservation" and entry.thing_id in booked:
        one = booked[entry.thing_id]
        about, href = _about(unit_name(one), one.span, one.title), f"/reservations/{one.uid}"
    elif entry.thing in ("live_session", "destination") and entry.thing_id in live:
        session = live[entry.thing_id]
        room = i18n.either(session.unit_name, session.unit_name_en)
        about, href = _about(room, Span(session.starts_at, session.ends_at), session.title), f"/live-sessions/{session.uid}"
    else:
        about = _change(entry, file)
    verb = i18n.gettext(VERBS.get(entry.verb, entry.verb))
    at = formats.short_moment(entry.at, i18n.speech())
    return Told(at, verb[:1].upper() + verb[1:], doer(entry), about, href, entry.reason)


def _about(room: str, span: Span, title: str) -> str:
    speech = i18n.speech()
    when = f"{formats.short_day(span.starts_at, speech)} {formats.hours(span, speech)}"
    return " · ".join(part for part in (room, when, title) if part)


def _change(entry: Entry, file: MerchantFile) -> str:
    """Return what a deed gave or changed that is neither a booking nor a live session."""
    before, after = entry.before or {}, entry.after or {}
    if entry.verb == "set_status":
        names = [rules.STATUSES[state["status"]] for state in (before, after)]
        return " → ".join(i18n.gettext(name) for name in names)
    if entry.verb in ("grant", "end_grant"):
        name = next((i18n.person(one.name, one.name_latin) for one in file.members if one.person_id == entry.thing_id), "")
        given = ROLE_NAMES[(after or before)["role"]]
        return " · ".join(part for part in (name, i18n.gettext(given)) if part)
    if entry.verb == "invite":
        return " · ".join(i18n.gettext(ROLE_NAMES[role]) for role in after.get("roles", ()))
    return str(after.get("name", "")) if entry.verb == "add_shop" else ""
