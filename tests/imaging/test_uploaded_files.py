"""Hostile names become plain ones, copies write over nothing, and a zip is read in memory within its limits."""

import io
import stat
import struct
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.encode import chunk, png_header, text_bomb
from tests.imaging.pictures import encoded, noise
from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging import uploaded_files
from url_viz.imaging.uploaded_files import (
    IncomingFile,
    copy_into,
    free_name,
    is_ignored,
    open_archive,
    safe_name,
    sorted_zip,
)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\cat.jpg", "cat.jpg"),
        ("<img src=x onerror=alert(1)>.png", "_img src=x onerror=alert(1)_.png"),
        ("..", "picture"),
        (".hidden.jpg", "hidden.jpg"),
        ("", "picture"),
        ("CON.jpg", "picture_CON.jpg"),
        ("/abs.png", "abs.png"),
        ("a\x00b\nc.jpg", "a_b_c.jpg"),
        ("Käfer 世界.jpg", "Käfer 世界.jpg"),
        ("folder/", "folder"),
        (".jpg", "jpg"),
        ("-x.jpg", "x.jpg"),
        ("end .", "end"),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["a/.hidden.jpg", ".git/x.jpg", "__MACOSX/x.jpg", "a\\.b\\c.jpg"])
def test_what_a_scan_passes_over_is_passed_over(name: str) -> None:
    assert is_ignored(name)
    assert not is_ignored("../" + name.replace(".", "").replace("__MACOSX", "macosx").replace("git", "g"))


@pytest.mark.slow
@settings(max_examples=40)
@given(st.text(max_size=200))
def test_a_safe_name_stays_in_its_folder_and_is_short(name: str) -> None:
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert 0 < len(safe.encode()) <= 120
    assert safe.isprintable()


def test_names_are_each_there_once_whatever_their_case() -> None:
    used = Counter[str]()
    names = [free_name(name, used) for name in ("a.jpg", "A.jpg", "a.jpg", "a-2.jpg")]
    assert names == ["a.jpg", "A-2.jpg", "a-3.jpg", "a-2-2.jpg"]


def test_a_copy_overwrites_nothing_and_is_not_made_twice(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "new"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"mine")
    files = [IncomingFile("x/a.jpg", b"one"), IncomingFile("y/a.jpg", b"two"), IncomingFile("z/a.jpg", b"mine")]
    copies = copy_into(folder, files)
    assert [path.name for path in copies] == ["a-2.jpg", "a-3.jpg"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.jpg": b"mine",
        "a-2.jpg": b"one",
        "a-3.jpg": b"two",
    }
    assert copy_into(folder, files) == []


def test_a_link_in_the_folder_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").symlink_to(outside)
    copies = copy_into(tmp_path / "set", [IncomingFile("a.jpg", b"one")])
    assert copies == [tmp_path / "set" / "a-2.jpg"]
    assert not outside.exists()


@pytest.mark.parametrize(("kind", "ending"), [("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".tif")])
def test_a_picture_gets_an_ending_that_a_scan_finds(tmp_path: Path, kind: str, ending: str) -> None:
    copies = copy_into(tmp_path, [IncomingFile("blob", encoded(noise(), kind))])
    assert copies[0].name == f"blob{ending}"


@pytest.mark.parametrize("data", [text_bomb(b"zTXt", unpacked_mib=2), png_header(60_000, 60_000) + chunk(b"IDAT", b"")])
def test_an_upload_without_an_ending_may_hold_anything(tmp_path: Path, data: bytes) -> None:
    copies = copy_into(tmp_path, [IncomingFile("blob", data)])
    assert copies[0].read_bytes() == data


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderError, match=r"Cannot write into .*0 files were written"):
        copy_into(tmp_path / "file", [IncomingFile("a.jpg", b"one")])


PICTURE = encoded(noise(1))


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def reasons(data: bytes) -> dict[str, str]:
    _, refused = open_archive("a.zip", data)
    return {member.name: member.reason for member in refused}


def test_pictures_come_out_as_they_went_in_and_shadows_are_passed_over() -> None:
    data = zipped(
        {
            "cats/one.jpg": PICTURE,
            "two.PNG": b"second",
            "__MACOSX/cats/._one.jpg": b"shadow",
            "cats/.hidden.jpg": b"hidden",
            ".git/x.jpg": b"hidden too",
        }
    )
    members, refused = open_archive("a.zip", data)
    assert [member.name for member in members] == ["a.zip/cats/one.jpg", "a.zip/two.PNG"]
    assert [member.read() for member in members] == [PICTURE, b"second"]
    assert refused == []


@pytest.mark.parametrize(
    "path", ["../out.jpg", "a/../../out.jpg", "/etc/out.jpg", "..\\out.jpg", "C:\\out.jpg", "C:out.jpg"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    members, refused = open_archive("a.zip", zipped({path: PICTURE, "fine.jpg": PICTURE}))
    assert [member.name for member in members] == ["a.zip/fine.jpg"]
    assert [member.reason for member in refused] == ["has a path that leads out of the archive"]


@pytest.mark.parametrize(
    ("attributes", "flags", "reason"),
    [
        ((stat.S_IFLNK | 0o777) << 16, 0, "is a symlink or another special file, and those are not followed"),
        (0, 1, "is encrypted"),
    ],
)
def test_special_and_encrypted_members_are_refused(attributes: int, flags: int, reason: str) -> None:
    data = bytearray(zipped({"a.jpg": PICTURE}))
    at = data.index(b"PK\x01\x02")
    data[at + 8 : at + 10] = struct.pack("<H", flags)
    data[at + 38 : at + 42] = struct.pack("<I", attributes)
    assert reasons(bytes(data)) == {"a.zip/a.jpg": reason}


def test_archives_inside_and_other_files_are_named_not_opened() -> None:
    data = zipped({"in.zip": zipped({"x.jpg": PICTURE}), "notes.txt": b"hello", "README": b"no ending"})
    assert reasons(data) == {
        "a.zip/in.zip": "is an archive inside the archive, and those are not opened",
        "a.zip/notes.txt": "is not a picture by its extension (.txt)",
        "a.zip/README": "is not a picture by its extension (none)",
    }


def test_a_bomb_is_refused_by_its_ratio_and_a_small_file_may_be_packed_tightly() -> None:
    data = zipped({"bomb.bmp": bytes(4 << 20), "flat.bmp": bytes(100_000)})
    members, refused = open_archive("a.zip", data)
    assert [member.name for member in members] == ["a.zip/flat.bmp"]
    assert "more than 200 to 1 is not unpacked" in refused[0].reason


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("MOST_FILES", 2, "holds 3 files; at most 2 are read"),
        ("MOST_BYTES", 2 << 20, "holds 3 MiB unpacked; at most 2 MiB"),
    ],
)
def test_too_much_in_all_is_refused_with_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int, message: str
) -> None:
    monkeypatch.setattr(uploaded_files, limit, most)
    data = zipped({f"{i}.jpg": bytes([i]) * (1 << 20) for i in range(3)})
    with pytest.raises(FolderError, match=message):
        open_archive("a.zip", data)


def test_one_file_that_is_too_large_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploaded_files, "MOST_FILE_BYTES", 1 << 20)
    data = zipped({"big.jpg": bytes(2 << 20)}, compression=zipfile.ZIP_STORED)
    assert reasons(data) == {"a.zip/big.jpg": "is 2 MiB; files over 1 MiB are not unpacked"}


@pytest.mark.parametrize("data", [zipped({"one.jpg": PICTURE})[:300], b"", PICTURE], ids=["cut", "empty", "picture"])
def test_what_is_no_zip_is_said_so(data: bytes) -> None:
    with pytest.raises(FolderError, match=r"'a\.zip' is not a readable zip archive"):
        open_archive("a.zip", data)


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_said() -> None:
    data = zipped({"one.jpg": bytes(range(256)) * 40})
    declared, real = struct.pack("<I", 100), struct.pack("<I", 256 * 40)
    members, _ = open_archive("a.zip", data.replace(real, declared))
    with pytest.raises(ImageError, match="cannot be unpacked"):
        members[0].read()


def test_a_damaged_member_is_one_bad_file() -> None:
    data = bytearray(zipped({"one.jpg": PICTURE, "two.jpg": PICTURE}, compression=zipfile.ZIP_STORED))
    data[data.index(PICTURE) + 100] ^= 0xFF
    first, second = open_archive("a.zip", bytes(data))[0]
    with pytest.raises(ImageError, match="cannot be unpacked: Bad CRC-32"):
        first.read()
    assert second.read() == PICTURE


def test_a_sorted_zip_has_safe_names_each_once_and_opens_again() -> None:
    hostile = [IncomingFile("../../a<b>.jpg", b"one"), IncomingFile("A_b_.JPG", b"two"), IncomingFile("x/c.jpg", b"3")]
    packed = sorted_zip({"ambiguous": hostile, "clear": ()}, top_level={"ranking.csv": b"name\n"})
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
        assert files == {
            "ambiguous/a_b_.jpg": b"one",
            "ambiguous/A_b_-2.JPG": b"two",
            "ambiguous/c.jpg": b"3",
            "ranking.csv": b"name\n",
        }
        assert "clear/" in archive.namelist()
    assert len(open_archive("again.zip", packed)[0]) == 3
