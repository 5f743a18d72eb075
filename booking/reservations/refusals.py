"""Why a reservation is refused: each fact a class of its own, with figures, so that the person sees the way out."""

from typing import ClassVar

from incubator.ground.errors import N_, Conflict


class SlotTaken(Conflict):
    """Somebody else has one of the units then; `alternatives` says what would work, smallest change first."""

    code = "slot-taken"
    msgid = N_("This slot is taken from {taken_from:time} to {taken_to:time}. What you entered is kept; choose another time.")
    # what is known of the booking in the way: its title, for whoever may see it
    named: ClassVar[str] = N_("Taken {taken:hours} by “{title}”.")
    unnamed: ClassVar[str] = N_("Taken {taken:hours} by another booking.")


class OverQuota(Conflict):
    """The merchant's week is used up."""

    code = "over-quota"
    msgid = N_("{left:duration} of {limit:duration} left in that week, and this needs {wanted:duration}."
               " Shorten it, or ask the front desk.")


class OutsideHours(Conflict):
    """The room is not open for the whole time."""

    code = "outside-hours"
    msgid = N_("Not open then. The nearest opening is {opening:span}.")


class RoomClosed(Conflict):
    """A dated closure stands in the way."""

    code = "closed"
    msgid = N_("Closed {closure:span}: {reason}")


class Past(Conflict):
    """It has begun already."""

    code = "past"
    msgid = N_("This time has passed. Choose a later one.")


class TooFarAhead(Conflict):
    """Further ahead than one may book."""

    code = "too-far-ahead"
    msgid = N_("Bookings open {days} days ahead: until {latest:day}.")


class MerchantPaused(Conflict):
    """The merchant may not book at present."""

    code = "merchant-paused"
    msgid = N_("{merchant} is paused or has left, so it cannot book. Ask the front desk.")


class HoldExpired(Conflict):
    """The hold ran out before it was confirmed."""

    code = "hold-expired"
    msgid = N_("The slot was kept for {minutes} minutes, and these have passed. Book it again if it is still free.")


class TooManyHolds(Conflict):
    """This person keeps as many slots as one may."""

    code = "too-many-holds"
    msgid = N_("You keep {most} slots already. Book or release one of them; a hold ends by itself after {minutes} minutes.")


class WrongState(Conflict):
    """This verb does not go with what the reservation is now."""

    code = "wrong-state"
    msgid = N_("That does not work any more: this booking is {state:word}.")


class TooLate(Conflict):
    """It was done too long ago to be taken back."""

    code = "too-late"
    msgid = N_("This can be taken back for {minutes} minutes, and these have passed. Book it again if it is still free.")


class HasBegun(Conflict):
    """It runs already."""

    code = "has-begun"
    msgid = N_("It has begun. You can extend it or end it early.")


class CutOff(Conflict):
    """Everything in the room was stopped, so there is no show left that could go on."""

    code = "cut-off"
    msgid = N_("The room was stopped at {cut_off_at:time}, so this cannot go on. Book the time anew.")


class NotBegun(Conflict):
    """It has not begun yet."""

    code = "not-begun"
    msgid = N_("It begins at {starts_at:time}. Until then, cancel it instead.")


class NotYet(Conflict):
    """Too early; `opens_at` says when."""

    code = "not-yet"
    msgid = N_("Possible from {opens_at:moment}.")


class AlreadyCheckedIn(Conflict):
    """Somebody checked in before."""

    code = "already-checked-in"
    msgid = N_("Checked in at {at:time} already.")


class WrongCode(Conflict):
    """Four other digits."""

    code = "wrong-code"
    msgid = N_("Not this code. {left} more tries.")


class TooManyMisses(Conflict):
    """The tablet takes no code for a while."""

    code = "too-many-misses"
    msgid = N_("Too many wrong codes. The keypad opens again at {until:time}; the front desk can check you in now.")


class HostTaken(SlotTaken):
    """The person who is to present is booked elsewhere."""

    msgid = N_("{name} is booked from {taken_from:time} to {taken_to:time}. Choose another time or another host.")


class SetupOverlaps(SlotTaken):
    """The times of use do not touch, but setup begins while another booking is being cleared."""

    named = N_("Setup would begin at {from_at:time}, but “{title}” is being cleared until {taken_to:time}:"
               " {overlap:duration} overlap.")
    unnamed = N_("Setup would begin at {from_at:time}, but another booking is being cleared until {taken_to:time}:"
                 " {overlap:duration} overlap.")


class TeardownOverlaps(SlotTaken):
    """The times of use do not touch, but teardown runs into the setup of another booking."""

    named = N_("Teardown would run to {till:time}, but “{title}” starts setting up at {taken_from:time}:"
               " {overlap:duration} overlap.")
    unnamed = N_("Teardown would run to {till:time}, but another booking starts setting up at {taken_from:time}:"
                 " {overlap:duration} overlap.")


class BeingFilledIn(SlotTaken):
    """Somebody holds it while filling in a page."""

    msgid = N_("Somebody is filling in a booking for this time. It is free again in {minutes} minutes at most.")
