"""The uncertainty head (embedding to uncertainty) in numpy, its safetensors file, and the rounding of values."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import CheckpointError, HeadMismatchError
from url_viz.base.files import record_in, replaced
from url_viz.models.classifier_functions import NAMES, ClassifierFunctions

BITS = 15
"""Binary digits that stay, a step of 30 to 60 in a million.

The batch that a picture stands in changes its uncertainty and entropy by up to 8 in a million of their size in float32
(half a millionth is usual), and an embedding stored in float16 its uncertainty by 15, up to 80.
"""


def rounded(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """The values (N,) with BITS binary digits each; nan and infinity stay."""
    fraction, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(fraction * 2**BITS) / 2**BITS, exponent), np.float32)


FORMAT = "url-viz head"
FORMAT_VERSION = 2
"""1 reads embeddings, 2 their functions; a head that reads embeddings is still written as 1."""
SLOPE = 0.01
FLOOR = 1e-6
NORM_EPS = 1e-5
ROWS_AT_ONCE = 8192
MOST_BYTES = 1 << 30
"""Ten times a head that brings a classifier of 21,843 classes along."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class HeadProvenance:
    """The origin of a head.

    `weights_digest` names the exact backbone weights it was trained on ("" if unknown); `recipe` and `metrics` are
    what the training run recorded.
    """

    backbone: str
    weights_digest: str = ""
    preprocessing: Mapping[str, object] = field(default_factory=dict)
    recipe: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)


PROVENANCE_RECORDS = ("preprocessing", "recipe", "metrics")


@dataclass(frozen=True)
class Head:
    """Weights of a head: `weights[i]` (out, in), `biases[i]` (out,), float32; the last layer has one output.

    The first layer reads the embedding, or with `functions` their values. `layer_norm` puts a LayerNorm without
    parameters in front. `scaler` multiplies the output (only the order of uncertainties means anything; the authors'
    checkpoints do not save theirs, and 1 is used there).
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    provenance: HeadProvenance
    layer_norm: bool = False
    scaler: float = 1.0
    functions: ClassifierFunctions | None = None

    def __post_init__(self) -> None:
        sizes = [(w.shape, b.shape) for w, b in zip(self.weights, self.biases, strict=True)]
        fits = all(len(w) == 2 and b == w[:1] for w, b in sizes) and all(
            before[0][0] == after[0][1] for before, after in pairwise(sizes)
        )
        if not sizes or not fits or self.weights[-1].shape[0] != 1:
            raise CheckpointError(f"The layers of this head do not fit each other: {sizes}.")
        if self.functions is not None and self.weights[0].shape[1] != len(NAMES):
            raise CheckpointError(f"The first layer of this head does not read {len(NAMES)} functions: {sizes[0]}.")

    @property
    def embedding_size(self) -> int:
        """D, the size of the embeddings that this head reads."""
        return int(self.weights[0].shape[1]) if self.functions is None else self.functions.embedding_size

    @property
    def input_px(self) -> int | None:
        """The side of the pictures that it was trained on; None if its file does not say."""
        size = self.provenance.preprocessing.get("size_px")
        return size if isinstance(size, int) else None

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that name this head's function: weights, LayerNorm, scaler and what it reads."""
        state = hashlib.blake2b(f"{self.layer_norm} {self.scaler!r}".encode(), digest_size=8)
        for array in (*self.weights, *self.biases):
            state.update(str(array.shape).encode())
            state.update(np.ascontiguousarray(array, dtype=np.float32).tobytes())
        if self.functions is not None:
            for name, tensor in sorted(self.functions.tensors().items()):
                state.update(f"{name} {tensor.shape}".encode() + np.ascontiguousarray(tensor).tobytes())
        return state.hexdigest()

    def __call__(self, embedding: NDArray[np.floating]) -> Array:
        """Uncertainty (N,) float32, higher = less to be trusted, of embeddings (N, D).

        The embeddings are rounded to float16 first, as the store keeps them, and the values as `rounded` has them,
        so that live and re-scored values agree.
        Raises HeadMismatchError if D is not this head's.
        """
        if embedding.ndim != 2 or embedding.shape[1] != self.embedding_size:
            raise HeadMismatchError(
                f"This head reads embeddings of size {self.embedding_size} (made for {self.provenance.backbone!r}), "
                f"and got {embedding.shape}. Choose a head that was trained on this backbone."
            )
        pieces = [
            self._forward(embedding[start : start + ROWS_AT_ONCE]) for start in range(0, len(embedding), ROWS_AT_ONCE)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def _forward(self, embedding: NDArray[np.floating]) -> Array:
        x = embedding.astype(np.float16).astype(np.float32)
        if self.functions is not None:
            x = self.functions(x)
        if self.layer_norm:
            centred: Array = x - x.mean(axis=1, keepdims=True)
            variance = np.square(centred).mean(axis=1, keepdims=True, dtype=np.float32)
            deviation: Array = np.sqrt(variance + np.float32(NORM_EPS), dtype=np.float32)
            x = np.divide(centred, deviation, dtype=np.float32)
        x = x.astype(np.float64)  # a sum in float32 depends on the row's place in the batch
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight.T + bias
            if layer < last:
                x = np.where(x > 0, x, SLOPE * x)
        softplus = np.logaddexp(0, x[:, 0])
        return rounded(self.scaler * (softplus + FLOOR))


def save_head(head: Head, path: Path) -> None:
    """Write `head` to `path` as safetensors; the header carries provenance, LayerNorm and scaler as text."""
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[np.generic]] = {
        f"layers.{i}.weight": np.ascontiguousarray(w, np.float32) for i, w in enumerate(head.weights)
    }
    tensors |= {f"layers.{i}.bias": np.ascontiguousarray(b, np.float32) for i, b in enumerate(head.biases)}
    if head.functions is not None:
        tensors |= {name: np.ascontiguousarray(tensor) for name, tensor in head.functions.tensors().items()}
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION if head.functions else 1),
        "backbone": head.provenance.backbone,
        "weights_digest": head.provenance.weights_digest,
        **{name: json.dumps(dict(getattr(head.provenance, name))) for name in PROVENANCE_RECORDS},
        "layer_norm": json.dumps(head.layer_norm),
        "scaler": repr(head.scaler),
        "digest": head.digest,
    }
    with replaced(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_head(path: Path) -> Head:
    """Read a head from the safetensors file `path`. Raises CheckpointError if the file is not one."""
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is no plain file of at most {MOST_BYTES >> 20:,} MiB")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError, ValueError, TypeError) as error:  # TypeError: a dtype that numpy lacks
        raise CheckpointError(
            f"Cannot read the head {path}: {error}. Give a file written by training.train."
        ) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a safetensors file but not a head (its format is {metadata.get('format')!r})."
        )
    return _head_from(tensors, metadata, path)


def _head_from(tensors: Mapping[str, Array], metadata: Mapping[str, str], path: Path) -> Head:
    try:
        version = int(metadata.get("format_version", "0"))
        if version > FORMAT_VERSION:
            raise CheckpointError(f"{path} was written by a newer version ({version}). Update URL-Viz.")
        scaler = float(metadata.get("scaler", "1.0"))
        if not np.isfinite(scaler) or not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise ValueError("weights that are not finite")
        count = sum(name.startswith("layers.") and name.endswith(".weight") for name in tensors)
        head = Head(
            weights=tuple(np.asarray(tensors[f"layers.{i}.weight"], np.float32) for i in range(count)),
            biases=tuple(np.asarray(tensors[f"layers.{i}.bias"], np.float32) for i in range(count)),
            provenance=HeadProvenance(
                metadata["backbone"],
                metadata.get("weights_digest", ""),
                **{name: record_in(metadata.get(name, "{}")) for name in PROVENANCE_RECORDS},
            ),
            layer_norm={"true": True, "false": False}[metadata.get("layer_norm", "false")],
            scaler=scaler,
            functions=ClassifierFunctions.from_tensors(tensors) if "classifier.weight" in tensors else None,
        )
        if metadata["digest"] != head.digest:
            raise ValueError("its weights are not as they were written")
        return head
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(f"The head {path} is damaged ({error!r}). Train or download it again.") from error
