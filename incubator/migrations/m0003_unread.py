"""What was written and never read goes: the audit holds the same deeds with their moments and reasons."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T13:30:00:000003"
VERSION = PICCOLO_VERSION
DESCRIPTION = "Columns that nothing reads"

UNREAD = """
ALTER TABLE installation DROP COLUMN seeded_at;
ALTER TABLE accounts DROP COLUMN password_changed_at;
ALTER TABLE grants DROP COLUMN granted_at;
ALTER TABLE audit_looks DROP COLUMN reason;
"""

forwards = sql("incubator", ID, DESCRIPTION, UNREAD)
