"""Invitations to a merchant."""

from piccolo.columns import UUID, Array, BigInt, BigSerial, Text, Timestamptz
from piccolo.table import Table


class Invitation(Table, tablename="invitations"):
    """What an owner typed, whether or not somebody is on file with it; `outcome` None while nobody answered."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    merchant = BigInt(null=False)
    login = Text(null=False)
    roles = Array(base_column=Text(), null=False)
    invited_by = BigInt(null=False)
    invited_at = Timestamptz(null=False)
    outcome = Text(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
