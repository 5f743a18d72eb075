"""Sealing, opening, marking; the key file is made once."""

from pathlib import Path

import pytest

from incubator.ground.secrets import KEY_FILE, Keyring, SecretsError, keyring, new_key


def test_it_works() -> None:
    ring = Keyring(b"1" * 32)
    sealed = ring.seal("rtmp://push/live?key=密", "destination")
    assert b"rtmp" not in sealed
    assert ring.open(sealed, "destination") == "rtmp://push/live?key=密"


def test_a_sealed_value_opens_for_its_purpose_only() -> None:
    ring = Keyring(b"1" * 32)
    with pytest.raises(SecretsError):
        ring.open(ring.seal("x", "destination"), "password")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SecretsError):
        Keyring(b"2" * 32).open(Keyring(b"1" * 32).seal("x", "p"), "p")


def test_equal_texts_have_equal_marks_under_one_key() -> None:
    ring = Keyring(b"1" * 32)
    assert ring.mark("a", "p") == ring.mark("a", "p") != ring.mark("b", "p")
    assert ring.mark("a", "p") != Keyring(b"2" * 32).mark("a", "p")


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    sealed = keyring(tmp_path, None).seal("x", "p")
    assert keyring(tmp_path, None).open(sealed, "p") == "x"
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_given_key_wins(tmp_path: Path) -> None:
    key = new_key()
    assert keyring(tmp_path, key).open(keyring(tmp_path, key).seal("x", "p"), "p") == "x"
    assert not (tmp_path / KEY_FILE).exists()
