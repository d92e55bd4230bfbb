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


def test_inside_is_allowed(rooted: Path) -> None:
    assert roots() == (rooted.resolve(),)
    assert allowed(rooted / "cats") == (rooted / "cats").resolve()


@pytest.mark.parametrize("way", ["../secret", "cats/../../secret", "/etc"])
def test_outside_is_refused_with_the_next_step(rooted: Path, way: str) -> None:
    with pytest.raises(NotAllowedError, match="URL_VIZ_ROOTS"):
        allowed(rooted / way)


def test_a_symlink_out_is_refused_and_not_listed(rooted: Path) -> None:
    (rooted / "door").symlink_to(rooted.parent / "secret")
    with pytest.raises(NotAllowedError):
        allowed(rooted / "door")
    assert [path.name for path in openable(rooted)] == ["cats"]


def test_a_folder_whose_name_starts_like_a_root_is_outside(rooted: Path) -> None:
    beside = rooted.with_name("allowed-not")
    beside.mkdir()
    with pytest.raises(NotAllowedError):
        allowed(beside)
