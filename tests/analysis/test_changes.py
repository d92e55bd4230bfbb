"""What changed between two versions: by hand, by a naive loop, and by what must hold of any two."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from url_viz.analysis.changes import BOX, CHANGES, Matching, changes, class_sizes, match, new_leaks
from url_viz.imaging.places import image_id, picture_path
from url_viz.store.tables import Twins, no_twins

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
    return Twins(len(content), pair, np.array([row[2] for row in rows], np.float32))


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
    "replaced": ("cat/other.jpg",),
    "split_changed": ("cat/other.jpg",),
    "decided": ("cat/bad.jpg",),
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
    assert class_sizes(AFTER) == {"cat": 8, "dog": 1}
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


def naive(before: pd.DataFrame, after: pd.DataFrame, twins: Twins) -> set[tuple[str, str]]:
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


@settings(max_examples=30)
@given(VERSIONS, VERSIONS, PAIRS)
def test_pairs_are_those_of_a_naive_loop_and_a_mirrored_diff_is_the_diff_mirrored(
    before: pd.DataFrame, after: pd.DataFrame, twins: Twins
) -> None:
    (found, there), (_, back) = (of(*sides, ALL, twins) for sides in ((before, after), (after, before)))
    names = before["path"].to_numpy()[found.before], after["path"].to_numpy()[found.after]
    assert set(zip(*names, strict=True)) == naive(before, after, twins)
    swapped = {"added": "removed", "removed": "added"}
    for name in CHANGES:
        mirrored = {(other, one) for one, other in both_paths(back, swapped.get(name, name))}
        assert both_paths(there, name) == mirrored
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
