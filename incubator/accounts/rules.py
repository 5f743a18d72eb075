"""What a name, an e-mail address, a login and a password must look like."""

import re

from incubator.accounts.passwords import LONGEST, SHORTEST
from incubator.ground.errors import N_, Invalid
from incubator.ground.values import bounded, phone, visible

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")
LONGEST_NAME = 60


def checked_name(text: str, field: str = "name", longest: int = LONGEST_NAME) -> str:
    """Return a name fit to be shown.

    Raises:
        Invalid: empty, or too long.
    """
    text = bounded(text, field, longest)
    if not text:
        raise Invalid.field(field, N_("Give a name."))
    return text


def checked_email(text: str, field: str = "email") -> str:
    """Return an e-mail address in lower case.

    Raises:
        Invalid: it does not look like one.
    """
    text = visible(text).lower()
    if not EMAIL.fullmatch(text) or len(text) > 200:
        raise Invalid.field(field, N_("An e-mail address looks like name@example.com."))
    return text


def as_login(text: str) -> str:
    """Return a login in the form in which it is kept: e-mail in lower case, or a bare phone number; else unchanged."""
    text = visible(text)
    if "@" in text:
        return text.lower()
    try:
        return phone(text)
    except Invalid:
        return text


def checked_password(text: str, field: str = "password") -> str:
    """Return the password.

    Raises:
        Invalid: too short or too long; no other rule, as NIST SP 800-63B advises.
    """
    if len(text) < SHORTEST:
        raise Invalid.field(field, N_("A password has at least {least} characters."), least=SHORTEST)
    if len(text) > LONGEST:
        raise Invalid.field(field, N_("A password has at most {most} characters."), most=LONGEST)
    return text
