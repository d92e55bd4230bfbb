"""Check labels in every state, through app.py as a visitor meets it: no set, unlabelled, one class, labelled, read."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.columns.set_table import set_table
from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import opened, words
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.columns.filters import OneOf, ReviewSpec, Scope, passes_all
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.doubtful_labels import DoubtfulLabels, doubtful_labels
from url_viz.labels.label_issues import CONFLICTING, LabelCheck
from url_viz.ui.explore.view import VIEW
from url_viz.ui.labels import each_way, in_scope, of_pair, pair_at, tiles, with_current_decisions

COUNT = 24


@pytest.fixture
def labelled(tmp_path: Path, read_once: Read) -> ImageSet:
    folder = write_folder(tmp_path / "zoo", COUNT, classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "dog" / "again.jpg")
    return read_once(folder)


@pytest.fixture
def unlabelled(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "flat", 6))


def test_a_labelled_set_shows_what_to_doubt_and_suggestions_are_accepted_and_taken_back(labelled: ImageSet) -> None:
    at = opened(labelled, "labels")
    check, doubtful = labelled.labels.check(), labelled.labels.doubtful()
    assert check is not None
    assert doubtful is not None
    text = words(at)
    assert f"{doubtful.words}." in text
    assert f"Checked: {COUNT + 1} labelled pictures of 2 classes." in text
    assert len(doubtful) >= 1, "of the two copies one"
    assert "nearest neighbours, and a linear classifier (ridge) fitted without the picture" in text
    assert not [button for button in at.button if button.key == "labels.explore"]
    assert [len(shown.value) for shown in at.dataframe] == [len(check.mixed)] * (len(check.mixed) > 0)

    at.pills(key="view.labels.kind").set_value("conflicting copies").run()
    assert "Of the 2 pictures shown here **1** are labelled more likely wrong than right" in words(at)
    at.button(key="labels.accept").click().run()
    assert at.toast[0].value == "Labelled 1 picture “dog”", "one of the two copies gets the other's label"
    table = labelled.table().set_index("path")
    assert table.loc[["cat/0000.jpg", "dog/again.jpg"], "label"].nunique() == 1
    assert table["label_given"].tolist() == ["cat"] * (COUNT // 2) + ["dog"] * (COUNT // 2 + 1)
    assert not {"cat/0000.jpg", "dog/again.jpg"} & set(labelled.labels.suspects()["path"])
    at.button(key="labels.undo").click().run()
    assert labelled.table()["label_checked"].isna().all()

    first = str(labelled.labels.suspects()["label"].iloc[0])
    at.selectbox(key="view.labels.class").set_value(first).run()
    at.button(key="labels.review").click().run()
    assert at.session_state["view.review"] == ReviewSpec("suspects", Scope(filters=(OneOf("label", (first,)),)))


def test_doubtful_labels_are_a_filter_on_explore_with_the_count_of_check_labels(labelled: ImageSet) -> None:
    doubtful, check = labelled.labels.doubtful(), labelled.labels.check()
    assert doubtful is not None
    assert check is not None
    at = opened(labelled)
    at.selectbox(key="view.filter_column").set_value("label_check").run()
    counts = at.multiselect(key="view.filter.label_check").options
    assert {f"conflicting copies ({check.count(CONFLICTING):,})", f"doubtful ({len(doubtful):,})"} <= set(counts)
    at.multiselect(key="view.filter.label_check").set_value(["conflicting copies"]).run()
    assert at.button(key="chip.label_check").label == "Label check: conflicting copies"
    assert at.button(key="explore.review").label == "Review these 2"
    at.multiselect(key="view.filter.label_check").set_value(["doubtful"]).run()
    assert at.session_state[VIEW].filters == (OneOf("label_check", ("doubtful",)),)
    at.button(key="explore.review").click().run()
    spec = at.session_state["view.review"]
    assert set(labelled.reviews.open(spec).ids.tolist()) == set(doubtful.rows["id"])


def test_without_labels_there_is_no_filter_on_their_check(unlabelled: ImageSet) -> None:
    assert "Label check" not in opened(unlabelled).selectbox(key="view.filter_column").options


def test_the_same_from_python_and_the_command_line_and_pictures_between_two(
    labelled: ImageSet, home: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = labelled.labels.check().of_kind(CONFLICTING).set_index("path")
    assert copies["suggested"].to_dict() == {"cat/0000.jpg": "dog", "dog/again.jpg": "cat"}
    assert labelled.labels.suspects()["path"].iloc[0] in set(copies.index), "what is certain comes first"
    assert labelled.labels.wrong_share() is None, "of pictures by dice no class is known"
    filters, table = between_filters(("cat", "dog")), labelled.table()
    assert filters == tuple(OneOf(name, ("cat", "dog")) for name in ("first_class", "second_class"))
    assert passes_all(table, filters).tolist() == table["first_class"].notna().tolist()
    assert not passes_all(table, between_filters(("cat", "emu"))).any()
    place = [str(labelled.root), "--workspace", str(home.root), "--model", labelled.source.name]
    assert main(["suspects", *place, "--kind", "conflicting-copies"]) == 0
    told = capsys.readouterr().out
    assert f"{labelled.labels.doubtful().words}." in told
    assert "dog/again.jpg" in told
    assert main(["suspects", *place]) == 0
    assert labelled.labels.suspects()["path"].iloc[0] in capsys.readouterr().out
    out = tmp_path / "relabel.csv"
    assert main(["suspects", *place, "--out", str(out)]) == 0
    assert pd.read_csv(out)["id"].tolist() == labelled.labels.suspects()["id"].tolist()
    assert main(["confused", *place, "--out", str(tmp_path / "confused.csv")]) == 0
    confused = labelled.labels.confused()
    assert confused is not None
    assert len(pd.read_csv(tmp_path / "confused.csv")) == len(confused)


def test_an_unlabelled_set_is_told_how_to_get_labels_and_one_class_is_nothing_to_check(
    unlabelled: ImageSet, home: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Put them into class folders" in words(opened(unlabelled, "labels"))
    assert unlabelled.labels.suspects() is None
    assert main(["suspects", str(unlabelled.root), "--workspace", str(home.root)]) == 1
    assert "error:" in capsys.readouterr().err
    names = tmp_path / "names.csv"
    names.write_text("path,kind\n" + "\n".join(f"{path},cat" for path in unlabelled.table()["path"]))
    unlabelled.columns.add(names)
    unlabelled.labels.use("kind")
    assert "All labelled pictures are of one class" in words(opened(unlabelled, "labels"))


SAID = ((7, "dog"), (5, "cat"), (4, "dog"))


def made() -> tuple[LabelCheck, DoubtfulLabels]:
    """Four labels, of which the first is likely wrong."""
    pictures = set_table(4, {}, {})[["id", "path", "twin_group"]].assign(
        label=["cat", "dog", "cat", "emu"],
        suggested=["dog", "cat", "dog", None],
        score=[0.9, 0.5, 0.3, 0.1],
        kind=["likely wrong", "between classes", "", "out on its own"],
        support=[7, 5, 4, 0],
        neighbours=9,
        share=[0.9, 0.4, 0.3, np.nan],
        wrong=[0.95, 0.2, 0.0, 0.1],
        taken_for=["dog", "cat", "dog", "emu"],
        unsure=0.0,
        answer=np.nan,
    )
    check = LabelCheck(pictures, ("cat", "dog", "emu"), 0, LabelAgreement(0.9, 0.3, 40))
    return check, doubtful_labels(check, set_table(4, {}, {}))


def test_a_pair_shows_both_ways_also_what_is_not_doubtful() -> None:
    check, doubtful = made()
    rows = of_pair(check, ("cat", "dog"))
    assert rows["id"].tolist() == [100, 101, 102]
    assert rows["suggested"].tolist() == ["dog", "cat", "dog"]
    assert in_scope(check, doubtful, kind=None, label=None)["id"].tolist() == [100, 101, 102, 103]
    assert in_scope(check, doubtful, kind="out on its own", label="emu")["id"].tolist() == [103]


def test_a_row_that_was_chosen_in_a_longer_table_is_no_pair() -> None:
    confused = made()[0].confused
    first = confused.iloc[0]
    told = each_way(confused, (first["class_a"], first["class_b"]))
    assert told.startswith(f"{first['a_as_b']} (")
    assert f"of {first['class_a']} look like {first['class_b']}, {first['b_as_a']} (" in told
    pairs = [pair_at(confused, [row]) for row in range(len(confused))]
    assert ("cat", "dog") in pairs
    assert pair_at(confused, []) is pair_at(confused, [len(confused)]) is None


def test_tiles_ask_and_say_how_likely_the_label_is_wrong() -> None:
    shown = tiles(made()[0].pictures, set_id="set")
    assert [tile.question for tile in shown] == ["cat or dog?", "dog or cat?", "cat or dog?", None]
    assert [tile.label for tile in shown] == ["cat", "dog", "cat", "emu"]
    assert [tile.value for tile in shown] == ["95 % wrong", "20 % wrong", "under 1 % wrong", "10 % wrong"]
    assert shown[0].detail == "The label is wrong with a probability of 95 %; 7 of 9 neighbours are dog"
    assert [tile.mark for tile in shown] == ["likely wrong", "between", None, "outlier"]
    assert [tile.asked for tile in shown] == [("cat", "dog"), ("dog", "cat"), ("cat", "dog"), None]


def test_where_all_may_be_right_tiles_of_objects_say_what_neighbours_are() -> None:
    shown = tiles(made()[0].pictures, set_id="set", is_chance_known=False)
    assert [tile.value for tile in shown] == [f"{count} of 9 neighbours" for count in (7, 5, 4, 0)]
    assert [tile.detail for tile in shown] == [*(f"{n} of 9 neighbours are {k}" for n, k in SAID), ""]


def test_long_names_are_told_apart_below_a_picture() -> None:
    pictures = made()[0].pictures.head(1).assign(label="alpro-blueberry-soyghurt", suggested="alpro-vanilla-soyghurt")
    [tile] = tiles(pictures, set_id="set")
    assert tile.question == "alpro-blueberry-soyghurt or alpro-vanilla-soyghurt?"
    assert (tile.asked, tile.short_label) == (("…blueberry…", "…vanilla…"), "…blueberry…")


def test_decided_suspects_are_drawn_with_their_decision(labelled: ImageSet) -> None:
    """Where some are decided the others have none: nan would be no JSON, and the gallery would not be drawn."""
    pictures = labelled.labels.check().pictures
    labelled.decisions.decide([int(pictures["id"].iloc[0])], "keep")
    rows = with_current_decisions(pictures, labelled)
    assert [tile.decision for tile in tiles(rows, set_id="x")] == ["keep", *[None] * (len(rows) - 1)]
    opened(labelled, "labels")
