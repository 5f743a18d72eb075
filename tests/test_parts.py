"""A missing real part: a failure on CI, elsewhere a skip that says why."""

import pytest

from tests.parts import require_mounts


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_is_no_skip_on_ci(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no mounts"):
        require_mounts(["false"])
    require_mounts(["env"])
