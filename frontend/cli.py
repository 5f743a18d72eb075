"""The command line: one sub-command per process, and what an administrator does in a terminal."""

import argparse
import asyncio
import contextlib
import io
import sys
from collections.abc import Callable, Sequence

import asyncpg
import msgspec
import uvicorn
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

from frontend import demo, director_process, run, worker
from frontend.cli_accounts import add_parsers
from frontend.http import LimitedHttp
from frontend.sockets import LARGEST_MESSAGE, BoundedSocket
from incubator.ground import database, secrets, servers
from incubator.ground.settings import BadSetting, Settings, load, refuse_public_demo
from incubator.sites.service import load_clock

APPS = ("incubator", "booking", "studio", "frontend")
Command = Callable[[Settings, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return the exit status; a bad setting is named and stops the start with 2."""
    options = _parser().parse_args(arguments)
    try:
        settings = load()
    except BadSetting as error:
        print(f"kaibo: {error}", file=sys.stderr)
        return 2
    command: Command = options.command
    if command not in (_run, _new_key):
        settings = _found(settings)
        if settings.database_url is None:
            print(f"kaibo: nothing serves from {settings.data}. Start the product (kaibo run), or set KAIBO_DATA or DATABASE_URL",
                  file=sys.stderr)
            return 1
    return command(settings, options)


def _found(settings: Settings) -> Settings:
    """Return the settings with the embedded servers that run now, where no others are named."""
    postgres, valkey = servers.running(settings.data)
    return msgspec.structs.replace(
        settings, database_url=settings.database_url or postgres, redis_url=settings.redis_url or valkey)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kaibo", description="Live rooms, desks and OBS of an e-commerce service centre.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    add("run", _run, "Serve everything on this machine, embedded servers included.")
    add("web", _web, "Serve pages and API.")
    add("worker", _worker, "Run jobs.")
    add("director", _director, "Own the rooms' OBS.")
    add("migrate", _migrate, "Bring the database to this version.")
    add("demo", _demo, "Fill an empty installation with a believable centre.")
    add("new-key", _new_key, "Print a fresh secrets key.")
    add_parsers(add)
    return parser


def _run(_settings: Settings, _options: argparse.Namespace) -> int:
    run.become_supervisor()


def _web(settings: Settings, _options: argparse.Namespace) -> int:
    uvicorn.run(
        "frontend.app:create_app", factory=True, host=settings.host, port=settings.port, http=LimitedHttp, loop="uvloop",
        ws=BoundedSocket, ws_max_size=LARGEST_MESSAGE, log_level="warning", access_log=False, timeout_graceful_shutdown=3,
        server_header=False, proxy_headers=False,
    )
    return 0


def _worker(settings: Settings, _options: argparse.Namespace) -> int:
    asyncio.run(worker.work(settings))
    return 0


def _director(settings: Settings, _options: argparse.Namespace) -> int:
    asyncio.run(director_process.direct(settings))
    return 0


def _migrate(settings: Settings, _options: argparse.Namespace) -> int:
    return asyncio.run(migrate(settings))


async def migrate(settings: Settings) -> int:
    """Run what is missing of every floor's migrations, and return the exit status."""
    if settings.database_url:
        database.configure(settings.database_url)
    try:
        await database.open_pool(max_size=2)
    except (*database.LOST, asyncpg.PostgresError) as error:
        print(f"kaibo: the database cannot be reached ({error}). Start its server, or correct DATABASE_URL.", file=sys.stderr)
        return 1
    try:
        for app in APPS:
            with contextlib.redirect_stdout(io.StringIO()):  # Piccolo prints each step; only a failure matters here
                result = await ForwardsMigrationManager(app_name=app, migration_id="all", fake=False).run()
            if not result.success:
                print(f"kaibo: migrating {app} stopped: {result.message}", file=sys.stderr)
                return 1
        if await load_clock():
            refuse_public_demo(settings)
    except BadSetting as error:
        print(f"kaibo: {error}. Its data hold a demo: with KAIBO_DEMO=0, take another KAIBO_DATA", file=sys.stderr)
        return 2
    finally:
        await database.close_pool()
    return 0


def _demo(settings: Settings, _options: argparse.Namespace) -> int:
    return asyncio.run(demo.main(settings))


def _new_key(_settings: Settings, _options: argparse.Namespace) -> int:
    print(secrets.new_key())
    return 0
