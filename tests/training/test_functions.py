"""Functions of the classifier for training: fitted by class, the distance's weight, and rows that hold values."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.caches import written
from training.config import PRESETS, TrainConfig
from training.store import write_loss
from training.train import (
    DISTANCE,
    DISTANCE_WEIGHT,
    fit_pictures,
    read_by_functions,
    train,
    uncertainty_of,
    without_distance,
)
from training.training_rows import Sources, training_rows
from url_viz.base.errors import CacheError
from url_viz.base.progress import silent
from url_viz.evidence.order_metrics import spearman
from url_viz.imaging.decode import Preprocessing
from url_viz.models.backbone import Backbone, LoadedBackbone
from url_viz.models.classifier_functions import NAMES

CPU = torch.device("cpu")


class Network(nn.Module):
    """What `LoadedBackbone` is asked for here: its classifier."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def get_classifier(self) -> nn.Module:
        return self.classifier


def loaded(classifier: nn.Module) -> LoadedBackbone:
    return LoadedBackbone("made", Backbone(Network(classifier)), "0" * 16, Preprocessing(8, 1.0))


def linear(seed: int = 0, *, classes: int = 40, size: int = 12) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(size, classes)


def test_with_all_axes_the_distance_is_mahalanobis_in_the_covariance_of_the_classes() -> None:
    generator = np.random.default_rng(0)
    clean, number = generator.normal(size=(60, 5)), np.repeat([0, 1, 2], [40, 15, 5])
    pictures = fit_pictures(clean, number, axes=99)
    unit = clean / np.linalg.norm(clean, axis=1, keepdims=True)
    weight = np.array([1 / 3 / np.sum(number == one) for one in number])
    mean = weight @ unit
    covariance = sum(w * np.outer(u - mean, u - mean) for w, u in zip(weight, unit, strict=True))
    expected = [np.sqrt((u - mean) @ np.linalg.inv(covariance) @ (u - mean)) for u in unit]
    assert pictures.distance(clean.astype(np.float32)) == pytest.approx(expected, rel=1e-3)
    assert pictures.axes @ pictures.axes.T == pytest.approx(np.eye(len(pictures.axes)), abs=1e-5)


def test_a_class_with_more_pictures_weighs_as_the_others() -> None:
    generator = np.random.default_rng(1)
    clean, number = generator.normal(size=(30, 6)), np.arange(30) % 3
    often = np.concatenate([clean, *[clean[number == 0]] * 4])
    once, more = (
        fit_pictures(rows, classes, axes=2)
        for rows, classes in ((clean, number), (often, np.concatenate([number, np.zeros(40, int)])))
    )
    assert more.mean == pytest.approx(once.mean, abs=1e-6)
    assert more.variance == pytest.approx(once.variance, rel=1e-4)
    assert more.rest == pytest.approx(once.rest, rel=1e-4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pictures_have_a_distance_too(count: int) -> None:
    clean = np.random.default_rng(2).normal(size=(count, 6)).astype(np.float32)
    assert np.isfinite(fit_pictures(clean, np.zeros(count, int)).distance(clean)).all()


def sources(folder: Path, *, count: int = 240) -> Sources:
    """Two sources whose task losses follow the classifier's certainty."""
    generator = np.random.default_rng(3)
    caches = []
    for number in range(2):
        clean = generator.normal(size=(count, 12)) * generator.uniform(0.2, 4, (count, 1))
        ids = generator.permutation(10_000)[:count]
        cache = written(folder / str(number), clean, ids=ids, views=2, classes=("round", "square"))
        logits = np.sort(clean.astype(np.float16).astype(np.float32) @ linear().weight.detach().numpy().T, axis=1)
        write_loss(cache.paths, np.repeat(logits[:, -5] - logits[:, -1], 2).astype(np.float32), {"target": "instance"})
        caches.append(cache)
    return Sources(tuple(caches))


@pytest.mark.slow
def test_rows_hold_the_functions_of_the_rows_and_a_head_learns_from_them(tmp_path: Path) -> None:
    rows = training_rows(sources(tmp_path), held_out=0.2, device=CPU)
    read = read_by_functions(rows, loaded(linear()))
    functions = read.functions
    assert functions is not None
    assert (rows.input_size, read.input_size) == (12, len(NAMES))
    assert np.array_equal(read.training, rows.training)
    for before, after in zip(rows.choosing, read.choosing, strict=True):
        assert np.array_equal(after.views, functions(before.views.astype(np.float32)))
        assert np.array_equal(after.clean, functions(before.clean.astype(np.float32)))
    assert read.resident is not None
    plain = functions(rows.sources.embeddings[rows.training].astype(np.float32))
    assert read.resident.numpy() == pytest.approx(plain, abs=1e-5)
    assert read.resident.numpy().mean(axis=0) == pytest.approx(np.zeros(len(NAMES)), abs=0.1)

    trained = train(read, PRESETS["functions"], seed=0, report=silent)
    held_out = without_distance(read).choosing[0]
    assert spearman(uncertainty_of(trained.module, held_out.views), held_out.loss) > 0.9


@pytest.mark.slow
def test_the_distance_weighs_its_share_of_the_spread_of_the_rest_and_teaches_nothing(tmp_path: Path) -> None:
    rows = training_rows(sources(tmp_path), held_out=0.2, device=CPU)
    read = read_by_functions(rows, loaded(linear()))
    weights = train(read, PRESETS["functions"], seed=0, report=silent).module.layers[0].weight[0]  # type: ignore[index]
    others = np.arange(len(NAMES)) != DISTANCE
    assert read.resident is not None
    values, weight = read.resident.numpy(), weights.detach().numpy()
    assert weight[DISTANCE] == pytest.approx(
        -DISTANCE_WEIGHT * (values[:, others] @ weight[others]).std(ddof=1), rel=1e-4
    )
    # with any other distances the rest comes out the same
    scrambled = replace(read, resident=read.resident + 5 * torch.eye(len(NAMES))[DISTANCE])
    again = train(scrambled, PRESETS["functions"], seed=0, report=silent).module.layers[0].weight[0]  # type: ignore[index]
    assert np.array_equal(again.detach().numpy()[others], weight[others])


def test_a_head_on_functions_is_one_linear_layer() -> None:
    with pytest.raises(ValueError, match="--preset functions"):
        TrainConfig((Path("cache"),), Path("out"), reads="functions")


def test_a_backbone_without_a_linear_classifier_is_told(tmp_path: Path) -> None:
    rows = training_rows(sources(tmp_path, count=40), held_out=0.2, device=CPU)
    with pytest.raises(CacheError, match=r"'made' has no linear classifier .* --reads embedding"):
        read_by_functions(rows, loaded(nn.Conv2d(12, 4, 1)))
