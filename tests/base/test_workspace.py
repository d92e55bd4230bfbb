"""A workspace is made where it is asked for and strangers are refused; addresses in object storage have no secret."""

import os
import pickle
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sealing import with_seal
from url_viz.base.errors import BucketError, WorkspaceError
from url_viz.base.files import replaced, sealed, unsealed
from url_viz.base.workspace import (
    SCHEMA_VERSION,
    BucketAddress,
    Workspace,
    address_in,
    default_workspace,
    is_in_bucket,
    refuse_credentials,
    root_of,
    set_id_of,
)
from url_viz.imaging.scan import absolute, scan


class TestDefault:
    """`$URL_VIZ_HOME`, else `~/.url_viz`."""

    @pytest.mark.parametrize("home", ["", "~"])
    def test_the_environment_names_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("URL_VIZ_HOME", f"{home or tmp_path}/named")
        assert default_workspace() == tmp_path / "named"
        assert Workspace.at().root == tmp_path / "named"
        assert Workspace.at(Path("~/other")).root == tmp_path / "other"

    @pytest.mark.parametrize("value", ["", None])
    def test_else_it_lies_at_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("URL_VIZ_HOME")
        if value is not None:
            monkeypatch.setenv("URL_VIZ_HOME", value)
        assert default_workspace() == tmp_path / ".url_viz"


class TestOpening:
    """Made where it is new, opened where it is there, refused where it cannot be read."""

    @pytest.mark.parametrize("name", ["two\nlines", "tab\tbed", "del\x7f", "no\udcffutf8"])
    def test_a_path_that_lancedb_cannot_open_is_refused_before_anything_is_made(
        self, tmp_path: Path, name: str
    ) -> None:
        with pytest.raises(WorkspaceError, match="holds a line break, another control character or bytes"):
            Workspace.at(tmp_path / name / "below")
        assert not os.listdir(tmp_path)

    @pytest.mark.parametrize("name", ["a space", "%0A # ? '\"\\ *", "ünï😀code"])
    def test_odd_names_that_it_can_open_are_none(self, tmp_path: Path, name: str) -> None:
        assert Workspace.at(tmp_path / name).root == tmp_path / name

    def test_made_once_and_opened_again(self, tmp_path: Path) -> None:
        first = Workspace.at(tmp_path / "a" / "b")
        stamp = first.about.stat().st_mtime_ns
        assert Workspace.at(tmp_path / "a" / "b") == Workspace.at(str(tmp_path / "a" / "b")) == first
        assert first.about.stat().st_mtime_ns == stamp
        assert unsealed(first.about.read_text()) == {"schema_version": SCHEMA_VERSION}

    def test_a_relative_path_stays_the_same_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        workspace = Workspace.at(Path("here"))
        monkeypatch.chdir("/")
        assert workspace.about.exists()

    def test_a_newer_one_is_refused(self, tmp_path: Path) -> None:
        Workspace.at(tmp_path).about.write_text(sealed({"schema_version": SCHEMA_VERSION + 1}))
        with pytest.raises(WorkspaceError, match=r"schema 3.*Update URL-Viz"):
            Workspace.at(tmp_path)

    def test_an_older_one_is_refused_with_the_command_that_reads_anew_and_stays(self, tmp_path: Path) -> None:
        about = Workspace.at(tmp_path).about
        about.write_text(sealed({"schema_version": SCHEMA_VERSION - 1}))
        before = about.read_bytes()
        with pytest.raises(WorkspaceError, match=r"schema 1, .*\$URL_VIZ_HOME, and .*`url-viz embed FOLDER`"):
            Workspace.at(tmp_path)
        assert about.read_bytes() == before

    @pytest.mark.parametrize(
        "text",
        [
            *("", "{", "[]", "null", "{}", '{"schema_version": "x"}', '{"schema_version": null}'),
            *('{"schema_version": Infinity}', '{"schema_version": 1e999}'),
        ],
    )
    def test_a_damaged_label_says_how_to_mend_it(self, tmp_path: Path, text: str) -> None:
        Workspace.at(tmp_path).about.write_bytes(with_seal(text.encode()))
        with pytest.raises(WorkspaceError, match="is damaged") as caught:
            Workspace.at(tmp_path)
        assert "remove that file" in str(caught.value)
        (tmp_path / "workspace.json").unlink()
        Workspace.at(tmp_path)

    def test_a_place_that_is_a_file_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for root in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(WorkspaceError, match=r"Cannot write to the workspace .*--workspace"):
                Workspace.at(root)


class TestSets:
    """A set's folder has a plain id, and nothing else gets near the file system."""

    def test_ids_are_stable_and_tell_folders_apart(self) -> None:
        assert set_id_of(Path("/a/b")) == set_id_of(Path("/a/b"))
        assert len({set_id_of(Path(p)) for p in ("/a/b", "/a/c", "/a", "/a/b/c", "/a/\udcff")}) == 5

    def test_all_of_a_set_lies_in_its_folder(self, tmp_path: Path) -> None:
        workspace = Workspace.at(tmp_path)
        paths = workspace.set_paths(set_id_of(Path("/a")))
        assert paths.folder.parent == workspace.sets
        assert {p.parent for p in (paths.about, paths.tables, paths.lock)} == {paths.folder}

    @pytest.mark.parametrize(
        "wrong", ["", "..", "../../../../../etc", "0" * 15, "0" * 17, "G" * 16, "０" * 16, "A" * 16]
    )
    def test_anything_but_a_plain_id_is_refused(self, tmp_path: Path, wrong: str) -> None:
        with pytest.raises(WorkspaceError, match="16 hexadecimal digits"):
            Workspace.at(tmp_path).set_paths(wrong)


class TestForItsOwnerAlone:
    """A workspace holds thumbnails and decisions, and other people may have accounts on this machine."""

    @pytest.fixture(autouse=True)
    def _usual_umask(self) -> Iterator[None]:
        before = os.umask(0o022)
        yield
        os.umask(before)

    def test_what_is_made_for_it_is(self, tmp_path: Path) -> None:
        Workspace.at(tmp_path / "a" / "b" / "workspace")
        for made in ("a", "a/b", "a/b/workspace"):
            assert stat.S_IMODE((tmp_path / made).stat().st_mode) == 0o700

    def test_what_is_there_stays_as_it_is(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o775)
        Workspace.at(shared)
        assert stat.S_IMODE(shared.stat().st_mode) == 0o775


def test_others_may_read_what_is_written_as_far_as_the_umask_lets_them(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    with replaced(tmp_path / "replaced") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "replaced").stat().st_mode == plain.stat().st_mode


def test_a_workspace_lies_in_no_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("URL_VIZ_HOME", "s3://pics/home")
    for named in (None, "s3://pics/home", Path("s3://pics/home")):
        with pytest.raises(WorkspaceError, match="an address in object storage"):
            Workspace.at(named)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("named", ["s3://pics/a/b", "s3://pics/a/b/", "S3://pics//a/b", Path("s3://pics/a/b")])
def test_an_address_is_the_same_however_it_is_written(named: str | Path) -> None:
    root = root_of(named)
    assert isinstance(root, BucketAddress)
    assert str(root) == os.fspath(root) == f"{root}" == "s3://pics/a/b"
    assert (root.name, root.parent.name, str(root.parent)) == ("b", "a", "s3://pics/a")


def test_an_address_stands_where_a_path_may() -> None:
    root = root_of("gs://pics/a")
    assert root == root_of("gs://pics/a/") == pickle.loads(pickle.dumps(root))  # noqa: S301 - our own
    assert root.resolve() is root
    assert root.expanduser() == root.absolute() == root
    assert not root.exists()
    assert not root.is_dir()
    assert root.is_relative_to(root_of("gs://pics"))
    assert not root.is_relative_to(root_of("gs://pic"))
    assert not root.is_relative_to(root_of("s3://pics"))
    assert str(root_of("az://pics")) == "az://pics"
    assert [str(path) for path in root.parents] == ["gs://pics", "gs:", "."]
    assert root not in Path("/gs:/pics/a/b").parents
    assert str(root / "b.png") == "gs://pics/a/b.png"


@pytest.mark.parametrize("named", ["photos", "/s3/photos", "~/x", "s3", "https://pics.example/a", "./gs"])
def test_a_folder_is_a_folder(named: str) -> None:
    assert address_in(named) is None
    assert root_of(named) == Path(named).expanduser().resolve()
    assert not is_in_bucket(root_of(named))


SECRETS = [
    "s3://KEY:sesame@pics/a",
    "s3://KEY:ses/ame@pics/a",
    "s3://sesame@pics",
    "s3://KEY:sesame/a",
    "S3://KEY%3Asesame%40pics/a",
    "az://pics/a?sv=1&sig=sesame",
]


@pytest.mark.parametrize("named", SECRETS)
def test_an_address_with_a_secret_is_refused_without_showing_it(named: str) -> None:
    for call in (lambda: root_of(named), lambda: address_in(Path(named)), lambda: refuse_credentials(["--x=" + named])):
        with pytest.raises(BucketError) as refused:
            call()
        assert "ses" not in str(refused.value)
        assert "KEY" not in str(refused.value)


@pytest.mark.parametrize("named", ["s3://", "s3:///", "s3://pi cs/a", "s3://pics/../other", "s3://.pics"])
def test_what_is_no_address_is_refused(named: str) -> None:
    with pytest.raises(BucketError, match="s3://bucket/folder"):
        root_of(named)


def test_what_works_on_files_says_so_of_an_address() -> None:
    for call in (lambda: absolute(root_of("s3://pics/a"), b"1.png"), lambda: scan(Path("s3://pics/a"))):
        with pytest.raises(Exception, match="'s3://pics/a' lie in object storage, and this works on files"):
            call()
