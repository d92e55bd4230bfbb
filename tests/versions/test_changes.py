"""What changed between two versions, the ambiguity of classes and a probe's accuracy: by hand, and by naive loops."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from url_viz.evidence.probe import PROBE_PENALTY, PROBE_SCALE, probe_folds
from url_viz.imaging.places import image_id, picture_path
from url_viz.store.tables.tables import Twins, no_twins
from url_viz.versions.changes import (
    BOX,
    CHANGES,
    FEWEST,
    SEEDS,
    Matching,
    ambiguity_by_class,
    changes,
    content_codes,
    counts_of,
    match,
    new_leaks,
    probe_change,
    splits_in_words,
)
from url_viz.versions.set_diffs import Diff

Row = tuple[str, int, str | None, str | None, str | None]


def version(*rows: Row) -> pd.DataFrame:
    """Path, content, label, split and decision of each picture."""
    table = pd.DataFrame(rows, columns=["path", "content", "label", "split", "decision"], dtype=object)
    ids = [image_id(path.encode()) for path in table["path"]]
    return table.assign(id=np.array(ids, np.int64), content=table["content"].astype(np.int64))


def objects(*rows: tuple[str, int, str, tuple[float, ...]]) -> pd.DataFrame:
    table = version(*((path, content, label, None, None) for path, content, label, _ in rows))
    table["picture"] = [picture_path(path.encode()).decode() for path in table["path"]]
    return table.assign(**dict(zip(BOX, np.array([row[3] for row in rows]).T, strict=True)))


def twins_of(content: list[int], *pairs: tuple[int, int, float]) -> Twins:
    """Pairs of contents with their cosines."""
    rows = sorted((*sorted(map(content.index, pair[:2])), pair[2]) for pair in pairs)
    pair = np.array([row[:2] for row in rows], np.int32).reshape(-1, 2)
    return Twins(len(content), pair, np.array([row[2] for row in rows], np.float32), np.ones(len(rows), bool))


BEFORE = version(
    ("cat/same.jpg", 1, "cat", "train", None),
    ("cat/gone.jpg", 2, "cat", "train", None),
    ("cat/old name.jpg", 3, "cat", "train", None),
    ("cat/smaller.jpg", 4, "cat", "train", None),
    ("cat/smaller and renamed.jpg", 5, "cat", "train", None),
    ("cat/wrong.jpg", 6, "cat", "train", None),
    ("cat/other.jpg", 7, "cat", "test", None),
    ("cat/bad.jpg", 8, "cat", "train", None),
    ("cat/copy.jpg", 9, "cat", "train", None),
)
AFTER = version(
    ("cat/same.jpg", 1, "cat", "train", None),
    ("cat/new.jpg", 20, "cat", "train", None),
    ("cat/new name.jpg", 3, "cat", "train", None),
    ("cat/smaller.jpg", 40, "cat", "train", None),
    ("cat/renamed.jpg", 50, "cat", "train", None),
    ("dog/wrong.jpg", 6, "dog", "train", None),
    ("cat/other.jpg", 70, "cat", "train", None),
    ("cat/bad.jpg", 8, "cat", "train", "drop"),
    ("cat/copy.jpg", 9, "cat", "train", None),
    ("cat/second copy.jpg", 9, "cat", "train", None),
)
CONTENT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 40, 50, 70]
TWINS = twins_of(CONTENT, (4, 40, 0.98), (5, 50, 0.97), (2, 40, 0.99), (1, 9, 0.96))
WANTED = {
    "added": ("cat/new.jpg", "cat/second copy.jpg"),
    "removed": ("cat/gone.jpg",),
    "moved": ("cat/new name.jpg", "dog/wrong.jpg"),
    "reencoded": ("cat/renamed.jpg", "cat/smaller.jpg"),
    "relabelled": ("dog/wrong.jpg",),
    "either": (),
    "replaced": ("cat/other.jpg",),
    "split_changed": ("cat/other.jpg",),
    "dropped": ("cat/bad.jpg",),
    "decided": (),
    "boxes_changed": (),
}


def of(before: pd.DataFrame, after: pd.DataFrame, content: list[int], twins: Twins) -> tuple[Matching, pd.DataFrame]:
    matching = match(before, after, np.array(content), twins)
    return matching, changes(before, after, matching)


def paths(table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    return {name: tuple(table.loc[table[name], "path"]) for name in CHANGES}


def test_one_of_each_by_hand() -> None:
    """A twin at the same path comes before one that is more alike (4 and 40, not 2 and 40)."""
    _, table = of(BEFORE, AFTER, CONTENT, TWINS)
    assert paths(table) == WANTED
    renamed = table.set_index("path").loc["cat/renamed.jpg"]
    assert (renamed["path_before"], renamed["label_before"]) == ("cat/smaller and renamed.jpg", "cat")
    assert counts_of(AFTER) == {"cat": 8, "dog": 1}
    assert not len(of(AFTER, AFTER, CONTENT, TWINS)[1]), "a version differs from itself in nothing"


def test_boxes_by_hand() -> None:
    """Annotations may number the objects of a picture anew: an object is known by its picture and box."""
    before = objects(
        ("a.jpg#0", 1, "cup", (0, 0, 10, 10)),
        ("a.jpg#1", 2, "cup", (50, 50, 10, 10)),
        ("a.jpg#2", 3, "cup", (80, 80, 10, 10)),
        ("b.jpg#0", 4, "jug", (0, 0, 10, 10)),
    )
    after = objects(
        ("a.jpg#0", 2, "cup", (50, 50, 10, 10)),  # numbered anew
        ("a.jpg#1", 30, "mug", (81, 80, 10, 10)),  # its box drawn again, and its class corrected
        ("a.jpg#2", 5, "cup", (9, 9, 10, 10)),  # another object: it hardly overlaps
        ("b.jpg#0", 40, "jug", (0, 0, 10, 10)),  # another file of the picture
    )
    content = [1, 2, 3, 4, 5, 30, 40]
    found = paths(of(before, after, content, no_twins(len(content)))[1])
    assert {name: found[name] for name in found if found[name]} == {
        "added": ("a.jpg#2",),
        "removed": ("a.jpg#0",),
        "reencoded": ("b.jpg#0",),
        "relabelled": ("a.jpg#1",),
        "boxes_changed": ("a.jpg#1",),
    }


FOLDERS = st.sampled_from(["a", "b"])
PICTURES = st.builds(
    lambda folder, name, content, split, decision: (f"{folder}/{name}", content, folder, split, decision),
    FOLDERS,
    st.sampled_from(["1", "2", "3"]),
    st.integers(0, 4),
    st.sampled_from([None, "train", "test"]),
    st.sampled_from([None, "drop"]),
)
VERSIONS = st.lists(PICTURES, max_size=6, unique_by=lambda row: row[0]).map(lambda rows: version(*rows))
ALL = list(range(5))
PAIRS = st.lists(
    st.sampled_from([(one, other) for one in ALL for other in ALL if one < other]), max_size=4, unique=True
).map(lambda pairs: twins_of(ALL, *((*pair, 0.96 + 0.001 * n) for n, pair in enumerate(pairs))))


def naive_pairs(before: pd.DataFrame, after: pd.DataFrame, twins: Twins) -> set[tuple[str, str]]:
    """The pairs of paths, by loops over all pictures."""
    left, right = (sorted(zip(table["path"], table["content"], strict=True)) for table in (before, after))
    cosine = {frozenset(pair): c for pair, c in zip(map(tuple, twins.pair.tolist()), twins.cosine, strict=True)}
    pairs = []

    def take(is_pair: object) -> None:
        for one in list(left):
            for other in list(right):
                if one in left and other in right and is_pair(one, other):  # type: ignore[operator]
                    pairs.append((one[0], other[0]))
                    left.remove(one)
                    right.remove(other)

    take(lambda one, other: one == other)
    take(lambda one, other: one[1] == other[1] and one[0][2:] == other[0][2:])
    take(lambda one, other: one[1] == other[1])
    for value in sorted(set(cosine.values()), reverse=True):  # at one path first
        take(lambda one, other, value=value: one[0] == other[0] and cosine.get(frozenset((one[1], other[1]))) == value)
    for value in sorted(set(cosine.values()), reverse=True):
        links = [(one, other) for one in left for other in right if cosine.get(frozenset((one[1], other[1]))) == value]
        for link in sorted(links, key=lambda link: sorted((link[0][0], link[1][0]))):
            take(lambda one, other, link=link: (one, other) == link)
    take(lambda one, other: one[0] == other[0])
    return set(pairs)


@pytest.mark.slow
@settings(max_examples=30)
@given(VERSIONS, VERSIONS, PAIRS)
def test_pairs_are_those_of_a_naive_loop_and_a_mirrored_diff_is_the_diff_mirrored(
    before: pd.DataFrame, after: pd.DataFrame, twins: Twins
) -> None:
    (found, there), (_, back) = (of(*sides, ALL, twins) for sides in ((before, after), (after, before)))
    names = before["path"].to_numpy()[found.before], after["path"].to_numpy()[found.after]
    assert set(zip(*names, strict=True)) == naive_pairs(before, after, twins)
    swapped = {"added": "removed", "removed": "added"}
    for name in CHANGES:
        mirrored = {(other, one) for one, other in both_paths(back, swapped.get(name, name))}
        if name not in ("dropped", "decided"):  # what is dropped one way is no longer decided on the other
            assert both_paths(there, name) == mirrored
    assert not (there["dropped"] & there["decided"]).any()
    decided, before_that = (both_paths(table, "dropped") | both_paths(table, "decided") for table in (there, back))
    assert decided == {(other, one) for one, other in before_that}
    assert len(before) + there["added"].sum() - there["removed"].sum() == len(after)


def both_paths(table: pd.DataFrame, change: str) -> set[tuple[str | None, str | None]]:
    """The paths before and after of what has a change, None where it is not there."""
    rows = table[table[change]]
    after = [None] * len(rows) if change == "removed" else rows["path"]
    return set(zip([None] * len(rows) if change == "added" else rows["path_before"], after, strict=True))


def test_a_leak_is_new_unless_both_pictures_lay_in_two_splits_before() -> None:
    before = version(
        ("1", 1, None, "train", None),
        ("2", 2, None, "test", None),
        ("3", 3, None, "train", None),
        ("4", 4, None, "test", "drop"),
    )
    after = version(
        ("1", 1, None, "train", None),
        ("2", 2, None, "test", None),
        ("3", 3, None, "test", None),
        ("4", 4, None, "test", None),
        ("5", 5, None, "test", None),
    )
    ids = dict(zip(after["path"], after["id"], strict=True))
    leaks = pd.DataFrame({"id": [ids[n] for n in "2345"], "twin_id": [ids["1"]] * 4, "path": list("2345")})
    matching = match(before, after, np.arange(6), no_twins(6))
    assert new_leaks(leaks, before, after, matching)["path"].tolist() == ["3", "4", "5"]


def test_splits_that_were_made_are_one_sentence_and_moved_is_what_was_in_another() -> None:
    """By hand: 1 moves, 2 stays, 3 and 4 are put into a split, 5 was dropped from one."""
    label, then, later = "abbbb", ("train", "test", None, None, "test"), ("test", "test", "train", "test", None)

    def side(splits: Sequence[str | None]) -> pd.DataFrame:
        return version(*((str(n), n, label[n - 1], split, None) for n, split in enumerate(splits, start=1)))

    none, before, after = side([None] * 5), side(then), side(later)
    assert paths(of(before, after, [*range(1, 6)], no_twins(5))[1])["split_changed"] == ("1",)
    said = "Splits made: 75 % test, 25 % train; 1 picture moved between existing splits."
    assert splits_in_words(before, after, moved=1) == said
    assert not len(of(none, after, [*range(1, 6)], no_twins(5))[1]), "no picture is in another split than before"
    assert splits_in_words(none, after, moved=0).endswith("; no picture moved between existing splits.")
    assert splits_in_words(after, none, moved=0) == "No picture is in a split any more."
    assert splits_in_words(none, none, moved=0) == splits_in_words(after, after, moved=0) == ""
    assert splits_in_words(side(("a", "b", "a", "b", "a")), after, moved=4) == "", "moves alone are counted by picture"


def rows(label: Sequence[str | None], ambiguity: list[float], group: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"label": np.array(label, dtype=object), "ambiguity": ambiguity, "group": group})


class TestAmbiguity:
    """Means, and intervals over groups that vary in both versions together."""

    def test_by_hand(self) -> None:
        """Each of ten pictures became .1 more ambiguous: whatever is drawn, the mean differs by .1."""
        values = np.linspace(0, 0.9, 10)
        before = rows(["a"] * 10 + ["b"], [*values, 0.5], list(range(11)))
        after = rows(["a"] * 10 + ["b", None], [*(values + 0.1), 0.5, 1.0], [*range(11), 11])
        table = ambiguity_by_class(before, after)
        assert table["label"].tolist() == ["a"]  # b has too few
        found = table.iloc[0]
        assert found[["pictures_before", "pictures"]].tolist() == [10, 10]
        assert found[["before", "after"]].tolist() == pytest.approx([0.45, 0.55])
        assert found[["difference", "low", "high"]].tolist() == pytest.approx([0.1, 0.1, 0.1])

    def test_intervals_are_those_of_a_naive_bootstrap_of_groups(self) -> None:
        dice = np.random.default_rng(0)
        group, is_new = np.repeat(np.arange(40), 2), np.arange(80) >= 60
        value = dice.random(80)
        before, after = rows(["a"] * 60, list(value[:60]), list(group[:60])), rows(["a"] * 80, list(value), list(group))

        def difference(values: np.ndarray, added: np.ndarray) -> float:
            return float(values.mean() - values[~added].mean())

        draws = (2 * dice.integers(40, size=40)[:, None] + np.arange(2) for _ in range(4000))
        wanted = np.quantile([difference(value[two.ravel()], is_new[two.ravel()]) for two in draws], [0.025, 0.975])
        found = ambiguity_by_class(before, after).iloc[0]
        assert found[["low", "high"]].tolist() == pytest.approx(wanted.tolist(), abs=0.01)

    def test_of_many_classes_none_changes_by_chance_and_one_that_does_is_found(self) -> None:
        """Two versions that each lack another half of 81 classes: some intervals exclude zero, none is called so."""
        dice, (label, each) = np.random.default_rng(1), (np.repeat(np.arange(81).astype(str), 40), np.arange(81 * 40))
        value = dice.random(len(label))
        there = dice.random((2, len(label))) < 0.5
        later = np.where(label == "7", 0.05 * value, value)
        sides = zip((value, later), there, strict=True)
        before, after = (rows(label[part], values[part].tolist(), each[part].tolist()) for values, part in sides)
        table = ambiguity_by_class(before, after)
        by_themselves = (table["low"] > 0) | (table["high"] < 0)
        found = Diff(None, None)  # type: ignore[arg-type]
        vars(found)["ambiguity"] = table
        assert by_themselves.sum() >= 4
        assert found.rose.empty
        assert found.fell["label"].tolist() == ["7"]


CLASSES, EACH = 4, 30


@pytest.fixture(scope="module")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    """Whitened rows about a centre for each class, and the classes."""
    dice, label = np.random.default_rng(1), np.repeat(np.arange(CLASSES, dtype=np.int32), EACH)
    raw = dice.normal(size=(CLASSES, 8))[label] + 0.9 * dice.normal(size=(len(label), 8))
    return raw / np.linalg.norm(raw, axis=1, keepdims=True), label


def naive(white: np.ndarray, label: np.ndarray, right: np.ndarray, group: np.ndarray, seed: int) -> np.ndarray:
    """Whether each picture is called right by a probe that learnt from the labels (−1: not there) of other folds."""
    fold, inputs, found = probe_folds(group, seed=seed), PROBE_SCALE * white, np.zeros(len(label), bool)
    for left_out in np.unique(fold):
        learns = (fold != left_out) & (label >= 0)
        model = LogisticRegression(C=1 / (2 * PROBE_PENALTY * learns.sum()), max_iter=500, tol=1e-6)
        model.fit(inputs[learns], label[learns])
        found[fold == left_out] = model.predict(inputs[fold == left_out]) == right[fold == left_out]
    return found


class TestProbe:
    """Both versions' probes on the same pictures, with their twins out of training."""

    @pytest.mark.slow
    def test_it_is_a_naive_loop(self, clusters: tuple[np.ndarray, np.ndarray]) -> None:
        """A quarter of the labels was wrong before, and ten pictures are new."""
        white, after = clusters
        before = np.where(np.arange(len(after)) % 4 == 0, (after + 1) % CLASSES, after).astype(np.int32)
        before[-10:] = -1
        group, is_test = np.arange(len(after)) // 2, before == after
        found = probe_change(white, before, after, is_test, group)
        assert found is not None
        both = [
            np.mean([naive(white, each, after, group, seed)[is_test].mean() for seed in range(SEEDS)])
            for each in (before, after)
        ]
        assert [found.before.value, found.after.value] == pytest.approx(both, abs=0.01)
        assert found.difference.value == pytest.approx(both[1] - both[0], abs=0.015)
        assert found.pictures == is_test.sum()
        assert found.difference.interval.low < found.difference.value < found.difference.interval.high

    def test_the_same_labels_make_no_difference(self, clusters: tuple[np.ndarray, np.ndarray]) -> None:
        white, label = clusters
        found = probe_change(white, label, label, label >= 0, np.arange(len(label)))
        assert found is not None
        assert (found.difference.value, found.difference.interval.low, found.difference.interval.high) == (0, 0, 0)
        assert "no measurable difference" in found.words

    def test_nothing_is_said_of_few_pictures_or_one_class(self, clusters: tuple[np.ndarray, np.ndarray]) -> None:
        white, label = clusters
        few, one = np.arange(len(label)) < FEWEST - 1, np.zeros_like(label)
        group = np.arange(len(label))
        assert probe_change(white, label, label, few, group) is None
        assert probe_change(white, one, label, label >= 0, group) is None


def test_copies_with_different_labels_have_none() -> None:
    one = pd.DataFrame({"content": [5, 5, 7], "label": ["a", "b", "b"]})
    other = pd.DataFrame({"content": [7, 9], "label": ["b", None]})
    codes = content_codes([one, other], np.array([5, 7, 9]))
    assert [each.tolist() for each in codes] == [[-1, 1, -1], [-1, 1, -1]]
