"""Command-line arguments shared by several commands."""

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from url_viz.models.names import DEFAULT

Folder = Annotated[Path, arg(help="folder of pictures")]
ModelName = Annotated[str, arg(help="zoo or timm name, or the path of a checkpoint")]
WorkspaceDir = Annotated[Path | None, arg(help="where results are kept (default: $URL_VIZ_HOME, else ~/.url_viz)")]

__all__ = ["DEFAULT", "Folder", "ModelName", "WorkspaceDir"]
