"""A person has no language before one is chosen: until then the browser's is spoken."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T13:45:00:000004"
VERSION = PICCOLO_VERSION
DESCRIPTION = "No language before one is chosen"

forwards = sql("incubator", ID, DESCRIPTION, "ALTER TABLE people ALTER COLUMN locale DROP NOT NULL, ALTER COLUMN locale DROP DEFAULT;")
