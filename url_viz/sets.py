"""The image sets of a workspace: list them, and forget one."""

import shutil
from pathlib import Path

import pandas as pd

from url_viz.image_set import read_before
from url_viz.index.store import Store, Writer, known_sets
from url_viz.workspace import Workspace


def forget(folder: str | Path, *, workspace: Path | None = None) -> Path:
    """Remove what the workspace keeps of a folder; the pictures are not touched. Returns the folder's path."""
    home = Workspace.at(workspace)
    paths = home.set_paths(read_before(folder, home))
    root = Path(folder).expanduser().resolve()  # not by the set's label, which may be what is damaged
    with Writer(paths, root):
        paths.about.unlink()
    shutil.rmtree(paths.folder)
    return root


def list_sets(workspace: Path | None = None) -> pd.DataFrame:
    """The image sets of a workspace: id, folder, pictures, failures, models, and megabytes on disk."""
    home = Workspace.at(workspace)
    rows = []
    for set_id, about in known_sets(home):
        paths = home.set_paths(set_id)
        files = Store(paths).images(["failure"])
        failed = len(files) - files["failure"].null_count
        size = sum(f.stat().st_size for f in paths.folder.rglob("*") if f.is_file())
        models = ", ".join(dict.fromkeys(space.backbone for space in about.spaces))
        rows.append((set_id, str(about.root), len(files) - failed, failed, models, round(size / 2**20, 1)))
    return pd.DataFrame(rows, columns=["id", "folder", "pictures", "failures", "models", "megabytes"])
