"""A map of some pictures only, written as a table."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside
from url_viz.subjects.set_maps import Projection


def write_map(image_set: ImageSet, ids: Iterable[int], out: Path, *, method: Literal["umap", "tsne"]) -> Projection:
    """Compute a map of these pictures, and write their ids, paths and coordinates as a table."""
    require_outside(out, image_set.root, home=image_set.workspace.root)
    projection = image_set.maps.project(ids, method=method)
    table = image_set.table().set_index("id").loc[projection.ids, ["path"]].reset_index()
    write_table(table.assign(x=projection.xy[:, 0], y=projection.xy[:, 1], method=projection.by), out)
    return projection
