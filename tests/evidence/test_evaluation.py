"""Evaluation by hand, by naive loops, and as the training command reports it on the same pictures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tests.imaging.pictures import write_folder
from tests.pipeline.examples import embeddings_of, graph_of
from training.config import EvaluateConfig
from training.data.spec import list_labelled
from training.evaluate.__main__ import evaluate
from training.overlap import EmbeddedPictures
from url_viz.base.wording import MISSING
from url_viz.columns.measures import MEASURES, MODEL_DOUBT, TRAINING_MEASURES, measure_title
from url_viz.columns.ranking import percentile
from url_viz.evidence import evaluation
from url_viz.evidence.baselines import nearest_dissimilarity, nearest_gap
from url_viz.evidence.evaluation import (
    FEWEST_PICTURES,
    LEAD,
    NEAREST,
    CountedPictures,
    by_class,
    counted_pictures,
    deciles,
    evaluated,
    evidence,
)
from url_viz.evidence.order_metrics import (
    auroc_by_blocks,
    nearest_others,
    r_auroc,
    recall_at_1,
    risk_coverage,
    share_of,
)
from url_viz.evidence.probe import PROBE_PENALTY, PROBE_SCALE, probe_folds
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.pipeline.confusability import confusability
from url_viz.reading import embed_folder
from url_viz.store.tables.tables import Graph, positions_of

COUNT = 90


class Set:
    """A labelled image set made of numbers: three overlapping classes, and what `ImageSet` would give of it."""

    def __init__(self, *, k: int = 8) -> None:
        rng = np.random.default_rng(0)
        centres = np.repeat(rng.normal(size=(3, 6)), COUNT // 3, axis=0)
        self.embedding = (centres + rng.normal(0, 1.3, (COUNT, 6))).astype(np.float32)
        self.contents = rng.permutation(COUNT).astype(np.int64) + 11
        self.which = np.arange(COUNT)
        self.k = k
        self.table = pd.DataFrame(
            {
                "label": pd.Series([f"c{i}" for i in range(3) for _ in range(COUNT // 3)], dtype=object),
                "uncertainty": rng.random(COUNT).astype(np.float32),
                "entropy": rng.random(COUNT).astype(np.float32),
                "inverse_norm": 1 / np.linalg.norm(self.embedding, axis=1),
                "ambiguity": rng.random(COUNT),
                "tuned": np.nan,
            }
        )

    def graph(self) -> Graph:
        keys, first = np.unique(self.contents, return_index=True)
        return graph_of(embeddings_of(self.embedding[first], content=keys), k=self.k, which=self.which[first])

    def counted_pictures(self, *, user_measures: Sequence[str] = ()) -> CountedPictures | None:
        graph = self.graph()
        value = confusability(graph.position, graph.similarity)[0]
        table = self.table.assign(confusability=value[positions_of(self.contents, graph.content)])
        return counted_pictures(
            table,
            self.contents,
            graph=graph,
            embeddings=lambda: self.embedding.astype(np.float16),
            user_measures=user_measures,
        )

    def some(self) -> CountedPictures:
        found = self.counted_pictures()
        assert found is not None
        return found


def made(is_right: list[bool], values: Mapping[str, list[float]], labels: list[str] | None = None) -> CountedPictures:
    """Counted pictures whose search and values are given."""
    names = np.array(labels or ["a"] * len(is_right))
    others = np.where(is_right, names, "other")
    rows = np.arange(len(is_right))
    arrays = {name: np.array(v, float) for name, v in values.items()}
    return CountedPictures(rows, rows[::-1], names, others, arrays, left_out=0)


def test_everything_is_counted_as_plain_recall_and_baselines_do() -> None:
    image_set = Set()
    found = image_set.some()
    rounded = image_set.embedding.astype(np.float16)
    share, is_correct = recall_at_1(rounded, image_set.table["label"].to_numpy(dtype=str))
    unknown = {"tuned", "model_doubt", *(measure.name for measure in TRAINING_MEASURES)}
    assert tuple(found.values) == tuple(each.name for each in MEASURES if each.name not in unknown), (
        "no answers, and no run"
    )
    assert found.rows.tolist() == list(range(COUNT))
    assert found.left_out == 0
    assert found.recall == pytest.approx(share)
    assert found.is_right.tolist() == is_correct.tolist()
    assert 0.2 < share < 0.95
    assert found.values["nearest_similarity"] == pytest.approx(nearest_dissimilarity(rounded), abs=1e-6)
    assert found.values["nearest_gap"] == pytest.approx(nearest_gap(rounded), abs=1e-6)


def test_a_logistic_regression_that_has_not_seen_the_picture_is_a_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    image_set = Set()
    found, fold = image_set.some(), probe_folds(image_set.contents, seed=0)
    rows = PROBE_SCALE * image_set.embedding.astype(np.float16).astype(np.float32)
    for place in (0, 17, COUNT - 1):
        learns = fold != fold[place]
        strength = 1 / (2 * PROBE_PENALTY * learns.sum())
        fit = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(rows[learns], found.labels[learns])
        _, second, first = np.sort(fit.predict_proba(rows[[place]])[0])
        assert found.values["logistic_regression"][place] == pytest.approx(1 - (first - second), abs=0.01)
    monkeypatch.setattr(evaluation, "MOST_CELLS", 3 * COUNT - 1)
    assert "logistic_regression" not in image_set.some().values, "it would take too long"


def test_a_search_among_unlabelled_neighbours_leaves_twins_out_too() -> None:
    image_set = Set(k=3)
    image_set.which[:30:3] = 0
    image_set.table.loc[np.arange(COUNT) % 3 != 0, "label"] = None
    found = image_set.some()
    burst = np.arange(0, 30, 3)
    assert np.isin(burst, found.rows).any()
    assert not np.isin(found.nearest[np.isin(found.rows, burst)], burst).any()
    assert np.isin(found.nearest, burst).any()


def test_twins_are_not_searched_among() -> None:
    """The nearest is that of the graph: of two copies each finds another picture."""
    image_set = Set()
    image_set.embedding[1] = 1.001 * image_set.embedding[0]
    image_set.which[1] = 0
    found = image_set.some()
    unit = image_set.embedding.astype(np.float16).astype(float)
    cosine = unit @ unit.T / np.outer(*[np.linalg.norm(unit, axis=1)] * 2)
    np.fill_diagonal(cosine, -1)
    assert (cosine[0].argmax(), cosine[1].argmax()) == (1, 0)
    cosine[[0, 1], [1, 0]] = -1
    assert found.nearest.tolist() == cosine.argmax(axis=1).tolist()


def test_copies_count_once_and_pictures_without_class_take_no_part() -> None:
    image_set = Set()
    image_set.contents[1], image_set.embedding[1] = image_set.contents[0], image_set.embedding[0]
    image_set.table.loc[5, "label"] = None
    found = image_set.some()
    kept = np.setdiff1d(np.arange(COUNT), [1, 5])
    rounded = image_set.embedding.astype(np.float16)[kept]
    share, is_correct = recall_at_1(rounded, image_set.table["label"].to_numpy(dtype=object)[kept].astype(str))
    assert found.rows.tolist() == kept.tolist()
    assert found.left_out == 2
    assert found.recall == pytest.approx(share)
    assert found.is_right.tolist() == is_correct.tolist()


def test_where_no_neighbour_in_the_graph_has_a_class_it_is_searched() -> None:
    image_set = Set(k=3)
    image_set.table.loc[np.arange(COUNT) % 3 != 0, "label"] = None
    found = image_set.some()
    kept = np.arange(0, COUNT, 3)
    rounded = image_set.embedding.astype(np.float16)[kept]
    _, is_correct = recall_at_1(rounded, image_set.table["label"].to_numpy(dtype=object)[kept].astype(str))
    graph = image_set.graph()
    in_graph = np.isin(graph.content[graph.position], image_set.contents[kept])[
        positions_of(image_set.contents[kept], graph.content)
    ]
    assert (in_graph.sum(axis=1) < 2).any()
    place = np.searchsorted(kept, found.rows)  # three twins leave a picture without confusability: not counted
    assert len(found) > 20
    assert found.is_right.tolist() == is_correct[place].tolist()
    assert found.values["nearest_gap"] == pytest.approx(nearest_gap(rounded)[place], abs=1e-6)


def test_a_picture_without_a_value_is_not_counted_but_may_be_found() -> None:
    image_set = Set()
    image_set.table.loc[7, "uncertainty"] = np.nan
    found = image_set.some()
    rounded = image_set.embedding.astype(np.float16)
    _, is_correct = recall_at_1(rounded, image_set.table["label"].to_numpy(dtype=str))
    assert 7 not in found.rows
    assert found.is_right.tolist() == np.delete(is_correct, 7).tolist()


def test_a_users_own_uncertainty_with_gaps_has_its_figures_on_its_pictures_and_leaves_the_others_alone() -> None:
    given, number = Set(), np.arange(COUNT)
    given.table["whole"] = number
    given.table["risk"] = np.where(number % 10 == 0, np.nan, number)
    given.table["rare"] = np.where(number < FEWEST_PICTURES - 1, 1.0, np.nan)
    found = given.counted_pictures(user_measures=("whole", "risk", "rare"))
    assert found is not None
    assert (len(found), found.left_out) == (COUNT, 0)
    results, alone = evaluated(found), evaluated(given.some())
    assert results.measures == [*alone.measures, "whole"]
    assert list(results.figures.index) == [*results.measures, "risk"]
    pd.testing.assert_frame_equal(results.figures.loc[alone.measures], alone.figures)
    pictures = results.partial["risk"]
    has = np.isfinite(given.table["risk"].to_numpy()[found.rows])
    assert len(pictures) == has.sum() == COUNT * 9 // 10
    assert results.figure("risk").value == pytest.approx(r_auroc(found.rows.astype(float)[has], found.is_right[has]))
    others = {
        name: r_auroc(found.values[name][has], found.is_right[has]) for name in ("ambiguity", "confusability", NEAREST)
    }
    assert results.figure("risk", LEAD).value == pytest.approx(results.figure("risk").value - others[NEAREST])
    assert dict(zip(results.shown()["Measure"], results.shown()["Pictures"], strict=True))["risk"] == str(has.sum())
    assert f"“risk” has a value for {has.sum()} of the {COUNT} pictures" in results.gaps
    there = [f"{figure:.3f}".lstrip("0") for figure in others.values()]
    parts = re.split(r" \[[^]]*\]", results.gaps.partition("R-AUROC of others is: ")[2])[:3]
    assert [part.rsplit(" ", 1)[1] for part in parts] == there, "on the very pictures that have a value"
    assert "is: “Torn between classes” " in results.gaps
    assert "fewer than 20 pictures have a value: “rare”." in results.gaps
    assert alone.gaps == ""


def test_a_users_model_has_seen_more_than_the_picture_and_its_lead_over_nearest_is_not_shown() -> None:
    image_set = Set()
    own = {MODEL_DOUBT.name: "your model"} | {
        each.name: "your model, the picture's own label" for each in TRAINING_MEASURES
    }
    for name in own:
        image_set.table[name] = np.arange(COUNT)
    image_set.table["risk"] = np.arange(COUNT)
    found = image_set.counted_pictures(user_measures=["risk"])
    assert found is not None
    shown = evaluated(found).shown().set_index("Measure")
    for name, seen in (own | {"risk": MISSING}).items():
        line = shown.loc[measure_title(name)]
        assert (line["Knows"], line["Lead over nearest similarity"]) == (seen, MISSING)
    assert (shown.loc[["General model", "Easily mistaken"], "Lead over nearest similarity"] != MISSING).all()


def test_without_a_head_the_other_measures_remain() -> None:
    image_set = Set()
    image_set.table["uncertainty"] = np.nan
    found = image_set.some()
    assert tuple(found.values) == (
        "ambiguity",
        "confusability",
        "entropy",
        "inverse_norm",
        "nearest_similarity",
        "nearest_gap",
        "logistic_regression",
    )
    assert len(found) == COUNT


def test_pictures_that_are_not_in_the_graph_yet_take_no_part() -> None:
    image_set = Set()
    keys = np.sort(image_set.contents)[:50]
    rows = np.flatnonzero(np.isin(image_set.contents, keys))
    order = rows[np.argsort(image_set.contents[rows])]
    graph = graph_of(embeddings_of(image_set.embedding[order], content=keys), k=8)
    found = counted_pictures(
        image_set.table, image_set.contents, graph=graph, embeddings=lambda: image_set.embedding.astype(np.float16)
    )
    assert found is not None
    assert found.rows.tolist() == rows.tolist()
    assert found.left_out == COUNT - 50


@pytest.mark.slow
def test_too_few_pictures_or_classes_are_not_evaluated() -> None:
    unlabelled, one_class, few, burst = Set(), Set(), Set(), Set()
    unlabelled.table["label"] = None
    one_class.table["label"] = "same"
    few.table.loc[10:, "label"] = None
    burst.embedding, burst.contents = burst.embedding[::3], burst.contents[::3]
    burst.table, burst.which = burst.table[::3].reset_index(drop=True), np.arange(COUNT // 3)
    assert burst.counted_pictures() is not None
    burst.which[:] = 0
    for each in (unlabelled, one_class, few, burst):
        assert each.counted_pictures() is None


def test_evidence_of_withholding_is_of_the_pictures_that_are_counted() -> None:
    image_set = Set(k=3)
    image_set.table.loc[7, "uncertainty"] = np.nan
    results = evaluated(image_set.some())
    rows, contents, table = image_set.embedding.astype(np.float16), image_set.contents, image_set.table
    found = evidence(results, "uncertainty", table, rows, contents, graph=image_set.graph())
    assert found is not None
    assert found.pictures is results.pictures
    assert (found.measure, found.auroc) == ("uncertainty", results.figure("uncertainty"))
    counted = results.pictures.rows
    _, is_right = recall_at_1(rows[counted], table["label"].to_numpy(dtype=str)[counted])
    assert found.overall[0.0].by_uncertainty["queries"] == pytest.approx(is_right.mean())
    assert found.percentile == pytest.approx(percentile(table["uncertainty"].to_numpy())[counted])
    low, high = found.wrong_on_sides(30)
    wrong, is_above = ~results.pictures.is_right, found.percentile > 30
    assert (low, high) == pytest.approx((wrong[~is_above].mean(), wrong[is_above].mean()))
    assert np.isnan(found.wrong_on_sides(100)[1])
    assert evidence(results, "tuned", table, rows, contents, graph=image_set.graph()) is None


def test_measured_is_by_the_metrics_and_the_lead_is_paired() -> None:
    found = Set().some()
    results = evaluated(found)
    for measure in results.measures:
        values, auroc, lead = found.values[measure], results.figure(measure), results.figure(measure, LEAD)
        plain = auroc_by_blocks(values, ~found.is_right, found.code).interval
        assert auroc.value == pytest.approx(r_auroc(values, found.is_right))
        assert (auroc.interval.low, auroc.interval.high) == pytest.approx((plain.low, plain.high))
        assert results.figures["aurc"][measure] == pytest.approx(risk_coverage(values, ~found.is_right).aurc)
        if measure == "nearest_similarity":
            assert np.isnan(lead.value)
        else:
            expected = auroc.value - r_auroc(found.values["nearest_similarity"], found.is_right)
            assert lead.value == pytest.approx(expected)
            assert lead.interval.low <= lead.value <= lead.interval.high


def test_deciles_by_hand() -> None:
    # Twenty pictures, two a tenth; wrong are the three most uncertain.
    found = deciles(np.arange(20.0)[::-1], np.arange(20) >= 3)
    assert found["pictures"].tolist() == [2] * 10
    assert found["recall"].tolist() == [1.0] * 8 + [0.5, 0.0]
    assert (found["recall_low"] <= found["recall"]).all()
    assert (found["recall_high"] >= found["recall"]).all()


def test_deciles_of_ties_do_not_depend_on_the_order_of_rows() -> None:
    values = np.array([0.0] * 10 + [1.0] * 10)
    is_right = np.arange(20) % 2 == 0
    found = deciles(values, is_right)
    assert found["pictures"].sum() == 20
    assert np.flatnonzero(found["pictures"]).tolist() == [2, 7]
    assert np.isnan(found["recall"][found["pictures"] == 0]).all()
    assert np.isnan(found["recall_low"][found["pictures"] == 0]).all()
    shuffled = np.random.default_rng(1).permutation(20)
    assert deciles(values[shuffled], is_right[shuffled])["pictures"].tolist() == found["pictures"].tolist()


def test_shares_by_hand() -> None:
    # Wilson's interval of 8 of 10 is .4902 to .9433, of 0 of 10 it ends at .2775.
    eight, none = (share_of(hits, 10).interval for hits in (8, 0))
    assert (eight.low, eight.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (none.low, none.high) == pytest.approx((0, 0.2775), abs=1e-4)
    assert np.isnan(share_of(0, 0).value)


def test_classes_by_hand() -> None:
    pictures = made(
        [True, False, True, False, False, True],
        {"uncertainty": [0, 5, 1, 4, 2, 3]},
        labels=["cat", "cat", "cat", "dog", "dog", "emu"],
    )
    pictures = replace(pictures, nearest_labels=np.array(["cat", "dog", "cat", "emu", "emu", "emu"]))
    table = by_class(pictures, "uncertainty").set_index("label")
    assert table["pictures"].to_dict() == {"cat": 3, "dog": 2, "emu": 1}
    assert table["recall"].to_dict() == {"cat": pytest.approx(2 / 3), "dog": 0, "emu": 1}
    assert table["mean_percentile"].to_dict() == {"cat": pytest.approx(40), "dog": pytest.approx(60), "emu": 60}
    assert table["r_auroc"]["cat"] == 1
    assert np.isnan(table["r_auroc"][["dog", "emu"]].to_numpy()).all()
    assert [table["taken_for"][name] for name in ("cat", "dog", "emu")] == ["dog", "emu", None]


@pytest.mark.slow
def test_figures_agree_with_the_training_command(tmp_path: Path, workspace: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "pictures", 40, classes=("cat", "dog"))
    image_set = embed_folder(folder, model=model, workspace=workspace)
    assert image_set.core.graph is not None
    pictures = list_labelled(str(folder))
    stored = image_set.embeddings().astype(np.float16)
    logits = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    embedded = EmbeddedPictures(np.arange(40), stored, logits, stored, ())
    reported = evaluate(model, pictures, embedded, EvaluateConfig("here", str(folder), baselines=True))
    found = as_the_paper_counts(image_set, stored)
    ours = evaluated(found)
    assert (len(found), found.classes) == (reported.pictures, reported.classes)
    assert found.recall == pytest.approx(reported.recall_at_1)
    for mine, theirs in (("uncertainty", "head"), ("inverse_norm",) * 2, ("nearest_similarity",) * 2):
        order = reported.order(theirs)
        assert ours.figure(mine).value == pytest.approx(order.r_auroc), mine
        assert ours.figures["aurc"][mine] == pytest.approx(order.aurc), mine


def as_the_paper_counts(image_set: ImageSet, stored: np.ndarray) -> CountedPictures:
    """Counted by raw cosine, twins in: what the training command reports, where a set counts in its whitened space."""
    assert image_set.core.graph is not None
    found = counted_pictures(
        image_set.table(),
        image_set.core.contents,
        graph=image_set.core.graph,
        embeddings=lambda: image_set.core.whitened.rows,
    )
    assert found is not None
    nearest = nearest_others(stored)[0][:, 0]
    values = {**found.values, "nearest_similarity": nearest_dissimilarity(stored)}
    return replace(found, nearest=nearest, nearest_labels=found.labels[nearest], values=values)
