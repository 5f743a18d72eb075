"""Encryption of stream keys and passwords with a key that lies outside the database."""

import base64
import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from incubator.ground.settings import KEY_BYTES

KEY_FILE = "secrets.key"


class SecretsError(Exception):
    """The key is missing, malformed, or not the one that sealed the text."""


class Keyring:
    """Seals, opens and fingerprints secrets; one per process."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise SecretsError(f"The secrets key must have {KEY_BYTES} bytes.")
        self._aead = AESGCM(hashlib.sha256(b"seal" + key).digest())
        self._mac = hashlib.sha256(b"mark" + key).digest()

    def seal(self, text: str, purpose: str) -> bytes:
        """Encrypt a text; `purpose` must be named again to open it, so that a sealed value cannot be moved elsewhere."""
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, text.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """Decrypt.

        Raises:
            SecretsError: another key or purpose sealed it.
        """
        try:
            return self._aead.decrypt(sealed[:12], sealed[12:], purpose.encode()).decode()
        except InvalidTag as error:
            raise SecretsError("This value was sealed with another key.") from error

    def mark(self, text: str, purpose: str) -> str:
        """Return a keyed hash (HMAC-SHA-256, hex): equal texts have equal marks, and nobody without the key can guess them."""
        return hmac.new(self._mac, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def new_key() -> str:
    """Return a fresh key as text."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def keyring(data: Path, given: str | None) -> Keyring:
    """Return the keyring of this installation: the key given in settings, or the file in the data folder, made at first use.

    Raises:
        SecretsError: the key cannot be read.
    """
    if given:
        return Keyring(_decode(given))
    path = data / KEY_FILE
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # the first of several starting processes wins
            os.link(temporary, path)
        temporary.unlink()
    return Keyring(_decode(path.read_text().strip()))


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text)
    except ValueError as error:
        raise SecretsError("The secrets key is not base64.") from error


_current: Keyring | None = None


def use(ring: Keyring) -> None:
    """Set the keyring of this process; called once by each process's composition."""
    global _current  # noqa: PLW0603 -- one keyring per process is the point
    _current = ring


def current() -> Keyring:
    """Return the keyring of this process.

    Raises:
        SecretsError: `use` was not called.
    """
    if _current is None:
        raise SecretsError("No secrets key was loaded.")
    return _current
