"""Writes down the statements of one real call, and runs them again with other times, straight through the driver."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Range

from incubator.ground import database

NEAR = timedelta(days=8)


@dataclass(frozen=True)
class Statement:
    """One call of the driver."""

    method: str
    sql: str
    args: Sequence[Any]
    is_inside: bool


@dataclass
class Recording:
    """What one call asked of the database, and the ids that its insert returned."""

    statements: list[Statement] = field(default_factory=list)
    made_id: int = 0


@contextmanager
def recording() -> Iterator[Recording]:
    """Note every statement that goes through the ground's one door."""
    noted, real = Recording(), database._call

    async def call(method: str, sql: str, args: Sequence[Any]) -> Any:
        noted.statements.append(Statement(method, sql, tuple(args), database.in_transaction()))
        answer = await real(method, sql, args)
        if "INSERT INTO reservations" in sql:
            noted.made_id = answer["id"]
        return answer

    database._call = call
    try:
        yield noted
    finally:
        database._call = real


def shifted(value: Any, by: timedelta, near: datetime) -> Any:
    """Move times that have to do with the slot, and renew ids that were made for the call; leave everything else."""
    if isinstance(value, datetime):
        return value + by if abs(value - near) < NEAR else value
    if isinstance(value, Range):
        return Range(shifted(value.lower, by, near), shifted(value.upper, by, near), lower_inc=value.lower_inc,
                     upper_inc=value.upper_inc)
    if isinstance(value, list | tuple):
        return [shifted(one, by, near) for one in value]
    return value


async def replay(connection: Any, recorded: Recording, by: timedelta, near: datetime) -> None:
    """Run the statements again `by` later: first those before the transaction, then the others in one."""
    made: list[int] = []
    inserted = next(one for one in recorded.statements if "INSERT INTO reservations" in one.sql)
    old_uid = inserted.args[0]
    new_uid = uuid.uuid4()

    def renewed(value: Any) -> Any:
        if isinstance(value, UUID) and value == old_uid:
            return new_uid
        if isinstance(value, int) and value == recorded.made_id:
            return made[0]
        if isinstance(value, list) and recorded.made_id in value:
            return [made[0] if one == recorded.made_id else one for one in value]
        return shifted(value, by, near)

    for one in recorded.statements:
        if not one.is_inside:
            await getattr(connection, one.method)(one.sql, *map(renewed, one.args))
    async with connection.transaction():
        for one in recorded.statements:
            if one.is_inside:
                await _again(connection, one, renewed, made)


async def _again(connection: Any, one: Statement, renewed: Callable[[Any], Any], made: list[int]) -> None:
    answer = await getattr(connection, one.method)(one.sql, *map(renewed, one.args))
    if "INSERT INTO reservations" in one.sql:
        made.append(answer["id"])
