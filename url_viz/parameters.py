"""Parameters that several capabilities have, each with its one text."""

from pathlib import Path
from typing import Annotated, Literal

from typing_extensions import Doc

from url_viz.base.command_line import Output
from url_viz.capability import AsKind, Word

FOLDER = Doc("folder of pictures, or their address in object storage (s3://bucket/folder)")
Folder = Annotated[Path, FOLDER]
AnyFolder = Annotated[str | Path, AsKind(Path), FOLDER]
KnownFolder = Annotated[str | Path, AsKind(Path), Doc("folder of an image set, as `sets list` shows it")]
ModelName = Annotated[
    str, Doc("packaged or timm name, a model of the paper (authors/vit-tiny), or the path of a checkpoint; see models")
]
DeviceName = Annotated[str, Doc("auto, cpu, mps, cuda (all GPUs, in turn), or one of them: cuda:1")]
WORKSPACE = Doc("where results are kept (default: $URL_VIZ_HOME, else ~/.url_viz)")
WorkspaceDir = Annotated[Path | None, WORKSPACE]
AnyWorkspace = Annotated[str | Path | None, AsKind(Path), WORKSPACE]
NewFolder = Annotated[str | Path, AsKind(Path), Doc("a new or empty folder"), Output()]
AllowedFolders = Annotated[
    tuple[Path, ...], Doc("read no picture outside these folders: links that lead out are ignored")
]
Pictures = Annotated[tuple[str, ...], Doc("pictures: paths as seen from here, or in the folder")]
ListFile = Annotated[Path | None, Word("from"), Doc("a file of paths, by line or NUL; - is standard input")]
IDS_FILE = Doc("a file of picture ids, one per line; - reads them from standard input")
WithDecision = Annotated[
    Literal["keep", "drop", "look-again", "none"] | None, Doc("only pictures with this decision (none: undecided)")
]
By = Annotated[str | None, Doc("the measure whose percentile is meant (default: the order that holds here)")]
WithFolder = Annotated[bool, Doc("include the whole path of the folder, not only its name")]
TableOut = Annotated[Path | None, Doc("write a .csv or .parquet file instead of printing"), Output()]
