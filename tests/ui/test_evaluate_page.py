"""Does the order hold, as a visitor meets it: unlabelled, labelled, being read, headless, beside another model."""

import gc
import json
import os
import re
import shutil
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import named, opened, reading, words
from tests.ui.test_search_page import evidence_from
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import Between
from url_viz.columns.measures import AMBIGUITY, DISAGREEMENT, quoted
from url_viz.evidence.compare import most_disagreeing
from url_viz.evidence.evaluation import CountedPictures, Evaluated
from url_viz.evidence.order import grade, verdict_in_words
from url_viz.evidence.order_metrics import Figure, Interval
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import list_jobs
from url_viz.models.head import save_head
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT, PACKAGED
from url_viz.reading import embed_folder
from url_viz.ui.compare_models import NO_OTHER, SECOND, comparison_of
from url_viz.ui.evaluate import class_order, classes_by, coverage_table, crop_sample
from url_viz.ui.explore.view import VIEW
from url_viz.ui.leaving_out import evidence_of, verdict
from url_viz.ui.search import SEARCHING
from url_viz.ui.widgets.charts import curves_of_coverage, intervals_figure
from url_viz.ui.widgets.embed_job import KIND

COUNT = 40
BY = "Order of the chart"


@pytest.fixture
def labelled(tmp_path: Path, read_once: Read) -> ImageSet:
    folder = write_folder(tmp_path / "zoo", COUNT, classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "cat" / "again.jpg")
    return read_once(folder)


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    """Too few pictures to be evaluated."""
    return read_once(write_folder(tmp_path / "zoo", 12, classes=("cat", "dog")))


@pytest.fixture
def other_head(home: Workspace) -> str:
    path = home.heads / "zoo-1" / "head.safetensors"
    path.parent.mkdir(parents=True)
    save_head(dice_head(3), path)
    return str(path)


def beside(image_set: ImageSet, other: str) -> AppTest:
    """The page where a second model was chosen."""
    return opened(image_set, "evaluate", **{f"{SECOND}.{image_set.source.name}": other})


def found_of(image_set: ImageSet) -> Evaluated:
    found = image_set.evaluate()
    assert found is not None
    return found


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
    assert ("No baseline below knows your classes" in text) is (leading == "ambiguity")
    assert "Nearest gap: How close the second" in columns["Measure"]["help"]
    assert "1 / norm: One over the length" in columns["Measure"]["help"]
    assert "leaving it ends the test" in text


def test_the_chart_is_one_of_five_and_an_order_is_asked_for_where_it_is_of_one(labelled: ImageSet) -> None:
    at = opened(labelled, "evaluate")
    for chart in ("Leaving out", "Tenths", "Shares"):
        named(at.segmented_control, "Chart").set_value(chart).run()
        assert not at.exception
        assert len(at.get("plotly_chart")) == (chart != "Shares"), "too few pictures for shares"
        assert (BY in [each.label for each in at.selectbox]) == (chart == "Tenths")
    assert "This can be measured with" in words(at)
    named(at.segmented_control, "Chart").set_value("Classes").run()
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
    said = words(at.run())
    known = labelled.cached(evidence_of, "confusability")
    assert known is not None
    assert verdict(known) in said
    assert "A picture is never its own hit." in said
    table = at.table[0].value
    assert list(table.columns) == ["By class", "Overall"]
    assert list(table.index) == ["Left out", "Both", "Refused"]


def test_what_leaving_out_would_take_is_said_without_classes(unlabelled: ImageSet) -> None:
    def script(image_set: object) -> None:
        from url_viz.ui.leaving_out import show_evidence

        show_evidence(image_set, measure="confusability")  # type: ignore[arg-type]

    assert "This needs classes" in words(AppTest.from_function(script, args=(unlabelled,)).run())


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


@pytest.mark.usefixtures("without_heads")
def test_a_backbone_without_a_head_is_evaluated_by_the_rest(home: Workspace, tmp_path: Path, bare_model: Model) -> None:
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


def test_another_head_gets_two_columns_of_the_table(labelled: ImageSet, other_head: str) -> None:
    at = beside(labelled, other_head)
    shown = at.dataframe[0].value.set_index("Measure")
    assert list(shown)[-2:] == ["Agreement", "Difference in R-AUROC"]
    agreement, difference = (shown[column].astype(str) for column in list(shown)[-2:])
    assert agreement["Torn between classes"].startswith("1.00")
    assert agreement["Easily mistaken"].startswith("1.00")
    assert difference["Torn between classes"].startswith(".000")
    assert re.fullmatch(r"−?\.\d\d \[.*\]", agreement["General model"])
    assert "is the same under both." in words(at)
    assert "compare.explore" not in [button.key for button in at.button], "there is nothing that they disagree on"
    columns = json.loads(at.dataframe[0].proto.columns)
    assert "each is half of the judge" in columns["Difference in R-AUROC"]["help"]
    assert shown["Agreement"].isna().sum() == 3, "what only an evaluation computes is not compared"


def test_a_head_that_has_learnt_from_these_pictures_is_not_judged_on_them(
    labelled: ImageSet, other_head: str, home: Workspace
) -> None:
    path = Path(other_head)
    figure = {"value": 0.7, "interval": {"low": 0.6, "high": 0.8}}
    report = {"told": [{"measure": "r_auroc", "count": 5, "after": figure}]}
    path.with_name("report.json").write_text(json.dumps(report))
    path.with_name("config.json").write_text(json.dumps({"data": f"folder:{labelled.root}"}))
    adapted = open_image_set(labelled.root, model="zoo-1", workspace=home.root)
    assert adapted.source.name == other_head, "the name that pages show opens it"
    order = adapted.order("uncertainty")
    assert "uncertainty" in found_of(labelled).pictures_of
    assert labelled.order("uncertainty").reason.startswith("General model")
    assert "uncertainty" not in found_of(adapted).pictures_of
    assert (order.evidence, grade(order)) == (None, "")
    assert order.reason.startswith("Adapted head")
    assert "uncertainty" not in adapted.order().others
    row = beside(labelled, other_head).dataframe[0].value.set_index("Measure").loc["General model or adapted head"]
    assert row["Knows"] == "the set"
    assert "[" in str(row["Agreement"])
    assert row.isna()["R-AUROC"]
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


def test_the_verdict_says_no_more_than_the_figures_show() -> None:
    telling = evidence_from([0.1, 0.2, 0.3, 0.9], [True, True, True, False])
    silent = evidence_from([0.1, 0.2, 0.3, 0.9], [False, True, True, False])
    avoids = "Refusing ambiguous queries **avoids errors**: by “Easily mistaken”, a picture with a wrong match ranks"
    assert avoids in verdict(telling)
    assert "Refusing ambiguous queries **does not clearly avoid errors**" in verdict(silent)
    assert r"by **\+12.5 points** compared with leaving out as many at random" in verdict(silent)


@pytest.fixture
def other_backbone(image_set: ImageSet, home: Workspace, tmp_path: Path) -> ImageSet:
    """The set as another backbone has read it."""
    tiny, file = "test_vit", tmp_path / "mine.safetensors"
    save_file(timm.create_model(tiny, num_classes=7).state_dict(), file)
    mine = load_model(f"{tiny}:{file}", device="cpu", precision="exact", workspace=home.root)
    return embed_folder(image_set.root, model=mine, workspace=home.root)


def test_another_backbone_is_compared_and_left_again(image_set: ImageSet, other_backbone: ImageSet) -> None:
    at = opened(image_set, "evaluate")
    assert not at.dataframe, "without classes and another model there is no table"
    assert named(at.selectbox, "Compare with another model").value == NO_OTHER
    at = beside(image_set, other_backbone.source.name)
    assert "By “Easily mistaken”, the orders are" in words(at).replace("\\", "")
    helped = next(each for each in at.caption if "By “Easily mistaken”" in each.value).help
    assert "nearest, " in helped
    assert "Easily mistaken" in at.dataframe[0].value["Measure"].tolist()
    assert "Difference in R-AUROC" not in at.dataframe[0].value
    named(at.selectbox, "Compare with another model").set_value(NO_OTHER).run()
    assert not at.dataframe


def test_a_button_opens_explore_on_what_they_disagree_on_most(image_set: ImageSet, other_backbone: ImageSet) -> None:
    at = beside(image_set, other_backbone.source.name)
    at.session_state[SEARCHING] = True
    column = f"{DISAGREEMENT}test_vit"
    now = open_image_set(image_set.root, model=image_set.source.name, workspace=image_set.workspace.root)
    apart = now.core.for_filters(now.table(), [Between(column)])[column].to_numpy(float)
    least = most_disagreeing(apart)
    count = int((apart >= least).sum())
    button = at.button(key="compare.explore")
    assert button.label.startswith(f"Explore the {count} picture")
    button.click().run()
    at.switch_page("pages/explore_page.py").run()
    assert at.session_state[VIEW].filters == (Between(column, low=least),)
    assert f"Disagreement with test\\_vit ≥ {least:.6g}" in words(at)
    assert not at.session_state[SEARCHING]
    assert f"**{count}** of {len(image_set)}" in words(at)


def test_the_same_head_under_another_name_is_told(image_set: ImageSet, other_head: str) -> None:
    shutil.copy(image_set.source.name, other_head)
    at = beside(image_set, other_head)
    assert "This is the same model." in words(at)
    assert not at.dataframe


def test_with_one_model_only_a_second_one_is_offered(
    home: Workspace, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in PACKAGED if name != DEFAULT]:
        monkeypatch.delitem(PACKAGED, name)
    image_set = embed_folder(write_folder(tmp_path / "zoo", 4), model=DEFAULT, workspace=home.root)
    at = opened(image_set, "evaluate")
    control = named(at.selectbox, "Compare with another model")
    assert (control.value, control.options) == (NO_OTHER, ["Compare with another model"])
    at = beside(image_set, "test_vit")
    assert r"has not been read with test\_vit yet" in words(at)


def test_a_model_that_did_not_read_the_set_is_offered_as_a_job(image_set: ImageSet, home: Workspace) -> None:
    other = home.heads / "far-1" / "head.safetensors"
    other.parent.mkdir(parents=True)
    save_head(dice_head(backbone="no_such_backbone"), other)
    at = beside(image_set, str(other))
    at.button(key="compare.read").click().run()
    assert [job.about["model"] for job in list_jobs(home, kind=KIND)] == [str(other)]
    assert at.session_state["chosen_model"] == image_set.source.name, "the model that is shown stays"


@pytest.mark.usefixtures("without_heads")
def test_where_one_has_no_head_uncertainty_is_not_compared_and_the_rest_is_the_same(image_set: ImageSet) -> None:
    at = beside(image_set, DEFAULT)
    assert "General model" not in at.dataframe[0].value["Measure"].tolist()
    assert "The order by “Easily mistaken” is the same under both." in words(at)


def test_a_comparison_is_worked_out_once_and_keeps_no_snapshot(image_set: ImageSet, other_head: str) -> None:
    def read(model: str) -> ImageSet:
        return open_image_set(image_set.root, model=model, workspace=image_set.workspace.root)

    first, second = read(image_set.source.name), read(other_head)
    found = comparison_of(first, second)
    assert comparison_of(read(image_set.source.name), read(other_head)) is found
    assert comparison_of(second, first) is not found
    held = weakref.ref(first)
    del first
    gc.collect()
    assert held() is None


def test_a_checkpoint_outside_the_roots_is_not_looked_at(
    image_set: ImageSet,
    head_file: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", f"{tmp_path}{os.pathsep}{head_file.parent}")
    outside = tmp_path_factory.mktemp("outside") / "head.safetensors"
    save_head(dice_head(4), outside)
    at = beside(image_set, str(outside))
    assert not at.dataframe
    assert "has not been read with outside" in words(at)
