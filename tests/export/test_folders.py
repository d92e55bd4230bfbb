"""Sorting into folders: what goes where, paths of the corrected class, what stays untouched, names that lead out."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.export.sets import ids_of
from tests.given import by_turns, given_set
from tests.read_sets import undecided
from url_viz.base.errors import FolderError, ImageSetError
from url_viz.export.folders import (
    LONGEST_NAME,
    MARKER,
    SortedFolders,
    corrected_paths,
    folder_of,
    paths_text,
    sort_into_folders,
)
from url_viz.export.picture_files import safe_names
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import VANISHED
from url_viz.imaging.scan import display_name
from url_viz.models.model import Model
from url_viz.reading import embed_folder

Row = tuple[bytes, str | None, str | None]


def moved(*rows: Row, level: int | None = None, make_folder: bool = False) -> list[bytes]:
    """`rows` are path, label as given, and label now."""
    table = pd.DataFrame({"label_given": [row[1] for row in rows], "label": [row[2] for row in rows]}, dtype=object)
    return corrected_paths(table, [row[0] for row in rows], level=level, make_folder=make_folder)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((b"kiwi/1.jpg", "kiwi", "kiwi"), b"kiwi/1.jpg"),
        ((b"kiwi/1.jpg", "kiwi", "onion"), b"onion/1.jpg"),
        ((b"train/kiwi/1.jpg", "kiwi", "onion"), b"train/onion/1.jpg"),
        ((b"kiwi/2024/1.jpg", "kiwi", "onion"), b"onion/2024/1.jpg"),
        ((b"kiwi/kiwi.jpg", "kiwi", "onion"), b"onion/kiwi.jpg"),
        ((b"kiwi/1.jpg", "kiwi", None), b"kiwi/1.jpg"),
        ((b"caf\xff/1.jpg", "caf\\xff", "onion"), b"onion/1.jpg"),
    ],
)
def test_by_hand_whether_or_not_each_class_gets_a_folder(row: Row, expected: bytes) -> None:
    assert moved(row) == moved(row, make_folder=True) == [expected]


@pytest.mark.parametrize(
    ("row", "within"),
    [
        ((b"1.jpg", None, "onion"), b"onion/1.jpg"),
        ((b"a/b/1.jpg", "from a column", "onion"), b"onion/a/b/1.jpg"),
        ((b"a/1.jpg", "dark", "dark"), b"dark/a/1.jpg"),
    ],
)
def test_by_hand_where_no_folder_is_the_class(row: Row, within: bytes) -> None:
    assert (moved(row), moved(row, make_folder=True)) == ([row[0]], [within])


def test_the_level_of_the_label_is_the_one_that_changes() -> None:
    row = (b"citrus/citrus/1.jpg", "citrus", "kiwi")
    assert moved(row, level=2) == [b"citrus/kiwi/1.jpg"]
    assert moved(row, level=1) == [b"kiwi/citrus/1.jpg"]
    assert moved((b"1.jpg", None, "kiwi"), level=2, make_folder=True) == [b"kiwi/1.jpg"]


def test_who_stays_keeps_its_path_though_another_comes_first() -> None:
    assert moved(
        (b"apple/1.jpg", "apple", "plum"),
        (b"kiwi/1.jpg", "kiwi", "plum"),
        (b"plum/1.jpg", "plum", "plum"),
        (b"plum/1-kiwi.jpg", "plum", None),
    ) == [b"plum/1-apple.jpg", b"plum/1-kiwi-2.jpg", b"plum/1.jpg", b"plum/1-kiwi.jpg"]


def test_a_swap_needs_no_new_names() -> None:
    assert moved((b"a/1.jpg", "a", "b"), (b"b/1.jpg", "b", "a")) == [b"b/1.jpg", b"a/1.jpg"]


def test_of_two_that_move_the_second_is_named_after_its_folder() -> None:
    rows = [(b"a/1.jpg", "a", "c"), (b"x/b/1.jpg", "b", "c"), (b"b/1.jpg", "b", "c"), (b"x/a/1.jpg", "a", "c")]
    assert moved(*rows) == [b"c/1.jpg", b"x/c/1.jpg", b"c/1-b.jpg", b"x/c/1-x-a.jpg"]


def test_from_no_folder_it_is_numbered() -> None:
    rows = [(b"1.jpg", None, "c"), (b"c/1.jpg", "c", "c"), (b"c/1-2.jpg", "c", "c")]
    assert moved(*rows, make_folder=True)[0] == b"c/1-3.jpg"


def test_a_folder_whose_name_is_no_text_takes_pictures_in() -> None:
    found = moved((b"a/1.jpg", "a", "caf\\xff"), (b"caf\xff/2.jpg", "caf\\xff", "caf\\xff"))
    assert found == [b"caf\xff/1.jpg", b"caf\xff/2.jpg"]


def test_the_folder_of_a_label() -> None:
    assert [folder_of(label) for label in ("kiwi", "käse", "_..", "...")] == [b"kiwi", "käse".encode(), b"_..", b"..."]
    odd = ["", ".", "..", "a/b", "a\0b", "/", "/etc", "../..", "ä" * 200, "ä" * 201]
    names = [folder_of(label) for label in [*odd, "a_b", "_", "_.", "_.."]]
    assert len(set(names)) == len(names), "no two classes share a folder"
    assert names[odd.index("a/b")].startswith(b"a_b-")
    assert all(name.decode() for name in names)
    assert max(map(len, names)) <= LONGEST_NAME


parts = st.sampled_from(
    [b"a", b"A", b"b", b"a_b", b"a-b", b"\xff", b"\xe4", "ä".encode(), b"train", b"_..", b"...", b"b" * 200]
)
labels = st.one_of(
    st.none(),
    parts.map(display_name),
    st.sampled_from(["", ".", "..", "a/b", "/", "\0", "../../a", "c" * 300, "ä" * 200]),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
files = st.sampled_from([b"1.jpg", b"1-a.jpg", b"1-a-b.jpg", b"1", b".jpg", b"\xff.jpg", "é".encode() * 120 + b".jpg"])


@st.composite
def rows_of_a_set(draw: st.DrawFn) -> list[Row]:
    """Pictures at paths of their own; the label as given is often a folder of the path."""
    paths = draw(st.lists(st.tuples(st.lists(parts, max_size=3), files), unique_by=repr, max_size=12))
    rows: list[Row] = []
    for folders, file in sorted(paths):
        given_label = draw(st.one_of(labels, st.sampled_from(folders).map(display_name)) if folders else labels)
        rows.append((b"/".join([*folders, file]), given_label, draw(st.one_of(st.just(given_label), labels))))
    return rows


@pytest.mark.slow
@given(rows_of_a_set(), st.sampled_from([None, 1, 2]), st.booleans())
def test_paths_are_different_stay_inside_and_stay_where_nothing_changed(
    rows: Sequence[Row], level: int | None, make_folder: bool
) -> None:
    found = moved(*rows, make_folder=make_folder)
    assert len(set(found)) == len(rows)
    for place, (path, given_label, label) in zip(found, rows, strict=True):
        assert not {b"", b".", b".."} & set(place.split(b"/"))
        assert b"\0" not in place
        assert max(map(len, place.split(b"/"))) <= LONGEST_NAME
        assert os.path.splitext(place)[1] == os.path.splitext(path)[1]
        if label is None or (label == given_label and not make_folder):
            assert place == path
    names = safe_names(found)
    assert len({name.casefold() for name in names}) == len(rows), "also where small and capital letters are alike"


ODD = b"cat/\xff odd; name.jpg"


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Eight pictures, one of an odd name."""
    return given_set(tmp_path_factory.mktemp("eight"), [*by_turns(7), os.fsdecode(ODD)])


@pytest.fixture
def image_set(read_once: ImageSet) -> ImageSet:
    """Nothing decided."""
    return undecided(read_once)


def decide(image_set: ImageSet, **decisions: list[int]) -> None:
    """Decide on pictures by their row."""
    ids = image_set.table()["id"].to_numpy()
    for name, rows in decisions.items():
        image_set.decisions.decide(ids[rows], name.replace("_", "-"))  # type: ignore[arg-type]


def below(folder: Path) -> list[str]:
    return sorted(os.fsdecode(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


class TestByDecision:
    """keep/, drop/ and look-again/, each picture at its own path."""

    def test_links_lead_to_the_pictures(self, image_set: ImageSet, tmp_path: Path) -> None:
        decide(image_set, keep=[0, 5], drop=[1], look_again=[2])
        done = sort_into_folders(image_set, tmp_path / "out")
        paths = image_set.core.paths_of(image_set.table()["id"])
        expected = [("keep", 0), ("keep", 5), ("drop", 1), ("look-again", 2)]
        assert done.created == {"keep": 2, "drop": 1, "look-again": 1}
        assert below(tmp_path / "out") == sorted(
            [MARKER, *(os.fsdecode(f"{f}/".encode() + paths[i]) for f, i in expected)]
        )
        link = os.path.join(os.fsencode(tmp_path), b"out/keep", paths[0])
        assert os.readlink(link) == os.path.join(os.fsencode(image_set.root), paths[0])
        assert done.words[0].startswith("Wrote 4 pictures to ")

    def test_copies_are_whole_and_undecided_ones_come_where_asked(self, image_set: ImageSet, tmp_path: Path) -> None:
        decide(image_set, keep=[0])
        done = sort_into_folders(image_set, tmp_path / "out", how="copy", undecided=True)
        assert done.created == {"keep": 1, "undecided": 7}
        for path in below(tmp_path / "out")[1:]:
            copy = tmp_path / "out" / path
            assert not copy.is_symlink()
            assert copy.read_bytes() == (image_set.root / path.split("/", 1)[1]).read_bytes()

    def test_again_makes_only_what_is_new_and_tells_what_lies_elsewhere(
        self, image_set: ImageSet, tmp_path: Path
    ) -> None:
        decide(image_set, keep=[0, 1])
        sort_into_folders(image_set, tmp_path / "out")
        decide(image_set, drop=[1, 2])
        again = sort_into_folders(image_set, tmp_path / "out")
        assert (again.created, again.present) == ({"keep": 0, "drop": 2}, 1)
        assert again.elsewhere == [f"keep/{image_set.table()['path'].iloc[1]}"]
        assert len(below(tmp_path / "out")) == 1 + 4, "the older link still lies in keep/"

    def test_nothing_decided_is_told(self, image_set: ImageSet, tmp_path: Path) -> None:
        with pytest.raises(ImageSetError, match="Nothing is decided"):
            sort_into_folders(image_set, tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestByMeasure:
    """ambiguous/ from a percentile on, clear/ below it."""

    def test_the_split_is_that_of_the_percentile(self, image_set: ImageSet, tmp_path: Path) -> None:
        done = sort_into_folders(image_set, tmp_path / "out", by="confusability", threshold=70)
        table = image_set.table()
        above = (table["confusability_percentile"] >= 70).to_numpy()
        assert done.created == {"ambiguous": int(above.sum()), "clear": int((~above).sum())}
        paths = np.array([os.fsdecode(p) for p in image_set.core.paths_of(table["id"])], object)
        assert below(tmp_path / "out" / "ambiguous") == sorted(paths[above])

    @pytest.mark.parametrize("by", ["no_such", "path"])
    def test_what_is_no_measure(self, image_set: ImageSet, tmp_path: Path, by: str) -> None:
        with pytest.raises(ImageSetError, match=f"no measure '{by}'"):
            sort_into_folders(image_set, tmp_path / "out", by=by)


class TestNothingIsLost:
    """No file is overwritten or removed, and nothing is written outside."""

    def test_a_folder_that_is_not_ours_is_refused(self, image_set: ImageSet, tmp_path: Path) -> None:
        decide(image_set, keep=[0])
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine.txt").write_text("mine")
        with pytest.raises(FolderError, match=r"is not empty.*Choose a new or empty folder"):
            sort_into_folders(image_set, tmp_path / "out")
        (tmp_path / "out" / MARKER).write_text('{"image_set": "/another"}')
        with pytest.raises(FolderError, match="is not empty"):
            sort_into_folders(image_set, tmp_path / "out")
        with pytest.raises(FolderError, match="is a file"):
            sort_into_folders(image_set, tmp_path / "out" / "mine.txt")
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [MARKER, "mine.txt"]

    def test_a_taken_place_is_left_alone(self, image_set: ImageSet, tmp_path: Path) -> None:
        decide(image_set, keep=[0, 1])
        first, second = (os.fsdecode(p) for p in image_set.core.paths_of(image_set.table()["id"].iloc[:2]))
        sort_into_folders(image_set, tmp_path / "out")
        (tmp_path / "out" / "keep" / first).unlink()
        (tmp_path / "out" / "keep" / first).write_text("mine")
        done = sort_into_folders(image_set, tmp_path / "out")
        assert (done.blocked, done.present) == ([first], 1)
        assert (tmp_path / "out" / "keep" / first).read_text() == "mine"
        assert second in below(tmp_path / "out" / "keep")

    @pytest.mark.parametrize("how", ["link", "copy"])
    def test_a_link_in_the_target_leads_nowhere(self, image_set: ImageSet, tmp_path: Path, how: str) -> None:
        decide(image_set, keep=[0, 7])
        sort_into_folders(image_set, tmp_path / "out", by="confusability")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out" / "keep").symlink_to(tmp_path / "elsewhere")
        done = sort_into_folders(image_set, tmp_path / "out", how=how)  # type: ignore[arg-type]
        assert (done.created, len(done.blocked)) == ({"keep": 0}, 2)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    @pytest.mark.parametrize("path", [b"../out.jpg", b"/etc/x.jpg", b"a/../../b.jpg", b"", b"."])
    def test_a_name_that_leads_out_is_left_out(
        self, image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: bytes
    ) -> None:
        """A scan finds no such name; a store that somebody tampered with might."""
        decide(image_set, keep=[0])
        (tmp_path / "out.jpg").write_bytes(b"x")
        monkeypatch.setattr(image_set.core, "paths_of", lambda ids: [path for _ in ids])
        (tmp_path / "target").mkdir()
        done = sort_into_folders(image_set, tmp_path / "target" / "out")
        assert (done.created, len(done.blocked)) == ({"keep": 0}, 1)
        assert below(tmp_path) == ["out.jpg", f"target/out/{MARKER}"]

    def test_files_that_are_gone_are_listed(self, image_set: ImageSet, tmp_path: Path) -> None:
        decide(image_set, keep=[0, 1])
        path = image_set.files.path(int(image_set.table()["id"].iloc[0]))
        shutil.move(path, tmp_path / "away.jpg")
        try:
            done = sort_into_folders(image_set, tmp_path / "out")
        finally:
            shutil.move(tmp_path / "away.jpg", path)
        assert (done.created, done.left_out) == ({"keep": 1}, [(image_set.table()["path"].iloc[0], VANISHED)])
        assert any("which no longer exists" in sentence for sentence in done.words)

    def test_a_place_that_cannot_be_written_is_told(self, image_set: ImageSet, tmp_path: Path) -> None:
        decide(image_set, keep=[0])
        (tmp_path / "file").touch()
        with pytest.raises(FolderError, match="Cannot write to"):
            sort_into_folders(image_set, tmp_path / "file" / "out")


class TestPaths:
    """A list for other programs."""

    def test_lines_or_nul(self, image_set: ImageSet) -> None:
        ids = image_set.table()["id"]
        expected = [os.path.join(os.fsencode(image_set.root), p) for p in image_set.core.paths_of(ids)]
        assert any(path.endswith(ODD) for path in expected)
        assert paths_text(image_set, ids) == b"".join(p + b"\n" for p in expected)
        assert paths_text(image_set, ids, nul=True).split(b"\0")[:-1] == expected
        assert paths_text(image_set, []) == b""

    def test_a_line_break_in_a_name_needs_nul(self, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(image_set.core, "paths_of", lambda ids: [b"a\nb.jpg"])
        with pytest.raises(FolderError, match="line break in its name"):
            paths_text(image_set, [1])
        assert paths_text(image_set, [1], nul=True).endswith(b"/a\nb.jpg\0")


def test_pictures_of_a_list_that_leads_elsewhere_are_sorted(image_set: ImageSet, tmp_path: Path, model: Model) -> None:
    listed = tmp_path / "lists" / "l.csv"
    listed.parent.mkdir()
    pictures = sorted(image_set.root.rglob("*.jpg"))[:4]
    lines = [os.path.relpath(pictures[0], listed.parent), *map(os.fspath, pictures[1:])]
    listed.write_text(
        "\n".join(["path,label", *(f'"{line}",{n % 2}' for n, line in enumerate(lines))]), errors="surrogateescape"
    )
    read = embed_folder(listed, model=model, workspace=tmp_path / "workspace")
    done = sort_into_folders(read, tmp_path / "out", by="label")
    assert (done.created, done.blocked) == ({"0": 2, "1": 2}, [])
    links = {path.resolve(): path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.jpg")}
    top = pictures[0].parent
    assert links == {path: Path(str(n % 2)) / path.relative_to(top) for n, path in enumerate(pictures)}


PATHS = ("apple/1.png", "kiwi/1.png", "kiwi/2.png", "plum/1.png")


@pytest.fixture(scope="module")
def fruit_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return given_set(tmp_path_factory.mktemp("fruit"), PATHS)


@pytest.fixture
def fruit(fruit_once: ImageSet) -> ImageSet:
    """Nothing corrected."""
    return undecided(fruit_once)


def correct(image_set: ImageSet, **labels: str | None) -> None:
    """`correct(image_set, **{"kiwi/1.png": "plum"})`."""
    image_set.labels.give(dict(zip(ids_of(image_set, *labels), labels.values(), strict=True)))


def lying(done: SortedFolders, image_set: ImageSet) -> dict[str, str]:
    """The links of a sorted folder, with the picture that each leads to."""
    links = [path for path in done.out.rglob("*") if path.is_symlink()]
    return {str(p.relative_to(done.out)): str(Path(os.readlink(p)).relative_to(image_set.root)) for p in links}


@pytest.mark.slow
class TestByLabel:
    """Class folders as corrected: what moves, what is left out, and what an earlier sorting left behind."""

    def test_corrected_pictures_lie_in_their_new_class_and_files_stay(self, fruit: ImageSet, tmp_path: Path) -> None:
        correct(fruit, **{"kiwi/2.png": "plum", "plum/1.png": "plum", "apple/1.png": "fig"})
        done = sort_into_folders(fruit, tmp_path / "out", by="label")
        assert lying(done, fruit) == {
            "fig/1.png": "apple/1.png",
            "kiwi/1.png": "kiwi/1.png",
            "plum/2.png": "kiwi/2.png",
            "plum/1.png": "plum/1.png",
        }
        assert done.created == {"fig": 1, "kiwi": 1, "plum": 2}
        assert done.words == (f"Wrote 4 pictures to '{tmp_path / 'out'}': 1 in fig/, 1 in kiwi/, 2 in plum/.",)
        assert sorted(str(p.relative_to(fruit.root)) for p in fruit.root.rglob("*.png")) == sorted(PATHS)

    def test_folders_above_the_classes_are_named_and_some_pictures_can_be_taken(self, tmp_path: Path) -> None:
        split = ("train/kiwi/1.png", "train/plum/1.png", "train/plum/2.png", "test/kiwi/2.png")
        image_set = given_set(tmp_path, split)
        done = sort_into_folders(image_set, tmp_path / "out", by="label")
        assert done.words == (f"Wrote 4 pictures to '{tmp_path / 'out'}': 1 in test/, 3 in train/.",)
        some = ids_of(image_set, "train/plum/2.png", "test/kiwi/2.png")
        few = sort_into_folders(image_set, tmp_path / "few", by="label", ids=some)
        assert sorted(lying(few, image_set)) == ["test/kiwi/2.png", "train/plum/2.png"]
        image_set.decisions.decide(some, "drop")
        with pytest.raises(ImageSetError, match="None of these pictures"):
            sort_into_folders(image_set, tmp_path / "none", by="label", ids=some)
        assert not (tmp_path / "none").exists()

    def test_dropped_pictures_and_those_without_a_label_are_left_out(self, tmp_path: Path) -> None:
        image_set = given_set(tmp_path, (*PATHS, "loose.png"))
        assert image_set.table().set_index("path")["label"]["loose.png"] is None
        image_set.decisions.decide(ids_of(image_set, "kiwi/1.png"), "drop")
        image_set.decisions.decide(ids_of(image_set, "kiwi/2.png"), "look-again")
        done = sort_into_folders(image_set, tmp_path / "out", by="label")
        assert sorted(lying(done, image_set)) == ["apple/1.png", "kiwi/2.png", "plum/1.png"]
        correct(image_set, **{"loose.png": "kiwi"})
        again = sort_into_folders(image_set, tmp_path / "out", by="label")
        assert lying(again, image_set)["kiwi/loose.png"] == "loose.png"
        assert (again.created, again.present) == ({"apple": 0, "kiwi": 1, "plum": 0}, 3)
        image_set.decisions.decide(ids_of(image_set, *PATHS, "loose.png"), "drop")
        with pytest.raises(ImageSetError, match="No picture that is not dropped has a label"):
            sort_into_folders(image_set, tmp_path / "none", by="label")
        assert not (tmp_path / "none").exists()

    @pytest.mark.parametrize("how", ["link", "copy"])
    def test_again_after_another_correction_tells_what_lies_elsewhere(
        self, fruit: ImageSet, tmp_path: Path, how: str
    ) -> None:
        def again() -> SortedFolders:
            return sort_into_folders(fruit, tmp_path / "out", by="label", how=how)  # type: ignore[arg-type]

        correct(fruit, **{"kiwi/2.png": "plum"})
        assert again().elsewhere == []
        correct(fruit, **{"kiwi/2.png": "apple"})
        done = again()
        assert (done.elsewhere, done.present, sum(done.created.values())) == (["plum/2.png"], 3, 1)
        assert done.words[-1].startswith("At no picture's place: 1 file (plum/2.png), of an earlier sorting")
        correct(fruit, **{"kiwi/2.png": None})
        assert again().elsewhere == ["apple/2.png", "plum/2.png"], "neither plum nor apple is its folder"
        fruit.decisions.decide(ids_of(fruit, "apple/1.png"), "drop")
        assert "apple/1.png" in again().elsewhere, "a dropped one lies in a folder that is trained on"
        assert len(list((tmp_path / "out").rglob("*.png"))) == 6, "nothing is removed"

    def test_two_of_one_name_both_find_a_place(self, fruit: ImageSet, tmp_path: Path) -> None:
        correct(fruit, **{"apple/1.png": "plum", "kiwi/1.png": "plum"})
        first = sort_into_folders(fruit, tmp_path / "out", by="label")
        expected = {
            "plum/1.png": "plum/1.png",
            "plum/1-apple.png": "apple/1.png",
            "plum/1-kiwi.png": "kiwi/1.png",
            "kiwi/2.png": "kiwi/2.png",
        }
        assert lying(first, fruit) == expected
        second = sort_into_folders(fruit, tmp_path / "out", by="label")
        assert (second.present, second.blocked, second.elsewhere) == (4, [], [])
        fruit.decisions.decide(ids_of(fruit, "plum/1.png"), "drop")
        third = sort_into_folders(fruit, tmp_path / "out", by="label")
        assert (third.present, third.blocked, third.elsewhere) == (3, [], ["plum/1.png"])
        assert lying(third, fruit) == expected

    def test_a_correction_after_sorting_moves_nobody_else(self, fruit: ImageSet, tmp_path: Path) -> None:
        sort_into_folders(fruit, tmp_path / "out", by="label")
        correct(fruit, **{"apple/1.png": "plum"})
        done = sort_into_folders(fruit, tmp_path / "out", by="label")
        assert (done.created, done.present, done.blocked) == ({"plum": 1, "kiwi": 0}, 3, [])
        assert lying(done, fruit)["plum/1.png"] == "plum/1.png"

    def test_a_swap_is_not_taken_for_an_earlier_sorting(self, fruit: ImageSet, tmp_path: Path) -> None:
        correct(fruit, **{"apple/1.png": "plum", "plum/1.png": "apple"})
        done = sort_into_folders(fruit, tmp_path / "out", by="label")
        assert (done.elsewhere, done.blocked) == ([], [])
        places = lying(done, fruit)
        assert (places["plum/1.png"], places["apple/1.png"]) == ("apple/1.png", "plum/1.png")

    def test_labels_from_tags_make_folders_above_the_path(self, fruit: ImageSet, tmp_path: Path) -> None:
        fruit.decisions.tag(ids_of(fruit, "kiwi/1.png", "plum/1.png"), "dark")
        fruit.labels.use("tags")
        correct(fruit, **{"plum/1.png": "../bright"})
        done = sort_into_folders(fruit, tmp_path / "out", by="label")
        (bright,) = [path.name for path in done.out.iterdir() if path.name.startswith(".._bright-")]
        assert lying(done, fruit) == {"dark/kiwi/1.png": "kiwi/1.png", f"{bright}/plum/1.png": "plum/1.png"}
        assert done.created == {"dark": 1, "../bright": 1}
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_labels_of_a_level_change_that_level(self, tmp_path: Path) -> None:
        paths = ("citrus/citrus/1.png", "citrus/lime/2.png", "stone/plum/3.png", "stone/plum/4.png")
        image_set = given_set(tmp_path, paths)
        image_set.labels.use("level:2")
        correct(image_set, **{"citrus/citrus/1.png": "lime"})
        done = sort_into_folders(image_set, tmp_path / "out", by="label")
        assert lying(done, image_set)["citrus/lime/1.png"] == "citrus/citrus/1.png"

    def test_of_many_folders_some_are_named(self, tmp_path: Path) -> None:
        image_set = given_set(tmp_path, tuple(f"{letter}/1.png" for letter in "abcdefgh"))
        done = sort_into_folders(image_set, tmp_path / "out", by="label")
        named = ", ".join(f"1 in {letter}/" for letter in "abcdef")
        assert done.words == (f"Wrote 8 pictures to '{done.out}': {named}, and the others in 2 more folders.",)
        assert (done.out / MARKER).is_file()
