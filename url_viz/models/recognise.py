"""What a file of weights is, told by its tensors, in a process with limits: it may be made to harm who reads it."""

import os
import sys
import warnings
import zipfile
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open

from url_viz.errors import CheckpointError, ModelError
from url_viz.limited_processes import Answer, allow_memory, serve
from url_viz.models.checkpoint_folder import CheckpointInfo
from url_viz.models.checkpoints import (
    Contents,
    Outline,
    State,
    contents_of,
    has_authors_head,
    is_known_to_timm,
    outline_authors,
    outline_finetuned,
    read_record,
    state_of,
)
from url_viz.models.head import FORMAT, load_head
from url_viz.models.model_names import PACKAGED, PAPERS, AuthorsFile, FinetunedWeights

MOST_MEMORY_BYTES = 4 << 30
"""What reading a file may take, besides a file that is mapped."""
AWAY = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen")
"""Python's events on the way to another machine or program (`sys.audit`)."""
CANDIDATES = (*PACKAGED, *(paper.backbone for paper in PAPERS.values()))
"""Backbones that weights without a name are compared with."""


def recognised(path: Path) -> CheckpointInfo:
    """What the file at `path` is. Raises CheckpointError or another ModelError that says why it is nothing."""
    if path.suffix == ".safetensors" and _is_head(path):
        return _of_head(path)
    record = read_record(path)
    state = state_of(record, path)
    if has_authors_head(state):
        return _of_authors(AuthorsFile(path), contents_of(record, path))
    return _of_backbone(path, record.get("arch"), state)


def _is_head(path: Path) -> bool:
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}. Copy or download it again.") from error


def _of_head(path: Path) -> CheckpointInfo:
    head = load_head(path)
    size = head.provenance.preprocessing.get("size_px")
    px = size if isinstance(size, int) else None
    return CheckpointInfo(str(path), "own", head.provenance.backbone, True, head.embedding_size, px)


def _of_authors(file: AuthorsFile, contents: Contents) -> CheckpointInfo:
    outline = outline_authors(file, contents)
    return CheckpointInfo(
        file.name,
        "authors",
        outline.backbone,
        True,
        outline.embedding_size,
        outline.input_px,
        _paper_of(outline),
    )


def _paper_of(outline: Outline) -> str:
    """The paper's model that tensors of this width and depth are, if their network is a plain ViT of it."""
    is_vit = outline.backbone.startswith("vit_") and "_patch16_224" in outline.backbone
    found = (
        paper.name
        for paper in PAPERS.values()
        if is_vit and (paper.embedding_size, paper.depth) == (outline.embedding_size, outline.blocks)
    )
    return next(found, "")


def _of_backbone(path: Path, arch: object, state: State) -> CheckpointInfo:
    backbone = _backbone_of(path, arch, state)
    weights = FinetunedWeights(backbone, path.absolute())
    outline = outline_finetuned(weights, state)
    return CheckpointInfo(weights.name, "own", backbone, False, outline.embedding_size, outline.input_px)


def _backbone_of(path: Path, arch: object, state: State) -> str:
    """The backbone of weights: the one that the file says, that its folder is named after, or that its tensors fit."""
    named = next((n for n in (arch, path.parent.name) if isinstance(n, str) and is_known_to_timm(n)), None)
    found = named or next((name for name in CANDIDATES if _fits(FinetunedWeights(name, path), state)), None)
    if found is None:
        raise CheckpointError(
            f"{str(path)!r} has {len(state):,} tensors and does not say of which network. Put it into a folder named "
            f"after its timm backbone, or open it as BACKBONE:{path}."
        )
    return found


def _fits(weights: FinetunedWeights, state: State) -> bool:
    try:
        outline_finetuned(weights, state)
    except ModelError:
        return False
    return True


# The rest of this module runs in the process with limits.


def _answer(data: bytes) -> Answer:
    path = Path(os.fsdecode(data))
    try:
        is_mapped = path.suffix == ".safetensors" or zipfile.is_zipfile(path)
        allow_memory(MOST_MEMORY_BYTES + is_mapped * 2 * path.stat().st_size)
        return asdict(recognised(path)), b""
    except ModelError as error:
        return {"why": str(error)}, b""
    except Exception as error:  # noqa: BLE001 - whatever a hostile file raises is why it is none of ours
        return {"why": f"{str(path)!r} cannot be read ({type(error).__name__}: {error})."}, b""


def _stay_here(event: str, arguments: tuple[object, ...]) -> None:
    if event in AWAY:
        raise PermissionError(f"A checkpoint that is looked at may not lead elsewhere ({event}).")


def _prepare(turns: AbstractContextManager[object]) -> None:
    sys.addaudithook(_stay_here)
    warnings.simplefilter("ignore")  # of torch, about the file: what is wrong with it is told in a sentence


if __name__ == "__main__":
    serve({"recognise": _answer}, prepare=_prepare)
