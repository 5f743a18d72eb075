"""The table classes name exactly the columns that the migrations made."""

import pytest
from piccolo.table import Table

from incubator.ground import database
from studio.piccolo_app import APP_CONFIG


@pytest.mark.parametrize("table", APP_CONFIG.table_classes, ids=lambda table: table.__name__)
async def test_it_works(db: None, table: type[Table]) -> None:
    rows = await database.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", table._meta.tablename)
    assert {row["column_name"] for row in rows} == {column._meta.name for column in table._meta.columns}
