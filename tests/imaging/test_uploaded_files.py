"""Hostile names become plain ones, and copies never write over what is there."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.encode import chunk, png_header, text_bomb
from tests.imaging.pictures import encoded, noise
from url_viz.errors import FolderError
from url_viz.imaging.uploaded_files import IncomingFile, copy_into, is_ignored, safe_name, unique_names


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.jpg", "cat.jpg"),
        ("<img src=x onerror=alert(1)>.png", "_img src_x onerror_alert(1)_.png"),
        ("..", "picture"),
        (".hidden.jpg", "hidden.jpg"),
        ("", "picture"),
        ("CON.jpg", "picture_CON.jpg"),
        ("/abs.png", "abs.png"),
        ("a\x00b\nc.jpg", "a_b_c.jpg"),
        ("Käfer 世界.jpg", "Käfer 世界.jpg"),
        ("folder/", "folder"),
        (".jpg", "jpg"),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["a/.hidden.jpg", ".git/x.jpg", "__MACOSX/x.jpg", "a\\.b\\c.jpg"])
def test_what_a_scan_passes_over_is_passed_over(name: str) -> None:
    assert is_ignored(name)
    assert not is_ignored("../" + name.replace(".", "").replace("__MACOSX", "macosx").replace("git", "g"))


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_a_safe_name_stays_in_its_folder_and_is_short(name: str) -> None:
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert 0 < len(safe.encode()) <= 120
    assert safe.isprintable()


def test_names_are_each_there_once_whatever_their_case() -> None:
    assert list(unique_names(["a.jpg", "A.jpg", "a.jpg", "a-2.jpg"])) == ["a.jpg", "A-2.jpg", "a-3.jpg", "a-2-2.jpg"]


def test_a_copy_overwrites_nothing_and_is_not_made_twice(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "new"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"mine")
    files = [IncomingFile("x/a.jpg", b"one"), IncomingFile("y/a.jpg", b"two"), IncomingFile("z/a.jpg", b"mine")]
    copies = copy_into(folder, files)
    assert [path.name for path in copies.written] == ["a-2.jpg", "a-3.jpg"]
    assert [path.name for path in copies.already_there] == ["a.jpg"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.jpg": b"mine",
        "a-2.jpg": b"one",
        "a-3.jpg": b"two",
    }
    assert copy_into(folder, files).written == ()


def test_a_link_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").symlink_to(outside)
    copies = copy_into(tmp_path / "set", [IncomingFile("a.jpg", b"one")])
    assert copies.written == (tmp_path / "set" / "a-2.jpg",)
    assert not outside.exists()


@pytest.mark.parametrize(("kind", "ending"), [("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".tif")])
def test_a_picture_gets_an_ending_that_a_scan_finds(tmp_path: Path, kind: str, ending: str) -> None:
    copies = copy_into(tmp_path, [IncomingFile("blob", encoded(noise(), kind))])
    assert copies.written[0].name == f"blob{ending}"


@pytest.mark.parametrize("data", [text_bomb(b"zTXt", unpacked_mib=2), png_header(60_000, 60_000) + chunk(b"IDAT", b"")])
def test_an_upload_without_an_ending_may_hold_anything(tmp_path: Path, data: bytes) -> None:
    copies = copy_into(tmp_path, [IncomingFile("blob", data)])
    assert copies.written[0].read_bytes() == data


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderError, match=r"Cannot write into .*0 files were written"):
        copy_into(tmp_path / "file", [IncomingFile("a.jpg", b"one")])
