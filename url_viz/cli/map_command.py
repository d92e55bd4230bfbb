"""Commands for the map: representatives of its regions, the projection of a selection, and refitting."""

from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc

from url_viz.base.command_line import OptionalCount
from url_viz.cli.command_app import app, table_text, write_rows
from url_viz.jobs.configs import TableOut

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def representatives(
    image_set: "ImageSet",
    *,
    count: Annotated[OptionalCount, Doc("at most this many (default: by the number of pictures, at most 32)")] = None,
    out: TableOut = None,
) -> None:
    """Print one representative picture per region of the map: its path, the pictures of the region, and their class."""
    table = image_set.maps.representatives(count)
    if not write_rows(table, out, "representative"):
        columns = ["size", "path", *(["label", "share"] if table["label"].notna().any() else [])]
        print(table_text(table[columns], "{:.0%}"))
