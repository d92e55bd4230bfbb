"""The figures beside R-AUROC: by hand, by naive loop, by property; and the bugs of the authors' evaluation stay out."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.conftest import draw, draw_folder
from tests.training.evaluate.test_evaluate import first_number_head
from tests.training.named_sets import layouts
from training.benchmark.labelled import LabelledSet
from training.config import EvaluateConfig
from training.data.spec import list_labelled
from training.evaluate.__main__ import against_classifier, classifier_labels, evaluate, main, table, votes_entropy
from training.evaluate.figures import References
from training.overlap import embed_pictures
from url_viz.base.progress import silent
from url_viz.evidence.order_metrics import (
    Scored,
    classification_auroc,
    human_alignment,
    mixed_r_auroc,
    ood_auroc,
    r_auroc,
    recall_at_1,
    spearman,
)
from url_viz.models.head import save_head
from url_viz.models.model import Model, ModelSource, with_head


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
