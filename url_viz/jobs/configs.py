"""The configurations of commands that run as jobs, the arguments that several commands take, and their command lines.

The configurations of training are in training/config.py.
"""

from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from typing_extensions import Doc
from tyro.conf import Positional, arg

from url_viz import parameters
from url_viz.base.command_line import OptionalCount, Output, PrecisionChoice, Within
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
    """Embed the new and changed pictures of a folder; continues an earlier run that was stopped."""

    folder: Positional[Folder]
    model: ModelName = DEFAULT
    also: Annotated[
        str | None, Doc("a second model that reads the same pictures: confusability and ambiguity are by both then")
    ] = None
    one_model: Annotated[bool, Doc("no second model reads a new set unasked once it is read by the first")] = False
    workspace: WorkspaceDir = None
    device: DeviceName = "auto"
    precision: Annotated[
        PrecisionChoice | None,
        Doc(
            "fast: bf16 or float32, whichever was measured to be quicker here; exact: float32 (default: what the "
            "set was read in, else fast)"
        ),
    ] = None
    limit: Annotated[OptionalCount, Doc("read at most this many pictures, spread over the folder")] = None
    refit: Annotated[bool, Doc("make the map again")] = False
    strict: Annotated[bool, Doc("exit with status 3 if any file could not be read")] = False
    within: AllowedFolders = ()
    range: Annotated[
        str | None,
        Doc("what is black and white of more than 8 bits, as 0:4095 (default: as a sample of the pictures says)"),
    ] = None
    pages: Annotated[
        Literal["each", "first", "middle", "brightest"] | None,
        Doc("of files with several pages: each is a picture (default), or one of them"),
    ] = None
    bands: Annotated[str | None, Doc("which bands are red, green and blue, as 4,3,2; or one")] = None
    embeddings: Annotated[Path | None, Doc("your embeddings as .npy, .npz or .parquet; no model runs then")] = None
    paths: Annotated[Path | None, Doc("the paths of the rows of --embeddings, one per line or a table")] = None
    ray: Annotated[
        Literal["auto", "local"] | None,
        Doc("have workers of Ray read: of the cluster of this machine (auto), or of one for this run (local)"),
    ] = None
    workers: Annotated[OptionalCount, Doc("with --ray: how many (default: one a GPU, else one a machine)")] = None


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
