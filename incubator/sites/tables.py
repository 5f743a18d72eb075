"""The centre's sites: everything bookable, every house role and every closure belongs to one."""

from piccolo.columns import UUID, BigSerial, Integer, Text
from piccolo.table import Table


class Site(Table, tablename="sites"):
    """One place with its own time zone and its own beginning of the day (minutes after midnight)."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    name = Text(null=False)
    name_en = Text(null=False)
    time_zone = Text(null=False)
    day_starts_min = Integer(null=False)
