"""Where one can go from everywhere: one list for rail, phone bar and home page, each way with the right that opens it."""

from collections.abc import Callable, Sequence

import msgspec

from booking.checkin.rights import can_see_devices
from frontend import i18n
from incubator.ground.errors import N_
from incubator.ground.queue.service import can_see_jobs
from incubator.ground.rights import Actor, Role
from studio.rigs.rights import can_see_rigs

TABS = 4  # a phone's bar has five places, and the last one is More
NO_SITE = 0  # who holds a right for any site may see that there is such a page


class Way(msgspec.Struct, frozen=True):
    """A page that the reader may open; `starts` are the beginnings of addresses that belong to it too."""

    href: str
    icon: str
    text: str
    is_tab: bool
    starts: Sequence[str] = ()

    def is_here(self, path: str) -> bool:
        """Tell whether an address lies on this way."""
        if self.href == "/":
            return path == "/"
        return path.startswith((self.href, *self.starts))


class _Entry(msgspec.Struct, frozen=True):
    href: str
    icon: str
    word: str
    may: Callable[[Actor], bool]
    starts: Sequence[str] = ()


def looks_on(actor: Actor) -> bool:
    """Tell whether somebody reads the centre's whole day, and so begins with the schedule and not with booking."""
    return actor.may_read_all or (actor.has(Role.MENTOR) and not actor.merchant_ids)


def knows_merchants(actor: Actor) -> bool:
    """Tell whether somebody sees other merchants than the own ones."""
    return actor.may_read_all or actor.has(Role.MENTOR)


def _is_a_merchants(actor: Actor) -> bool:
    return bool(actor.merchant_ids) and not actor.is_of_the_house


def _sees_devices(actor: Actor) -> bool:
    return can_see_devices(actor, NO_SITE)


# In this order they stand in the rail; the first four that somebody has are the tabs of the phone.
ENTRIES = (
    _Entry("/", "todo", N_("To do"), lambda actor: actor.is_of_the_house),
    _Entry("/", "home", N_("Home"), lambda actor: not actor.is_of_the_house),
    _Entry("/days", "cal", N_("Schedule"), looks_on, ("/units/", "/closures")),
    _Entry("/book", "cal", N_("Book"), lambda actor: not looks_on(actor), ("/days", "/units/")),
    _Entry("/live", "cast", N_("Live"), _is_a_merchants),
    _Entry("/reservations", "card", N_("Bookings"), lambda actor: _is_a_merchants(actor) and not actor.may_read_all),
    _Entry("/rigs", "cam", N_("Rooms"), can_see_rigs, ("/wall",)),
    _Entry("/merchants", "shop", N_("Merchants"), knows_merchants),
    _Entry("/merchants", "shop", N_("Merchant"), lambda actor: _is_a_merchants(actor) and not knows_merchants(actor)),
    _Entry("/reservations", "card", N_("Bookings"), lambda actor: actor.may_read_all),
    _Entry("/devices", "tablet", N_("Tablets"), _sees_devices, ("/pair",)),
    _Entry("/jobs", "queue", N_("Jobs"), can_see_jobs),
)


def bookings_word(actor: Actor) -> str:
    """Return what the list of bookings is called; beside a tab that books, Chinese has to say whose they are."""
    return i18n.gettext(N_("Bookings")) if actor.may_read_all else i18n.pgettext("ours", "Bookings")


def ways_of(actor: Actor) -> list[Way]:
    """Return where this reader can go, the most used first."""
    open_to = [one for one in ENTRIES if one.may(actor)]
    words = [bookings_word(actor) if one.href == "/reservations" else i18n.gettext(one.word) for one in open_to]
    return [Way(one.href, one.icon, word, place < TABS, one.starts)
            for place, (one, word) in enumerate(zip(open_to, words, strict=True))]
