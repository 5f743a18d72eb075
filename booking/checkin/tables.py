"""Tablets at the rooms."""

from piccolo.columns import UUID, BigInt, BigSerial, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table


class Device(Table, tablename="devices"):
    """A tablet: shows a pairing code until staff bind it to a room; its token is kept as a hash only."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    site = BigInt(null=False)
    unit = BigInt(null=True)
    label = Text(null=False)
    token_hash = Bytea(unique=True, null=False)
    pairing_code = Text(null=True, default=None)
    pairing_until = Timestamptz(null=True, default=None)
    paired_by = BigInt(null=True)
    paired_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)
    last_seen_at = Timestamptz(null=False)
    misses = Integer(null=False)
    rests = Integer(null=False)
    locked_until = Timestamptz(null=True, default=None)
    version = Integer(null=False)
