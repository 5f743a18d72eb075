"""People, their accounts, roles, sign-ins and API tokens."""

from piccolo.columns import UUID, BigInt, BigSerial, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table


class Person(Table, tablename="people"):
    """One human; phone bare, e-mail lower case; both may be absent."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    name = Text(null=False)
    name_latin = Text(null=False)
    search = Text(null=False)
    phone = Text(null=True, default=None, unique=True)
    email = Text(null=True, default=None, unique=True)
    locale = Text(null=True)
    version = Integer(null=False)
    created_at = Timestamptz(null=False)


class Account(Table, tablename="accounts"):
    """What lets one person sign in."""

    person = BigInt(primary_key=True)
    password_hash = Text(null=False, secret=True)
    disabled_at = Timestamptz(null=True, default=None)


class RoleGrant(Table, tablename="grants"):
    """One role of one person within one scope; ended rather than deleted."""

    id = BigSerial(primary_key=True)
    uid = UUID(unique=True, null=False)
    person = BigInt(null=False)
    role = Text(null=False)
    scope = Text(null=False)
    site = BigInt(null=True, default=None)
    merchant = BigInt(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)


class SignIn(Table, tablename="sign_ins"):
    """One signed-in browser, found by the hash of its cookie."""

    token_hash = Bytea(primary_key=True)
    person = BigInt(null=False)
    acting_merchant = BigInt(null=True, default=None)
    is_staff = Boolean(null=False)
    created_at = Timestamptz(null=False)
    last_seen_at = Timestamptz(null=False)
    expires_at = Timestamptz(null=False)
    agent = Text(null=False)


class ApiToken(Table, tablename="api_tokens"):
    """One token of a program that acts for a person, found by its hash."""

    id = BigSerial(primary_key=True)
    token_hash = Bytea(unique=True, null=False)
    person = BigInt(null=False)
    label = Text(null=False)
    can_write = Boolean(null=False)
    created_at = Timestamptz(null=False)
    expires_at = Timestamptz(null=False)
    revoked_at = Timestamptz(null=True, default=None)
