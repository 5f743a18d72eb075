"""Where sessions stream to, sealed."""

from piccolo.columns import BigInt, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table


class Destination(Table, tablename="destinations"):
    """One session's server and key; the sealed parts go once OBS was proven empty, mark and mask stay."""

    live_session = BigInt(primary_key=True, null=False)
    server_sealed = Bytea(null=True, default=None)
    key_sealed = Bytea(null=True, default=None)
    mark = Text(null=False)
    shown = Text(null=False)
    expires_at = Timestamptz(null=True, default=None)
    pasted_by = BigInt(null=True, default=None)
    pasted_at = Timestamptz(null=False)
    wiped_at = Timestamptz(null=True, default=None)
    version = Integer(null=False)
