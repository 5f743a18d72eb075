"""The terminal's words about tokens and accounts."""

import argparse
from typing import Any

import pytest

from frontend import cli, cli_accounts
from incubator.accounts import queries, service
from tests.people import PASSWORD, People


def parsed(*words: str) -> argparse.Namespace:
    return cli._parser().parse_args(words)


async def token(*words: str) -> int:
    return await cli_accounts.done(cli_accounts.tokens, parsed("token", *words))


async def account(*words: str) -> int:
    return await cli_accounts.done(cli_accounts.account_deeds, parsed("account", *words))


async def test_tokens_are_listed_and_revoked(people: People, capsys: Any) -> None:
    await token("create", "--for", "alice@example.com", "--label", "till")
    await token("create", "--for", "13800000001", "--label", "wall", "--read-only")
    till, wall = capsys.readouterr().out.split()
    assert await token("list", "--for", "13800000001") == 0
    shown = capsys.readouterr().out
    assert "till\tread and write\tuntil" in shown
    assert till not in shown
    first = shown.split("\t")[0]
    assert await token("revoke", "--for", "13800000001", "--id", first) == 0
    assert await queries.by_api_token(till) is None
    assert await queries.by_api_token(wall) is not None
    assert await token("revoke", "--for", "13800000001", "--id", first) == 1
    assert await token("revoke", "--for", "13800000001") == 0
    assert await queries.by_api_token(wall) is None
    assert await token("list", "--for", "13800000001") == 0
    assert "revoked" in capsys.readouterr().out


async def test_nobody_by_that_name(people: People, capsys: Any) -> None:
    assert await token("list", "--for", "13999999999") == 1
    assert "nobody is on file" in capsys.readouterr().err


async def test_an_account_is_closed_and_opened(people: People, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = await service.sign_in("13800000001", PASSWORD)
    assert await account("close", "--for", "13800000001", "--reason", " ") == 1
    assert "Give a name" not in capsys.readouterr().err
    assert await account("close", "--for", "13800000001", "--reason", "phone stolen") == 0
    assert await queries.by_cookie(cookie) is None
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "short")
    assert await account("open", "--for", "13800000001", "--reason", "has a new one", "--new-password") == 1
    assert "at least 8 characters" in capsys.readouterr().err
    assert await account("open", "--for", "13800000001", "--reason", "has a new one") == 0
    assert await service.sign_in("13800000001", PASSWORD)
