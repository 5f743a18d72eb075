"""Reservations and what they occupy; hot paths use SQL of their own."""

from enum import StrEnum

from piccolo.columns import UUID, BigInt, BigSerial, Boolean, Column, Integer, Text, Timestamptz
from piccolo.table import Table


class State(StrEnum):
    """How far a reservation is."""

    HELD = "held"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CHECKED_IN = "checked_in"
    FINISHED = "finished"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Reservation(Table, tablename="reservations"):
    """A right to units for a time; `unit` is the place (the first unit), `person` who booked, `host` who presents."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    number = Text(null=True, default=None)
    state = Text(null=False)
    site = BigInt(null=False)
    unit = BigInt(null=False)
    merchant = BigInt(null=True)
    person = BigInt(null=True)
    host = BigInt(null=True)
    title = Text(null=False)
    starts_at = Timestamptz(null=False)
    ends_at = Timestamptz(null=False)
    page_key = Text(null=True, default=None)
    hold_until = Timestamptz(null=True, default=None)
    check_in_code = Text(null=False)
    checked_in_at = Timestamptz(null=True, default=None)
    checked_in_by = BigInt(null=True)
    closed_at = Timestamptz(null=True, default=None)
    reason = Text(null=False)
    version = Integer(null=False)
    created_at = Timestamptz(null=False)


class TstzRange(Column):
    """A range of moments, which Piccolo does not know; its type is the name of the class."""


class Allocation(Table, tablename="allocations"):
    """One unit taken for one blocked interval; `holds` is set by slots.py alone."""

    id = BigSerial(primary_key=True)
    reservation = BigInt(null=False)
    unit = BigInt(null=False)
    blocked = TstzRange(null=False)
    holds = Boolean(null=False)
