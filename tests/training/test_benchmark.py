"""The benchmark of orders works out its definitions: against naive loops, by hand, and on real pictures."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import draw
from tests.training.test_evaluate import first_number_head
from training import benchmark
from training.benchmark import (
    LabelledSet,
    Outcomes,
    SetFigures,
    drawn,
    embedded_set,
    figures_of_order,
    figures_of_set,
    figures_of_votes,
    main,
    means_of,
    table,
    votes_of,
)
from training.command import command
from training.config import BenchmarkConfig
from training.data.spec import labelled_pictures_of
from url_viz.analysis.metrics import auroc_within_blocks
from url_viz.errors import FolderError
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.models.names import PACKAGED
from url_viz.progress import silent


def small_set(seed: int = 0, *, classes: int = 4, pictures: int = 72, width: int = 12) -> LabelledSet:
    """Embeddings about class centres, so near each other that many go wrong; the first three are one burst."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(pictures) % classes).astype(np.int32)
    centre = rng.normal(size=(classes, width))
    embedding = centre[label] + 1.3 * rng.normal(size=(pictures, width)) + 1
    embedding[1:3] = embedding[0] + 0.05 * rng.normal(size=(2, width))
    other = centre[label] + rng.normal(size=(pictures, width))
    logits = rng.normal(size=(pictures, 7)).astype(np.float32)
    return LabelledSet("made", embedding.astype(np.float16), logits, label, other.astype(np.float16))


def naive_nearest(embedding: np.ndarray) -> list[int]:
    """The nearest in the whitened space that is no twin, as it is defined, in float64 and one by one; a burst once."""
    unit = embedding.astype(float) / np.linalg.norm(embedding.astype(float), axis=1, keepdims=True)
    leading: list[int] = []
    for i in range(len(unit)):
        leading += [i] if all(unit[i] @ unit[j] < 0.96 for j in leading) else []
    centred = unit - unit[leading].mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(centred[leading].T))
    is_spread = variance > 1e-9
    rows = centred @ axes[:, is_spread] / variance[is_spread] ** 0.25
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = []
    for i in range(len(rows)):
        others = [j for j in leading if j != i and unit[i] @ unit[j] < 0.96]
        nearest.append(max(others, key=lambda j: float(rows[i] @ rows[j])))
    return nearest


def naive_auroc(values: np.ndarray, is_wrong: np.ndarray) -> float:
    wins = [
        1.0 if high > low else 0.5 if high == low else 0.0 for high in values[is_wrong] for low in values[~is_wrong]
    ]
    return float(np.mean(wins))


def order_named(figures: SetFigures, name: str) -> benchmark.OrderFigures:
    return next(order for order in figures.orders if order.name == name)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figures_of_a_set_are_the_definitions(seed: int, tmp_path: Path) -> None:
    labelled = small_set(seed)
    figures = figures_of_set(labelled, None, seed=0, arrays=tmp_path / "deep" / "made.npz")
    nearest, label = naive_nearest(labelled.embedding), labelled.label
    is_wrong = label[nearest] != label
    assert 0.2 < is_wrong.mean() < 0.8
    assert figures.recall_at_1.value == pytest.approx(1 - is_wrong.mean())
    assert (figures.pictures, figures.classes, figures.without_neighbour) == (72, 4, 0)

    cosine = labelled.embedding.astype(float) @ labelled.embedding.astype(float).T
    length = np.linalg.norm(labelled.embedding.astype(float), axis=1)
    cosine /= length * length[:, None]
    np.fill_diagonal(cosine, -2)
    is_paper_wrong = label[cosine.argmax(axis=1)] != label
    assert figures.paper_recall_at_1 == pytest.approx(1 - is_paper_wrong.mean())

    with np.load(tmp_path / "deep" / "made.npz") as arrays:
        assert (arrays["is_wrong"] == is_wrong).all()
        assert arrays["group"][0] == arrays["group"][1] == arrays["group"][2]
        probe = arrays["is_probe_wrong"]
        for order in figures.orders:
            values = arrays[f"order_{order.name}"]
            assert order.nearest.auroc.value == pytest.approx(naive_auroc(values, is_wrong)), order.name
            assert order.probe is not None
            assert order.probe.auroc.value == pytest.approx(naive_auroc(values, probe)), order.name
            assert order.paper == pytest.approx(naive_auroc(values, is_paper_wrong)), order.name
    assert figures.probe_accuracy == pytest.approx(1 - probe.mean())
    assert order_named(figures, "class_error").nearest.by_class == 0.5
    assert order_named(figures, "ambiguity").nearest.auroc.value > order_named(figures, "entropy").nearest.auroc.value
    low, high = vars(figures.recall_at_1.interval).values()
    assert low < figures.recall_at_1.value < high


def test_within_classes_by_hand() -> None:
    # Class 0, values 1, 2, 3 and the last two wrong: both beat the 1, two pairs won of two. Class 1, values 9, 7, 8, 6
    # and 7 alone wrong: it beats the 6, and loses to 9 and 8, one of three. Weighted by pairs 3/5. All in all the wrong
    # 2, 3, 7 beat the right 1, 9, 8, 6 in 1 + 1 + 2 of 12 pairs. Class 2 is never wrong, and has no pair.
    values = np.array([1.0, 2, 3, 9, 7, 8, 6, 5])
    is_wrong = np.array([0, 1, 1, 0, 1, 0, 0, 0], bool)
    label = np.array([0, 0, 0, 1, 1, 1, 1, 2], np.int32)
    assert auroc_within_blocks(values, is_wrong, label).value == pytest.approx(3 / 5)
    assert auroc_within_blocks(values[:7], is_wrong[:7], label[:7]).value == pytest.approx(3 / 5)
    assert math.isnan(auroc_within_blocks(values, np.ones(8, bool), label).value)
    found = benchmark.figures_of_outcome(values[:7], is_wrong[:7], label[:7])
    assert found.auroc.value == pytest.approx(4 / 12)
    # Ranks within: 1/6, 3/6, 5/6 and 7/8, 3/8, 5/8, 1/8. Wrong 3/6, 5/6, 3/8 against right 1/6, 7/8, 5/8, 1/8: 2, 3, 2.
    assert found.within.value == pytest.approx(7 / 12)


def test_pictures_without_a_nearest_are_not_counted() -> None:
    """A burst alone has no neighbour that is no twin."""
    values, wrong = np.array([0.2, np.nan, 0.7, 0.5]), np.array([False, True, True, False])
    outcomes = Outcomes(np.array([True, False, True, True]), wrong, wrong, ~wrong)
    found = figures_of_order("confusability", values, np.array([0, 0, 1, 1], np.int32), outcomes, None)
    assert found.nearest.auroc.value == 1
    assert found.probe is not None
    assert found.probe.auroc.value == 1
    assert found.paper == 0
    assert found.knows == "set"


def test_agreement_with_people_by_hand() -> None:
    # Entropies 0 to 9 and one without votes. The most ambiguous tenth is the 9; its value beats 7 of the nine others.
    entropy = np.append(np.arange(10.0), np.nan)
    values = np.array([0, 1, 2, 3, 4, 5, 6, 9, 8, 7, 100.0])
    found = figures_of_votes(values, entropy, np.arange(11, dtype=np.int32) % 2)
    assert found.tenth.value == pytest.approx(7 / 9)
    assert found.spearman == pytest.approx(1 - 6 * (4 + 4) / (10 * 99))
    agreed = figures_of_votes(values, np.zeros(11), np.zeros(11, np.int32))
    assert math.isnan(agreed.tenth.value)


def test_votes_belong_to_pictures_by_their_path(folder: Path, tmp_path: Path) -> None:
    pictures = labelled_pictures_of(str(folder))
    np.save(tmp_path / "counts.npy", np.array([[5, 0], [1, 1], [2, 6]], np.int16))
    (tmp_path / "order.txt").write_text("round/02.png\nsquare/01.png\nround/none.png\n")
    other = replace(pictures, paths=tuple(b"x/" + path for path in pictures.paths))
    first, second = votes_of([pictures, other], tmp_path / "counts.npy", tmp_path / "order.txt")
    assert second is None
    assert first is not None
    assert first[pictures.paths.index(b"round/02.png")] == 0
    assert first[pictures.paths.index(b"square/01.png")] == pytest.approx(math.log(2))
    assert np.isnan(first).sum() == 22

    with pytest.raises(FolderError, match="--votes-order"):
        votes_of([pictures], tmp_path / "counts.npy", None)
    with pytest.raises(FolderError, match=r"No picture of the sets .*round/02\.png"):
        votes_of([other], tmp_path / "counts.npy", tmp_path / "order.txt")
    with pytest.raises(FolderError, match="cannot be read"):
        votes_of([pictures], tmp_path / "gone.npy", tmp_path / "order.txt")
    (tmp_path / "order.txt").write_text("round/02.png\n")
    with pytest.raises(FolderError, match=r"shape \(3, 2\), and .* 1 lines"):
        votes_of([pictures], tmp_path / "counts.npy", tmp_path / "order.txt")


def test_sets_that_nothing_can_be_measured_on_are_errors(folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for i in range(4):
        draw(i).save(flat / f"{i}.png")
    with pytest.raises(FolderError, match="no class folders"):
        main(BenchmarkConfig((str(folder), str(flat)), "tf_efficientnet_lite0"))
    one = tmp_path / "one"
    for i in range(5):
        (one / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        draw(i).save(one / f"{i % 2}" / f"{i}.png")
    with pytest.raises(FolderError, match=r"one' has 1 of these"):
        main(BenchmarkConfig((str(one),), "tf_efficientnet_lite0"))
    with pytest.raises(FolderError, match="Give --data"):
        main(BenchmarkConfig((), "tf_efficientnet_lite0"))


def test_a_larger_set_is_drawn_by_the_seed(folder: Path) -> None:
    pictures = labelled_pictures_of(str(folder))
    config = BenchmarkConfig((str(folder),), "some", limit=12)
    first, again = drawn(pictures, config), drawn(pictures, config)
    assert len(first) == 12
    assert first.paths == again.paths == tuple(sorted(first.paths))
    assert first.paths != drawn(pictures, replace(config, seed=1)).paths
    assert drawn(pictures, replace(config, limit=24)) is pictures


def test_means_leave_out_sets_without_the_figure() -> None:
    one, two = (figures_of_set(small_set(seed), None, seed=0) for seed in (0, 1))
    never_wrong = replace(order_named(one, "entropy"), paper=math.nan, probe=None)
    found = means_of([replace(one, orders=(never_wrong,)), two])
    entropy = next(mean for mean in found if mean.name == "entropy")
    expected = order_named(one, "entropy"), order_named(two, "entropy")
    assert entropy.sets == 2
    assert entropy.nearest == pytest.approx(np.mean([order.nearest.auroc.value for order in expected]))
    assert entropy.paper == expected[1].paper
    assert expected[1].probe is not None
    assert entropy.probe == expected[1].probe.auroc.value
    assert next(mean for mean in found if mean.name == "ambiguity").sets == 1
    assert "by class" in table(one)
    assert "nan" not in table(replace(one, probe_accuracy=math.nan, orders=(never_wrong,)))


@pytest.mark.slow
def test_both_models_read_the_same_pictures(folder: Path, model: Model) -> None:
    (folder / "round" / "00.png").write_bytes(b"no")
    pictures = labelled_pictures_of(str(folder))
    entropy = np.arange(24.0)
    labelled = embedded_set("here", pictures, model, model, entropy, report=silent)
    assert labelled.unreadable == 1
    assert labelled.votes is not None
    assert labelled.votes.tolist() == list(range(1, 24))
    assert labelled.probe_embedding is not None
    assert (labelled.probe_embedding == labelled.embedding).all()
    assert labelled.label.tolist() == [0] * 11 + [1] * 12


@pytest.mark.slow
def test_the_command_prints_and_writes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "PACKAGED", {name: PACKAGED[name] for name in ("tf_efficientnet_lite0",)})
    save_head(first_number_head(), tmp_path / "head.safetensors")
    out = tmp_path / "out.json"
    words = ["--data", str(folder), "--data", f"folder:{folder}", "--model", str(tmp_path / "head.safetensors")]
    assert command(BenchmarkConfig, main, [*words, "--json", str(out), "--arrays", str(tmp_path / "arrays")]) == 0
    printed = capsys.readouterr().out
    assert "P is left out" in printed
    assert "Means of 2 sets" in printed
    record = json.loads(out.read_text())
    assert record["probe_model"] is None
    assert [one["data"] for one in record["sets"]] == [str(folder), f"folder:{folder}"]
    first = record["sets"][0]
    assert (first["pictures"], first["classes"]) == (24, 2)
    assert {order["name"]: order["knows"] for order in first["orders"]} == dict(benchmark.KNOWS)
    order = first["orders"][0]
    assert order["name"] == "uncertainty"
    assert set(order["nearest"]["auroc"]) == {"value", "interval"}
    assert order["probe"] is None
    assert order["votes"] is None
    assert {mean["name"] for mean in record["means"]} == set(benchmark.KNOWS)
    assert len(list((tmp_path / "arrays").glob("*.npz"))) == 2
