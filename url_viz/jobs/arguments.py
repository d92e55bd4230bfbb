"""The arguments that several commands take, and the words of a command line from which a configuration is read."""

from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from tyro.conf import Positional, arg

from url_viz.models import model_names
from url_viz.options import OptionalPercentile

DEFAULT = model_names.DEFAULT
Folder = Annotated[Path, arg(help="folder of pictures, or their address in object storage (s3://bucket/folder)")]
ModelName = Annotated[
    str,
    arg(help="packaged or timm name, a model of the paper (authors/vit-tiny), or the path of a checkpoint; see models"),
]
DeviceName = Annotated[str, arg(help="auto, cpu, mps, cuda (all GPUs, in turn), or one of them: cuda:1")]
WorkspaceDir = Annotated[Path | None, arg(help="where results are kept (default: $URL_VIZ_HOME, else ~/.url_viz)")]
AllowedFolders = Annotated[
    tuple[Path, ...], arg(help="read no picture outside these folders: links that lead out are ignored")
]
ListFile = Annotated[Path | None, arg(name="from", help="a file of paths, by line or NUL; - is standard input")]

Word = Annotated[
    Literal["keep", "drop", "look-again", "none"] | None, arg(help="only pictures with this decision (none: undecided)")
]
Above = Annotated[OptionalPercentile, arg(help="only pictures from this percentile on")]
Below = Annotated[OptionalPercentile, arg(help="only pictures below this percentile")]
By = Annotated[str | None, arg(help="the measure whose percentile is meant (default: the order that holds here)")]
WithFolder = Annotated[bool, arg(help="include the whole path of the folder, not only its name")]
TableOut = Annotated[Path | None, arg(help="write a .csv or .parquet file instead of printing")]
Method = Annotated[Literal["umap", "tsne"], arg(help="UMAP, or t-SNE as in the paper's figure")]


def bound(within: tuple[Path, ...]) -> list[Path] | None:
    """The folders of `AllowedFolders`, absolute; None without any. A link stays one, which then leads nowhere."""
    return [path.absolute() for path in within] or None


def words_of(config: object, *, repeats: bool = False, usual: object = None) -> list[str]:
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
            first.append(str(now))
        elif is_dataclass(now):
            options += words_of(now, repeats=repeats, usual=before)
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
