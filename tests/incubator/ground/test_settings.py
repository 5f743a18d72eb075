"""A bad value stops the start and is named."""

import re
from pathlib import Path

import pytest

from incubator.ground import secrets
from incubator.ground.settings import BadSetting, load, refuse_public_demo


def test_it_works_without_any_variable() -> None:
    settings = load({})
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, True)
    assert settings.data.name == "var"


@pytest.mark.parametrize(("name", "value"), [
    ("PORT", "eighty"), ("PORT", "0"), ("PORT", "70000"), ("DATABASE_URL", "mysql://x"), ("REDIS_URL", "localhost"),
    ("KAIBO_DEMO", "perhaps"), ("KAIBO_BASE_URL", "kaibo.example"), ("KAIBO_DEMO_OBS_URL", "http://x"),
    ("KAIBO_SECRETS_KEY", "short"), ("KAIBO_SECRETS_KEY", "c2hvcnQ="), ("KAIBO_SECRETS_KEY", "schlüssel"),
])
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        load({name: value})


def test_a_demo_does_not_listen_beyond_loopback() -> None:
    with pytest.raises(BadSetting, match="KAIBO_DEMO_PUBLIC"):
        load({"HOST": "0.0.0.0"})
    assert load({"HOST": "0.0.0.0", "KAIBO_DEMO_PUBLIC": "1"}).demo_public
    assert not load({"HOST": "0.0.0.0", "KAIBO_DEMO": "0"}).demo


def test_what_once_was_a_demo_is_not_reached_from_outside_either() -> None:
    with pytest.raises(BadSetting, match="KAIBO_DEMO_PUBLIC"):
        refuse_public_demo(load({"HOST": "0.0.0.0", "KAIBO_DEMO": "0"}))
    refuse_public_demo(load({"HOST": "127.0.0.1", "KAIBO_DEMO": "0"}))
    refuse_public_demo(load({"HOST": "0.0.0.0", "KAIBO_DEMO_PUBLIC": "1"}))


def test_cookies_are_secure_behind_https_only() -> None:
    assert load({"KAIBO_BASE_URL": "https://kaibo.example"}).is_secure
    assert not load({}).is_secure


def test_the_readme_names_every_variable() -> None:
    asked: list[str] = []

    class Asked(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:
            asked.append(name)
            return default

    load(Asked())
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    assert len(asked) > 10
    assert [name for name in asked if f"`{name}`" not in readme and f"`{name}=" not in readme and f"{name}=" not in readme] == []


def _is_there(house: Path, named: str) -> bool:
    """Tell whether a file, folder or function that a text names exists."""
    module, _, name = named.rpartition(".")
    source = house / f"{module}.py"
    return (house / named).exists() or (source.exists() and f"def {name}(" in source.read_text("utf-8"))


def test_the_readme_and_the_tour_name_what_is_there() -> None:
    house = Path(__file__).parents[3]
    path = re.compile(r"`((?:incubator|booking|studio|frontend|tests|docs)/[\w/]+(?:\.\w+)?)`")
    named = [found for text in ("README.md", "docs/tour.md") for found in path.findall((house / text).read_text("utf-8"))]
    assert len(named) > 25
    assert [one for one in named if not _is_there(house, one)] == []


def test_a_key_is_taken_as_it_was_made_and_never_shown() -> None:
    made = secrets.new_key()
    assert load({"KAIBO_SECRETS_KEY": made}).secrets_key == made
    with pytest.raises(BadSetting) as refusal:
        load({"KAIBO_SECRETS_KEY": made[:-4]})
    assert made[:-4] not in str(refusal.value)
    assert "kaibo new-key" in str(refusal.value)
