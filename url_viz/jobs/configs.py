"""The configurations of commands that run as jobs, the arguments that several commands take, and their command lines.

The configurations of training are in training/config.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typing_extensions import Doc
from tyro.conf import Positional, arg

from url_viz import parameters
from url_viz.base.command_line import Output
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
class MeasureConfig:
    """Measure what it is worth to train on some pictures only, against as many at random, and write the figures."""

    folder: Positional[Folder]
    ids: Ids
    out: Annotated[Path | None, Doc("a .json file"), Output()] = None
    model: ModelName = DEFAULT
    workspace: WorkspaceDir = None
