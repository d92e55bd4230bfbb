"""The app reads folders inside its roots and nowhere else, whatever the path says."""

from pathlib import Path

import pytest

from url_viz.errors import NotAllowedError
from url_viz.ui.allowed_paths import allowed, openable, roots


@pytest.fixture
def rooted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "allowed"
    (root / "cats").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (tmp_path / "secret").mkdir()
    monkeypatch.setenv("URL_VIZ_ROOTS", str(root))
    return root


def test_what_lies_inside_is_allowed_and_nothing_else(rooted: Path) -> None:
    assert roots() == (rooted.resolve(),)
    assert allowed(rooted / "cats") == (rooted / "cats").resolve()
    (rooted / "door").symlink_to(rooted.parent / "secret")
    rooted.with_name("allowed-not").mkdir()  # a name that starts like that of a root
    for way in ("../secret", "cats/../../secret", "/etc", "door", "../allowed-not"):
        with pytest.raises(NotAllowedError, match="URL_VIZ_ROOTS"):
            allowed(rooted / way)
    assert [path.name for path in openable(rooted)] == ["cats"]
