"""What the label is: the class folders as found, a level, tags, a column or nothing."""

from pathlib import Path

import pandas as pd
import pytest

from tests.given import given_set
from tests.read_sets import copied
from url_viz.base.errors import ImageSetError
from url_viz.columns.filters import OneOf, filterable, passes_all
from url_viz.image_set import ImageSet
from url_viz.imaging.folder_classes import FolderLevel
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.label_choice import ClassLevels

pytestmark = pytest.mark.slow

SPLIT_NAMES = ["test/cat/4.jpg", "test/dog/5.jpg", "train/cat/0.jpg", "train/cat/1.jpg", "train/dog/2.jpg", "x.jpg"]
SPLIT = ["test", "test", "train", "train", "train", None]
CLASSES = ["cat", "dog", "cat", "cat", "dog", None]


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return given_set(tmp_path_factory.mktemp("read"), SPLIT_NAMES)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path) -> ImageSet:
    return copied(read_once, tmp_path / "photos", home=tmp_path / "home")


def label(image_set: ImageSet) -> list[str | None]:
    assert image_set.table()["path"].tolist() == sorted(image_set.table()["path"])
    return image_set.table()["label"].tolist()


class TestFound:
    """A new set takes the level that is found; the levels passed over are columns."""

    def test_classes_and_columns_by_hand(self, image_set: ImageSet) -> None:
        assert label(image_set) == CLASSES
        assert image_set.table()["split"].tolist() == SPLIT
        assert "date" not in image_set.table()
        levels = image_set.labels.levels()
        assert levels.words == "2 classes; test and train as split"
        told = [(one.number, one.kind, one.names) for one in levels.levels]
        assert told == [(1, "splits", ("test", "train")), (2, "names", ("cat", "dog"))]
        assert levels.folder_level == levels.label == 2
        assert image_set.labels.chosen == "folders"

    def test_splits_of_annotations_whose_folders_are_named_alike_are_told_once(self) -> None:
        folders = FolderLevel(1, "single", ("images",), False), FolderLevel(2, "splits", ("train", "val"), True)
        for annotated, words in [(("train", "val"), ""), (("test", "train"), "train and val as split; ")]:
            levels = ClassLevels(folders, "class", 3, None, annotated)
            assert levels.words == f"3 classes; {words}{' and '.join(annotated)} as split"

    def test_a_split_is_filtered_by_as_other_columns(self, image_set: ImageSet) -> None:
        table = image_set.table()
        assert filterable(table)["split"] == "category"
        assert passes_all(table, [OneOf("split", ("train",))]).tolist() == [name == "train" for name in SPLIT]

    def test_many_dates_and_no_classes_in_words(self, tmp_path: Path) -> None:
        names = [f"{year}/{year}.jpg" for year in range(2020, 2024)]
        image_set = given_set(tmp_path, names)
        assert image_set.labels.levels().words == "No classes; 4 folders as date"
        assert image_set.table()["date"].tolist() == ["2020", "2021", "2022", "2023"]
        assert label(image_set) == [None] * 4

    def test_without_folders(self, tmp_path: Path) -> None:
        image_set = given_set(tmp_path, ["a.jpg", "b.jpg"])
        assert image_set.labels.levels().words == "No classes"
        assert image_set.labels.levels().levels == ()
        with pytest.raises(ImageSetError, match="There are: no folders"):
            image_set.labels.use("level:1")


class TestChosen:
    """Another choice takes effect at once, is kept, and reads nothing again."""

    @pytest.mark.parametrize(
        ("chosen", "labels", "words"),
        [
            ("level:1", SPLIT, "2 classes from level 1 of the folders"),
            ("level:2", CLASSES, "2 classes from level 2 of the folders; test and train as split"),
            (None, [None] * 6, "No classes; test and train as split"),
        ],
    )
    def test_by_hand(
        self, image_set: ImageSet, tmp_path: Path, chosen: str | None, labels: list[str | None], words: str
    ) -> None:
        image_set.labels.use(chosen)
        assert label(image_set) == labels
        assert image_set.labels.levels().words == words
        again = given_set(tmp_path, SPLIT_NAMES)
        assert (label(again), again.labels.chosen) == (labels, chosen)
        assert again.table()["split"].tolist() == SPLIT
        again.labels.use("folders")
        assert label(image_set) == CLASSES

    def test_what_is_no_choice(self, image_set: ImageSet) -> None:
        no_level = r"no level \d+ .*level:1 \(test, train\); level:2 \(cat, dog\)"
        wrong = dict.fromkeys(("level:0", "level:", "level:1.0", "split", "first folders"), "no column .* of your own")
        for chosen, why in {**wrong, "level:3": no_level, "level:99": no_level}.items():
            with pytest.raises(ImageSetError, match=why):
                image_set.labels.use(chosen)
            assert label(image_set) == CLASSES

    def test_a_level_that_has_left_the_folder_gives_no_labels(self, image_set: ImageSet, tmp_path: Path) -> None:
        image_set.labels.use("level:2")
        for name in SPLIT_NAMES[:-1]:
            (tmp_path / "photos" / name).unlink()
        again = given_set(tmp_path, ["x.jpg"])
        assert label(again) == [None]
        assert again.labels.chosen == "level:2"

    def test_a_column_called_split_keeps_its_name_and_is_the_label(self, tmp_path: Path) -> None:
        """It was brought when there was no column of ours with that name."""
        flat = ["0.jpg", "1.jpg", "2.jpg"]
        given_set(tmp_path, flat).columns.add(column_of("split", list("aab"), names=flat))
        names = [*flat, "train/3.jpg", "test/4.jpg"]
        image_set = given_set(tmp_path, names)
        image_set.labels.use("split")
        assert image_set.table()["split"].tolist() == ["a", "a", "b", None, None]
        assert [one.name for one in image_set.columns.list()] == ["split"]
        assert label(image_set) == ["a", "a", "b", None, None]


class TestTags:
    """The first tag as the label, which follows tagging."""

    def test_follows_at_once_and_matters_to_no_other_choice(self, image_set: ImageSet) -> None:
        ids, before = image_set.table()["id"].tolist(), image_set.version
        image_set.decisions.tag(ids[:2], "striped")
        assert (label(image_set), image_set.version) == (CLASSES, before)
        image_set.labels.use("tags")
        assert label(image_set) == ["striped", "striped", None, None, None, None]
        before, measured = image_set.version, image_set.core.measured
        image_set.decisions.decide(ids[:3], "keep")
        assert image_set.core.measured is measured, "a decision without a tag joins nothing again"
        image_set.decisions.tag(ids[1:3], "brown")
        assert label(image_set) == ["striped", "brown", "brown", None, None, None]
        assert image_set.version != before
        assert image_set.labels.levels().words == "2 classes from the first tag; test and train as split"
        image_set.decisions.undo()
        assert label(image_set) == ["striped", "striped", None, None, None, None]


def column_of(name: str, values: list[str], *, names: list[str] = SPLIT_NAMES) -> IncomingFile:
    return IncomingFile("mine.csv", pd.DataFrame({"path": names, name: values}).to_csv(index=False).encode())


def test_a_users_column_of_our_name_or_called_as_a_level_gets_the_imports_in_front(image_set: ImageSet) -> None:
    image_set.columns.add(column_of("split", list("ababab")))
    assert image_set.table()["split"].tolist() == SPLIT
    image_set.labels.use("mine_split")
    assert label(image_set) == list("ababab")
    image_set.columns.add(column_of("level:1", list("ababab")))
    assert [one.name for one in image_set.columns.list()] == ["mine_level:1"]
    image_set.labels.use("level:1")
    assert label(image_set) == SPLIT


def test_removing_a_column_does_not_change_the_choice_of_a_level(image_set: ImageSet) -> None:
    image_set.columns.add(column_of("kind", list("ababab")))
    for chosen in ("level:1", "tags", None):
        image_set.labels.use(chosen)
        image_set.columns.add(column_of("kind", list("ababab")))
        image_set.columns.remove("mine")
        assert image_set.labels.chosen == chosen
