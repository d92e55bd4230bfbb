"""Classes are the first level of folders that is no splits, no dates and no single folder around everything."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.imaging.folder_classes import FolderClasses, find_classes


def class_names(paths: list[bytes]) -> list[str | None]:
    return list(find_classes(paths).class_names)


def found(*paths: str) -> FolderClasses:
    return find_classes([path.encode() for path in paths])


def kinds(*paths: str) -> list[str]:
    return [level.kind for level in found(*paths).levels]


class TestClasses:
    """The class of each picture."""

    def test_first_folders_if_most_pictures_lie_in_two_or_more(self) -> None:
        assert class_names([b"cat/1.jpg", b"dog/2.jpg", b"cat/x/3.jpg"]) == ["cat", "dog", "cat"]
        assert class_names([b"cat/1.jpg", b"cat/2.jpg"]) == [None, None]
        assert class_names([b"1.jpg", b"2.jpg", b"3.jpg", b"cat/4.jpg", b"dog/5.jpg"]) == [None] * 5
        assert class_names([b"1.jpg", b"cat/4.jpg", b"dog/5.jpg"]) == [None, "cat", "dog"]
        assert class_names([]) == []

    def test_below_splits_by_hand(self) -> None:
        one = found("train/cat/1.jpg", "train/dog/2.jpg", "Test/cat/3.jpg", "Test/4.jpg")
        assert list(one.class_names) == ["cat", "dog", "cat", None]
        assert {name: list(values) for name, values in one.columns.items()} == {
            "split": ["train", "train", "Test", "Test"]
        }

    def test_below_a_single_folder_which_is_no_column(self) -> None:
        one = found("photos/cat/1.jpg", "photos/dog/2.jpg")
        assert list(one.class_names) == ["cat", "dog"]
        assert one.columns == {}

    def test_below_several_levels_whose_names_are_joined(self) -> None:
        one = found("all/fold1/2024/05/train/cat/1.jpg", "all/fold_2/2023/12/val/dog/2.jpg")
        assert kinds("all/fold1/2024/05/train/cat/1.jpg", "all/fold_2/2023/12/val/dog/2.jpg") == [
            *("single", "splits", "dates", "dates", "splits", "names")
        ]
        assert list(one.class_names) == ["cat", "dog"]
        assert {name: list(values) for name, values in one.columns.items()} == {
            "split": ["fold1/train", "fold_2/val"],
            "date": ["2024/05", "2023/12"],
        }

    def test_splits_below_the_classes_are_a_column(self) -> None:
        one = found("cat/train/1.jpg", "dog/val/2.jpg", "dog/3.jpg")
        assert list(one.class_names) == ["cat", "dog", "dog"]
        assert list(one.columns["split"]) == ["train", "val", None]

    def test_a_level_with_one_other_name_is_classes(self) -> None:
        assert class_names([b"train/1.jpg", b"test/2.jpg", b"cat/3.jpg"]) == ["train", "test", "cat"]

    def test_too_few_pictures_as_deep_as_the_classes(self) -> None:
        one = found("train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg", "test/4.jpg")
        assert list(one.class_names) == [None] * 4
        assert list(one.columns["split"]) == ["train", "train", "test", "test"]

    def test_digits_are_classes_unless_a_level_above_is_dates(self) -> None:
        assert list(found("train/1/a.jpg", "train/2/b.jpg").class_names) == ["1", "2"]
        assert list(found("2024/1/a.jpg", "2024/2/b.jpg").class_names) == [None, None]

    def test_odd_bytes_are_shown_as_escapes(self) -> None:
        assert class_names([b"train/\xff/1.jpg", b"train/cat/2.jpg"]) == ["\\xff", "cat"]


@pytest.mark.parametrize(
    "name",
    [
        *("train", "Training", "val", "VALID", "validation", "dev", "test", "testing", "holdout"),
        *("fold1", "fold_1", "fold-01", "Fold 10"),
    ],
)
def test_names_of_splits(name: str) -> None:
    assert kinds(f"{name}/1.jpg") == ["splits"]


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        *((name, "train") for name in ("trains", "devil", "fold", "foldable", "my test", "validate", "testcat")),
        *((name, "2024") for name in ("2024-13", "20241399", "3024", "05", "May", "12345678", "2024-05-17 beach")),
        ("٢٠٢٤", "2024"),
    ],
)
def test_names_of_neither_splits_nor_dates(name: str, beside: str) -> None:
    assert kinds(f"{name}/1.jpg", f"{beside}/2.jpg") == ["names"]


@pytest.mark.parametrize(
    "name",
    [
        *("2024", "1987", "2024-05", "2024-05-17", "2024_05_17", "2024.5.7", "202405", "20240517"),
        *("05-2024", "17-05-2024", "17.5.2024", "05_17_2024"),
    ],
)
def test_names_of_dates(name: str) -> None:
    assert kinds(f"{name}/1.jpg") == ["dates"]
    assert kinds(f"2023/{name}/1.jpg") == ["dates", "dates"]


@pytest.mark.parametrize("name", ["05", "5", "31", "05-17", "May", "december", "05 - May"])
def test_parts_of_dates_are_dates_below_dates(name: str) -> None:
    assert kinds(f"2024/{name}/1.jpg") == ["dates", "dates"]


NAMES = st.sampled_from(["cat", "dog", "train", "val", "fold2", "2024", "2024-05", "05", "May", "photos"])
PATHS = st.lists(st.lists(NAMES, max_size=4).map(lambda names: "/".join([*names, "1.jpg"]).encode()), max_size=12)


@given(PATHS, st.randoms(use_true_random=False))
def test_the_order_of_paths_does_not_matter(paths: list[bytes], random: Random) -> None:
    order = list(range(len(paths)))
    random.shuffle(order)
    one, other = find_classes(paths), find_classes([paths[row] for row in order])
    assert other.levels == one.levels
    assert list(other.class_names) == [one.class_names[row] for row in order]
    assert {c: list(v) for c, v in other.columns.items()} == {c: [v[i] for i in order] for c, v in one.columns.items()}


@given(PATHS, st.data())
def test_a_level_of_splits_above_changes_no_class(paths: list[bytes], data: st.DataObject) -> None:
    splits = data.draw(st.lists(st.sampled_from([b"train", b"test"]), min_size=len(paths), max_size=len(paths)))
    assert class_names([split + b"/" + path for split, path in zip(splits, paths, strict=True)]) == class_names(paths)


@given(PATHS)
def test_a_class_is_the_folder_at_its_level(paths: list[bytes]) -> None:
    """Against a naive loop: the first level with two names, not all splits and not all dates, if most lie so deep."""
    one = find_classes(paths)
    number = one.class_level.number if one.class_level else None
    parts = [path.decode().split("/")[:-1] for path in paths]
    deep = [names[number - 1] if number and len(names) >= number else None for names in parts]
    assert list(one.class_names) == deep
    if number:
        assert len({name for name in deep if name}) > 1
        assert 2 * sum(name is not None for name in deep) > len(paths)
