"""The configurations of commands that run as jobs, the arguments that several commands take, and their command lines.

The configurations of training are in training/config.py.
"""

from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from typing_extensions import Doc
from tyro.conf import Positional, arg

from url_viz import parameters
from url_viz.base.command_line import Output, PrecisionChoice, Within
from url_viz.models import model_names

DEFAULT = model_names.DEFAULT
Folder = parameters.Folder
ModelName = parameters.ModelName
DeviceName = parameters.DeviceName
WorkspaceDir = parameters.WorkspaceDir
AllowedFolders = parameters.AllowedFolders
Above = parameters.Above
Below = parameters.Below
By = parameters.By
WithFolder = parameters.WithFolder
TableOut = parameters.TableOut
ListFile = Annotated[Path | None, arg(name="from"), Doc("a file of paths, by line or NUL; - is standard input")]
Ids = Positional[Annotated[Path, parameters.IDS_FILE]]
Word = parameters.WithDecision
Method = Annotated[Literal["umap", "tsne"], Doc("UMAP, or t-SNE as in the paper's figure")]


@dataclass(frozen=True)
class EmbedConfig:
    """The words of `embed`."""

    folder: Positional[Path]
    model: str = DEFAULT
    also: str | None = None
    one_model: bool = False
    workspace: Path | None = None
    device: str = "auto"
    precision: PrecisionChoice | None = None
    limit: int | None = None
    refit: bool = False
    strict: bool = False
    within: tuple[Path, ...] = ()
    range: str | None = None
    pages: Literal["each", "first", "middle", "brightest"] | None = None
    bands: str | None = None
    embeddings: Path | None = None
    paths: Path | None = None
    ray: Literal["auto", "local"] | None = None
    workers: int | None = None


@dataclass(frozen=True)
class RefitConfig:
    """Make the map again: until then, pictures added later are only placed among their neighbours."""

    folder: Positional[Folder]
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None


@dataclass(frozen=True)
class ExportConfig:
    """The words of `export fiftyone` and its like."""

    kind: Positional[Literal["fiftyone", "huggingface", "webdataset", "parquet", "annotations", "cvat", "labelstudio"]]
    folder: Positional[Path]
    out: Positional[Path]
    how: Literal["link", "copy"] = "link"
    listed: Annotated[Path | None, arg(name="from")] = None
    within: tuple[Path, ...] = ()
    model: str = DEFAULT
    workspace: Path | None = None


@dataclass(frozen=True)
class DiffConfig:
    """The words of `versions diff`."""

    folder: Positional[Path]
    other: Positional[Path | None] = None
    since: str | None = None
    keep: bool = False
    model: str = DEFAULT
    workspace: Path | None = None


@dataclass(frozen=True)
class MeasureConfig:
    """Measure what it is worth to train on some pictures only, against as many at random, and write the figures."""

    folder: Positional[Folder]
    ids: Ids
    out: Positional[Annotated[Path, Doc("a .json file"), Output()]]
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None


@dataclass(frozen=True)
class WorthConfig:
    """Print what dropping pictures and correcting labels was worth to a linear probe, on pictures left alone."""

    folder: Positional[Folder]
    seeds: Annotated[int, Within(2, 1000), Doc("how often folds and random drops are dealt, 2 or more")] = 3
    out: Annotated[
        Path | None,
        Doc("write the figures of each class to a .csv or .parquet file, or all figures to a .json file"),
        Output(),
    ] = None
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None


def bound(within: tuple[Path, ...]) -> list[Path] | None:
    """The folders of `AllowedFolders`, absolute; None without any. A link stays one, which then leads nowhere."""
    return [path.absolute() for path in within] or None


def command_words(config: object, *, repeats: bool = False, usual: object = None) -> list[str]:
    """The words from which a command reads `config` again: what is as in `usual`, by default of its class, is left out.

    The model is always named: what is usual may change. Groups have no prefix. With `repeats` an option with several
    values is given again for each, as the commands of training take it; else they follow it.
    """
    first: list[str] = []
    options: list[str] = []
    hints = get_type_hints(type(config), include_extras=True)
    for entry in fields(config):  # type: ignore[arg-type]
        now = getattr(config, entry.name)
        before = _usual(entry) if usual is None else getattr(usual, entry.name)
        extras = getattr(hints[entry.name], "__metadata__", ())
        if Positional in extras:
            first += [] if now is None else [str(now)]
        elif is_dataclass(now):
            options += command_words(now, repeats=repeats, usual=before)
        elif now != before or entry.name == "model":
            name = next((extra.name for extra in extras if getattr(extra, "name", None)), entry.name)
            options += _option(name.replace("_", "-"), now, repeats=repeats)
    return first + options


def _usual(entry: Field[Any]) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _option(name: str, value: object, *, repeats: bool) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, tuple):
        several = map(str, value)
        return [word for each in several for word in (f"--{name}", each)] if repeats else [f"--{name}", *several]
    return [f"--{name}", str(value)]
