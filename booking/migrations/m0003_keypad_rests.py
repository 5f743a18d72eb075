"""A tablet remembers how often its keypad rested without a right code in between, so that the rests can grow."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T13:00:00:000003"
VERSION = PICCOLO_VERSION
DESCRIPTION = "Growing rests of the keypad"

RESTS = """
ALTER TABLE devices ADD COLUMN rests integer NOT NULL DEFAULT 0;
"""

forwards = sql("booking", ID, DESCRIPTION, RESTS)
