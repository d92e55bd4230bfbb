"""The configurations of the commands of `python -m url_viz` that run as jobs: what is read from a command line, too.

Those of training are in training/config.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.jobs.arguments import (
    DEFAULT,
    Above,
    AllowedFolders,
    Below,
    By,
    DeviceName,
    Folder,
    ListFile,
    Method,
    ModelName,
    WithFolder,
    Word,
    WorkspaceDir,
)
from url_viz.options import OptionalCount


@dataclass(frozen=True)
class EmbedConfig:
    """Embed the new and changed pictures of a folder; continues an earlier run that was stopped."""

    folder: Positional[Folder]
    model: ModelName = DEFAULT
    also: Annotated[
        str | None,
        arg(help="a second model that reads the same pictures: confusability and ambiguity are by both then"),
    ] = None
    one_model: Annotated[bool, arg(help="no second model reads a new set unasked once it is read by the first")] = False
    workspace: WorkspaceDir = None
    device: DeviceName = "auto"
    precision: Literal["fast", "exact"] = "fast"
    limit: Annotated[OptionalCount, arg(help="read at most this many pictures, spread over the folder")] = None
    refit: Annotated[bool, arg(help="make the map again")] = False
    strict: Annotated[bool, arg(help="exit with status 3 if any file could not be read")] = False
    within: AllowedFolders = ()
    embeddings: Annotated[Path | None, arg(help="your embeddings as .npy, .npz or .parquet; no model runs then")] = None
    paths: Annotated[Path | None, arg(help="the paths of the rows of --embeddings, one per line or a table")] = None
    ray: Annotated[
        Literal["auto", "local"] | None,
        arg(help="have workers of Ray read: of the cluster of this machine (auto), or of one for this run (local)"),
    ] = None
    workers: Annotated[OptionalCount, arg(help="with --ray: how many (default: one a GPU, else one a machine)")] = None


@dataclass(frozen=True)
class RefitConfig:
    """Make the map again: until then, pictures added later are only placed among their neighbours."""

    folder: Positional[Folder]
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None


@dataclass(frozen=True)
class ProjectConfig:
    """Compute a map of some pictures only, and write their ids, paths and coordinates."""

    folder: Positional[Folder]
    ids: Positional[Annotated[Path, arg(help="a file of picture ids, one per line; - reads them from standard input")]]
    out: Positional[Annotated[Path, arg(help="a .csv or .parquet file")]]
    method: Method = "umap"
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None


@dataclass(frozen=True)
class ExportConfig:
    """Write pictures with all their values as a data set that FiftyOne or Hugging Face `datasets` opens.

    `webdataset` and `parquet` write few large files, with labels as corrected and without dropped pictures; `croissant`
    adds its metadata to the latter.

    Of objects in pictures, `annotations` writes the corrected annotation files, `cvat` and `labelstudio` what these
    import, `fiftyone` detections, `huggingface` crops in class folders.
    """

    folder: Positional[Folder]
    out: Positional[Annotated[Path, arg(help="a new or empty folder")]]
    kind: Annotated[
        Literal["fiftyone", "huggingface", "webdataset", "parquet", "croissant", "annotations", "cvat", "labelstudio"],
        arg(name="as", help="for what"),
    ]
    how: Annotated[Literal["link", "copy"], arg(help="links to the pictures, or copies that may be moved")] = "link"
    listed: ListFile = None
    decision: Word = None
    above: Above = None
    below: Below = None
    by: By = None
    with_folder: WithFolder = False
    within: AllowedFolders = ()
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None
