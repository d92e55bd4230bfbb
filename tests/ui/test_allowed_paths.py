"""The app reads folders inside its roots and nowhere else, whatever the path says."""

from pathlib import Path

import pytest
from streamlit import config

from tests.annotated_sets import write_annotated
from tests.imaging.pictures import write_folder
from tests.sealing import with_seal
from tests.ui.pages import opened
from url_viz.base.errors import DamageError, FolderError, NotAllowedError
from url_viz.base.files import sealed
from url_viz.base.workspace import Workspace
from url_viz.store.allowed_folders import allow, allowed_folders, take_back
from url_viz.ui.auth import allowed, openable, proposed_folder, roots


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


def test_what_the_owner_allowed_is_read_until_it_is_taken_back(
    rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_TOKEN", "auto")
    secret, file = rooted.parent / "secret", rooted.parent / "a:b" / "list.csv"
    file.parent.mkdir()
    file.write_text("path")
    assert allow(home, secret) == allow(home, secret) == (secret.resolve(),)
    assert allow(home, file) == (file.resolve(),)
    assert roots() == (rooted.resolve(), secret.resolve(), file.resolve())
    assert allowed(secret / "x.jpg") == secret.resolve() / "x.jpg"
    for name, value in (("URL_VIZ_TOKEN", "off"), ("URL_VIZ_ALLOWED_HOSTS", "pictures.example")):
        with monkeypatch.context() as shared:
            shared.setenv(name, value)
            with pytest.raises(NotAllowedError, match="outside the folders"):
                allowed(secret)
    for name, setting in (("baseUrlPath", "x"), ("corsAllowedOrigins", ["https://x.example"]), ("enableCORS", False)):
        before = config.get_option(f"server.{name}")
        config.set_option(f"server.{name}", setting)
        try:
            with pytest.raises(NotAllowedError, match="outside the folders"):
                allowed(secret)
        finally:
            config.set_option(f"server.{name}", before)
    with monkeypatch.context() as shared:
        shared.setattr("url_viz.ui.auth.listens_to_others", lambda: True)
        with pytest.raises(NotAllowedError, match="outside the folders"):
            allowed(secret)
    take_back(home, secret)
    assert allowed_folders(home) == (file.resolve(),)
    with pytest.raises(NotAllowedError):
        allowed(secret)


def test_a_new_folder_is_proposed_where_it_may_be_made(
    rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_TOKEN", "auto")
    assert proposed_folder(rooted / "cats", "cats-sorted") == rooted.resolve() / "cats-sorted"
    allow(home, rooted.parent / "secret")
    assert proposed_folder(rooted.parent / "secret", "secret-sorted") == rooted.resolve() / "secret-sorted"
    allowed(proposed_folder(rooted.parent / "secret", "secret-sorted"))


def test_a_damaged_record_is_told(rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    allow(home, rooted)
    home.allowed.write_bytes(home.allowed.read_bytes().replace(b"allowed", b"anybody"))
    with pytest.raises(DamageError, match="allow the folders again"):
        roots()


@pytest.mark.parametrize("folder", ["a\\u0000b", "/a\\u0000b", "/\\ud800", "photos", ""])
def test_a_record_may_hold_what_is_no_path(
    rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    home.allowed.write_bytes(with_seal(f'{{"folders": ["{folder}"]}}'.encode()))
    with pytest.raises(DamageError, match=r"is damaged .*allow the folders again"):
        roots()
    assert "allow the folders again" in opened().error[0].value


def test_neither_what_is_not_there_nor_the_folders_of_all_users_are_allowed(
    rooted: Path, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    monkeypatch.setenv("HOME", str(rooted / "cats"))
    for path, why in (
        ("/typo", "does not exist"),
        ("/data.tar", "does not exist"),
        (str(rooted.parent / "unplugged" / "photos"), "does not exist"),
        ("/", "holds the folders of all users"),
        (str(rooted), "holds the folders of all users"),
        (str(rooted.parent), "holds the folders of all users"),
    ):
        with pytest.raises(FolderError, match=why):
            allow(home, Path(path))
    assert allowed_folders(home) == ()
    home.allowed.write_text(sealed({"folders": ["/", str(rooted.parent / "secret")]}))
    assert allowed_folders(home) == (rooted.parent / "secret",)


def test_of_a_file_it_is_allowed_with_the_folder_of_what_it_lists(
    rooted: Path, home: Workspace, tmp_path: Path
) -> None:
    annotations = write_annotated(tmp_path / "set", "COCO")
    assert allow(home, annotations) == (annotations, tmp_path / "set" / "images")
    lists, pictures = tmp_path / "lists", write_folder(tmp_path / "lists" / "pictures", 2)
    one = next(pictures.rglob("*.jpg"))
    (lists / "some.csv").write_text(f"path\n{one}\n{rooted}/cats/a.jpg\n/etc/b.jpg\na\0b.jpg")
    (lists / "all.tar").write_bytes(b"tar")
    (lists / "beside.txt").write_text(f"{one.relative_to(lists)}\nc.jpg")
    assert allow(home, lists / "all.tar") == (lists / "all.tar",)
    assert allow(home, lists / "some.csv") == (lists / "some.csv", one.parent)
    assert allow(home, lists / "beside.txt") == (lists / "beside.txt", lists)
