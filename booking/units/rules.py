"""What kinds of units there are and what a new one must say."""

from incubator.ground.errors import N_, FieldError, Invalid

SPACES = ("live_room", "meeting_room", "training_room", "desk")
KIND_NAMES: dict[str, str] = {  # of several: they stand on tabs and above groups
    "live_room": N_("Live rooms"),
    "desk": N_("Desks"),
    "meeting_room": N_("Meeting rooms"),
    "training_room": N_("Training rooms"),
    "equipment": N_("Equipment"),
    "person": N_("Person"),
}
LONGEST_USE_MIN = 1440  # the day grid looks back no further, so its query stays short
LONGEST_SETUP_MIN = 240


def check(kind: str, code: str, name: str, minutes: dict[str, int]) -> None:
    """Refuse what the database would refuse, every field at once.

    Raises:
        Invalid: an unknown kind, no code or name, minutes out of range.
    """
    errors = []
    if kind not in KIND_NAMES or kind == "person":
        errors.append(FieldError("kind", N_("Choose one of the kinds.")))
    errors += [FieldError(field, N_("Fill this in.")) for field, text in (("code", code), ("name", name)) if not text]
    limits = {"step_min": (5, 1440), "setup_min": (0, LONGEST_SETUP_MIN), "teardown_min": (0, LONGEST_SETUP_MIN),
              "min_use_min": (5, minutes["max_use_min"]), "max_use_min": (5, LONGEST_USE_MIN), "ahead_days": (0, 730),
              "capacity": (1, 10_000)}
    errors += [
        FieldError(field, N_("Between {least} and {most}."), {"least": least, "most": most})
        for field, (least, most) in limits.items() if not least <= minutes[field] <= most
    ]
    if errors:
        raise Invalid(errors)
