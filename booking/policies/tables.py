"""The centre's own settings for bookings."""

from piccolo.columns import BigInt, BigSerial, Integer
from piccolo.table import Table


class QuotaPolicy(Table, tablename="quota_policies"):
    """How many minutes of live rooms a merchant may use per week."""

    id = BigSerial(primary_key=True)
    site = BigInt(unique=True, null=False)
    week_min = Integer(null=False)
