"""Command-line arguments shared by several commands."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from url_viz.models.names import DEFAULT

Folder = Annotated[Path, arg(help="folder of pictures, or their address in object storage (s3://bucket/folder)")]
ModelName = Annotated[
    str, arg(help="zoo or timm name, a paper's model (authors/vit-tiny), or the path of a checkpoint; see models")
]
DeviceName = Annotated[str, arg(help="auto, cpu, mps, cuda (all GPUs, in turn), or one of them: cuda:1")]
WorkspaceDir = Annotated[Path | None, arg(help="where results are kept (default: $URL_VIZ_HOME, else ~/.url_viz)")]
AllowedFolders = Annotated[
    tuple[Path, ...], arg(help="read no picture outside these folders: links that lead out are ignored")
]
ListFile = Annotated[Path | None, arg(name="from", help="a file of paths, by line or NUL; - is standard input")]


def bound(within: tuple[Path, ...]) -> list[Path] | None:
    """The folders of `AllowedFolders`, absolute; None without any. A link stays one, which then leads nowhere."""
    return [path.absolute() for path in within] or None


def paths_listed(file: Path | None) -> list[str]:
    """The paths that a `ListFile` lists; none without one. Raises FolderError if it cannot be read."""
    from url_viz.export.selection import paths_in, read_list

    if file is None:
        return []
    return paths_in(sys.stdin.buffer.read()) if str(file) == "-" else read_list(file)


__all__ = [
    "DEFAULT",
    "AllowedFolders",
    "DeviceName",
    "Folder",
    "ListFile",
    "ModelName",
    "WorkspaceDir",
    "bound",
    "paths_listed",
]
