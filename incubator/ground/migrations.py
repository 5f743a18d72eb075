"""Migrations are SQL of our own, run by Piccolo's runner: forward only, additive first."""

from collections.abc import Awaitable, Callable

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from incubator.ground import database

PICCOLO_VERSION = "1.38.0"


def sql(app: str, migration_id: str, description: str, *scripts: str) -> Callable[[], Awaitable[MigrationManager]]:
    """Return the `forwards` of a migration that runs the scripts in order, in Piccolo's transaction."""

    async def forwards() -> MigrationManager:
        manager = MigrationManager(migration_id=migration_id, app_name=app, description=description)

        async def run() -> None:
            for script in scripts:
                await database.script(script)

        manager.add_raw(run)
        return manager

    return forwards
