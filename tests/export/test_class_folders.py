"""Sorting into class folders as corrected: what moves, what is left out, and what an earlier sorting left behind."""

import os
from pathlib import Path

import pytest

from tests.export.sets import ids_of
from tests.given import given_set
from tests.read_sets import copied
from url_viz.base.errors import ImageSetError
from url_viz.export.folders import MARKER, SortedFolders, sort_into_folders
from url_viz.image_set import ImageSet

pytestmark = pytest.mark.slow

PATHS = ("apple/1.png", "kiwi/1.png", "kiwi/2.png", "plum/1.png")


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return given_set(tmp_path_factory.mktemp("read"), PATHS)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path) -> ImageSet:
    return copied(read_once, tmp_path / read_once.root.name, home=tmp_path / "home")


def correct(image_set: ImageSet, **labels: str | None) -> None:
    """`correct(image_set, **{"kiwi/1.png": "plum"})`."""
    image_set.labels.give(dict(zip(ids_of(image_set, *labels), labels.values(), strict=True)))


def lying(done: SortedFolders, image_set: ImageSet) -> dict[str, str]:
    """The links of a sorted folder, with the picture that each leads to."""
    links = [path for path in done.out.rglob("*") if path.is_symlink()]
    return {str(p.relative_to(done.out)): str(Path(os.readlink(p)).relative_to(image_set.root)) for p in links}


def test_corrected_pictures_lie_in_their_new_class_and_files_stay(image_set: ImageSet, tmp_path: Path) -> None:
    correct(image_set, **{"kiwi/2.png": "plum", "plum/1.png": "plum", "apple/1.png": "fig"})
    done = sort_into_folders(image_set, tmp_path / "out", by="label")
    assert lying(done, image_set) == {
        "fig/1.png": "apple/1.png",
        "kiwi/1.png": "kiwi/1.png",
        "plum/2.png": "kiwi/2.png",
        "plum/1.png": "plum/1.png",
    }
    assert done.created == {"fig": 1, "kiwi": 1, "plum": 2}
    assert done.words == (f"Wrote 4 pictures to '{tmp_path / 'out'}': 1 in fig/, 1 in kiwi/, 2 in plum/.",)
    assert sorted(str(p.relative_to(image_set.root)) for p in image_set.root.rglob("*.png")) == sorted(PATHS)


def test_folders_above_the_classes_are_named_and_some_pictures_can_be_taken(tmp_path: Path) -> None:
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


def test_dropped_pictures_and_those_without_a_label_are_left_out(tmp_path: Path) -> None:
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
    image_set: ImageSet, tmp_path: Path, how: str
) -> None:
    def again() -> SortedFolders:
        return sort_into_folders(image_set, tmp_path / "out", by="label", how=how)  # type: ignore[arg-type]

    correct(image_set, **{"kiwi/2.png": "plum"})
    assert again().elsewhere == []
    correct(image_set, **{"kiwi/2.png": "apple"})
    done = again()
    assert (done.elsewhere, done.present, sum(done.created.values())) == (["plum/2.png"], 3, 1)
    assert done.words[-1].startswith("At no picture's place: 1 file (plum/2.png), of an earlier sorting")
    correct(image_set, **{"kiwi/2.png": None})
    assert again().elsewhere == ["apple/2.png", "plum/2.png"], "neither plum nor apple is its folder"
    image_set.decisions.decide(ids_of(image_set, "apple/1.png"), "drop")
    assert "apple/1.png" in again().elsewhere, "a dropped one lies in a folder that is trained on"
    assert len(list((tmp_path / "out").rglob("*.png"))) == 6, "nothing is removed"


def test_two_of_one_name_both_find_a_place(image_set: ImageSet, tmp_path: Path) -> None:
    correct(image_set, **{"apple/1.png": "plum", "kiwi/1.png": "plum"})
    first = sort_into_folders(image_set, tmp_path / "out", by="label")
    expected = {
        "plum/1.png": "plum/1.png",
        "plum/1-apple.png": "apple/1.png",
        "plum/1-kiwi.png": "kiwi/1.png",
        "kiwi/2.png": "kiwi/2.png",
    }
    assert lying(first, image_set) == expected
    second = sort_into_folders(image_set, tmp_path / "out", by="label")
    assert (second.present, second.blocked, second.elsewhere) == (4, [], [])
    image_set.decisions.decide(ids_of(image_set, "plum/1.png"), "drop")
    third = sort_into_folders(image_set, tmp_path / "out", by="label")
    assert (third.present, third.blocked, third.elsewhere) == (3, [], ["plum/1.png"])
    assert lying(third, image_set) == expected


def test_a_correction_after_sorting_moves_nobody_else(image_set: ImageSet, tmp_path: Path) -> None:
    sort_into_folders(image_set, tmp_path / "out", by="label")
    correct(image_set, **{"apple/1.png": "plum"})
    done = sort_into_folders(image_set, tmp_path / "out", by="label")
    assert (done.created, done.present, done.blocked) == ({"plum": 1, "kiwi": 0}, 3, [])
    assert lying(done, image_set)["plum/1.png"] == "plum/1.png"


def test_a_swap_is_not_taken_for_an_earlier_sorting(image_set: ImageSet, tmp_path: Path) -> None:
    correct(image_set, **{"apple/1.png": "plum", "plum/1.png": "apple"})
    done = sort_into_folders(image_set, tmp_path / "out", by="label")
    assert (done.elsewhere, done.blocked) == ([], [])
    assert (lying(done, image_set)["plum/1.png"], lying(done, image_set)["apple/1.png"]) == (
        "apple/1.png",
        "plum/1.png",
    )


def test_labels_from_tags_make_folders_above_the_path(image_set: ImageSet, tmp_path: Path) -> None:
    image_set.decisions.tag(ids_of(image_set, "kiwi/1.png", "plum/1.png"), "dark")
    image_set.labels.use("tags")
    correct(image_set, **{"plum/1.png": "../bright"})
    done = sort_into_folders(image_set, tmp_path / "out", by="label")
    (bright,) = [path.name for path in done.out.iterdir() if path.name.startswith(".._bright-")]
    assert lying(done, image_set) == {"dark/kiwi/1.png": "kiwi/1.png", f"{bright}/plum/1.png": "plum/1.png"}
    assert done.created == {"dark": 1, "../bright": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out", "photos"]


def test_labels_of_a_level_change_that_level(tmp_path: Path) -> None:
    paths = ("citrus/citrus/1.png", "citrus/lime/2.png", "stone/plum/3.png", "stone/plum/4.png")
    image_set = given_set(tmp_path, paths)
    image_set.labels.use("level:2")
    correct(image_set, **{"citrus/citrus/1.png": "lime"})
    done = sort_into_folders(image_set, tmp_path / "out", by="label")
    assert lying(done, image_set)["citrus/lime/1.png"] == "citrus/citrus/1.png"


def test_of_many_folders_some_are_named(tmp_path: Path) -> None:
    image_set = given_set(tmp_path, tuple(f"{letter}/1.png" for letter in "abcdefgh"))
    done = sort_into_folders(image_set, tmp_path / "out", by="label")
    named = ", ".join(f"1 in {letter}/" for letter in "abcdef")
    assert done.words == (f"Wrote 8 pictures to '{done.out}': {named}, and the others in 2 more folders.",)
    assert (done.out / MARKER).is_file()
