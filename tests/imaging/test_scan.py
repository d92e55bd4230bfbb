"""A scan finds every picture once, in a fixed order, whatever the names, and tells what it passed over."""

import os
from pathlib import Path

import pytest

from tests.imaging.pictures import noise, write_folder
from url_viz.base.errors import FolderError
from url_viz.imaging.scan import display_name, scan


def paths(root: Path) -> list[bytes]:
    return [file.path for file in scan(root).files]


def test_finds_pictures_in_order_and_counts_the_rest(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", 2)
    write_folder(tmp_path / "a", 1)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "README").write_text("x")
    scanned = scan(tmp_path)
    assert [f.path for f in scanned.files] == [b"a/0000.jpg", b"b/0000.jpg", b"b/0001.jpg"]
    assert dict(scanned.other) == {".txt": 1, "no extension": 1}


def test_hidden_and_shadow_folders_are_passed_over(tmp_path: Path) -> None:
    write_folder(tmp_path / ".cache", 1)
    write_folder(tmp_path / "__MACOSX", 1)
    write_folder(tmp_path / "kept", 1)
    noise(1).save(tmp_path / "._shadow.jpg")
    assert paths(tmp_path) == [b"kept/0000.jpg"]


def test_a_loop_of_symlinks_ends(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", 1)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert paths(tmp_path) == [b"a/0000.jpg"]


def test_a_symlink_to_itself_is_a_candidate_that_reading_will_explain(tmp_path: Path) -> None:
    write_folder(tmp_path, 1)
    (tmp_path / "itself.png").symlink_to("itself.png")
    (tmp_path / "folder").symlink_to("folder")
    assert paths(tmp_path) == [b"0000.jpg", b"itself.png"]


@pytest.mark.parametrize("name", [b"new\nline.jpg", b'quote".jpg', b"\xff\xfe.jpg", "日本🙂.jpg".encode(), b"-rf.jpg"])
def test_odd_names_are_found_and_shown(tmp_path: Path, name: bytes) -> None:
    noise(1).save(tmp_path / "plain.jpg")
    os.rename(os.fsencode(tmp_path / "plain.jpg"), os.path.join(os.fsencode(tmp_path), name))
    assert paths(tmp_path) == [name]
    assert display_name(name).isprintable()


def test_ids_depend_on_the_path_alone_and_fit_63_bits(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", 50)
    write_folder(tmp_path / "two", 50, start=7)
    ids = [[f.id for f in scan(tmp_path / folder).files] for folder in ("one", "two")]
    assert len(set(ids[0])) == 50
    assert ids[0][7:] == ids[1][:43]
    assert all(0 <= i < 2**63 for i in ids[0])


def test_pipes_are_candidates_which_reading_refuses(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert [f.path for f in scan(tmp_path).files] == [b"pipe.png"]


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not exist"):
        scan(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="is a file"):
        scan(tmp_path / "file")
