"""Answers kept for a day, so that a repeated request with the same key is answered and not done again."""

from incubator.ground.migrations import PICCOLO_VERSION, sql

ID = "2026-11-24T09:00:00:000004"
VERSION = PICCOLO_VERSION
DESCRIPTION = "Kept answers by idempotency key"

ANSWERS = """
CREATE TABLE kept_answers (
    who text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status smallint,
    body bytea,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (who, route, key)
);
CREATE INDEX kept_answers_by_age ON kept_answers (kept_at);
"""

forwards = sql("frontend", ID, DESCRIPTION, ANSWERS)
