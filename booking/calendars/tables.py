"""Weekly hours and dated exceptions."""

from piccolo.columns import UUID, BigInt, BigSerial, Boolean, Integer, SmallInt, Text, Timestamptz
from piccolo.table import Table


class Calendar(Table, tablename="calendars"):
    """Opening hours under a name, shared by units."""

    id = BigSerial(primary_key=True)
    site = BigInt(null=False)
    name = Text(null=False)


class CalendarHours(Table, tablename="calendar_hours"):
    """One opening per week; minutes from local midnight of the weekday (0 = Monday), beyond 1440 on the next day."""

    id = BigSerial(primary_key=True)
    calendar = BigInt(null=False)
    weekday = SmallInt(null=False)
    opens_min = Integer(null=False)
    closes_min = Integer(null=False)


class CalendarException(Table, tablename="calendar_exceptions"):
    """A dated opening or closure of a calendar, a unit or the whole site; rows of several units share `uid`."""

    id = BigSerial(primary_key=True)
    uid = UUID(null=False)
    calendar = BigInt(null=True)
    unit = BigInt(null=True)
    site = BigInt(null=True)
    is_open = Boolean(null=False)
    starts_at = Timestamptz(null=False)
    ends_at = Timestamptz(null=False)
    reason = Text(null=False)
    reason_en = Text(null=False)
    created_by = BigInt(null=True)
    lifted_at = Timestamptz(null=True, default=None)
