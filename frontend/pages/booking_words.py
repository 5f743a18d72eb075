"""What the booking pages say: names of rooms, chips of states, refusals with their way out, local times of forms."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from booking.offers.rules import Alternative
from booking.reservations.rules import YEARS
from booking.units.queries import UnitFacts
from frontend import formats, i18n
from incubator.ground.errors import N_, FieldError, Invalid, KaiboError
from incubator.ground.values import Span
from incubator.sites.queries import SiteFacts

CHIPS: Mapping[str, tuple[str, str, str]] = {
    "held": ("line", "clock", N_("On hold")),
    "pending": ("wait", "stamp", N_("Waiting for approval")),
    "confirmed": ("ok", "check", N_("Booked")),
    "checked_in": ("brand", "door", N_("Checked in")),
    "finished": ("", "flag", N_("Finished")),
    "no_show": ("alarm", "alert", N_("No-show")),
    "cancelled": ("line", "x", N_("Cancelled")),
    "expired": ("line", "x", N_("Ran out")),
}
LONGEST_HOURS_TEXT = 5


class Chip(msgspec.Struct, frozen=True):
    """A state as it is shown: kind, icon and word."""

    kind: str
    icon: str
    text: str


class Finding(msgspec.Struct, frozen=True):
    """One line of a check: ok, wait or alarm; `code` is the domain's own word for what was found."""

    kind: str
    text: str
    code: str = ""


class Other(msgspec.Struct, frozen=True):
    """What would work instead, as a button: `value` is what a form without scripts sends."""

    space: str
    date: str
    starts: str
    ends: str
    title: str
    note: str

    @property
    def value(self) -> str:
        """Return the choice in one field."""
        return f"{self.space} {self.date} {self.starts} {self.ends}"


def name_of(thing: Any) -> str:
    """Return the name of a unit or site in the reader's language."""
    return i18n.either(thing.name, thing.name_en)


def note_of(unit: UnitFacts) -> str:
    """Return what a room offers, and for how many."""
    note = i18n.either(unit.note, unit.note_en)
    seats = i18n.ngettext("{count} person", "{count} people", unit.capacity).format(count=unit.capacity)
    return f"{note} · {seats}" if note else seats


def chip(state: str) -> Chip:
    """Return the chip of a state."""
    kind, icon, word = CHIPS[state]
    return Chip(kind, icon, i18n.gettext(word))


def refusal_text(refusal: KaiboError) -> str:
    """Return what a refusal says as a whole; a form's wrong fields say it beside the fields."""
    return i18n.translate(refusal.text, refusal.params)


def field_texts(refusal: KaiboError) -> dict[str, str]:
    """Return the message of each wrong field, joined where a field has several."""
    errors: Iterable[FieldError] = refusal.errors if isinstance(refusal, Invalid) else ()
    found: dict[str, str] = {}
    for error in errors:
        text = i18n.translate(error.msgid, error.params)
        found[error.field] = f"{found[error.field]} {text}" if error.field in found else text
    return found


def local_hour(moment: datetime, site: SiteFacts) -> str:
    """Return the local time as forms write it: 16:15."""
    return f"{moment.astimezone(site.zone):%H:%M}"


def local_day(moment: datetime, site: SiteFacts) -> str:
    """Return the local day as forms write it: 2026-11-24."""
    return f"{moment.astimezone(site.zone):%Y-%m-%d}"


def day_of(text: str) -> date | None:
    """Return the day of a form or address, None when it is none or lies in another century."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if YEARS[0] <= day.year <= YEARS[1] else None


def moment_of(day: date, text: str, site: SiteFacts) -> datetime | None:
    """Return the moment at which the site's clocks show this time of that day, None when the text is no time."""
    hours, _, minutes = text.partition(":")
    if not (text.isascii() and hours.isdigit() and minutes.isdigit() and len(text) <= LONGEST_HOURS_TEXT):
        return None
    if int(hours) > 24 or int(minutes) > 59 or (int(hours) == 24 and int(minutes)):
        return None
    midnight = datetime(day.year, day.month, day.day, tzinfo=site.zone)
    return midnight.replace(hour=int(hours), minute=int(minutes)) if int(hours) < 24 else midnight + timedelta(days=1)


def span_of(day_text: str, from_text: str, to_text: str, site: SiteFacts) -> Span:
    """Return the span of a form; an end at or before the start lies on the next day only when it is early in the morning.

    Raises:
        Invalid: a day or time that is none; all of them at once.
    """
    day = day_of(day_text)
    errors = [] if day else [FieldError("date", N_("Choose a day."))]
    starts = moment_of(day, from_text, site) if day else None
    ends = moment_of(day, to_text, site) if day else None
    if day and starts is None:
        errors.append(FieldError("starts_at", N_("Choose a time.")))
    if day and ends is None:
        errors.append(FieldError("ends_at", N_("Choose a time.")))
    if errors or starts is None or ends is None:
        raise Invalid(errors)
    if ends <= starts and ends.hour < site.day_starts_min // 60:
        ends += timedelta(days=1)
    return Span(starts, ends)


def span_text(span: Span) -> str:
    """Return `今天 16:15–18:15`."""
    return formats.span(span, i18n.speech())


def hours_text(span: Span) -> str:
    """Return `16:15–18:15`."""
    return formats.hours(span, i18n.speech())


def near_day(moment: date) -> str:
    """Return `今天`, `明天` or the day, with a capital where it begins a line."""
    text = formats.near_day(moment, i18n.speech())
    return text[:1].upper() + text[1:]


def others(found: Iterable[Alternative], site: SiteFacts) -> list[Other]:
    """Return alternatives as buttons, with what is different about each."""
    shown = []
    for one in found:
        span = Span(one.starts_at, one.ends_at)
        shown.append(Other(
            str(one.space_id), local_day(one.starts_at, site), local_hour(one.starts_at, site), local_hour(one.ends_at, site),
            f"{name_of(one)} {hours_text(span)}", change_text(one)))
    return shown


def change_text(one: Alternative) -> str:
    """Return what is different about an alternative: `提前 15 分钟，房间不变`."""
    by = timedelta(minutes=abs(one.minutes))
    if one.change == "shorter":
        return i18n.translate(N_("{by} shorter, same room"), {"by": by})
    is_other = one.change == "other_space"
    if not one.minutes:
        return i18n.gettext(N_("Same time, another room"))
    if one.minutes < 0:
        return i18n.translate(N_("{by} earlier, another room") if is_other else N_("{by} earlier, same room"), {"by": by})
    return i18n.translate(N_("{by} later, another room") if is_other else N_("{by} later, same room"), {"by": by})
