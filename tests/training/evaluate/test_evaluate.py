"""Evaluation measures what it says, on real pictures with a head whose order is known."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config import EvaluateConfig
from training.data.spec import list_labelled, list_pictures
from training.evaluate.__main__ import _uncertainties, compare_crops, evaluate, measure_order, table
from training.evaluate.figures import Crop, Evaluation, crop_figure, risk_coverage_figure, tenths_figure, write_figures
from training.overlap import EmbeddedPictures, embed_pictures
from training.store import write_json
from url_viz.base.errors import FolderError, HeadMismatchError, NoImagesError
from url_viz.base.progress import silent
from url_viz.base.wording import decimal
from url_viz.evidence.order_metrics import auroc_by_blocks, r_auroc, recall_at_1
from url_viz.models.head import Head, HeadProvenance
from url_viz.models.model import Model, ModelSource, with_head


def first_number_head(size: int = 1280, *, sign: float = 1.0) -> Head:
    """A head whose uncertainty grows with the embedding's first number."""
    weight = np.zeros((1, size), np.float32)
    weight[0, 0] = sign
    return Head((weight,), (np.zeros(1, np.float32),), HeadProvenance("tf_efficientnet_lite0"))


def made(embedding: np.ndarray, crop: np.ndarray) -> EmbeddedPictures:
    count = len(embedding)
    return EmbeddedPictures(
        np.arange(count),
        embedding.astype(np.float16),
        np.zeros((count, 3), np.float32),
        crop.astype(np.float16),
        (),
        np.full(count, 0.5),
    )


def test_crop_test_by_hand_is_strict() -> None:
    # First numbers 0, 1, 2, 3 against crops 1, 1, 3, 0: the tie does not count.
    whole, crop = np.zeros((4, 8)), np.zeros((4, 8))
    whole[:, 0], crop[:, 0] = [0, 1, 2, 3], [1, 1, 3, 0]
    found = [crop.is_more_uncertain for crop in compare_crops(first_number_head(8), made(whole, crop))]
    assert found == [True, False, True, False]


def test_an_order_carries_its_interval_and_its_curve() -> None:
    generator = np.random.default_rng(0)
    is_correct = generator.random(400) < 0.6
    uncertainty = np.where(is_correct, 0.0, 1.0) + generator.normal(size=400)
    label = np.arange(400) % 20
    order = measure_order("some", uncertainty, is_correct, label)
    assert order.r_auroc == r_auroc(uncertainty, is_correct)
    assert order.interval == auroc_by_blocks(uncertainty, ~is_correct, label).interval
    assert order.interval.low < order.r_auroc < order.interval.high
    assert order.interval.high - order.interval.low < 0.15
    assert len(order.coverage) == len(order.risk) == 101
    assert order.risk[-1] == pytest.approx(1 - is_correct.mean())
    assert order.risk[0] < order.risk[-1]


def test_tenths_by_hand_break_ties_by_chance_and_not_by_row() -> None:
    # All alike: each tenth has the recall of the whole, though the right ones come first by row (as classes do).
    is_correct, label = np.arange(40) < 30, np.repeat(np.arange(4), 10)
    assert measure_order("none", np.zeros(40), is_correct, label).recall_by_tenth == (0.75,) * 10
    # The last 20 are alike: half of them are right, in each of their five tenths.
    tied = np.minimum(np.arange(40), 20)
    found = measure_order("half", tied, is_correct, label).recall_by_tenth
    assert found == (1,) * 5 + (0.5,) * 5
    shuffled = np.random.default_rng(0).permutation(40)
    assert measure_order("half", tied[shuffled], is_correct[shuffled], label[shuffled]).recall_by_tenth == found
    perfect = measure_order("head", np.arange(40.0), is_correct, label)
    assert perfect.recall_by_tenth == (1, 1, 1, 1, 1, 1, 1, 0.5, 0, 0)
    few = measure_order("head", np.arange(3.0), np.array([True, True, False]), np.arange(3))
    assert few.recall_by_tenth == (1, 1, 0)


@pytest.mark.slow
def test_every_figure_of_a_real_model(folder: Path, tmp_path: Path, model: Model) -> None:
    headed = with_head(model, ModelSource("first number", model.space.backbone, first_number_head()))
    (folder / "round" / "broken.png").write_bytes(b"no")
    config = EvaluateConfig("here", f"folder:{folder}", baselines=True)
    pictures = list_labelled(config.data)
    embedded = embed_pictures(headed, pictures, seed=0, report=silent)
    found = evaluate(headed, pictures, embedded, config)

    paths = [folder / pictures.paths[position].decode() for position in embedded.positions]
    expected = headed.predict(paths)
    share, is_correct = recall_at_1(expected.embedding, pictures.labels[embedded.positions])
    assert (found.pictures, found.classes, found.unreadable) == (24, 2, 1)
    assert embedded.failures[0][0] == "round/broken.png"
    assert found.recall_at_1 == share
    assert found.order("head").r_auroc == pytest.approx(r_auroc(expected.uncertainty, is_correct), abs=0.02)
    assert found.order("entropy").r_auroc == pytest.approx(r_auroc(expected.entropy, is_correct), abs=0.02)
    assert [o.r_auroc for o in found.orders] == sorted((o.r_auroc for o in found.orders), reverse=True)
    assert "recall@1" in table(found)

    write_json(replace(found, crop_test=float("nan")), tmp_path / "figures.json")
    record = json.loads((tmp_path / "figures.json").read_text())
    assert record["crop_test"] is None
    assert {order["name"] for order in record["orders"]} >= {"head", "entropy", "nearest_gap"}


@pytest.mark.slow
def test_a_model_without_a_head_needs_baselines(folder: Path, model: Model) -> None:
    bare = with_head(model, ModelSource(model.name, model.space.backbone, None))
    pictures = list_labelled(f"folder:{folder}", limit=6)
    embedded = embed_pictures(bare, pictures, seed=0, report=silent)
    config = EvaluateConfig("bare", str(folder))
    with pytest.raises(HeadMismatchError, match="no head"):
        evaluate(bare, pictures, embedded, config)
    found = evaluate(bare, pictures, embedded, replace(config, baselines=True))
    assert np.isnan(found.crop_test)
    assert len(found.orders) == 6


@pytest.mark.slow
def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path, model: Model) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_bytes(b"no")
    with pytest.raises(NoImagesError, match="None of the 2 pictures"):
        embed_pictures(model, list_labelled(str(tmp_path)), seed=0, report=silent)


def test_classes_below_splits_are_those_of_the_app(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/2.png", "test/a/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    found = list_labelled(str(tmp_path))
    assert (found.classes, found.labels.tolist()) == (("a", "b"), [0, 0, 1])


def test_specs(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/3.png", "4.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    bare, named = list_pictures(str(tmp_path)), list_pictures(f"folder:{tmp_path}")
    assert bare.paths == named.paths == (b"4.png", b"a/1.png", b"a/2.png", b"b/3.png")
    assert bare.digest == named.digest
    assert bare.classes == ("a", "b")
    assert bare.labels.tolist() == [-1, 0, 0, 1]
    assert list_labelled(str(tmp_path)).labels.tolist() == [0, 0, 1]
    with pytest.raises(FolderError, match="no class folders"):
        list_labelled(str(tmp_path / "a"))
    assert list_pictures(str(tmp_path), limit=2).paths == (b"4.png", b"b/3.png")
    with pytest.raises(FolderError, match="folder:PATH"):
        list_pictures(f"nothing:{tmp_path}")
    with pytest.raises(FolderError, match="does not exist"):
        list_pictures("folder:/nowhere/at/all")


def test_a_picture_whose_embedding_is_zero_is_the_last_in_the_order_by_length() -> None:
    """1/norm is infinite there."""
    embedding = np.array([[1, 0], [0, 2], [0, 0], [3, 3]], np.float16)
    embedded = made(embedding, embedding[:0])
    lengths = _uncertainties(None, embedded, with_baselines=True)["inverse_norm"]
    assert np.argsort(-lengths).tolist() == [2, 0, 1, 3]
    found = measure_order("inverse_norm", lengths, np.array([True, True, False, True]), np.arange(4))
    assert found.r_auroc == 1


@pytest.fixture
def evaluation() -> Evaluation:
    """40 pictures, the 10 most uncertain of which are wrong, under a perfect order and its reverse."""
    is_correct = np.arange(40) < 30
    values = {"head": np.arange(40.0), "entropy": -np.arange(40.0)}
    orders = [measure_order(name, values[name], is_correct, np.arange(40) % 4) for name in values]
    crops = tuple(Crop(0.1 + i / 100, i % 4 != 0) for i in range(40))
    return Evaluation("m", "folder:x", "exact", 40, 4, 0, 0.75, 0.75, tuple(orders), crops)


def test_lines_are_the_evaluations(evaluation: Evaluation) -> None:
    lines = {trace.name: trace for trace in risk_coverage_figure(evaluation).data}
    assert np.array_equal(
        lines[f"head, AURC {decimal(evaluation.order('head').aurc, digits=3)}"].y, evaluation.order("head").risk
    )
    tenths = tenths_figure(evaluation).data[0]
    assert np.array_equal(tenths.y, evaluation.orders[0].recall_by_tenth)
    crops = crop_figure(evaluation).data[0]
    assert len(crops.x) == 8
    assert np.all(np.diff(crops.x) > 0)
    assert np.mean(crops.y) == pytest.approx(0.75, abs=0.06)


@pytest.mark.slow
def test_pages_need_no_network(evaluation: Evaluation, tmp_path: Path) -> None:
    paths = write_figures(evaluation, tmp_path / "figures")
    assert [path.name for path in paths] == ["risk-coverage.html", "recall-by-tenth.html", "crop-curve.html"]
    for path in paths:
        text = path.read_text("utf-8")
        assert re.search(r'<(?:script|link|img)\b[^>]*(?:src|href)="http', text) is None
        assert json.dumps(evaluation.data)[1:-1] in text
    assert len(write_figures(replace(evaluation, crops=()), tmp_path)) == 2, "without crops no curve of them"
