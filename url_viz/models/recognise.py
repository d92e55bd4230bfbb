"""Recognises what a file of weights is by its tensors, in a process with limits, as the file may be hostile."""

import os
import sys
import warnings
import zipfile
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open

from url_viz.base.errors import CheckpointError, ModelError
from url_viz.base.limited_processes import Answer, allow_memory, serve
from url_viz.models.checkpoint_folder import Checkpoint
from url_viz.models.checkpoints import (
    Contents,
    State,
    contents_of,
    fit_authors,
    fit_finetuned,
    has_authors_head,
    is_known_to_timm,
    read_record,
    weights_in,
)
from url_viz.models.head import FORMAT, load_head
from url_viz.models.model_names import PACKAGED, PAPERS, WeightsFile

MOST_MEMORY_BYTES = 4 << 30
"""The limit for reading a file, besides the file itself if it is mapped."""
FORBIDDEN_EVENTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen")
"""Audit events (`sys.audit`) of connecting to another machine, or starting a program."""
CANDIDATES = (*PACKAGED, *(paper.backbone for paper in PAPERS.values()))
"""Backbones with which weights without a name are compared."""


def recognised(path: Path) -> Checkpoint:
    """What the file at `path` is. Raises CheckpointError or another ModelError with the reason if it is no model."""
    if path.suffix == ".safetensors" and _is_head(path):
        head = load_head(path)
        return Checkpoint(path, str(path), "own", head.provenance.backbone, True, head.embedding_size, head.input_px)
    record = read_record(path)
    state = weights_in(record, path)
    if has_authors_head(state):
        return _authors(WeightsFile.of_authors(path), contents_of(record, path))
    backbone = _find_backbone(path, record.get("arch"), state)
    weights = WeightsFile.finetuned(backbone, path)
    network, preprocessing, _ = fit_finetuned(weights, state)
    return Checkpoint(path, weights.name, "own", backbone, False, int(network.num_features), preprocessing.size_px)


def _is_head(path: Path) -> bool:
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}. Copy or download it again.") from error


def _authors(file: WeightsFile, contents: Contents) -> Checkpoint:
    network, preprocessing = fit_authors(file, contents)
    backbone, size, paper = contents.backbone, int(network.num_features), ""
    if backbone.startswith("vit_") and "_patch16_224" in backbone:  # one of the paper's, told by its width and depth
        sizes = {(model.embedding_size, model.depth): model.name for model in PAPERS.values()}
        paper = sizes.get((size, len(getattr(network, "blocks", ()))), "")
    return Checkpoint(file.path, file.name, "authors", backbone, True, size, preprocessing.size_px, paper)


def _find_backbone(path: Path, arch: object, state: State) -> str:
    """The backbone of weights: the one that the file or its folder names, or that its tensors fit."""
    named = next((n for n in (arch, path.parent.name) if isinstance(n, str) and is_known_to_timm(n)), None)
    backbone = named or next((name for name in CANDIDATES if _fits(WeightsFile.finetuned(name, path), state)), None)
    if backbone is None:
        raise CheckpointError(
            f"{str(path)!r} has {len(state):,} tensors and does not say of which network. Put it into a folder named "
            f"after its timm backbone, or open it as BACKBONE:{path}."
        )
    return backbone


def _fits(weights: WeightsFile, state: State) -> bool:
    try:
        fit_finetuned(weights, state)
    except ModelError:
        return False
    return True


# The rest of this module runs in the process with limits.


def _answer(data: bytes) -> Answer:
    path = Path(os.fsdecode(data))
    try:
        is_mapped = path.suffix == ".safetensors" or zipfile.is_zipfile(path)
        allow_memory(MOST_MEMORY_BYTES + is_mapped * 2 * path.stat().st_size)
        return asdict(recognised(path)) | {"path": ""}, b""
    except ModelError as error:
        return {"why": str(error)}, b""
    except Exception as error:  # noqa: BLE001 - a hostile file may raise anything
        return {"why": f"{str(path)!r} cannot be read ({type(error).__name__}: {error})."}, b""


def _stay_here(event: str, arguments: tuple[object, ...]) -> None:
    if event in FORBIDDEN_EVENTS:
        raise PermissionError(f"A checkpoint that is looked at may not lead elsewhere ({event}).")


def _prepare(turns: AbstractContextManager[object]) -> None:
    sys.addaudithook(_stay_here)
    warnings.simplefilter("ignore")  # torch's, about the file: the answer says what is wrong with it


if __name__ == "__main__":
    serve({"recognise": _answer}, prepare=_prepare)
