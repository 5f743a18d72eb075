"""What an administrator does in a terminal about API tokens and accounts: make, list and revoke; close and open."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable

from frontend.composition import open_house
from incubator.accounts import queries, service as accounts
from incubator.ground.errors import Invalid, KaiboError
from incubator.ground.rights import house
from incubator.ground.settings import Settings

ACTOR = house("command line")
Add = Callable[..., argparse.ArgumentParser]
Deed = Callable[[argparse.Namespace, int], Awaitable[int]]


def add_parsers(add: Add) -> None:
    """Add the sub-commands `token` and `account`."""
    token = add("token", _run(tokens), "Make an API token for a person and print it once; list or revoke the person's tokens.")
    token.add_argument("action", choices=["create", "list", "revoke"])
    token.add_argument("--for", dest="login", required=True, help="phone number or e-mail of the person")
    token.add_argument("--label", default="token")
    token.add_argument("--days", type=int, default=90)
    token.add_argument("--read-only", action="store_true")
    token.add_argument("--id", type=int, help="the token to revoke, by the number that `list` shows; without it, all of them")
    account = add("account", _run(account_deeds),
                  "Keep a person out at once (sign-ins, API tokens, open controls), or let them in again.")
    account.add_argument("action", choices=["close", "open"])
    account.add_argument("--for", dest="login", required=True, help="phone number or e-mail of the person")
    account.add_argument("--reason", required=True, help="why; it is kept with the deed")
    account.add_argument("--new-password", action="store_true", help="with open: ask for a new password")


def _run(deed: Deed) -> Callable[[Settings, argparse.Namespace], int]:
    async def within(settings: Settings, options: argparse.Namespace) -> int:
        async with open_house(settings, connections=2, is_brief=True):
            return await done(deed, options)

    return lambda settings, options: asyncio.run(within(settings, options))


async def done(deed: Deed, options: argparse.Namespace) -> int:
    """Do it for the person named, and return the exit status; a refusal is told on the error stream."""
    person_id = await accounts.known_person(options.login)
    if person_id is None:
        return _refused(f"nobody is on file with {options.login}")
    try:
        return await deed(options, person_id)
    except Invalid as refusal:
        return _refused("; ".join(error.msgid.format(**error.params) for error in refusal.errors))
    except KaiboError as refusal:
        return _refused(refusal.text.format(**refusal.params))


def _refused(text: str) -> int:
    print(f"kaibo: {text}", file=sys.stderr)
    return 1


async def tokens(options: argparse.Namespace, person_id: int) -> int:
    """Make, list or revoke API tokens."""
    if options.action == "create":
        print(await accounts.create_token(ACTOR, person_id, options.label, days=options.days, can_write=not options.read_only))
        return 0
    found = await queries.tokens_of(ACTOR, person_id)
    if options.action == "list":
        for one in found:
            state = f"revoked {one.revoked_at:%Y-%m-%d}" if one.revoked_at else f"until {one.expires_at:%Y-%m-%d}"
            print(f"{one.id}\t{one.label}\t{'read and write' if one.can_write else 'read only'}\t{state}")
        return 0
    chosen = [one for one in found if options.id in (None, one.id) and one.revoked_at is None]
    if not chosen:
        return _refused("this person has no such token that works")
    for one in chosen:
        await accounts.revoke_token(ACTOR, one.id)
        print(f"revoked {one.id} {one.label}")
    return 0


async def account_deeds(options: argparse.Namespace, person_id: int) -> int:
    """Close or open an account."""
    if options.action == "close":
        await accounts.close_account(ACTOR, person_id, options.reason)
        print("closed: sign-ins and API tokens have ended, open controls end within 5 seconds")
        return 0
    password = getpass.getpass("new password: ") if options.new_password else None
    await accounts.open_account(ACTOR, person_id, options.reason, password)
    print("open again; revoked tokens stay revoked")
    return 0
