"""The shared merchant profile and its shops; members are role grants of the accounts slice."""

from piccolo.columns import UUID, BigInt, BigSerial, Date, Integer, Text, Timestamptz
from piccolo.table import Table


class Merchant(Table, tablename="merchants"):
    """Whoever sells: company, sole trader, co-operative or farmer."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    site = BigInt(null=False)
    name = Text(null=False)
    short_name = Text(null=False)
    search = Text(null=False)
    kind = Text(null=False)
    credit_code = Text(null=True, default=None, unique=True)
    contact_name = Text(null=False)
    contact_phone = Text(null=False)
    town = Text(null=False)
    products = Text(null=False)
    status = Text(null=False)
    version = Integer(null=False)
    created_at = Timestamptz(null=False)


class Shop(Table, tablename="shops"):
    """One shop of a merchant on one platform; closed rather than deleted."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    merchant = BigInt(null=False)
    platform = Text(null=False)
    name = Text(null=False)
    url = Text(null=False)
    opened_on = Date(null=True, default=None)
    closed_on = Date(null=True, default=None)
    version = Integer(null=False)
    created_at = Timestamptz(null=False)
