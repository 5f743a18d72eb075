"""Who ended a reservation stands in the audit alone: the row's own word was never read."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T13:30:00:000004"
VERSION = PICCOLO_VERSION
DESCRIPTION = "A column that nothing reads"

UNREAD = """
ALTER TABLE reservations DROP COLUMN closed_by;
"""

forwards = sql("booking", ID, DESCRIPTION, UNREAD)
