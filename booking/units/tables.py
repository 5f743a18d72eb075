"""Everything bookable, one row each."""

from enum import StrEnum

from piccolo.columns import UUID, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table


class Kind(StrEnum):
    """What a unit is; the last two are no places."""

    LIVE_ROOM = "live_room"
    DESK = "desk"
    MEETING_ROOM = "meeting_room"
    TRAINING_ROOM = "training_room"
    EQUIPMENT = "equipment"
    PERSON = "person"


class Unit(Table, tablename="units"):
    """One bookable thing; times in minutes, `ahead_days` in days."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    site = BigInt(null=False)
    kind = Text(null=False)
    code = Text(null=False)
    name = Text(null=False)
    name_en = Text(null=False)
    note = Text(null=False)
    note_en = Text(null=False)
    capacity = Integer(null=False)
    person = BigInt(null=True)
    calendar = BigInt(null=True)
    step_min = Integer(null=False)
    setup_min = Integer(null=False)
    teardown_min = Integer(null=False)
    min_use_min = Integer(null=False)
    max_use_min = Integer(null=False)
    ahead_days = Integer(null=False)
    sort = Integer(null=False)
    retired_at = Timestamptz(null=True, default=None)
    version = Integer(null=False)
