"""What a head reads of a classifier: by hand, by a naive loop, and back from its file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from url_viz.base.errors import CheckpointError, HeadMismatchError
from url_viz.models import classifier_functions
from url_viz.models.classifier_functions import NAMES, ClassifierFunctions, NaturalPictures
from url_viz.models.head import Head, HeadProvenance, load_head, save_head

CENTRE, SCALE = np.zeros(len(NAMES), np.float32), np.ones(len(NAMES), np.float32)


def of_dice(seed: int = 0, *, classes: int = 9, size: int = 6, axes: int = 2) -> ClassifierFunctions:
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(size, axes)))[0].T
    pictures = NaturalPictures(
        rng.normal(0, 0.1, size).astype(np.float32),
        directions.astype(np.float32),
        rng.uniform(0.5, 2, axes).astype(np.float32),
        float(rng.uniform(0.1, 0.5)),
    )
    weight = rng.normal(size=(classes, size)).astype(np.float16)
    return ClassifierFunctions(weight, rng.normal(size=classes).astype(np.float32), pictures, CENTRE, SCALE)


def head_of(functions: ClassifierFunctions) -> Head:
    weight = np.array([[-0.5, -0.25, -0.125, -0.1]], np.float32)
    return Head((weight,), (np.zeros(1, np.float32),), HeadProvenance("none"), functions=functions)


def test_the_functions_by_hand() -> None:
    pictures = NaturalPictures(
        np.zeros(2, np.float32), np.array([[1, 0]], np.float32), np.array([4], np.float32), rest=1
    )
    weight = np.array([[1, 0], [0, 2], [-1, 0]], np.float16)
    functions = ClassifierFunctions(weight, np.array([0, -1, 0], np.float32), pictures, CENTRE, SCALE)
    # e = (3, 4): logits 3, 7, −3 (three classes, so the fifth is the third); cosines .6, .8, −.6;
    # unit length (.6, .8): √(.6² / 4 + .8² / 1)
    expected = [7 + 3, 0.8, 0.8 - 0.6, np.sqrt(0.36 / 4 + 0.64)]
    assert functions.values(np.array([[3, 4]], np.float32))[0] == pytest.approx(expected, rel=1e-5)
    scaled = replace(functions, centre=np.array([9, 0, 0, 0], np.float32), scale=np.array([0.1, 2, 1, 1], np.float32))
    # (10 − 9) / .1 leaves the scale, .8 / 2 does not
    assert scaled(np.array([[3, 4]], np.float32))[0, :2] == pytest.approx([classifier_functions.FARTHEST, 0.4])


@given(st.integers(0, 1000), st.integers(2, 9))
def test_the_functions_by_a_loop(seed: int, classes: int) -> None:
    functions = of_dice(seed, classes=classes)
    of, weight = functions.pictures, functions.weight.astype(np.float64)
    embedding = np.random.default_rng(seed).normal(size=(4, 6)).astype(np.float32)
    full = of.axes.T @ np.diag(of.variance) @ of.axes + of.rest * (np.eye(6) - of.axes.T @ of.axes)
    for e, values in zip(embedding.astype(np.float64), functions.values(embedding), strict=True):
        logits = sorted((w @ e + b for w, b in zip(weight, functions.bias, strict=True)), reverse=True)
        cosines = sorted((w @ e / np.linalg.norm(w) / np.linalg.norm(e) for w in weight), reverse=True)
        d = e / np.linalg.norm(e) - of.mean
        expected = [
            logits[0] - logits[min(5, classes) - 1],
            cosines[0],
            cosines[0] - cosines[1],
            (d @ np.linalg.inv(full) @ d) ** 0.5,
        ]
        assert values == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_many_rows_are_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    functions, embedding = of_dice(), np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    at_once = functions.values(embedding)
    monkeypatch.setattr(classifier_functions, "NUMBERS_AT_ONCE", 20)
    assert functions.values(embedding) == pytest.approx(at_once, rel=1e-5)
    assert functions.values(embedding[:0]).shape == (0, len(NAMES))
    assert np.isfinite(functions(np.zeros((1, 6), np.float32))).all(), "of a picture of nothing"


def test_shares_are_the_softmax_of_the_logits() -> None:
    weight = np.array([[1, 0], [0, 1], [0, 0]], np.float16)
    of = NaturalPictures(np.zeros(2, np.float32), np.eye(1, 2, dtype=np.float32), np.ones(1, np.float32), 1.0)
    four = np.ones(4, np.float32)
    functions = ClassifierFunctions(weight, np.log(np.array([1, 2, 1], np.float32)), of, four, four)
    shares = functions.shares(np.array([[0, 0], [1000, 0]], np.float32))
    assert shares == pytest.approx(np.array([[0.25, 0.5, 0.25], [1, 0, 0]]), abs=1e-6)


def test_a_head_that_reads_functions_comes_back_and_keeps_its_signature(tmp_path: Path) -> None:
    head = head_of(of_dice())
    save_head(head, tmp_path / "h.safetensors")
    back = load_head(tmp_path / "h.safetensors")
    embedding = np.random.default_rng(2).normal(size=(5, 6)).astype(np.float32)
    assert back.digest == head.digest
    assert np.array_equal(back(embedding), head(embedding))
    assert head.embedding_size == 6
    # by hand: softplus of the layer over the functions of what the store keeps
    assert head.functions is not None
    stored = embedding.astype(np.float16).astype(np.float32)
    layer = head.functions(stored) @ np.array([-0.5, -0.25, -0.125, -0.1])
    assert back(embedding) == pytest.approx(np.log1p(np.exp(layer)) + 1e-6, rel=2**-15)
    with pytest.raises(HeadMismatchError, match="size 6"):
        head(np.zeros((1, 3), np.float32))


def test_the_digest_names_what_the_head_reads() -> None:
    functions = of_dice()
    changed = [
        replace(functions, weight=functions.weight + np.float16(0.5)),
        replace(functions, scale=SCALE * 2),
        replace(functions, pictures=replace(functions.pictures, rest=9.0)),
    ]
    assert len({head_of(one).digest for one in (functions, *changed)}) == 4


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("pictures.mean", None),
        ("classifier.bias", np.zeros(3, np.float32)),
        ("classifier.weight", np.zeros(9, np.float16)),
        ("pictures.variance", np.ones(5, np.float32)),
        ("pictures.variance", np.zeros(2, np.float32)),
        ("pictures.rest", np.array([0, 1], np.float32)),
        ("functions.scale", np.zeros(4, np.float32)),
        ("functions.scale", np.ones(2, np.float32)),
        ("layers.0.weight", np.ones((1, 6), np.float32)),
    ],
)
def test_wrong_parts_are_refused_by_name(tmp_path: Path, name: str, tensor: np.ndarray | None) -> None:
    path = tmp_path / "h.safetensors"
    save_head(head_of(of_dice()), path)
    tensors = load_file(path) | ({} if tensor is None else {name: tensor})
    tensors = {key: value for key, value in tensors.items() if tensor is not None or key != name}
    save_file(tensors, path, metadata={"format": "url-viz head", "format_version": "2", "backbone": "none"})
    with pytest.raises(CheckpointError, match=r"^(?!.*'digest')"):
        load_head(path)
