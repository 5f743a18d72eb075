"""Rigs and the leases on them."""

from piccolo.columns import UUID, BigInt, BigSerial, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table


class Rig(Table, tablename="rigs"):
    """One OBS, in one live room; its password is sealed."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    site = BigInt(null=False)
    unit = BigInt(null=False, unique=True)
    zone = Text(null=False)
    driver = Text(null=False)
    address = Text(null=False)
    password_sealed = Bytea(null=True, default=None)
    canvas_width = Integer(null=False)
    canvas_height = Integer(null=False)
    stand_by_scene = Text(null=False)
    lead_min = Integer(null=False)
    overrun_min = Integer(null=False)
    audio_through_obs = Boolean(null=False)
    is_enabled = Boolean(null=False)
    cleanliness = Text(null=False)
    armed_session = BigInt(null=True, default=None)
    armed_mark = Text(null=True, default=None)
    unclean_reason = Text(null=False)
    version = Integer(null=False)


class RigLease(Table, tablename="rig_leases"):
    """Which director owns a rig, until when, under which fencing number."""

    rig = BigInt(primary_key=True, null=False)
    fence = BigInt(null=False)
    owner = Text(null=False)
    expires_at = Timestamptz(null=False)
