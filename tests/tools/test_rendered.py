"""Letters and emoji are drawn with the class they are told to be, and Qt's packs give what was packed."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.imaging.pictures import encoded, noise
from tools.heads.collect import by_file_name, by_parent, pieces_of
from tools.heads.rendered import LETTERS, letters
from tools.heads.resources import resources_of
from url_viz.errors import FolderError

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


def entry(name_at: int, flags: int, rest: bytes) -> bytes:
    return struct.pack(">ih", name_at, flags) + rest + bytes(8)


def packed(files: dict[str, bytes], *, compressed: bool) -> bytes:
    """A pack of version 2 with one folder `art` of these files, laid out by hand."""
    names, data, tree = b"", b"", b""
    places = []
    for name in ("", "art", *files):
        places.append(len(names))
        names += struct.pack(">hi", len(name), 0) + name.encode("utf-16-be")
    tree += entry(places[0], 2, struct.pack(">ii", 1, 1)) + entry(places[1], 2, struct.pack(">ii", len(files), 2))
    for place, content in zip(places[2:], files.values(), strict=True):
        stored = struct.pack(">i", len(content)) + zlib.compress(content) if compressed else content
        tree += entry(place, int(compressed), struct.pack(">hhi", 0, 0, len(data)))
        data += struct.pack(">i", len(stored)) + stored
    starts = (2, 20, 20 + len(tree), 20 + len(tree) + len(data))
    return b"qres" + struct.pack(">iiii", *starts) + tree + data + names


@pytest.mark.parametrize("compressed", [False, True])
def test_a_pack_gives_what_was_packed(tmp_path: Path, compressed: bool) -> None:
    files = {"a_1.txt": b"first", "b.bin": bytes(range(200))}
    (tmp_path / "art.rcc").write_bytes(packed(files, compressed=compressed))
    found = {resource.path: resource.data for resource in resources_of(tmp_path / "art.rcc")}
    assert found == {f"art/{name}": data for name, data in files.items()}
    (tmp_path / "art.rcc").write_bytes(b"PNG")
    with pytest.raises(FolderError, match="not a resource file"):
        list(resources_of(tmp_path / "art.rcc"))


def test_numbered_pieces_are_of_the_whole_they_name(tmp_path: Path) -> None:
    picture = encoded(noise(), "WEBP")
    files = dict.fromkeys(("Mona_a1.webp", "Mona_b2.webp", "Pieta_3.webp", "Pieta.webp", "board_1.qml"), picture)
    (tmp_path / "p.rcc").write_bytes(packed(files, compressed=False))
    assert [piece.label for piece in pieces_of([tmp_path / "p.rcc"])] == ["Mona", "Mona", "Pieta"]


def test_labels_by_name_and_by_folder(tmp_path: Path) -> None:
    for name in ("one/de.png", "one/fr.png", "two/de.png", "two/it.png", "two/more/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        noise().save(tmp_path / name)
    assert [entry.label for entry in by_file_name([tmp_path / "one", tmp_path / "two"])] == ["de", "de"]
    assert [entry.label for entry in by_parent(tmp_path, least=2, most_a_class=9)] == ["one", "one", "two", "two"]
    assert len(by_parent(tmp_path, least=1, most_a_class=1)) == 3


@pytest.mark.skipif(not DEJAVU.is_file(), reason="needs a font of the system")
def test_letters_are_drawn_once_a_font(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(DEJAVU.read_bytes())
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    drawn = list(letters(tmp_path, fonts=5))
    assert [one.label for one in drawn] == list(LETTERS)
    ink = [255 - np.asarray(one.image).mean() for one in drawn]
    assert ink[LETTERS.index("M")] > ink[LETTERS.index("I")]
