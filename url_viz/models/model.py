"""Models (backbone, classifier, head, preprocessing): name resolution, loading, and prediction on pictures."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.errors import CheckpointError, HeadMismatchError, ModelError
from url_viz.base.processes import awaited, read_ahead
from url_viz.base.workspace import IN_ENVIRONMENT, Workspace
from url_viz.imaging.decode import Preprocessing, read_file
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.workers import DecodeResult, Failure, Picture, fetch_and_decode_isolated
from url_viz.models.checkpoint_folder import resolve_paper_name
from url_viz.models.head import Head, load_head
from url_viz.models.model_names import (
    DEFAULT,
    FINETUNED_MARK,
    PACKAGED,
    WeightsFile,
    check_length,
    expanded,
    file_digest,
    parse_paper_name,
    shipped_head,
)
from url_viz.models.precision import Times, measured_times, precision_here, quicker, times_of
from url_viz.models.runtime import MultiGpuRuntime, Outputs, Precision, Runtime, Wait, choose_device, gpus
from url_viz.models.runtime_openvino import OpenVinoRuntime, convert, converted

if TYPE_CHECKING:
    from url_viz.models.backbone import LoadedBackbone

BATCH = 64
BATCHES_AHEAD = 2
"""Batches that are read ahead of the forward pass."""
LARGEST = float(np.finfo(np.float16).max)
"""The largest float16: embeddings are stored in float16."""
_NOT_FINITE = "the model gives no finite embedding of it, or no finite uncertainty"
EXTERNAL = "own:"
"""Prefix of the names of embeddings from a file."""


@dataclass(frozen=True)
class ModelSource:
    """The parts of a model, resolved from its name without loading it; `weights` is None for timm's own.

    `file` is set if they are in a checkpoint of the authors, or finetuned by a user.
    """

    name: str
    backbone: str
    head: Head | None
    weights: Path | None = None
    file: WeightsFile | None = None

    @property
    def weights_digest(self) -> str | None:
        """The digest of the exact weights, if known from the head or the user's file."""
        if self.file is not None:
            return self.file.digest
        return self.head.provenance.weights_digest if self.head else None

    @property
    def is_external(self) -> bool:
        """Whether these are embeddings from a file, so that no model can embed a new picture."""
        return self.backbone.startswith(EXTERNAL)

    @property
    def title(self) -> str:
        """The name for people: a checkpoint's file name, or its folder if the file is just `head`."""
        return model_title(self.name)


def model_title(name: str) -> str:
    """A model's name for people: `…/cats-20260101/head.safetensors` is `cats-20260101`."""
    if name.startswith(EXTERNAL):
        return f"{name.removeprefix(EXTERNAL)} (your embeddings)"
    paper = parse_paper_name(name)
    if paper is not None:
        return paper[0].title + paper[1].replace("@", ", preprocessing of ")
    weights = WeightsFile.named(name)
    if weights is not None and weights.backbone:
        return f"{weights.path.name} ({weights.backbone})"
    parts = name.replace("\\", "/").split("/")
    file = parts[-1].removesuffix(".safetensors")
    return parts[-2] if file == "head" and len(parts) > 1 else file


@dataclass(frozen=True)
class EmbeddingSpace:
    """Everything that affects an embedding: embeddings are comparable only within one space."""

    backbone: str
    weights_digest: str
    preprocessing: Preprocessing
    precision: Precision

    @property
    def is_finetuned(self) -> bool:
        """Whether the weights are a user's, so that the backbone's name is not enough to load them."""
        return self.weights_digest.startswith(FINETUNED_MARK)

    def seeing(self, rendering: Rendering | None) -> "EmbeddingSpace":
        """The space of pictures that are seen in a rendering."""
        return replace(self, preprocessing=replace(self.preprocessing, rendering=rendering))

    @property
    def squeezed(self) -> "EmbeddingSpace":
        """The space of the same network's other look at the same pictures: squeezed to a square, and mirrored."""
        return replace(self, preprocessing=replace(self.preprocessing, is_squeezed=True))

    @property
    def key(self) -> str:
        """16 hexadecimal digits that name this space on disk."""
        record = [self.backbone, self.weights_digest, self.preprocessing.as_record(), self.precision]
        return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Prediction:
    """The outputs for N files, in their order; rows of files that failed are nan and named in `failures`.

    `embedding` (N, D) float32, `uncertainty` (N,) (nan without a head), `entropy` (N,) in nats, `failures` pairs paths
    with reasons. `ok` (N,) marks rows without a failure: embedding and, with a head, uncertainty are finite.
    """

    embedding: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    entropy: NDArray[np.float32]
    ok: NDArray[np.bool_]
    failures: tuple[tuple[Path, str], ...]


class Model:
    """A running backbone, with a head if it has one; made by `load_model`."""

    def __init__(self, source: ModelSource, space: EmbeddingSpace, runtime: Runtime) -> None:
        _check_fit(source, space)
        self.source = source
        self.name = source.name
        self.head = source.head
        self.space = space
        self.runtime = runtime

    def seeing(self, rendering: Rendering | None) -> "Model":
        """The same running model for pictures that are seen in a rendering: in a space of its own."""
        space = self.space.seeing(rendering)
        return self if space == self.space else Model(self.source, space, self.runtime)

    @property
    def squeezed(self) -> "Model":
        """The same running backbone, without head, that takes its other look at pictures: in a space of its own."""
        return Model(replace(self.source, head=None), self.space.squeezed, self.runtime)

    def __repr__(self) -> str:
        head = f"head {self.head.digest}" if self.head else "no head"
        return f"Model({self.name!r}, {head}, {self.runtime.device}, precision={self.space.precision!r})"

    def __call__(self, pixels: Any) -> tuple[Any, Any, Any]:
        """Normalised pixels (B, 3, H, W) → logits (B, C), uncertainty (B,), embedding (B, D), in the authors' order.

        Tensors in, tensors out; arrays in, arrays out. Uncertainty is nan if the model has no head.
        """
        is_tensor = "torch" in sys.modules and isinstance(pixels, sys.modules["torch"].Tensor)
        array = np.ascontiguousarray(pixels.detach().cpu() if is_tensor else pixels, dtype=np.float32)
        outputs = self.runtime.run_pixels(array)
        triple = (outputs.logits, self.uncertainty(outputs.embedding), outputs.embedding)
        logits, uncertainty, embedding = map(sys.modules["torch"].from_numpy, triple) if is_tensor else triple
        return logits, uncertainty, embedding

    def run(self, crops: NDArray[np.uint8]) -> Outputs:
        """Run crops (B, S, S, 3) uint8, as `picture_of` cuts them."""
        return self.runtime.start(crops)()

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        """Begin to run crops; a GPU computes in the background until the outputs are waited for."""
        return self.runtime.start(crops)

    def uncertainty(self, embedding: NDArray[np.floating]) -> NDArray[np.float32]:
        """Uncertainty (N,) of embeddings (N, D), higher = less to be trusted; nan if the model has no head."""
        if self.head is None:
            return np.full(len(embedding), np.nan, np.float32)
        return self.head(embedding)

    def as_stored(self, embedding: NDArray[np.floating]) -> NDArray[np.float16]:
        """Embeddings (B, D) in float16, as a store keeps them.

        Raises ModelError if one is not finite, or exceeds float16: neighbours and map could not be computed.
        """
        with np.errstate(over="ignore"):
            stored = embedding.astype(np.float16)
        bad = np.flatnonzero(~np.isfinite(stored).all(axis=1))
        if not len(bad):
            return stored
        which = f"{len(bad):,} of the {len(stored):,} embeddings that {self.name!r} gave last"
        if not np.isfinite(embedding).all():
            raise ModelError(f"{which} are not finite. Check its weights, or choose another model or precision.")
        raise ModelError(
            f"{which} leave float16: their numbers go to {np.abs(embedding).max():,.0f}, and {LARGEST:,.0f} is the "
            f"most. Choose another model, or give its embeddings as a file (embed --embeddings FILE), which are scaled."
        )

    def predict(self, paths: Iterable[str | Path]) -> Prediction:
        """Read and score files, in their order; a bad file is a row of nan and an entry in `.failures`.

        So is a file for which the model gives no finite embedding.
        """
        files = [Path(path) for path in paths]
        good: list[int] = []
        reasons: dict[int, str] = {}
        pieces = list(awaited(self._begun(files, good, reasons), ahead=self.runtime.ahead))
        size = pieces[0].embedding.shape[1] if pieces else (self.head.embedding_size if self.head else 0)
        embedding = np.full((len(files), size), np.nan, np.float32)
        uncertainty, entropy = np.full((2, len(files)), np.nan, np.float32)
        ok = np.zeros(len(files), bool)
        if pieces:
            embeddings = np.concatenate([piece.embedding for piece in pieces])
            with np.errstate(over="ignore", invalid="ignore"):
                scores = self.uncertainty(embeddings)
            is_fine = np.isfinite(embeddings).all(axis=1) & (np.isfinite(scores) | (self.head is None))
            ok[good] = is_fine
            embedding[ok], uncertainty[ok] = embeddings[is_fine], scores[is_fine]
            entropy[ok] = np.concatenate([piece.entropy for piece in pieces])[is_fine]
        reasons |= {i: _NOT_FINITE for i in good if not ok[i]}
        failures = tuple((files[i], reasons[i]) for i in sorted(reasons))
        return Prediction(embedding, uncertainty, entropy, ok, failures)

    def _begun(self, files: Sequence[Path], good: list[int], reasons: dict[int, str]) -> Iterator[Wait]:
        """Read files ahead of the forward passes; adds the numbers of readable ones to `good`, others to `reasons`."""
        size = self.runtime.batch
        batches = (files[start : start + size] for start in range(0, len(files), size))

        def read(path: Path) -> DecodeResult:
            return fetch_and_decode_isolated(partial(read_file, bytes(path)), self.space.preprocessing)

        with closing(read_ahead(batches, read, ahead=BATCHES_AHEAD)) as arriving:
            for start, readings in zip(range(0, len(files), size), arriving, strict=True):
                pictures = {i: r for i, r in enumerate(readings, start) if isinstance(r, Picture)}
                reasons |= {i: r.reason for i, r in enumerate(readings, start) if isinstance(r, Failure)}
                if pictures:
                    good += pictures
                    yield self.start(np.stack([picture.crop for picture in pictures.values()]))


_shipped = cache(load_head)
"""A head that comes with the package; its file does not change while this process runs."""


def resolve(name: str | Path, *, workspace: Workspace | None = None) -> ModelSource:
    """Resolve a model's name (zoo, timm, a paper's, or of a head trained here) or its checkpoint's path to its parts.

    Nothing is loaded. The heads trained here, and the files of the paper's models, are in `workspace`.
    """
    text = str(name)
    check_length(text)
    if parse_paper_name(text) is not None:
        return replace(resolve(resolve_paper_name(text, workspace or Workspace.at())), name=text)
    file = WeightsFile.named(text)
    if file is not None:
        if not file.path.is_file():
            what = "BACKBONE:PATH of a timm backbone" if file.backbone else "the path of the authors' *.pth.tar"
            raise CheckpointError(f"There is no checkpoint {str(file.path)!r}. Give {what}.")
        if file.backbone:
            return ModelSource(file.name, file.backbone, None, file.path, file)
        from url_viz.models.checkpoints import head_of

        head = head_of(file, file.path.stat().st_mtime_ns)
        return ModelSource(file.name, head.provenance.backbone, head, file.path, file)
    if text.endswith(".safetensors"):
        path = expanded(text)
        if not path.is_file():
            raise CheckpointError(
                f"There is no checkpoint {text!r}. Give the path of a head written by training.train."
            )
        head = load_head(path)
        weights = backbone_weights_of(path)
        return ModelSource(text, head.provenance.backbone, head, weights if os.path.isfile(weights) else None)
    if workspace is not None and text not in PACKAGED and Path(text).name == text:
        trained = workspace.heads / text / "head.safetensors"
        if trained.is_file():
            return resolve(trained)
    shipped = shipped_head(text)
    return ModelSource(text, text, _shipped(shipped) if shipped else None)


def packaged_name(space: EmbeddingSpace) -> str | None:
    """The name under which the model of a space is loaded, if its weights come in a package; else None."""
    if space.backbone not in PACKAGED or space.is_finetuned:
        return None
    digest = resolve(space.backbone).weights_digest
    return space.backbone if digest in (None, space.weights_digest) else None


def backbone_weights_of(head: Path) -> Path:
    """The path of the finetuned backbone that belongs to the head file `head`."""
    return head.with_name(head.name.removesuffix(".safetensors") + ".backbone.safetensors")


def load_model(
    name: str | Path = DEFAULT,
    *,
    device: str = "auto",
    precision: PrecisionChoice = "fast",
    workspace: str | Path | None = None,
) -> Model:
    """Load a model by zoo, timm or paper's name (`authors/vit-tiny`), or by the path of a head or checkpoint.

    `device`: auto, cuda (or one of several: cuda:1), cpu (OpenVINO) or mps; `precision`: fast (bf16 on a GPU; on a CPU
    bf16 or float32, whichever was measured to be quicker there) or exact (float32), or bf16 or float32 by name. A
    backbone prepared once for a CPU is kept in the workspace, with what was measured, and opens without torch. Of the
    authors' files a name that ends in `@timm` means timm's preprocessing instead of theirs.
    Raises ModelError or a subclass.
    """
    chosen = choose_device(device)
    computed = precision_here(precision, chosen)
    source = resolve(name, workspace=Workspace.at(workspace))
    if source.is_external:
        raise ModelError(
            f"{source.name!r} are embeddings from a file: there is no model to embed a new picture. "
            f"Search with a picture of the set, choose a model, or give a file that has the new pictures too "
            f"(url-viz embed FOLDER --embeddings FILE)."
        )
    if chosen == "cpu" or computed is None:
        return _on_cpu(source, precision, Workspace.at(workspace))
    return _on_torch(source, load_source(source), chosen, computed)


def load_as(name: str | Path, space: EmbeddingSpace, *, workspace: str | Path | None = None) -> Model:
    """Load a model to read pictures as those of a set were read: in the precision and rendering of its `space`."""
    loaded = load_model(name, precision=space.precision, workspace=workspace)
    return loaded.seeing(space.preprocessing.rendering)


def with_head(model: Model, source: ModelSource) -> Model:
    """The same running backbone with another head; raises HeadMismatchError if the head is for another backbone."""
    return Model(source, model.space, model.runtime)


def load_source(source: ModelSource) -> "LoadedBackbone":
    """The backbone of a model in torch, from the weights that `source` names."""
    if source.file is not None:
        from url_viz.models.checkpoints import load_weights

        return load_weights(source.file)
    from url_viz.models.backbone import load_backbone

    return load_backbone(source.backbone, weights=source.weights)


def _on_torch(source: ModelSource, loaded: "LoadedBackbone", device: str, precision: Precision) -> Model:
    from url_viz.models.runtime_torch import TorchRuntime

    space = EmbeddingSpace(source.backbone, loaded.weights_digest, loaded.preprocessing, precision)
    names = list(gpus()) if device == "cuda" else [device]
    backbones = [loaded.backbone, *(deepcopy(loaded.backbone) for _ in names[1:])]
    runtimes = [
        TorchRuntime(backbone, loaded.preprocessing, device=name, precision=precision)
        for name, backbone in zip(names, backbones, strict=True)
    ]
    return Model(source, space, runtimes[0] if len(runtimes) == 1 else MultiGpuRuntime(runtimes))


def prepare_packaged(name: str) -> Path:
    """Prepare a packaged backbone for the processor, once for all workspaces of this Python; returns the folder.

    Raises ModelError if the folder of this Python (a virtual environment, say) cannot be written.
    """
    try:
        model = _on_cpu(resolve(name), "fast", IN_ENVIRONMENT)
    except OSError as error:
        raise ModelError(
            f"Cannot write to {IN_ENVIRONMENT.root} ({error.strerror}). Nothing is lost: each workspace prepares "
            f"{name!r} when it first reads."
        ) from error
    return prepared_folder(model.source, IN_ENVIRONMENT)


def times_here(name: str, workspace: Workspace) -> Times | None:
    """What a model took in each precision on this processor; None if unknown, or if there is no such model."""
    with suppress(ModelError, OSError):
        folders = (prepared_folder(resolve(name, workspace=workspace), place) for place in (workspace, IN_ENVIRONMENT))
        return next((times for times in map(times_of, folders) if times is not None), None)
    return None


def _on_cpu(source: ModelSource, precision: PrecisionChoice, workspace: Workspace) -> Model:
    folder = prepared_folder(source, workspace)
    for prepared in (folder, prepared_folder(source, IN_ENVIRONMENT)):
        opened = _opened(source, prepared, precision)
        if opened is not None:
            return opened
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # another process may be converting it
        return _opened(source, folder, precision) or _converted(source, folder, precision)


def _opened(source: ModelSource, folder: Path, precision: PrecisionChoice) -> Model | None:
    """The model whose backbone was converted into `folder`; None if that is not there, or damaged and thus removed."""
    prepared = converted(folder)
    if prepared is None:
        return None
    try:
        return _running(source, folder, prepared, precision)
    except (RuntimeError, OSError):
        # Damage that only OpenVINO detects, or a file that was removed meanwhile: prepare it again.
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _running(
    source: ModelSource, folder: Path, prepared: tuple[str, Preprocessing], precision: PrecisionChoice
) -> Model:
    computed = precision_here(precision, "cpu", times_of(folder)) or quicker(measured_times(folder, prepared[1]))
    runtime = OpenVinoRuntime(folder, prepared[1], precision=computed)
    return Model(source, EmbeddingSpace(source.backbone, *prepared, computed), runtime)


def _converted(source: ModelSource, folder: Path, precision: PrecisionChoice) -> Model:
    loaded = load_source(source)
    try:
        convert(loaded, folder)
    except (RuntimeError, TypeError) as error:
        why = str(error).partition("\n")[0]
        print(f"OpenVINO cannot run {source.backbone!r} ({why}); torch runs it instead, slower.", file=sys.stderr)
        return _on_torch(source, loaded, "cpu", precision_here(precision, "cpu") or "float32")
    return _running(source, folder, (loaded.weights_digest, loaded.preprocessing), precision)


LONGEST_NAME = 100
"""Of a backbone, in the name of a folder: a file may say anything."""


def prepared_folder(source: ModelSource, workspace: Workspace) -> Path:
    """Where a backbone prepared for a CPU is kept: named after it and the digest of its weights file."""
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in source.backbone[:LONGEST_NAME])
    if source.file is not None:
        digest = source.file.digest
    elif source.weights is not None or source.backbone in PACKAGED:
        digest = file_digest(source.weights or PACKAGED[source.backbone].weights())
    else:
        digest = "hub"
    return workspace.models / f"{safe}-{digest}"


def _check_fit(source: ModelSource, space: EmbeddingSpace) -> None:
    if source.backbone != space.backbone:
        raise HeadMismatchError(
            f"{source.name!r} belongs to the backbone {source.backbone!r}, and {space.backbone!r} is running. "
            f"Load it by its own name."
        )
    made_for = source.head.provenance.weights_digest if source.head else ""
    if made_for and made_for != space.weights_digest:
        raise HeadMismatchError(
            f"The head of {source.name!r} was trained on weights {made_for} of {source.backbone!r}, "
            f"and the weights here are {space.weights_digest}. Train it again on these (python -m training.train)."
        )
