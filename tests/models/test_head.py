"""A head's file comes back as it was, anything else is refused by name, and its function is the paper's."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from tests.conftest import dice_head
from url_viz.base.errors import CheckpointError, HeadMismatchError
from url_viz.models.head import (
    BITS,
    FORMAT,
    FORMAT_VERSION,
    ROWS_AT_ONCE,
    Head,
    HeadProvenance,
    load_head,
    rounded,
    save_head,
)
from url_viz.models.head_module import HeadModule
from url_viz.models.runtime import Outputs

NONE = HeadProvenance("none")


def layers(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.ones(shape, np.float32) for shape in shapes)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_head_comes_back_with_everything_it_says_of_itself(tmp_path: Path, layer_norm: bool) -> None:
    sheet = {"size_px": 224, "mean": [0.5, 0.5, 0.5]}
    provenance = HeadProvenance("a_backbone", "0123456789abcdef", sheet, {"seed": 3, "τ": 0.07}, {"R-AUROC": 0.5})
    head = replace(dice_head(size=12), provenance=provenance, layer_norm=layer_norm, scaler=0.1 + 0.2)
    save_head(head, tmp_path / "head.safetensors")
    back = load_head(tmp_path / "head.safetensors")
    pairs = zip((*back.weights, *back.biases), (*head.weights, *head.biases), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert (back.provenance, back.layer_norm, back.scaler) == (provenance, layer_norm, head.scaler)
    assert back.digest == head.digest
    with safe_open(tmp_path / "head.safetensors", framework="numpy") as file:  # as others read it
        about = file.metadata()
    assert about["format"] == FORMAT
    assert json.loads(about["recipe"]) == provenance.recipe


@pytest.mark.parametrize("place", [-1, -4000])
def test_a_flipped_bit_in_a_heads_weights_is_told(tmp_path: Path, place: int) -> None:
    save_head(dice_head(), tmp_path / "head.safetensors")
    data = bytearray((tmp_path / "head.safetensors").read_bytes())
    data[place] ^= 1
    (tmp_path / "head.safetensors").write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="not as they were written"):
        load_head(tmp_path / "head.safetensors")


def test_the_function_is_the_papers_by_hand() -> None:
    head = Head(
        (np.array([[2, 0], [0, -3]], np.float32), np.array([[1, 10]], np.float32)),
        (np.array([0, 1], np.float32), np.array([0.5], np.float32)),
        NONE,
        scaler=2.0,
    )
    # layer 1: (2·1, −3·1 + 1) = (2, −2) → LeakyReLU (2, −.02); layer 2: 2 − .2 + .5 = 2.3; 2 (softplus(2.3) + 1e-6)
    expected = 2 * (np.log1p(np.exp(2.3)) + 1e-6)
    assert head(np.array([[1, 1]], np.float32)) == pytest.approx([expected], rel=2**-15)


def test_the_head_reads_what_the_store_keeps() -> None:
    head, embedding = dice_head(), np.random.default_rng(0).normal(size=(9, 1280)).astype(np.float32)
    assert np.array_equal(head(embedding), head(embedding.astype(np.float16)))


def test_many_rows_are_scored_as_few_are() -> None:
    head = dice_head(size=4)
    embedding = np.random.default_rng(0).normal(size=(ROWS_AT_ONCE + 3, 4)).astype(np.float32)
    parts = np.concatenate([head(embedding[:100]), head(embedding[100:])])
    assert head(embedding) == pytest.approx(parts, rel=2**-15)
    assert head(embedding[:0]).shape == (0,)


@given(st.lists(st.floats(2.0**-60, 2.0**60, width=32), min_size=2, max_size=9))
def test_a_value_is_kept_to_its_digits_and_the_order_stays(values: list[float]) -> None:
    array = np.array(values, np.float32)
    kept = rounded(array)
    assert kept == pytest.approx(array, rel=2.0**-BITS, abs=0)
    assert (np.diff(rounded(np.sort(array))) >= 0).all()
    assert np.array_equal(rounded(kept), kept)
    digits = kept / 2.0 ** np.floor(np.log2(kept.astype(np.float64)) + 1e-9) * 2 ** (BITS - 1)
    assert (digits % 1 == 0).all(), "no digit beyond is left"


def test_what_is_no_finite_number_or_zero_stays() -> None:
    values = np.array([0, -np.inf, np.inf, np.nan, -1.00001], np.float32)
    assert np.array_equal(rounded(values), np.array([0, -np.inf, np.inf, np.nan, -1], np.float32), equal_nan=True)


@pytest.mark.parametrize("batch", [1, 2, 7, 10, 33])
def test_a_picture_has_one_value_wherever_it_stands_in_a_batch(batch: int) -> None:
    """Libraries add up the last rows of a matrix in another order."""
    rng = np.random.default_rng(batch)
    head, picture = dice_head(), rng.normal(size=1280).astype(np.float16)
    [alone] = head(picture[None])
    assert (head(np.tile(picture, (batch, 1))) == alone).all()
    logits = rng.normal(size=(1, 1000)).astype(np.float32) + rng.normal(0, 1e-6, (batch, 1000)).astype(np.float32)
    outputs = Outputs(logits, np.zeros((batch, 1), np.float32))
    assert len(np.unique(outputs.entropy)) == 1


def test_the_digest_names_the_function_and_nothing_else() -> None:
    head = dice_head(size=6)
    nudged = (head.weights[0] + np.float32(1e-3), head.weights[1])
    others = [replace(head, weights=nudged), replace(head, layer_norm=True), replace(head, scaler=2.0)]
    assert len({head.digest, *(other.digest for other in others)}) == 4
    assert replace(head, provenance=HeadProvenance("another", metrics={"a": 1})).digest == head.digest


class TestMisfits:
    """What does not fit is refused where it is made, in words."""

    @pytest.mark.parametrize("shape", [(3, 11), (3, 13), (12,), (1, 3, 12)])
    def test_embeddings_of_another_size(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(HeadMismatchError, match="size 12"):
            dice_head(size=12)(np.zeros(shape, np.float32))

    @pytest.mark.parametrize(
        ("weights", "biases"),
        [
            (layers((4, 6), (1, 5)), layers((4,), (1,))),
            (layers((4, 6), (2, 4)), layers((4,), (2,))),
            (layers((4, 6), (1, 4)), layers((3,), (1,))),
            (layers((4, 6), (1, 4)), layers((4, 2), (1,))),
            (layers((6,)), layers((1,))),
            (layers((1, 6, 2)), layers((1,))),
            (layers((1, 6)), layers(())),
            ((), ()),
        ],
    )
    def test_layers_that_do_not_fit_each_other(
        self, weights: tuple[np.ndarray, ...], biases: tuple[np.ndarray, ...]
    ) -> None:
        with pytest.raises(CheckpointError, match="do not fit"):
            Head(weights, biases, NONE)

    @given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4))
    @settings(max_examples=60, deadline=None)
    def test_a_head_that_can_be_made_can_be_run(self, shapes: list[tuple[int, int]]) -> None:
        fits = shapes[-1][0] == 1 and all(a[0] == b[1] for a, b in pairwise(shapes))
        biases = layers(*((out,) for out, _ in shapes))
        if fits:
            head = Head(layers(*shapes), biases, NONE)
            assert head(np.ones((2, head.embedding_size), np.float32)).shape == (2,)
        else:
            with pytest.raises(CheckpointError):
                Head(layers(*shapes), biases, NONE)


TENSORS = {"layers.0.weight": np.ones((1, 3), np.float32), "layers.0.bias": np.ones(1, np.float32)}
DIGEST = Head((TENSORS["layers.0.weight"],), (TENSORS["layers.0.bias"],), NONE).digest
ABOUT = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "backbone": "none", "digest": DIGEST}


def written(path: Path, tensors: dict[str, np.ndarray] = TENSORS, **about: str) -> Path:
    """A head's file, but for what `about` changes; "" leaves a field out."""
    save_file(tensors, path, metadata={k: v for k, v in {**ABOUT, **about}.items() if v})
    return path


class TestUntrustedFiles:
    """A checkpoint is a stranger's file: whatever is wrong with it is a CheckpointError that names it."""

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"format": "pt"}, "not a head"),
            ({"format": ""}, "not a head"),
            ({"format_version": "3"}, "newer version"),
            ({"format_version": "two"}, "damaged"),
            ({"backbone": ""}, "damaged"),
            ({"digest": ""}, "damaged .*digest"),
            ({"layer_norm": "maybe"}, "damaged"),
            ({"scaler": "large"}, "damaged"),
            ({"recipe": "{"}, "damaged"),
            ({"recipe": "[1, 2]"}, "damaged"),
        ],
    )
    def test_a_wrong_header(self, tmp_path: Path, change: dict[str, str], says: str) -> None:
        assert load_head(written(tmp_path / "h.safetensors")).embedding_size == 3
        path = written(tmp_path / "h.safetensors", TENSORS, **change)
        with pytest.raises(CheckpointError, match=rf"h\.safetensors.*{says}"):
            load_head(path)

    @pytest.mark.parametrize(
        "tensors",
        [
            {"weight": np.ones((1, 3), np.float32)},
            {"layers.0.weight": np.ones((1, 3), np.float32)},
            {**TENSORS, "layers.2.weight": np.ones((1, 1), np.float32), "layers.2.bias": np.ones(1, np.float32)},
            {"layers.0.bias": np.ones(1, np.float32)},
            {"layers.0.weight": np.ones(3, np.float32), "layers.0.bias": np.ones(1, np.float32)},
            {"layers.0.weight": np.full((1, 3), np.nan, np.float32), "layers.0.bias": np.ones(1, np.float32)},
        ],
    )
    def test_wrong_tensors(self, tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
        with pytest.raises(CheckpointError, match=r"^(?!.*not as they were written)"):
            load_head(written(tmp_path / "h.safetensors", tensors))

    @pytest.mark.parametrize(
        "damage", [lambda data: b"", lambda data: data[:20], lambda data: data[:-3], lambda data: b"\xff" * 99]
    )
    def test_a_damaged_file(self, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        path = written(tmp_path / "h.safetensors")
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(CheckpointError, match=r"h\.safetensors"):
            load_head(path)

    def test_tensors_of_a_kind_that_numpy_lacks_a_folder_and_nothing_at_all(self, tmp_path: Path) -> None:
        half = {"layers.0.weight": torch.ones(1, 3).bfloat16(), "layers.0.bias": torch.ones(1).bfloat16()}
        save_tensors(half, tmp_path / "h.safetensors", metadata=ABOUT)
        with pytest.raises(CheckpointError, match=r"h\.safetensors"):
            load_head(tmp_path / "h.safetensors")
        for path in (tmp_path, tmp_path / "none.safetensors"):
            with pytest.raises(CheckpointError, match="Cannot read the head"):
                load_head(path)

    @given(place=st.integers(0, 10_000), value=st.integers(0, 255))
    @settings(max_examples=60, deadline=None)
    def test_any_one_byte_changed_is_a_head_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, place: int, value: int
    ) -> None:
        path = written(tmp_path_factory.mktemp("flip") / "h.safetensors")
        data = bytearray(path.read_bytes())
        data[place % len(data)] = value
        path.write_bytes(bytes(data))
        with suppress(CheckpointError):  # every other error fails
            head = load_head(path)
            assert head(np.ones((1, head.embedding_size), np.float32)).shape == (1,)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_module_file_and_numpy_agree(tmp_path: Path, layer_norm: bool, depth: int) -> None:
    torch.manual_seed(depth)
    module = HeadModule(24, width=16, depth=depth, layer_norm=layer_norm)
    save_head(module.to_head(HeadProvenance("none")), tmp_path / "head.safetensors")
    head = load_head(tmp_path / "head.safetensors")
    # float16 values, since a head reads embeddings as they are stored
    embedding = np.random.default_rng(0).normal(scale=3, size=(50, 24)).astype(np.float16)
    with torch.no_grad():
        expected = module(torch.from_numpy(embedding.astype(np.float32))).numpy()
        again = HeadModule.from_head(head)(torch.from_numpy(embedding.astype(np.float32))).numpy()
    assert head(embedding) == pytest.approx(expected, rel=2**-15)
    assert np.array_equal(again, expected)


def test_the_papers_head_has_the_papers_size_and_gives_a_row_one_positive_uncertainty() -> None:
    # METHOD 1.1: 656,897 parameters on ViT-Base (D 768).
    assert sum(p.numel() for p in HeadModule(768).parameters()) == 656_897
    # METHOD 8.17: a bare squeeze() turns a batch of one into a scalar.
    assert HeadModule(4, width=3)(torch.zeros(1, 4)).shape == (1,)
    module = HeadModule(4, width=8)
    with torch.no_grad():
        module.layers[-1].bias.fill_(-200.0)
        assert (module(torch.randn(10, 4, generator=torch.Generator().manual_seed(0))) > 0).all()


@pytest.mark.parametrize(("stop_gradient", "reaches"), [(True, False), (False, True)])
def test_no_gradient_reaches_the_backbone(stop_gradient: bool, reaches: bool) -> None:
    backbone = torch.nn.Linear(6, 4)
    module = HeadModule(4, width=8, stop_gradient=stop_gradient)
    module(backbone(torch.randn(5, 6, generator=torch.Generator().manual_seed(0)))).sum().backward()
    assert (backbone.weight.grad is not None) is reaches
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
