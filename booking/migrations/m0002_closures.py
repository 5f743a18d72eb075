"""A closure covers several units at once, or the whole site: its rows share one public id."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T12:00:00:000002"
VERSION = PICCOLO_VERSION
DESCRIPTION = "Closures of several units and of the whole site"

CLOSURES = """
ALTER TABLE calendar_exceptions ADD COLUMN site bigint REFERENCES sites ON DELETE RESTRICT;
ALTER TABLE calendar_exceptions DROP CONSTRAINT exception_of_one;
ALTER TABLE calendar_exceptions ADD CONSTRAINT exception_of_one CHECK (num_nonnulls(calendar, unit, site) = 1);
ALTER TABLE calendar_exceptions DROP CONSTRAINT calendar_exceptions_uid_key;
ALTER TABLE calendar_exceptions ADD CONSTRAINT exception_once UNIQUE NULLS NOT DISTINCT (uid, unit);
"""

forwards = sql("booking", ID, DESCRIPTION, CLOSURES)
