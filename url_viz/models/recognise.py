"""What a file of weights is, told by its tensors: a head of ours, a checkpoint of the authors, or a user's backbone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import timm
from safetensors import SafetensorError, safe_open

from url_viz.errors import CheckpointError, ModelError
from url_viz.models.checkpoints import (
    Outline,
    State,
    has_authors_head,
    outline_authors,
    outline_finetuned,
    read_named,
)
from url_viz.models.head import FORMAT, load_head
from url_viz.models.names import PACKAGED, PAPERS, AuthorsFile, FinetunedWeights

CANDIDATES = (*PACKAGED, *(paper.backbone for paper in PAPERS.values()))
"""Backbones that weights without a name are compared with."""


@dataclass(frozen=True)
class Recognised:
    """What a file is: `name` opens it, and `paper` is the name of the paper's model that it is, if it is one."""

    name: str
    kind: Literal["authors", "own"]
    backbone: str
    has_head: bool
    embedding_size: int
    input_px: int | None
    paper: str = ""


def recognised(path: Path) -> Recognised:
    """What the file at `path` is. Raises CheckpointError or another ModelError that says why it is nothing."""
    if path.suffix == ".safetensors" and _is_head(path):
        return _of_head(path)
    arch, state = read_named(path)
    if has_authors_head(state):
        return _of_authors(AuthorsFile(path))
    return _of_backbone(path, arch, state)


def _is_head(path: Path) -> bool:
    try:
        with safe_open(path, framework="np") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}. Copy or download it again.") from error


def _of_head(path: Path) -> Recognised:
    head = load_head(path)
    size = head.provenance.preprocessing.get("size_px")
    px = size if isinstance(size, int) else None
    return Recognised(str(path), "own", head.provenance.backbone, True, head.embedding_size, px)


def _of_authors(file: AuthorsFile) -> Recognised:
    outline = outline_authors(file)
    return Recognised(
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


def _of_backbone(path: Path, arch: str, state: State) -> Recognised:
    backbone = _backbone_of(path, arch, state)
    weights = FinetunedWeights(backbone, path.absolute())
    outline = outline_finetuned(weights, state)
    return Recognised(weights.name, "own", backbone, False, outline.embedding_size, outline.input_px)


def _backbone_of(path: Path, arch: str, state: State) -> str:
    """The backbone of weights: the one that the file says, that its folder is named after, or that its tensors fit."""
    named = next((name for name in (arch, path.parent.name) if name and timm.is_model(name)), None)
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
