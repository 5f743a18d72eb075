"""A bad value stops the start and is named."""

import pytest

from incubator.ground.settings import BadSetting, load


def test_it_works_without_any_variable() -> None:
    settings = load({})
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, True)
    assert settings.data.name == "var"


@pytest.mark.parametrize(("name", "value"), [
    ("PORT", "eighty"), ("PORT", "0"), ("PORT", "70000"), ("DATABASE_URL", "mysql://x"), ("REDIS_URL", "localhost"),
    ("KAIBO_DEMO", "perhaps"), ("KAIBO_BASE_URL", "kaibo.example"), ("KAIBO_DEMO_OBS_URL", "http://x"),
])
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        load({name: value})


def test_a_demo_does_not_listen_beyond_loopback() -> None:
    with pytest.raises(BadSetting, match="KAIBO_DEMO_PUBLIC"):
        load({"HOST": "0.0.0.0"})
    assert load({"HOST": "0.0.0.0", "KAIBO_DEMO_PUBLIC": "1"}).demo_public
    assert not load({"HOST": "0.0.0.0", "KAIBO_DEMO": "0"}).demo


def test_cookies_are_secure_behind_https_only() -> None:
    assert load({"KAIBO_BASE_URL": "https://kaibo.example"}).is_secure
    assert not load({}).is_secure
