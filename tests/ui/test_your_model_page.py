"""Your model, through app.py as a visitor meets it: no run, a dropped file, two runs, the map by training."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import url_viz
from tests.annotated_sets import write_annotated
from tests.imaging.pictures import SHAPES, write_folder
from tests.object_sets import write_leaky_objects
from tests.ui.pages import linked, opened, words
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer
from url_viz.runs.model_accuracy import TRAINING
from url_viz.store.columns.source_columns import BOX_COLUMNS
from url_viz.store.recorder import Recorder
from url_viz.ui.explore.explore_map import SPACE
from url_viz.ui.explore.view import VIEW
from url_viz.ui.widgets.charts import curves_figure, model_facts
from url_viz.ui.your_model.forms import LEAKS_AGAINST
from url_viz.ui.your_model.page import RUN, RUN_COLUMN

COUNT = 40


def record(image_set: ImageSet, run: str, *, wrong: int, epochs: int = 2) -> None:
    """The first so many pictures of each class are wrong where they are held out; half are trained on, ever surer."""
    table, recorder = image_set.table(), url_viz.record(image_set, run)
    own = (table["label"] == "dog").to_numpy(int)
    place = table.groupby("label").cumcount().to_numpy()
    said = np.where(place < wrong, 1 - own, own)
    for epoch in range(epochs):
        logits = np.eye(2)[own] * (1 + 2 * epoch)
        recorder.epoch(table["id"].tolist()[::2], logits[::2], own[::2])
    recorder.epoch(table["id"].tolist(), np.eye(2)[said] * 2, own, split="val")


def add(at: AppTest, text: bytes) -> None:
    """Takes a file of predictions in."""
    at.file_uploader[0].set_value(("mine.csv", text, "text/csv")).run()
    at.button(key="run.add").click().run()


def match(at: AppTest, results: Path) -> None:
    """Matches a file of a detector's predictions with the objects."""
    at.text_input(key="detector.path").set_value(str(results)).run()
    at.button(key="detector.match").click().run()


def predicted(objects: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Predictions of these objects in their own boxes, of these classes."""
    boxes = objects[list(BOX_COLUMNS[:4])].to_numpy().tolist()
    rows = zip(objects["picture"], classes, boxes, strict=True)
    return [{"image_id": at, "category_id": name, "score": 0.9, "bbox": box} for at, name, box in rows]


def test_without_a_run_it_says_how_to_record_one_and_takes_a_file(image_set: ImageSet) -> None:
    at = opened(image_set, "your_model")
    assert f"record = url_viz.record({str(image_set.root)!r}, run=" in words(at)
    add(at, b"path,risk\ncat/0000.jpg,1\n")
    assert "'mine.csv' has no predictions: neither columns logit_0" in at.error[0].value.replace("\\", "")
    rows = [f"{path},{0.2 if path.startswith('dog') else 0.9},.5" for path in image_set.table()["path"]]
    text = "\n".join(["path,cat,dog", *rows])
    add(at, text.encode())
    assert image_set.runs.names() == ("mine",)
    assert at.metric[0].value == "100.0 %"
    assert f"on {COUNT} pictures that it was not trained on" in words(at)


def test_two_runs_are_counted_compared_and_reviewed(image_set: ImageSet) -> None:
    record(image_set, "a", wrong=2)
    record(image_set, "b", wrong=5)
    at = opened(image_set, "your_model")
    assert at.metric[0].value == "75.0 %"  # of b, the last one: 10 of 40 are wrong
    matrix = at.dataframe[0].value
    assert matrix.to_numpy().tolist() == [[15, 5], [5, 15]]
    assert at.dataframe[1].value["accuracy"].tolist() == [0.75, 0.75]
    said = words(at).replace("\\", "")
    assert "b is right of .750 [" in said
    assert "difference −.150 [" in said
    assert "6 pictures right in a only" in said
    assert "0 pictures right in b only" in said
    count = image_set.table()["model_says"].value_counts()
    for kind, key in (("wrong label", "model-wrong-labels"), ("model's weakness", "model-weakness")):
        assert any(f"**{count.get(kind, 0):,}** · " in each.value for each in at.container(key=f"run_{key}").markdown)
    at.selectbox(key=RUN_COLUMN.under("control")).set_value("brightness").run()
    assert 2 <= len(at.dataframe[1].value) <= 10
    at.selectbox(key=RUN).set_value("a").run()
    assert at.metric[0].value == "90.0 %"
    assert image_set.runs.chosen == "a"
    at.button(key="run.only_one").click().run()
    spec = at.session_state["view.review"]
    assert spec.by == "model_doubt"
    assert len(spec.scope.ids) == 6


def test_explore_has_the_map_by_training_and_the_address_opens_it(image_set: ImageSet) -> None:
    assert not [one for one in opened(image_set).segmented_control if one.key == SPACE]
    record(image_set, "a", wrong=2)
    at = opened(image_set, "your_model")
    at.button(key="run.map").click().run()
    assert at.session_state[VIEW].space == TRAINING
    assert at.query_params["map"] == TRAINING
    linked_at = linked(image_set, map=TRAINING, lasso="0,0 1,0 1,1 0,1").run()
    assert linked_at.session_state[VIEW].space == TRAINING
    assert f"Review these {COUNT // 2}" in words(linked_at)
    linked_at.button(key="explore.review").click().run()
    assert set(linked_at.session_state["view.review"].scope.ids) == set(image_set.table()["id"].tolist()[::2])
    at = linked(image_set, map=TRAINING, lasso="0,0 1,0 1,1 0,1").run()
    at.segmented_control(key=SPACE).set_value("").run()
    assert f"Review these {COUNT // 2}" not in words(at)
    assert "map" not in at.query_params


def test_an_opened_picture_has_what_the_model_says_and_its_curves(image_set: ImageSet) -> None:
    assert model_facts(image_set.row(int(image_set.table()["id"].iloc[0]))).empty
    record(image_set, "a", wrong=2, epochs=3)
    one = int(image_set.table()["id"].iloc[0])
    facts = dict(model_facts(image_set.row(one)).to_numpy().tolist())
    assert facts["Says"].startswith("dog ")
    assert facts["First right in epoch"] == "0"
    assert facts["Forgotten"] == "never"
    trained, held_out = curves_figure(image_set.runs.get("a").curves(one)).data
    assert trained.y.tolist() == pytest.approx([100 * np.exp(s) / (np.exp(s) + 1) for s in (1, 3, 5)], abs=0.1)
    assert held_out.y.tolist() == pytest.approx([100 / (np.exp(2) + 1)], abs=0.1)
    at = linked(image_set, picture=str(one)).run()
    assert "Your model · a" in words(at)


def test_a_training_of_url_viz_is_shown_once_it_is_chosen_and_files_are_added(image_set: ImageSet) -> None:
    ids, own = image_set.table()["id"].tolist(), (image_set.table()["label"] == "dog").to_numpy(int)
    ours = Recorder(image_set.core.store.paths, image_set.folder, "finetune-mine", classes=["cat", "dog"], is_ours=True)
    ours.epoch(ids, np.eye(2)[own], split="held-out")
    at = opened(image_set, "your_model")
    assert "compared with the pictures only if you choose one" in words(at)
    assert not at.metric
    at.selectbox(key=RUN).set_value("finetune-mine").run()
    assert at.metric[0].value == "100.0 %"
    for number, rows in enumerate((ids[:30], [*ids[25:], 7])):
        shown = image_set.table().set_index("id")["path"].reindex(rows).fillna("gone.png")
        text = "\n".join(["path,cat,dog", *(f"{path},.9,.1" for path in shown)])
        at.file_uploader[0].set_value((f"part{number}.csv", text.encode(), "text/csv")).run()
        at.text_input(key="run.name").set_value("two").run()
        at.button(key="run.add").click().run()
        assert image_set.runs.chosen == "two"
    told = [toast.value.replace("\\", "") for toast in at.toast]
    assert told == [
        "15 of 16 rows of 'part1.csv' are of a picture of this set.",
        "No picture was found for 'gone.png'.",
        "It replaces 5 predictions of this epoch.",
    ]
    assert f"on {COUNT} pictures that it was not trained on" in words(at)


def test_of_objects_predictions_come_first_and_test_pictures_are_told(
    tmp_path: Path, home: Workspace, model: Model
) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "COCO"), model=model, workspace=home.root)
    at = opened(objects, "your_model")
    assert words(at).index("Add your detector's predictions") < words(at).index("Record your model")
    table = objects.table()
    entries = predicted(table.head(4), ["dog"] * 4)
    entries += [{**entries[0], "bbox": [0, 0, 2, 2]}, {**entries[0], "bbox": [150, 100, 6, 6], "score": 0.4}]
    (tmp_path / "results.json").write_text(json.dumps(entries))
    match(at, tmp_path / "nothing.json")
    assert "cannot be read as COCO results" in at.error[0].value
    (tmp_path / "unnamed.json").write_text(json.dumps([{**entries[0], "category_id": 70}]))
    match(at, tmp_path / "unnamed.json")
    assert "from number 0 on (under Options)" in at.error[0].value.replace("\\", "")
    match(at, tmp_path / "results.json")
    assert "4 objects found" in at.warning[0].value, "most are of another class"
    called = int((table["label"].head(4) != "dog").sum())
    assert at.dataframe[0].value["box_width"].tolist() == [2, 6], "the predictions of no object"
    [shown] = [each.value for each in at.get("html") if "url-viz-boxes" in each.value]
    assert 'src="data:image/svg+xml;base64,' in shown
    assert '<i class="dashed"></i>predicted dog, score .90' in shown
    assert at.button(key="detector.step.-1").disabled
    at.button(key="detector.step.1").click().run()
    [shown] = [each.value for each in at.get("html") if "url-viz-boxes" in each.value]
    assert "score .40" in shown
    assert "no labelled box overlaps it" in shown
    assert at.button(key="detector.step.1").disabled
    said = words(at)
    assert f"{called} objects that it calls something else" in said
    assert f"{len(table) - 4} objects that it missed" in said
    whole = embed_folder(objects.folder, model=model, workspace=home.root)
    at = opened(objects, "your_model")
    assert "Predictions of no object are listed here after" in words(at)
    at.selectbox(key=LEAKS_AGAINST).set_value(whole.set_id).run()
    assert "no object is a picture" in at.error[0].value
    assert "Record your model" in words(at), "the page goes on"
    at.text_input(key="splits.test").set_value("1.*").run()
    at.button(key="splits.tell").click().run()
    assert objects.splits.get() is not None
    assert any("Splits: train " in caption.value for caption in at.caption)
    at.button(key="splits.make").click().run()
    assert any("stayed whole: nothing leaks" in caption.value for caption in at.caption), "above the form"
    at.text_input(key="splits.test").set_value("0.*").run()
    at.button(key="splits.tell").click().run()
    assert objects.table().set_index("path")["split"].groupby(level=0).first().filter(like="0.").eq("test").all()
    assert not any("stayed whole" in caption.value for caption in at.caption), "that was of other splits"


def test_counts_follow_answers_and_copies_that_were_not_decided_are_left(
    tmp_path: Path, home: Workspace, model: Model
) -> None:
    objects = embed_folder(write_leaky_objects(tmp_path / "set"), model=model, workspace=home.root)
    table = objects.table()
    other = dict(zip(SHAPES, (*SHAPES[1:], SHAPES[0]), strict=True))
    copied = table[table["picture"].isin(["images/train/0.png", "images/val/5.png"])]
    (tmp_path / "results.json").write_text(json.dumps(predicted(copied, [other[name] for name in copied["label"]])))
    at = opened(objects, "your_model")
    assert "The source says which pictures are test: train 4, val 2." in words(at)
    match(at, tmp_path / "results.json")
    assert "6 of them as another class" in at.warning[0].value, "no success: most classes differ"
    assert "are they numbered differently" in at.warning[0].value
    review = objects.reviews.open("other-class")
    assert len(review) == 3, "of two copies one is asked about"

    def said() -> tuple[str, str]:
        at = opened(objects, "your_model")
        line = next(each.value for each in at.markdown if "that it calls something else" in each.value)
        button = [one.label for one in at.button if one.key == "detector.other-class"]
        return line.replace("\\", ""), "".join(button)

    else_ = "6 objects that it calls something else"
    assert said() == (f"{else_} (3 to review: 3 are copies of others)", "Review 3")
    first, second, third = review.ids.tolist()
    review.store(first, CardAnswer(label=review.card(first).question.choices[0].label, twins=True))
    assert said() == (f"{else_} (2 to review, 2 answered: 2 are copies of others)", "Continue: 2")
    for one in (second, third):
        review.store(one, CardAnswer(label=review.card(one).question.choices[1].label))
    left = "2 copies not decided with their originals"
    assert said() == (f"{else_} (4 answered; {left})", "Review 2")
    at = opened(objects, "your_model")
    at.button(key="detector.other-class").click().run()
    spec = at.session_state["view.review"]
    fresh = objects.reviews.open("other-class", afresh=True).ids.tolist()
    assert sorted(spec.scope.ids) == sorted(fresh), "as the command lists them"
    [row] = [row for row in objects.reviews.queues() if row.kind == "other-class"]
    assert (row.words, row.left, row.opens) == (f"The detector says another class: {left}", 2, spec)
    at = opened(objects, "review", view__review=ReviewSpec("other-class"))
    assert f"{left}: “and its 2 copies” on a card (t)" in words(at)
    at.button(key="review.copies").click().run()
    assert at.session_state["view.review"] == spec
    copies = objects.reviews.open(spec)
    for one in copies.ids.tolist():
        copies.store(one, CardAnswer(label=copies.card(one).question.choices[0].label))
    assert said() == ("6 objects that it calls something else (6 answered)", "")
    assert "other-class" not in [row.kind for row in objects.reviews.queues()]


def test_results_outside_the_allowed_folders_lead_to_allowing_them(
    tmp_path: Path, home: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "COCO"), model=model, workspace=home.root)
    (tmp_path / "elsewhere").mkdir()
    box = {"image_id": objects.table()["picture"].iloc[0], "category_id": "dog", "score": 0.9, "bbox": [0, 0, 9, 9]}
    (tmp_path / "elsewhere" / "results.json").write_text(json.dumps([box]))
    monkeypatch.setenv("URL_VIZ_ROOTS", f"{tmp_path / 'set'}{os.pathsep}{Path(objects.source.name).parent}")
    monkeypatch.setenv("URL_VIZ_TOKEN", "auto")
    at = opened(objects, "your_model")
    match(at, tmp_path / "elsewhere" / "results.json")
    assert "Allow it above, then click “Match”" in at.error[0].value
    assert "URL_VIZ_ROOTS" not in at.error[0].value
    at.button(key="detector.allow").click().run()
    at.button(key="detector.match").click().run()
    assert "0 objects found" in at.success[0].value


def test_another_set_shows_which_pictures_are_in_it_too(
    image_set: ImageSet, tmp_path: Path, home: Workspace, model: Model
) -> None:
    folder = write_folder(tmp_path / "test", 12, classes=("cat", "dog"), start=COUNT)
    shared = image_set.table()["path"].iloc[:3].tolist()
    for number, path in enumerate(shared):
        (folder / "cat" / f"shared{number}.jpg").write_bytes((image_set.folder / path).read_bytes())
    other = embed_folder(folder, model=model, workspace=home.root)
    at = opened(image_set, "your_model")
    at.selectbox(key=LEAKS_AGAINST).set_value(other.set_id).run()
    assert "3 pictures of this set also in test: 3 the same file" in words(at).replace("\\", "")
    assert sorted(at.dataframe[-1].value["path"]) == sorted(shared)
    at.button(key="leaks.review").click().run()
    assert "· 3 selected" in words(at)
    at = opened(other, "your_model")
    at.selectbox(key=LEAKS_AGAINST).set_value(image_set.set_id).run()
    assert "3 pictures of this set also in" in words(at)
