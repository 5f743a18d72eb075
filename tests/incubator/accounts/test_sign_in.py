"""Signing in and out, sessions, tokens and passwords."""

from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher

from incubator.accounts import passwords, queries, service
from incubator.ground import database
from incubator.ground.audit import queries as audit
from incubator.ground.errors import Forbidden, Invalid, NotFound
from incubator.ground.notices import queries as notices
from incubator.ground.rights import Role
from tests.people import HOUSE, PASSWORD, People


@pytest.mark.parametrize("login", ["13800000001", "+86 138 0000 0001", "alice@example.com", "Alice@Example.com "])
async def test_it_works(people: People, login: str) -> None:
    token = await service.sign_in(login, PASSWORD)
    session = await queries.by_cookie(token)
    assert session is not None
    assert session.actor.person_id == people.alice.person_id
    assert session.actor.merchant_id == people.sunrise_id
    assert session.actor.belongs_to(people.sunrise_id, Role.OWNER)


@pytest.mark.parametrize(("login", "password"), [
    ("13800000001", "wrong"), ("13899999999", PASSWORD), ("", ""), ("x@y.zz", "x" * 5000),
])
async def test_what_does_not_fit_is_refused_alike(people: People, login: str, password: str) -> None:
    with pytest.raises(service.WrongSignIn):
        await service.sign_in(login, password)


async def test_each_sign_in_has_a_token_of_its_own(people: People) -> None:
    assert await service.sign_in("13800000001", PASSWORD) != await service.sign_in("13800000001", PASSWORD)


async def test_only_the_hash_is_kept(people: People) -> None:
    token = await service.sign_in("13800000001", PASSWORD)
    kept = await database.fetchval("SELECT token_hash FROM sign_ins")
    assert token.encode() not in kept


async def test_signing_out_closes_it(people: People) -> None:
    token = await service.sign_in("13800000001", PASSWORD)
    await service.sign_out(token)
    await service.sign_out(token)
    assert await queries.by_cookie(token) is None


async def test_staff_stay_twelve_hours_merchants_ninety_days(people: People) -> None:
    for login, longest in (("13800000004", timedelta(hours=12)), ("13800000001", timedelta(days=90))):
        await service.sign_in(login, PASSWORD)
        kept = await database.fetchval("SELECT expires_at - created_at FROM sign_ins ORDER BY expires_at DESC LIMIT 1")
        assert abs(kept - longest) < timedelta(seconds=1)


async def test_a_merchant_idle_for_a_month_is_out(people: People) -> None:
    token = await service.sign_in("13800000001", PASSWORD)
    await database.execute("UPDATE sign_ins SET last_seen_at = now() - interval '31 days'")
    assert await queries.by_cookie(token) is None


async def test_a_closed_account_is_out_at_once(people: People) -> None:
    alice = people.alice.person_id or 0
    cookie, token = await service.sign_in("13800000001", PASSWORD), await service.create_token(people.alice, alice, "till")
    await service.close_account(people.ada, alice, "phone stolen")
    assert await queries.by_cookie(cookie) is None
    assert await queries.by_api_token(token) is None
    with pytest.raises(service.WrongSignIn):
        await service.sign_in("13800000001", PASSWORD)
    [newest] = (await audit.history_of("person", alice))[:1]
    assert (newest.verb, newest.actor, newest.reason) == ("close_account", "Ada", "phone stolen")


async def test_an_opened_account_brings_nothing_old_back(people: People) -> None:
    alice = people.alice.person_id or 0
    cookie, token = await service.sign_in("13800000001", PASSWORD), await service.create_token(people.alice, alice, "till")
    await service.close_account(people.ada, alice, "phone stolen")
    await service.open_account(people.ada, alice, "she has a new one", "another long one")
    assert await queries.by_cookie(cookie) is None
    assert await queries.by_api_token(token) is None
    with pytest.raises(service.WrongSignIn):
        await service.sign_in("13800000001", PASSWORD)
    assert await service.sign_in("13800000001", "another long one")


async def test_only_administrators_close_accounts(people: People) -> None:
    for verb in (service.close_account, service.open_account):
        for actor in (people.alice, people.dora, people.mia):
            with pytest.raises(Forbidden):
                await verb(actor, people.bob.person_id or 0, "so")
        with pytest.raises(NotFound):
            await verb(people.ada, 0, "so")
        with pytest.raises(Invalid):
            await verb(people.ada, people.bob.person_id or 0, "")


async def test_a_token_is_revoked_by_its_person_and_administrators(people: People) -> None:
    for actor in (people.alice, people.ada):
        token = await service.create_token(people.alice, people.alice.person_id or 0, "till")
        newest = (await queries.tokens_of(people.alice, people.alice.person_id or 0))[-1]
        with pytest.raises(NotFound):
            await service.revoke_token(people.bob, newest.id)
        assert await queries.by_api_token(token) is not None
        await service.revoke_token(actor, newest.id)
        await service.revoke_token(actor, newest.id)
        assert await queries.by_api_token(token) is None
    assert await queries.tokens_of(people.bob, people.alice.person_id or 0) == []


async def test_a_new_password_names_the_tokens_that_live_on(people: People) -> None:
    alice = people.alice.person_id or 0
    await service.change_password(people.alice, PASSWORD, "another long one")
    assert await notices.latest(alice) == []
    for label in ("till", "wall"):
        await service.create_token(people.alice, alice, label)
    await service.revoke_token(people.alice, (await queries.tokens_of(people.alice, alice))[0].id)
    await service.change_password(people.alice, "another long one", PASSWORD)
    [notice] = await notices.latest(alice)
    assert (notice.msgid, notice.params) == (service.TOKENS_LEFT, {"tokens": ["wall"]})


async def test_leaving_a_merchant_works_with_the_next_request(people: People) -> None:
    token = await service.sign_in("13800000002", PASSWORD)
    await service.end_grant(people.bob, people.bob.person_id or 0, Role.MEMBER, "merchant", people.sunrise_id)
    session = await queries.by_cookie(token)
    assert session is not None
    assert session.actor.merchant_ids == frozenset()
    assert session.actor.merchant_id is None


async def test_acting_for_another_merchant(people: People) -> None:
    await service.grant(HOUSE, people.alice.person_id or 0, Role.MEMBER, "merchant", people.other_id)
    token = await service.sign_in("13800000001", PASSWORD)
    alice = await queries.actor_of(people.alice.person_id or 0)
    assert alice is not None
    await service.act_for(alice, token, people.other_id)
    session = await queries.by_cookie(token)
    assert session is not None
    assert session.actor.merchant_id == people.other_id


async def test_nobody_acts_for_strangers(people: People) -> None:
    token = await service.sign_in("13800000001", PASSWORD)
    with pytest.raises(Forbidden):
        await service.act_for(people.alice, token, people.other_id)


async def test_a_new_password_closes_the_other_sign_ins(people: People) -> None:
    here, there = await service.sign_in("13800000001", PASSWORD), await service.sign_in("13800000001", PASSWORD)
    await service.change_password(people.alice, PASSWORD, "another long one", keep_token=here)
    assert await queries.by_cookie(there) is None
    assert await queries.by_cookie(here) is not None
    assert await service.sign_in("13800000001", "another long one")


@pytest.mark.parametrize(("old", "new", "field"), [("wrong", "another long one", "old"), (PASSWORD, "short", "new")])
async def test_a_weak_or_unproven_password_is_refused(people: People, old: str, new: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await service.change_password(people.alice, old, new)
    assert refusal.value.errors[0].field == field


async def test_a_token_acts_for_its_person_until_it_expires(people: People) -> None:
    token = await service.create_token(people.alice, people.alice.person_id or 0, "till", can_write=False)
    session = await queries.by_api_token(token)
    assert session is not None
    assert (session.actor.name, session.can_write) == ("Alice", False)
    await database.execute("UPDATE api_tokens SET expires_at = now()")
    assert await queries.by_api_token(token) is None


async def test_nobody_makes_tokens_for_others(people: People) -> None:
    with pytest.raises(Forbidden):
        await service.create_token(people.alice, people.bob.person_id or 0, "mine now")


class Counted(PasswordHasher):
    """A hasher that counts what costs time: a hash made and a hash verified cost the same."""

    def __init__(self, usual: PasswordHasher) -> None:
        super().__init__(usual.time_cost, usual.memory_cost, usual.parallelism)
        self.worked = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        """Hash, and count."""
        self.worked += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 -- the library's name
        """Verify, and count."""
        self.worked += 1
        return super().verify(hash, password)


@pytest.mark.parametrize(("login", "password"), [("13800000001", "wrong"), ("13899999999", "wrong"), ("nobody@example.com", PASSWORD),
                                                 ("", ""), ("13800000002", PASSWORD)])
async def test_timing_tells_nobody_who_is_on_file(people: People, monkeypatch: pytest.MonkeyPatch, login: str,
                                                  password: str) -> None:
    """A login that is unknown, or whose account is closed, costs the same one hash as a wrong password."""
    await database.execute("UPDATE accounts SET disabled_at = now() WHERE person = $1", people.bob.person_id)
    counted = Counted(passwords.hasher)
    monkeypatch.setattr(passwords, "hasher", counted)
    with pytest.raises(service.WrongSignIn):
        await service.sign_in(login, password)
    assert counted.worked == 1
