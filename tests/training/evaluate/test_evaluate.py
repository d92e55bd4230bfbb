"""Evaluation measures what it says, with a head whose order is known, and beside votes and other sets."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.training.conftest import draw, draw_folder
from tests.training.named_sets import layouts
from training.benchmark.labelled import LabelledSet
from training.config import EvaluateConfig
from training.data.spec import list_labelled, list_pictures
from training.evaluate.__main__ import (
    _uncertainties,
    against_classifier,
    classifier_labels,
    compare_crops,
    evaluate,
    main,
    measure_order,
    table,
    votes_entropy,
)
from training.evaluate.figures import (
    Crop,
    Evaluation,
    References,
    crop_figure,
    risk_coverage_figure,
    tenths_figure,
    write_figures,
)
from training.overlap import EmbeddedPictures, embed_pictures
from training.store import write_json
from url_viz.base.errors import FolderError, HeadMismatchError, NoImagesError
from url_viz.base.progress import silent
from url_viz.base.wording import decimal
from url_viz.evidence.order_metrics import (
    Scored,
    auroc_by_blocks,
    classification_auroc,
    human_alignment,
    mixed_r_auroc,
    ood_auroc,
    r_auroc,
    recall_at_1,
    spearman,
)
from url_viz.models.head import Head, HeadProvenance, save_head
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


def drawn_at(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name)
    return root


def test_specs_and_classes_below_splits(tmp_path: Path) -> None:
    splits = list_labelled(str(drawn_at(tmp_path / "splits", "train/a/1.png", "train/b/2.png", "test/a/3.png")))
    assert (splits.classes, splits.labels.tolist()) == (("a", "b"), [0, 0, 1])
    tmp_path = drawn_at(tmp_path / "plain", "a/1.png", "a/2.png", "b/3.png", "4.png")
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


def scored(count: int, *, seed: int, classes: int = 3, shift: float = 0.0) -> Scored:
    generator = np.random.default_rng(seed)
    labels = np.sort(generator.integers(classes, size=count))
    embeddings = generator.normal(size=(count, 6)) + shift
    return Scored(embeddings, generator.random(count), labels)


def test_classification_auroc_by_hand() -> None:
    # Wrong is the second alone, at .5; right are .1, .5 and .9: wins 1, ½, 0 of three.
    logits = np.array([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0], [0.0, 3.0]])
    assert classification_auroc([0.1, 0.5, 0.5, 0.9], logits, [0, 1, 1, 1]) == pytest.approx(1.5 / 3)
    assert math.isnan(classification_auroc([0.1, 0.2], logits[:2], [0, 0]))
    with pytest.raises(ValueError, match="one label a picture"):
        classification_auroc([0.1, 0.2], logits[:2], [0])
    # pictures of classes that the classifier lacks take no part
    logits = np.array([[2.0, 1.0], [2.0, 1.0], [0.0, 1.0]], np.float32)
    uncertainty = np.array([0.1, 0.9, 0.5])
    assert against_classifier(uncertainty, logits, np.array([0, 1, -1])) == 1.0
    assert math.isnan(against_classifier(uncertainty, logits, None))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=12), st.integers(0, 3))
def test_ood_auroc_equals_the_naive_loop_and_swaps(values: list[int], seed: int) -> None:
    # METHOD 8.14: a script printed it turned round.
    upstream = np.array(values, float)
    other = np.random.default_rng(seed).integers(-4, 5, len(values)).astype(float)
    wins = [1.0 if b > a else 0.5 if b == a else 0.0 for a in upstream for b in other]
    found = ood_auroc(upstream, other)
    assert found == pytest.approx(np.mean(wins))
    assert ood_auroc(other, upstream) == pytest.approx(1 - found)
    assert ood_auroc(np.exp(upstream), np.exp(other)) == pytest.approx(found)


def test_sets_are_compared_by_equally_many_pictures_of_each() -> None:
    # Were all nine upstream pictures counted, or a first few of a sorted list, a value would be certain.
    upstream, other = np.arange(9.0), np.array([4.5])
    found = {ood_auroc(upstream, other, seed=seed) for seed in range(20)}
    assert found == {0.0, 1.0}
    assert {ood_auroc(np.arange(9.0), np.full(9, 4.5), most=1, seed=seed) for seed in range(20)} == {0.0, 1.0}


def naive_mixed(upstream: Scored, other: Scored) -> float:
    rows = [("up", *row) for row in zip(upstream.embeddings, upstream.uncertainty, upstream.labels, strict=True)]
    rows += [("other", *row) for row in zip(other.embeddings, other.uncertainty, other.labels, strict=True)]
    is_correct = []
    for i, (origin, embedding, _, label) in enumerate(rows):
        cosines = [
            -2.0 if i == j else float(embedding @ e / np.linalg.norm(embedding) / np.linalg.norm(e))
            for j, (_, e, _, _) in enumerate(rows)
        ]
        nearest = rows[int(np.argmax(cosines))]
        is_correct.append((nearest[0], nearest[3]) == (origin, label))
    return r_auroc([row[2] for row in rows], is_correct)


def test_mixed_r_auroc_equals_the_naive_loop() -> None:
    upstream, other = scored(23, seed=0), scored(23, seed=1)
    assert mixed_r_auroc(upstream, other) == pytest.approx(naive_mixed(upstream, other))
    with pytest.raises(ValueError, match="not of one set"):
        Scored(np.ones((3, 2)), np.ones(2), np.ones(3, int))


def test_classes_of_the_two_sets_never_meet_whatever_their_numbers() -> None:
    # METHOD 8.6: ids were shifted by the largest label of the first n rows, and labels are sorted, so ids collided.
    upstream, other = scored(30, seed=2), scored(30, seed=3)
    expected = mixed_r_auroc(upstream, other)
    assert 0 < expected < 1
    for shift in (1, 2, 3, 1000):
        assert mixed_r_auroc(upstream, replace(other, labels=other.labels + shift)) == expected
    # The very same pictures under the same class numbers: each one's nearest is its double, of another class.
    double = replace(upstream, uncertainty=upstream.uncertainty + 1)
    assert math.isnan(mixed_r_auroc(upstream, double))


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_left_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # METHOD 8.7: permutations were kept in the working directory by the set's length alone.
    monkeypatch.chdir(tmp_path)
    upstream, other = scored(40, seed=4), scored(25, seed=5)
    first = [mixed_r_auroc(upstream, other, seed=seed) for seed in (0, 1)]
    assert first == [mixed_r_auroc(upstream, other, seed=seed) for seed in (0, 1)]
    assert first[0] != first[1]
    assert list(tmp_path.iterdir()) == []


def test_human_alignment_leaves_out_pictures_without_votes() -> None:
    # METHOD 8.14: pictures without votes (nan) were counted as ambiguous ones.
    uncertainty = np.array([1.0, 9.0, 2.0, 3.0, 4.0])
    entropy = np.array([0.2, math.nan, 0.1, 0.4, 0.3])
    assert human_alignment(uncertainty, entropy) == pytest.approx(0.6)
    assert human_alignment(uncertainty, entropy) == spearman([1, 2, 3, 4], [0.2, 0.1, 0.4, 0.3])
    assert math.isnan(human_alignment(uncertainty, np.full(5, math.nan)))


def collection(root: Path) -> str:
    """A set of the soft-label collection: 12 pictures of fold 2, three votes each."""
    votes = {f"fold2/{i:02d}.png": ["ab"[(i + (number < i % 4)) % 2] for number in range(3)] for i in range(12)}
    layouts.collection(root, votes)
    for i, path in enumerate(votes):
        draw(i, size_px=48).save(root / path)
    return f"turkey:{root}"


def test_votes_are_joined_by_picture_whatever_the_order(tmp_path: Path) -> None:
    spec = collection(tmp_path)
    ids = list_labelled(spec).ids
    entropy = votes_entropy(spec, ids)
    assert entropy is not None
    of_one_against_two = -(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3)
    assert set(np.round(entropy, 9)) == {0.0, round(of_one_against_two, 9)}
    turned = votes_entropy(spec, ids[::-1])
    assert turned is not None
    assert np.array_equal(turned, entropy[::-1])
    unknown = votes_entropy(spec, np.array([12345]))
    assert unknown is not None
    assert np.isnan(unknown).all()
    assert votes_entropy(f"folder:{tmp_path}", ids) is None


@pytest.mark.slow
@pytest.mark.usefixtures("prepared_home")
def test_the_command_measures_beside_votes_and_an_upstream_set(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_head(first_number_head(), tmp_path / "head.safetensors")
    spec = collection(tmp_path / "votes")
    out = tmp_path / "out.json"
    main(EvaluateConfig(str(tmp_path / "head.safetensors"), spec, upstream=str(folder), json=out, limit=9))
    shown = capsys.readouterr().out
    assert "human_alignment" in shown
    assert "classification_auroc" not in shown
    evaluation = json.loads(out.read_text())
    assert evaluation["pictures"] == 9
    record = evaluation["orders"][0]["beside"]
    assert record["classification_auroc"] is None
    assert all(0 <= record[name] <= 1 for name in ("ood_auroc", "mixed_r_auroc"))
    assert -1 <= record["human_alignment"] <= 1


@pytest.mark.slow
def test_comparisons_of_a_real_model_are_those_of_the_metrics(tmp_path: Path, model: Model) -> None:
    draw_folder(tmp_path, 16, ("n99999999", "n02123045"))
    headed = with_head(model, ModelSource("first number", model.space.backbone, first_number_head()))
    pictures = list_labelled(str(tmp_path))
    embedded = embed_pictures(headed, pictures, seed=0, report=silent)
    classes = classifier_labels(headed, pictures, embedded.positions)
    assert classes is not None
    assert set(classes[pictures.labels[embedded.positions] == 1]) == {-1}
    assert classes[pictures.labels[embedded.positions] == 0][0] == 281  # tabby

    turned = np.ascontiguousarray(embedded.embedding[:, ::-1])
    theirs = LabelledSet("turned", turned, embedded.logits, pictures.labels[embedded.positions])
    config = EvaluateConfig("here", str(tmp_path))
    found = evaluate(headed, pictures, embedded, config, References(classes=classes, upstream=theirs))
    assert headed.head is not None
    ours, upstream = headed.head(embedded.embedding), headed.head(theirs.embedding)
    assert found.order("head").beside.ood_auroc == ood_auroc(upstream, ours)
    assert found.recall_at_1 == recall_at_1(embedded.embedding, pictures.labels[embedded.positions])[0]
    assert math.isnan(found.order("head").beside.human_alignment)
    assert "mixed_r_auroc" in table(found)
