"""Whose word it is that a key which could not be wiped was reset on the platform."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T12:00:00:000003"
VERSION = PICCOLO_VERSION
DESCRIPTION = "The declared reset of a key that was left on a rig"

RESET = """
ALTER TABLE live_sessions ADD COLUMN key_reset_at timestamptz;
ALTER TABLE live_sessions ADD COLUMN key_reset_by bigint REFERENCES people ON DELETE RESTRICT;
CREATE INDEX as_run_alarms ON as_run (rig, at) WHERE what = 'alarm';
"""

forwards = sql("studio", ID, DESCRIPTION, RESET)
