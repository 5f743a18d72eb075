"""Panics and calls for help."""

from piccolo.columns import JSONB, UUID, BigInt, BigSerial, SmallInt, Timestamptz
from piccolo.table import Table


class PanicCall(Table, tablename="panic_calls"):
    """One panic; `before` is what comes back afterwards."""

    id = UUID(primary_key=True, null=False)
    rig = BigInt(null=False)
    live_session = BigInt(null=True, default=None)
    level = SmallInt(null=False)
    person = BigInt(null=True, default=None)
    device = BigInt(null=True, default=None)
    called_at = Timestamptz(null=False)
    handled_at = Timestamptz(null=True, default=None)
    before = JSONB(null=True, default=None)


class HelpCall(Table, tablename="help_calls"):
    """One call for help from a room."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    unit = BigInt(null=False)
    live_session = BigInt(null=True, default=None)
    called_at = Timestamptz(null=False)
    called_by = BigInt(null=True, default=None)
    device = BigInt(null=True, default=None)
    answered_at = Timestamptz(null=True, default=None)
    answered_by = BigInt(null=True, default=None)
