"""Table classes say exactly what the database has, and foreign keys point downwards only."""

import re
from pathlib import Path

import pytest
from piccolo.columns import Column, ForeignKey
from piccolo.conf.apps import AppConfig

from booking.piccolo_app import APP_CONFIG as BOOKING
from frontend.piccolo_app import APP_CONFIG as FRONTEND
from incubator.ground import database
from incubator.piccolo_app import APP_CONFIG as INCUBATOR
from studio.piccolo_app import APP_CONFIG as STUDIO

FLOORS = (INCUBATOR, BOOKING, STUDIO, FRONTEND)
ROOT = Path(__file__).parents[2]


# What a class calls a column's type, in the database's words
TYPES = {"BIGSERIAL": "bigint", "TIMESTAMPTZ": "timestamp with time zone"}


@pytest.mark.parametrize("app", FLOORS, ids=lambda app: app.app_name)
async def test_classes_match_the_database(db: None, app: AppConfig) -> None:
    """Say for every column its name, its type and whether it may be empty, and leave none out."""
    for table in app.table_classes:
        rows = await database.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped", table._meta.tablename)
        found = {row["attname"]: (row["type"], not row["attnotnull"]) for row in rows}
        said = {column._meta.name: (_type(column), column._meta.null) for column in table._meta.columns}
        assert said == found, table._meta.tablename


def _type(column: Column) -> str:
    return TYPES.get(column.column_type, column.column_type.lower())


# Tables of the ground and of the frontend are known to one module each, in SQL
IN_SQL_ALONE = {
    "audit_entries", "audit_looks", "audit_seals", "facts", "heartbeats", "installation", "jobs", "kept_answers", "notices",
}


async def test_every_other_table_has_a_class(db: None) -> None:
    rows = await database.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'migration'")
    assert {row["relname"] for row in rows} - IN_SQL_ALONE == {table._meta.tablename for app in FLOORS for table in app.table_classes}


@pytest.mark.parametrize("app", FLOORS, ids=lambda app: app.app_name)
def test_foreign_keys_are_explicit(app: AppConfig) -> None:
    for table in app.table_classes:
        for column in table._meta.columns:
            if isinstance(column, ForeignKey):
                assert "on_delete" in column._meta.params, f"{table._meta.tablename}.{column._meta.name}"


async def test_foreign_keys_point_downwards(db: None) -> None:
    place = {name: level for level, app in enumerate(FLOORS) for name in _made_by(app)}
    rows = await database.fetch(
        "SELECT conrelid::regclass::text AS source, confrelid::regclass::text AS target FROM pg_constraint WHERE contype = 'f'")
    assert rows
    assert [(r["source"], r["target"]) for r in rows if place[r["source"]] < place[r["target"]]] == []


def _made_by(app: AppConfig) -> list[str]:
    scripts = "".join(path.read_text("utf-8") for path in Path(app.resolved_migrations_folder_path).glob("*.py"))
    return re.findall(r"CREATE TABLE (\w+)", scripts)


async def test_every_reference_says_what_deleting_does(db: None) -> None:
    for app in FLOORS:
        for path in Path(app.resolved_migrations_folder_path).glob("m*.py"):
            for line in path.read_text("utf-8").splitlines():
                assert "REFERENCES" not in line or "ON DELETE" in line, f"{path.name}: {line.strip()}"
