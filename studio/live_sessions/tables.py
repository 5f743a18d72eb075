"""Live sessions, what was on air, and what the rigs are wanted for."""

from piccolo.columns import JSONB, UUID, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table


class LiveSession(Table, tablename="live_sessions"):
    """One live-room reservation as the studio sees it; its times are the reservation's."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    reservation = BigInt(null=False, unique=True)
    rig = BigInt(null=True, default=None)
    output = Text(null=False)
    platform = Text(null=False)
    state = Text(null=False)
    reason_code = Text(null=False)
    reason_params = JSONB(null=False)
    controller_person = BigInt(null=True, default=None)
    controller_device = BigInt(null=True, default=None)
    control_asked_person = BigInt(null=True, default=None)
    control_asked_device = BigInt(null=True, default=None)
    control_asked_at = Timestamptz(null=True, default=None)
    shown_live_at = Timestamptz(null=True, default=None)
    shown_live_by = BigInt(null=True, default=None)
    account_left_at = Timestamptz(null=True, default=None)
    account_left_by = BigInt(null=True, default=None)
    key_reset_at = Timestamptz(null=True, default=None)
    key_reset_by = BigInt(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
    version = Integer(null=False)
    created_at = Timestamptz(null=False)


class RigPlan(Table, tablename="rig_plans"):
    """What a rig is wanted for; the director makes it true."""

    rig = BigInt(primary_key=True, null=False)
    live_session = BigInt(null=True, default=None)
    output = Text(null=False)
    starts_at = Timestamptz(null=True, default=None)
    ends_at = Timestamptz(null=True, default=None)
    cut_off_at = Timestamptz(null=True, default=None)
    number = Text(null=False)
    version = BigInt(null=False)
    updated_at = Timestamptz(null=False)


class RigReport(Table, tablename="rig_reports"):
    """What the director last said of a rig."""

    rig = BigInt(primary_key=True, null=False)
    live_session = BigInt(null=True, default=None)
    plan_version = BigInt(null=False)
    state = Text(null=False)
    code = Text(null=False)
    detail = JSONB(null=False)
    fence = BigInt(null=False)
    reported_at = Timestamptz(null=False)


class AirSpan(Table, tablename="air_spans"):
    """One stretch from STARTED to STOPPED."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    rig = BigInt(null=False)
    live_session = BigInt(null=True, default=None)
    kind = Text(null=False)
    started_at = Timestamptz(null=False)
    stopped_at = Timestamptz(null=True, default=None)
    stop_reason = Text(null=False)
    path = Text(null=False)
    bytes = BigInt(null=False)


class AsRun(Table, tablename="as_run"):
    """One line of what happened on air."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    rig = BigInt(null=False)
    live_session = BigInt(null=True, default=None)
    at = Timestamptz(null=False)
    person = BigInt(null=True, default=None)
    device = BigInt(null=True, default=None)
    what = Text(null=False)
    detail = JSONB(null=False)
