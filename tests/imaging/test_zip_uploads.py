"""A zip is read in memory within its limits, whatever it holds, and a sorted one opens again."""

import io
import stat
import struct
import zipfile

import pytest

from tests.imaging.pictures import encoded, noise
from url_viz.errors import FolderError, ImageError
from url_viz.imaging import uploaded_files
from url_viz.imaging.uploaded_files import IncomingFile, is_zip, open_archive, sorted_zip

PICTURE = encoded(noise(1))


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def reasons(data: bytes) -> dict[str, str]:
    archive = open_archive("a.zip", data)
    return {member.name: member.reason for member in archive.refused}


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
    archive = open_archive("a.zip", data)
    assert [member.name for member in archive.members] == ["a.zip/cats/one.jpg", "a.zip/two.PNG"]
    assert [member.read() for member in archive.members] == [PICTURE, b"second"]
    assert archive.refused == ()


@pytest.mark.parametrize(
    "path", ["../out.jpg", "a/../../out.jpg", "/etc/out.jpg", "..\\out.jpg", "C:\\out.jpg", "C:out.jpg"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    archive = open_archive("a.zip", zipped({path: PICTURE, "fine.jpg": PICTURE}))
    assert [member.name for member in archive.members] == ["a.zip/fine.jpg"]
    assert [member.reason for member in archive.refused] == ["has a path that leads out of the archive"]


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
    archive = open_archive("a.zip", data)
    assert [member.name for member in archive.members] == ["a.zip/flat.bmp"]
    assert "more than 200 to 1 is not unpacked" in archive.refused[0].reason


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
    archive = open_archive("a.zip", data.replace(real, declared))
    with pytest.raises(ImageError, match="cannot be unpacked"):
        archive.members[0].read()


def test_a_damaged_member_is_one_bad_file() -> None:
    data = bytearray(zipped({"one.jpg": PICTURE, "two.jpg": PICTURE}, compression=zipfile.ZIP_STORED))
    data[data.index(PICTURE) + 100] ^= 0xFF
    first, second = open_archive("a.zip", bytes(data)).members
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
    assert len(open_archive("again.zip", packed).members) == 3


def test_a_zip_is_known_by_its_name() -> None:
    assert is_zip("A.ZIP")
    assert not is_zip("zip.jpg")
