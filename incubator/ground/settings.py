"""Settings from the environment, read once; a bad value stops the start and is named."""

import os
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")
KEY_BYTES = 32  # of the key that seals secrets


class BadSetting(Exception):
    """A variable of the environment has a value that cannot be used."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {expected}.")
        self.name = name


class Settings(msgspec.Struct, frozen=True):
    """What an installation may decide; paths are absolute, `None` means the default written beside it.

    `database_url` None: embedded PostgreSQL. `redis_url` None: embedded Valkey. `base_url` None: taken from the Host header.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str | None = None
    redis_url: str | None = None
    base_url: str | None = None
    demo: bool = True
    demo_public: bool = False
    demo_obs_url: str | None = None
    demo_obs_password: str | None = None
    secrets_key: str | None = None
    log_json: bool = False
    zones: tuple[str, ...] = ()

    @property
    def is_secure(self) -> bool:
        """Tell whether cookies must travel over TLS only."""
        return (self.base_url or "").startswith("https://")


def _key(text: str) -> str:
    if len(urlsafe_b64decode(text)) != KEY_BYTES:
        raise ValueError(text)
    return text


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(text)


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise ValueError(text)
    return number


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.split("://", maxsplit=1)[0] not in schemes or "://" not in text:
            raise ValueError(text)
        return text

    return parse


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings.

    Raises:
        BadSetting: one of them cannot be used; the message names it and says what is expected.
    """

    def get(name: str, parse: Callable[[str], T], default: T, expected: str) -> T:
        text = environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            shown = "***" if "PASSWORD" in name or "KEY" in name else text
            raise BadSetting(name, shown, expected) from error

    postgres = _url("postgres", "postgresql")
    redis = _url("redis", "rediss", "unix")
    found = Settings(
        data=get("KAIBO_DATA", Path, Path("var"), "expected a folder").absolute(),
        host=get("HOST", str, "127.0.0.1", "expected an address"),
        port=get("PORT", _port, 8000, "expected a port from 1 to 65535"),
        database_url=get("DATABASE_URL", postgres, None, "expected postgresql://user@host/database"),
        redis_url=get("REDIS_URL", redis, None, "expected redis://host:port or unix:///path"),
        base_url=get("KAIBO_BASE_URL", _url("http", "https"), None, "expected https://host"),
        demo=get("KAIBO_DEMO", _flag, True, "expected 0 or 1"),
        demo_public=get("KAIBO_DEMO_PUBLIC", _flag, False, "expected 0 or 1"),
        demo_obs_url=get("KAIBO_DEMO_OBS_URL", _url("ws", "wss"), None, "expected ws://host:port"),
        demo_obs_password=get("KAIBO_DEMO_OBS_PASSWORD", str, None, "expected a password"),
        secrets_key=get("KAIBO_SECRETS_KEY", _key, None, "expected a key made by `kaibo new-key`"),
        log_json=get("KAIBO_LOG_JSON", _flag, False, "expected 0 or 1"),
        zones=get("KAIBO_ZONES", lambda t: tuple(z.strip() for z in t.split(",") if z.strip()), (), "expected names"),
    )
    if found.demo:
        refuse_public_demo(found)
    return found


def refuse_public_demo(settings: Settings) -> None:
    """Refuse to let others reach a demo; one that was made stays one, whatever KAIBO_DEMO says later.

    Raises:
        BadSetting: others could reach it, and nobody has asked for that by name.
    """
    if not settings.demo_public and not is_loopback(settings.host):
        raise BadSetting(
            "HOST", settings.host, "a demo with known passwords listens on loopback only, unless KAIBO_DEMO_PUBLIC=1")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
