"""Labels of contents, and the class columns that are joined to the table and kept until labels change."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.labels.classed import labelled_numbers
from url_viz.columns.ranking import NONE, percentile
from url_viz.labels.ambiguity import classify
from url_viz.labels.classes import CLASS_COLUMNS, agreed_label, ambiguity, coded_labels, labels_by_content
from url_viz.pipeline.twins import twin_groups
from url_viz.store.tables.stored_arrow import MOST_CACHED
from url_viz.store.tables.tables import positions_of

VALUES = ["ambiguity", "first_share", "second_share"]


def cached_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.arrow"))


def test_labels_of_contents_by_hand() -> None:
    """Contents 5 and 8 have copies: those of 5 agree, also where one has no label, those of 8 do not."""
    label = pd.Series(["dog", "cat", None, "dog", "cat", None, "cat"], dtype=object)
    contents = np.array([5, 8, 5, 5, 7, 6, 8])
    contents[6], label.iloc[6] = 8, "ant"
    found = labels_by_content(coded_labels(label), contents - 5, 5)
    assert found.names == ("ant", "cat", "dog")
    assert found.codes.tolist() == [2, NONE, 1, NONE, NONE]
    assert len(found) == 5


def test_pictures_that_are_not_in_the_graph_have_no_say() -> None:
    found = labels_by_content(coded_labels(pd.Series(["a", "b", "a"], dtype=object)), np.array([-1, 0, -1]), 1)
    assert (found.names, found.codes.tolist()) == (("a", "b"), [1])
    nothing = labels_by_content(coded_labels(pd.Series([], dtype=object)), np.zeros(0, np.int64), 2)
    assert (nothing.names, nothing.codes.tolist()) == ((), [NONE, NONE])


def test_agreed_labels_as_a_loop_finds_them() -> None:
    rng = np.random.default_rng(0)
    row, label = rng.integers(0, 20, 40), rng.integers(0, 2, 40).astype(np.int32)
    for content, code in enumerate(agreed_label(row, label, 22)):
        said = set(label[row == content].tolist())
        assert code == (said.pop() if len(said) == 1 else NONE)


def test_columns_are_those_of_the_classes_by_content(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 120, spread=1.5)
    numbers.contents[3] = numbers.contents[4]
    numbers.embeddings[3] = numbers.embeddings[4]
    numbers.label[50:60] = [None] * 10
    table = numbers.classed().joined(numbers.plain_table())
    graph = numbers.graph
    names = sorted({name for name in numbers.label if name is not None})
    row = positions_of(numbers.contents, graph.content)
    codes = np.full(len(graph), NONE, np.int32)
    for place, name in zip(row, numbers.label, strict=True):
        codes[place] = NONE if name is None else names.index(name)
    found = classify(graph.position, graph.similarity, numbers.whitened.rows, codes, twin_groups(graph.twins))
    assert found is not None
    assert table["ambiguity"].to_numpy() == pytest.approx(found.shares.ambiguity[row])
    assert table["ambiguity_percentile"].to_numpy() == pytest.approx(percentile(table["ambiguity"].to_numpy()))
    assert table["first_class"].tolist() == [names[code] for code in found.shares.first_class[row]]
    assert table["second_class"].tolist() == [names[code] for code in found.shares.second_class[row]]
    assert (table["first_share"] >= table["second_share"]).all()
    assert (table["first_class"] != table["second_class"]).all()
    assert table.loc[3, VALUES].tolist() == table.loc[4, VALUES].tolist()


def test_a_picture_that_the_graph_has_not_has_no_classes(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 60)
    table = numbers.plain_table()  # from here on the graph is that of the contents as they are
    numbers.contents = np.append(numbers.contents[:-1], 7)
    last = numbers.classed().joined(table).iloc[-1]
    assert np.isnan(last[VALUES].to_numpy(float)).all()
    assert last[["first_class", "second_class"]].isna().all()


def test_copies_with_two_labels_neither_vote_nor_teach(tmp_path: Path) -> None:
    """Their own columns are there all the same, and everybody else's are as if they had no label."""
    numbers = labelled_numbers(tmp_path, 120, spread=1.2)
    numbers.contents[1], numbers.embeddings[1] = numbers.contents[0], numbers.embeddings[0]
    numbers.label[1] = "class 3"
    conflicting = numbers.classed().joined(numbers.plain_table())
    numbers.label[0] = numbers.label[1] = None
    unlabelled = numbers.classed().joined(numbers.plain_table())
    assert conflicting["ambiguity"].notna().all()
    pd.testing.assert_frame_equal(conflicting[list(CLASS_COLUMNS)], unlabelled[list(CLASS_COLUMNS)])


def test_what_is_kept_on_disk_is_used_and_the_same(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path / "shares", 120)
    table = numbers.plain_table()
    made = numbers.classed()
    first = made.joined(table)
    assert (numbers.times_read, len(cached_files(tmp_path / "shares"))) == (1, 1)
    again = numbers.classed()
    pd.testing.assert_frame_equal(again.joined(table), first)
    assert numbers.times_read == 1, "neither graph nor rows were read"
    for one, other in zip(vars(made.evidence(table)).values(), vars(again.evidence(table)).values(), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    assert again.model(table) is not None
    assert numbers.times_read == 2, "only what tells new pictures needs the graph"


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "shares").write_text("a file in the way")
    numbers = labelled_numbers(tmp_path / "shares", 120)
    assert numbers.classed().joined(numbers.plain_table())["ambiguity"].notna().all()


def test_changed_labels_are_worked_out_again_and_the_old_ones_are_still_there(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 120, spread=1.2)
    table, classed = numbers.plain_table(), numbers.classed()
    first, made = classed.joined(table), classed.derived.get(ambiguity)
    classed.joined(table.assign(more=1))
    assert classed.derived.get(ambiguity) is made, "nothing is worked out again for another column"
    moved = table.assign(label=np.roll(table["label"].to_numpy(), 7))
    second = classed.joined(moved)
    assert not np.allclose(first["ambiguity"], second["ambiguity"])
    assert len(cached_files(tmp_path)) == 2
    pd.testing.assert_frame_equal(numbers.classed().joined(table.copy()), first)
    assert numbers.times_read == 2, "once for each choice: the first is cached still"


@pytest.mark.slow
def test_only_so_many_choices_of_labels_are_kept(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 60)
    table = numbers.plain_table()
    for number in range(MOST_CACHED + 2):
        numbers.classed().joined(table.assign(label=np.roll(table["label"].to_numpy(), number)))
        for place, file in enumerate(sorted(cached_files(tmp_path), key=lambda path: path.stat().st_mtime)):
            os.utime(file, (place, place))
    assert len(cached_files(tmp_path)) == MOST_CACHED
    before = numbers.times_read
    numbers.classed().joined(table.assign(label=np.roll(table["label"].to_numpy(), MOST_CACHED + 1)))
    assert numbers.times_read == before, "the latest is among them"


@pytest.mark.parametrize("label", [None, "one"])
def test_without_two_classes_there_is_nothing_between(tmp_path: Path, label: str | None) -> None:
    numbers = labelled_numbers(tmp_path, 60)
    numbers.label = [label] * 60
    table, classed = numbers.plain_table(), numbers.classed()
    pd.testing.assert_frame_equal(classed.joined(table), table)
    assert classed.model(table) is classed.evidence(table) is None
    assert cached_files(tmp_path) == []


def test_another_whitened_space_is_worked_out_again(tmp_path: Path) -> None:
    """Pictures and labels are the same, but not who is near to whom."""
    numbers, other = labelled_numbers(tmp_path, 120), labelled_numbers(tmp_path, 120)
    other.embeddings[:] = other.embeddings[::-1]
    for each in (numbers, other):
        each.classed().joined(each.plain_table())
    assert (numbers.times_read, other.times_read, len(cached_files(tmp_path))) == (1, 1, 2)


def test_a_space_that_is_fitted_anew_gives_no_classes_and_caches_none(tmp_path: Path) -> None:
    numbers, later = labelled_numbers(tmp_path, 120), labelled_numbers(tmp_path, 130)
    _ = numbers.graph
    numbers.__dict__["whitened"] = later.whitened
    assert numbers.classed().joined(numbers.plain_table())["ambiguity"].isna().all()
    assert not cached_files(tmp_path)


def test_of_many_pictures_the_columns_themselves_are_cached(tmp_path: Path) -> None:
    numbers = labelled_numbers(tmp_path, 120)
    table = numbers.plain_table()
    first = numbers.classed(large_from=1).joined(table)
    (of_contents,) = (tmp_path / "class_shares").iterdir()
    of_contents.unlink()
    pd.testing.assert_frame_equal(numbers.classed(large_from=1).joined(table), first)
    assert numbers.times_read == 1, "neither graph nor rows were read"
    numbers.classed(large_from=1).joined(table.assign(label=np.roll(table["label"].to_numpy(), 1)))
    assert numbers.times_read == 2, "with other labels they are others"
