"""Command-line arguments shared by several commands."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from url_viz.models.names import DEFAULT

Folder = Annotated[Path, arg(help="folder of pictures")]
ModelName = Annotated[
    str, arg(help="zoo or timm name, a paper's model (authors/vit-tiny), or the path of a checkpoint; see models")
]
DeviceName = Annotated[str, arg(help="auto, cpu, mps, cuda, or one of several GPUs: cuda:1")]
WorkspaceDir = Annotated[Path | None, arg(help="where results are kept (default: $URL_VIZ_HOME, else ~/.url_viz)")]

__all__ = ["DEFAULT", "DeviceName", "Folder", "ModelName", "WorkspaceDir"]
