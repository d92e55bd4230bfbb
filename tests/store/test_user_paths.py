"""Paths of a user's file find their picture however they are written, and never another one."""

from pathlib import Path

import numpy as np
import pytest

from url_viz.base.errors import FolderError
from url_viz.store.columns.user_paths import match_paths

ROOT = Path("/data/photos")
PICTURES = [b"cat/1.jpg", b"cat/2.JPG", b"dog/1.jpg", b"deep/er/3.png", b"top.jpg", b"odd\xff.jpg"]


def found(*paths: str) -> list[int]:
    return match_paths(paths, PICTURES, root=ROOT).row.tolist()


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("cat/1.jpg", 0),
        ("./cat//1.jpg", 0),
        ("cat\\1.jpg", 0),
        (" CAT/1.JPG ", 0),
        ("/data/photos/cat/1.jpg", 0),
        ("file:///data/photos/cat/1.jpg", 0),
        ("C:\\Users\\eve\\photos\\cat\\1.jpg", 0),
        ("photos/cat/1.jpg", 0),
        ("2.jpg", 1),
        ("er/3.png", 3),
        ("3", 3),
        ("/elsewhere/top.jpg", 4),
        ("odd\\xff.jpg", 5),
        ("1.jpg", -1),  # two pictures have this name
        ("bird/2.jpg", -1),  # a folder that is told and is another
        ("", -1),
        ("../cat/9.jpg", -1),
    ],
)
def test_ways_to_write_a_path(path: str, row: int) -> None:
    assert found(path) == [row]


def test_an_exact_path_goes_before_one_of_other_case() -> None:
    pictures = [b"A.jpg", b"a.jpg"]
    assert match_paths(["a.jpg"], pictures, root=ROOT).row.tolist() == [1]
    assert match_paths(["A.JPG"], pictures, root=ROOT).row.tolist() == [-1]


def test_two_rows_of_one_picture_are_refused_with_their_paths() -> None:
    with pytest.raises(FolderError, match=r"2 rows are of the same picture: 'cat/1.jpg', './cat/1.jpg'"):
        found("cat/1.jpg", "top.jpg", "./cat/1.jpg")


def test_what_is_not_found_is_counted_with_examples() -> None:
    matched = match_paths(["x", "top.jpg", "y"], PICTURES, root=ROOT)
    assert (matched.count, matched.examples) == (1, ("x", "y"))


@pytest.mark.parametrize("seed", range(5))
def test_any_way_to_write_it_finds_the_picture_or_none(seed: int) -> None:
    """Property, over random trees: with the folders told in full it is found; with fewer, it or nothing is."""
    rng = np.random.default_rng(seed)
    names = {"/".join(f"{'abc'[d]}{rng.integers(3)}" for d in range(rng.integers(1, 4))) + ".jpg" for _ in range(40)}
    pictures = sorted(name.encode() for name in names)
    for row, picture in enumerate(pictures):
        text = picture.decode()
        full = [text, f"./{text}", text.replace("/", "\\"), f"{ROOT}/{text}", text.upper()]
        assert match_paths(full[:1], pictures, root=ROOT).row[0] == row
        for way in full[1:]:
            assert match_paths([way], pictures, root=ROOT).row[0] == row
        for start in range(1, text.count("/") + 1):
            short = "/".join(text.split("/")[start:])
            naive = [i for i, other in enumerate(pictures) if other.decode().endswith(("/" + short,))]
            at = pictures.index(short.encode()) if short.encode() in pictures else None
            expected = at if at is not None else (naive[0] if len(naive) == 1 else -1)
            assert match_paths([short], pictures, root=ROOT).row[0] == expected
