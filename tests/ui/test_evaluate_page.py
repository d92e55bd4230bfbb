"""Does the order hold, through app.py as a visitor meets it: unlabelled, labelled, being read, without a head."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import named, opened, reading, words
from url_viz.base.workspace import Workspace
from url_viz.columns.measures import AMBIGUITY, quoted
from url_viz.evidence.evaluation import CountedPictures, Evaluated
from url_viz.evidence.order import grade, verdict_in_words
from url_viz.evidence.order_metrics import Figure, Interval
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.compare_models import SECOND
from url_viz.ui.evaluate import class_order, classes_by, coverage_table, crop_sample
from url_viz.ui.widgets.charts import curves_of_coverage, intervals_figure

COUNT = 40
BY = "Order of the chart"


@pytest.fixture
def labelled(tmp_path: Path, read_once: Read) -> ImageSet:
    folder = write_folder(tmp_path / "zoo", COUNT, classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "cat" / "again.jpg")
    return read_once(folder)


@pytest.fixture
def unlabelled(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "flat", 25))


def found_of(image_set: ImageSet) -> Evaluated:
    found = image_set.evaluate()
    assert found is not None
    return found


def turn(at: AppTest, chart: str) -> None:
    named(at.segmented_control, "Chart").set_value(chart).run()


def test_a_labelled_set_shows_a_verdict_one_table_and_one_chart_with_definitions_behind_help(
    labelled: ImageSet,
) -> None:
    at = opened(labelled, "evaluate")
    text, results = words(at).replace("\\", ""), found_of(labelled)
    leading = str(labelled.order().measure)
    sentence, _, why = verdict_in_words(leading, results.figure(leading)).partition(": ")
    assert f"**{sentence}**: {why}" in text
    recall = next(each for each in at.caption if "recall@" in each.value)
    assert f"{100 * results.pictures.recall:.1f} % of {COUNT} pictures" in recall.value
    assert f"counted on {COUNT} pictures of 2 classes; 1 left out (copies," in recall.help
    header = next(each for each in at.header if each.value == "Orders and baselines")
    assert "so nearest similarity is its baseline" in header.help
    assert "Torn between classes (ambiguity) uses the classes it is judged by" in header.help
    assert "errors are counted by neighbours here, which favours orders by neighbours" in header.help
    assert "R-AUROC: how often" not in text
    assert len(at.get("plotly_chart")) == 1
    shown = at.dataframe[0].value
    assert list(shown)[:4] == ["Measure", "R-AUROC", "Within class", "Knows"]
    classes = "the set, your classes"
    knows = {"Torn between classes": classes, "General model": "the picture alone"}
    knows["Logistic regression (baseline)"] = classes
    knows |= dict.fromkeys(("ImageNet entropy (baseline)", "1 / norm (baseline)"), "the picture alone")
    knows |= dict.fromkeys(("Easily mistaken", "Nearest similarity (baseline)", "Nearest gap (baseline)"), "the set")
    assert dict(zip(shown["Measure"], shown["Knows"], strict=True)) == knows
    assert shown["Measure"].iloc[0] == "Torn between classes"
    columns = json.loads(at.dataframe[0].proto.columns)
    assert columns["AURC"]["hidden"]
    assert not columns["R-AUROC"]["hidden"]
    assert columns["Within class"]["help"].startswith("The same among pictures of one class")
    assert all(" [" in cell for cell in shown["R-AUROC"])
    assert "best" not in text.lower()


def test_the_chart_is_one_of_five_and_an_order_is_asked_for_where_it_is_of_one(labelled: ImageSet) -> None:
    at = opened(labelled, "evaluate")
    for chart in ("Leaving out", "Tenths", "Shares"):
        turn(at, chart)
        assert not at.exception
        assert len(at.get("plotly_chart")) == (chart != "Shares"), "too few pictures for shares"
        assert (BY in [each.label for each in at.selectbox]) == (chart == "Tenths")
    assert "This can be measured with" in words(at)
    turn(at, "Classes")
    classes = at.dataframe[1].value
    assert sorted(classes["label"]) == ["cat", "dog"]
    assert classes["pictures"].sum() == COUNT
    assert classes["recall"].is_monotonic_increasing
    named(at.selectbox, BY).set_value("uncertainty").run()
    assert at.dataframe[1].value["mean_percentile"].tolist() != classes["mean_percentile"].tolist()


def test_whether_leaving_out_helps_a_search_is_computed_once_it_is_opened(labelled: ImageSet) -> None:
    at = opened(labelled, "evaluate")
    folded = next(each for each in at.expander if each.label == "Does leaving out help a search?")
    assert not folded.children
    at.session_state["evaluate.leaving_out"] = True
    assert "Refusing ambiguous queries" in words(at.run())


def test_an_unlabelled_set_is_told_what_it_would_take_and_what_can_be_said(unlabelled: ImageSet) -> None:
    at = opened(unlabelled, "evaluate")
    text = words(at)
    assert "at least 20 pictures in two or more class folders" in at.info[0].value
    assert "rank correlation" in text
    assert "Does leaving out help a search?" not in text
    assert not at.dataframe
    at.button(key="evaluate.crop.run").click().run()
    assert "“General model” is higher on the crop for **" in words(at)
    assert "of 25 pictures (95 % interval" in words(at)


def test_the_crop_test_says_which_files_it_could_not_read(labelled: ImageSet) -> None:
    at = opened(labelled, "evaluate")
    (labelled.root / "cat" / "0002.jpg").unlink()
    (labelled.root / "dog" / "0001.jpg").write_bytes(b"<html>")
    at.button(key="evaluate.crop.run").click().run()
    assert f"of {COUNT - 2} pictures" in words(at)
    leading = quoted(labelled.order().measure or "")
    assert f"{leading}, which orders this set, is higher" in words(at)
    for title in {"“Torn between classes”", "“Easily mistaken”", "“General model”"} - {leading}:
        assert f"{title} is higher on the crop for **" in words(at)
    assert "2 files could not be read and are not counted" in words(at)
    shutil.rmtree(labelled.root)
    at.button(key="evaluate.crop.run").click().run()
    assert "None of the files could be read." in words(at)


def test_a_backbone_without_a_head_is_evaluated_by_the_rest(
    home: Workspace, tmp_path: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from url_viz.models import model_names as zoo

    monkeypatch.setattr(zoo, "HEADS", tmp_path / "no heads")
    folder = write_folder(tmp_path / "zoo", 24, classes=("cat", "dog"))
    at = opened(embed_folder(folder, model=bare_model, workspace=home.root), "evaluate")
    known = ["Torn between classes", "Easily mistaken"]
    baselines = ("ImageNet entropy", "1 / norm", "Nearest similarity", "Nearest gap", "Logistic regression")
    known += [f"{baseline} (baseline)" for baseline in baselines]
    assert at.dataframe[0].value["Measure"].tolist() == known
    assert "than “General model”" not in at.header[0].help


def test_while_the_set_is_read_no_figure_is_shown(labelled: ImageSet) -> None:
    reading(labelled)
    at = opened(labelled, "evaluate")
    assert "The figures appear once reading has finished" in words(at)
    assert not at.dataframe


def test_the_verdict_names_more_or_less_only_where_its_interval_says_so() -> None:
    def said(by: float, low: float, high: float) -> str:
        rows = np.arange(4)
        names = np.array(["a"] * 4)
        pictures = CountedPictures(rows, rows, names, np.array(["a", "b", "a", "b"]), {}, left_out=0)
        return Evaluated(pictures, pd.DataFrame(), Figure(by, Interval(low, high))).verdict

    assert "Of the measures without classes, “Easily mistaken” predicts errors better" in said(0.1, 0.02, 0.2)
    assert "“Easily mistaken” predicts errors worse" in said(-0.1, -0.2, -0.02)
    assert "do not clearly differ" in said(0.1, -0.02, 0.2)
    assert "+.100 [−.020, +.200]" in said(0.1, -0.02, 0.2)
    rows, names = np.arange(3), np.array(["a", "a", "a"])
    all_right = CountedPictures(rows, rows, names, names, {}, left_out=0)
    assert "Every nearest neighbour is right" in Evaluated(all_right, pd.DataFrame(), None).verdict


def test_figures_and_tables_hold_the_same_numbers(labelled: ImageSet) -> None:
    assert labelled.cached(ImageSet.evaluate) is labelled.cached(ImageSet.evaluate)
    results = found_of(labelled)
    figure = intervals_figure(results)
    table = results.table()
    assert list(figure.data[0].x) == table["r_auroc"].tolist()
    assert (table["r_auroc_low"] <= table["r_auroc"]).all()
    curves = coverage_table(results)
    drawn = {trace.name: trace for trace in curves_of_coverage(results).data}
    assert list(drawn["Torn between classes"].y) == pytest.approx(100 * curves["ambiguity"])
    assert drawn["Torn between classes"].line.color == AMBIGUITY.colour
    assert list(drawn)[1:3] == ["Torn between classes", "Easily mistaken"]
    assert list(drawn["Oracle"].x) == pytest.approx(100 * curves["coverage"])
    assert drawn["ImageNet entropy"].visible == "legendonly"
    leads = results.shown().set_index("Measure")["Lead over nearest similarity"]
    assert leads["Torn between classes"] == "–", "it has seen the classes, nearest similarity has not"
    assert leads["Easily mistaken"] != "–"
    assert leads.tolist()[5] == "–"


def test_a_class_shows_its_mistaken_pictures_first_the_most_ambiguous_ahead() -> None:
    labels, nearest = np.array(["a", "a", "b", "a", "a"]), np.array(["a", "b", "b", "b", "a"])
    values = {"uncertainty": np.array([9.0, 1, 5, 2, 3])}
    pictures = CountedPictures(np.arange(5), np.arange(5), labels, nearest, values, left_out=0)
    assert class_order(pictures, label="a", measure="uncertainty").tolist() == [3, 1, 0, 4]


def test_a_sample_holds_no_copies_and_is_the_same_again(labelled: ImageSet) -> None:
    whole = crop_sample(labelled, 1000)
    assert len(whole) == COUNT
    some = crop_sample(labelled, 10)
    assert len({subject.id for subject in some}) == 10
    assert [subject.id for subject in some] == [subject.id for subject in crop_sample(labelled, 10)]


def test_another_head_gets_two_columns_of_the_table(labelled: ImageSet, home: Workspace) -> None:
    path = home.heads / "zoo-1" / "head.safetensors"
    path.parent.mkdir(parents=True)
    save_head(dice_head(3), path)
    at = opened(labelled, "evaluate", **{f"{SECOND}.{labelled.source.name}": str(path)})
    shown = at.dataframe[0].value.set_index("Measure")
    assert list(shown)[-2:] == ["Agreement", "Difference in R-AUROC"]
    agreement, difference = (shown[column].astype(str) for column in list(shown)[-2:])
    assert agreement["Torn between classes"].startswith("1.00")
    assert difference["Torn between classes"].startswith(".000")
    assert not agreement["General model"].startswith("1.00")
    columns = json.loads(at.dataframe[0].proto.columns)
    assert "each is half of the judge" in columns["Difference in R-AUROC"]["help"]
    assert shown["Agreement"].isna().sum() == 3, "what only an evaluation computes is not compared"


def test_a_head_that_has_learnt_from_these_pictures_is_not_judged_on_them(labelled: ImageSet, home: Workspace) -> None:
    path = home.heads / "zoo-1" / "head.safetensors"
    path.parent.mkdir(parents=True)
    save_head(dice_head(3), path)
    figure = {"value": 0.7, "interval": {"low": 0.6, "high": 0.8}}
    report = {"told": [{"measure": "r_auroc", "count": 5, "after": figure}]}
    path.with_name("report.json").write_text(json.dumps(report))
    path.with_name("config.json").write_text(json.dumps({"data": f"folder:{labelled.root}"}))
    adapted = open_image_set(labelled.root, model=str(path), workspace=home.root)
    order = adapted.order("uncertainty")
    assert "uncertainty" in found_of(labelled).pictures_of
    assert labelled.order("uncertainty").reason.startswith("General model")
    assert "uncertainty" not in found_of(adapted).pictures_of
    assert (order.evidence, grade(order)) == (None, "")
    assert order.reason.startswith("Adapted head")
    assert "uncertainty" not in adapted.order().others
    at = opened(labelled, "evaluate", **{f"{SECOND}.{labelled.source.name}": str(path)})
    shown = at.dataframe[0].value.set_index("Measure")
    assert shown["R-AUROC"].isna()["General model or adapted head"]
    at = opened(adapted, "evaluate")
    assert "Adapted head: no figure here. It has learnt from these pictures" in words(at)
    assert "On 5 pictures held out: R-AUROC .70 [.60, .80]" in words(at).replace("\\", "")


def test_a_class_has_a_figure_only_where_enough_are_wrong() -> None:
    def of_class(wrong: int) -> float:
        is_right = np.arange(60) >= wrong
        labels = np.array(["a"] * 60)
        values = {"uncertainty": np.arange(60.0)[::-1]}
        pictures = CountedPictures(
            np.arange(60), np.arange(60), labels, np.where(is_right, "a", "b").astype(str), values, left_out=0
        )
        return float(classes_by(pictures, "uncertainty")["r_auroc"].iloc[0])

    assert np.isnan(of_class(1))
    assert of_class(20) == 1


def test_it_is_said_that_no_baseline_knows_the_classes_and_what_each_order_is(labelled: ImageSet) -> None:
    at = opened(labelled, "evaluate")
    leads = labelled.order().measure == "ambiguity"
    assert ("No baseline below knows your classes" in words(at)) is leads
    columns = json.loads(at.dataframe[0].proto.columns)
    assert "Nearest gap: How close the second" in columns["Measure"]["help"]
    assert "1 / norm: One over the length" in columns["Measure"]["help"]
    assert "leaving it ends the test" in words(at)
