"""The labels to check as a table, through app.py as a visitor meets it: unlabelled, one class, labelled, ticked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.columns.set_table import set_table
from tests.ui.pages import linked, opened, words
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.columns.filters import OneOf, ReviewSpec, Scope, passes_all
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.doubtful_labels import DoubtfulLabels, doubtful_labels, labels_to_check
from url_viz.labels.label_choice import CONFIRMED
from url_viz.labels.label_issues import CONFLICTING, LabelCheck, each_way
from url_viz.ui.explore.view import VIEW
from url_viz.ui.review.label_table import LABEL_ROWS, label_columns

COUNT = 24


SUSPECTS = ReviewSpec("suspects")


def table(image_set: ImageSet, by: str = "suspects") -> AppTest:
    """The page with the labels to check as a table."""
    return opened(image_set, "review", view__review=ReviewSpec(by), view__review__as_table=True)


def rows_key(image_set: ImageSet, kind: str | None = None, label: str | None = None) -> str:
    return LABEL_ROWS.under(kind, label, image_set.version, image_set.decisions.version)


def tick(at: AppTest, key: str, *rows: int) -> None:
    at.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    at.run()


def test_a_labelled_set_shows_what_to_doubt_and_what_is_ticked_is_decided_on_and_taken_back(labelled: ImageSet) -> None:
    at = table(labelled)
    doubtful = labelled.labels.doubtful()
    assert doubtful is not None
    shown = at.dataframe[0].value
    assert f"{doubtful.words}." in words(at)
    assert next(element.help for element in at.header).startswith(f"{COUNT + 1} labelled pictures of 2 classes were")
    assert shown["File"].tolist() == doubtful.rows["path"].tolist()
    assert shown["Suggested"].tolist() == doubtful.rows["suggested"].tolist()
    assert at.button(key="labels.accept").disabled
    assert at.button(key="labels.confirm").disabled

    ids, key = doubtful.rows["id"].tolist(), rows_key(labelled)
    tick(at, key, 0, 1)
    assert at.button(key="labels.accept").label == "Label as suggested · 2"
    assert not [button for button in at.button if button.key == "labels.open"], "of two pictures"
    at.button(key="labels.accept").click().run()
    assert at.toast[0].value.startswith("Labelled 2 pictures")
    given = labelled.table().set_index("id").loc[ids[:2]]
    assert given["label"].tolist() == doubtful.rows["suggested"].tolist()[:2]
    assert rows_key(labelled) != key, "nothing is ticked in what is left"
    assert not {*ids[:2]} & {*labelled.labels.doubtful().rows["id"]}
    at.button(key="labels.undo").click().run()
    assert labelled.table()["label_checked"].isna().all()

    tick(at, rows_key(labelled), 1)
    assert at.button(key="labels.open")
    at.button(key="labels.confirm").click().run()
    assert labelled.row(ids[1])["label_checked"] == CONFIRMED
    tick(at, rows_key(labelled), 0)
    at.button(key="labels.drop").click().run()
    assert labelled.row(ids[0])["decision"] == "drop"


def test_of_copies_in_conflict_one_is_labelled_as_suggested(labelled: ImageSet) -> None:
    at = table(labelled)
    kinds = next(box for box in at.selectbox if box.label == "Show")
    assert "Conflicting copies · 2" in kinds.options
    kinds.set_value(CONFLICTING).run()
    at.button(key="labels.tick").click().run()
    assert at.button(key="labels.accept").label == "Label as suggested · 1"
    tick(at, rows_key(labelled, CONFLICTING), 0, 1)
    assert at.button(key="labels.accept").label == "Label as suggested · 1", "both would swap their labels"
    at.button(key="labels.accept").click().run()
    assert labelled.table().set_index("path").loc[["cat/0000.jpg", "dog/again.jpg"], "label"].nunique() == 1


def test_a_class_narrows_the_table_and_a_review_of_one_class_opens_it_with_that(labelled: ImageSet) -> None:
    first = str(labelled.labels.doubtful().rows["label"].iloc[0])
    at = table(labelled)
    at.selectbox(key="view.labels.class").set_value(first).run()
    assert set(at.dataframe[0].value["Label"]) == {first}
    at = opened(labelled, "review", view__review=ReviewSpec("suspects", Scope(filters=(OneOf("label", (first,)),))))
    at.button(key="review.table").click().run()
    assert at.query_params["as"] == "table"
    assert at.selectbox(key="view.labels.class").value == first
    at.button(key="review.each").click().run()
    assert "as" not in at.query_params
    assert not at.dataframe


def test_it_is_reached_from_its_queue_and_by_its_address_and_computed_only_then(labelled: ImageSet) -> None:
    doubtful = labelled.labels.doubtful()
    assert doubtful is not None
    at = opened(labelled, "review")
    assert not at.dataframe
    finding = next(row for row in labelled.reviews.queues() if row.opens == SUSPECTS)
    at.button(key=f"review.{finding.kind}.table").click().run()
    assert len(at.dataframe[0].value) == len(doubtful)
    at = linked(labelled, review="suspects", **{"as": "table"}).run()
    assert len(at.dataframe[0].value) == len(doubtful)
    at.button(key="review.leave").click().run()
    assert not {"as", "review"} & {*at.query_params}
    at.button(key="review.confusability").click().run()
    assert not {"review.each", "review.table"} & {button.key for button in at.button}, "another review is none"
    assert not linked(labelled, review="confusability", **{"as": "table"}).run().dataframe


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
    assert at.button(key="explore.review").label == "Review this one", "of copies one"
    at.multiselect(key="view.filter.label_check").set_value(["doubtful"]).run()
    assert at.session_state[VIEW].filters == (OneOf("label_check", ("doubtful",)),)
    at.button(key="explore.review").click().run()
    spec = at.session_state["view.review"]
    assert set(labelled.reviews.open(spec).ids.tolist()) == set(doubtful.rows["id"])


def test_the_same_from_python_and_the_command_line_and_pictures_between_two(
    labelled: ImageSet, home: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = labelled.labels.check().of_kind(CONFLICTING).set_index("path")
    assert copies["suggested"].to_dict() == {"cat/0000.jpg": "dog", "dog/again.jpg": "cat"}
    assert labelled.labels.doubtful().rows["path"].iloc[0] in set(copies.index), "what is certain comes first"
    assert labelled.labels.wrong_share() is None, "of pictures by dice no class is known"
    filters, table = between_filters(("cat", "dog")), labelled.table()
    assert filters == tuple(OneOf(name, ("cat", "dog")) for name in ("first_class", "second_class"))
    assert passes_all(table, filters).tolist() == table["first_class"].notna().tolist()
    assert not passes_all(table, between_filters(("cat", "emu"))).any()
    place = [str(labelled.root), "--workspace", str(home.root), "--model", labelled.source.name]
    assert main(["labels", "doubtful", *place, "--kind", "conflicting-copies"]) == 0
    told = capsys.readouterr().out
    assert f"{labelled.labels.doubtful().words}." in told
    assert "dog/again.jpg" in told
    out = tmp_path / "relabel.csv"
    assert main(["labels", "doubtful", *place, "--out", str(out)]) == 0
    assert pd.read_csv(out)["id"].tolist() == labelled.labels.doubtful().rows["id"].tolist()
    assert main(["labels", "confused", *place, "--out", str(tmp_path / "confused.csv")]) == 0
    confused = labelled.labels.confused()
    assert confused is not None
    assert len(pd.read_csv(tmp_path / "confused.csv")) == len(confused)


def test_an_unlabelled_set_is_told_how_to_get_labels_and_one_class_is_nothing_to_check(
    unlabelled: ImageSet, home: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Label check" not in opened(unlabelled).selectbox(key="view.filter_column").options
    assert "Put them into class folders" in words(table(unlabelled))
    assert unlabelled.labels.doubtful() is None
    assert main(["labels", "doubtful", str(unlabelled.root), "--workspace", str(home.root)]) == 1
    assert "error:" in capsys.readouterr().err
    names = tmp_path / "names.csv"
    names.write_text("path,kind\n" + "\n".join(f"{path},cat" for path in unlabelled.table()["path"]))
    unlabelled.columns.add(names)
    unlabelled.labels.use("kind")
    assert "All labelled pictures are of one class" in words(table(unlabelled))


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
    return check, doubtful_labels(check, set_table(4, {"label": "cat"}, {}))


def test_a_pair_is_told_and_shows_both_ways_also_what_is_not_doubtful() -> None:
    check, doubtful = made()
    pair = check.confused.iloc[0][["class_a", "class_b"]]
    assert each_way(check.confused, (*pair,)) == "2 (100 %) of cat look like dog, 1 (100 %) the other way"
    rows = labels_to_check(check, doubtful, pair=("cat", "dog"))
    assert rows["id"].tolist() == [100, 101, 102]
    assert rows["suggested"].tolist() == ["dog", "cat", "dog"]
    assert labels_to_check(check, doubtful, pair=("dog", "cat"), label="dog")["id"].tolist() == [101]
    assert labels_to_check(check, doubtful)["id"].tolist() == [100, 101, 102, 103]
    assert labels_to_check(check, doubtful, kind="out on its own", label="emu")["id"].tolist() == [103]
    assert labels_to_check(check, doubtful, kind="out on its own", label="cat").empty


def test_the_table_says_what_speaks_against_a_label_and_what_was_decided(labelled: ImageSet) -> None:
    rows = labelled.labels.check().pictures.head(3).reset_index(drop=True)
    rows = rows.assign(wrong=[0.957, 0.2, 0.0], kind=["likely wrong", "", ""], suggested=["dog", "cat", None])
    shown = label_columns(labelled, rows, is_chance_known=True)
    assert shown["Wrong"].tolist() == [96, 20, 0]
    assert shown["Kind"].tolist() == ["likely wrong", "", ""]
    assert shown["Picture"].str.endswith(".jpg").all()
    assert "Decided" not in shown
    labelled.decisions.decide([int(rows["id"].iloc[0])], "drop")
    labelled.labels.give({int(rows["id"].iloc[1]): str(rows["label"].iloc[1])})
    shown = label_columns(labelled, rows.assign(kind=""), is_chance_known=False)
    assert shown["Decided"].fillna("").tolist() == ["dropped", CONFIRMED, ""]
    assert not {"Wrong", "Kind"} & {*shown}
