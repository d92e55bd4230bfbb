"""Commands for the map: representatives of its regions, the projection of a selection, and refitting."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import OptionalCount, Output, Within
from url_viz.base.errors import FolderError
from url_viz.base.wording import counted
from url_viz.cli.command_app import app, progress_shown, table_text, write_rows
from url_viz.jobs.configs import ProjectConfig, TableOut

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


@app.command_on(ProjectConfig)
def project(config: ProjectConfig) -> None:
    """Write a map of some pictures only."""
    from url_viz.base.progress import Progress
    from url_viz.export.table_files import write_map
    from url_viz.image_set import open_image_set

    wanted = ids_in(config.ids)
    image_set = open_image_set(config.folder, model=config.model, workspace=config.workspace)
    with progress_shown() as report:
        report(Progress("map", 0))
        projection = write_map(image_set, wanted, config.out, method=config.method)
    print(f"{counted(len(projection), 'picture')} by {projection.by} in {config.out}.")


@app.on_set()
def figure(
    image_set: "ImageSet",
    out: Positional[Annotated[Path, Doc("a .png or .svg file"), Output()]],
    *,
    method: Annotated[
        Literal["tsne", "umap", "map"], Doc("t-SNE as in the paper's figure, UMAP, or the set's map as it is")
    ] = "tsne",
    by: Annotated[str | None, Doc("the measure (default: the order that holds on this set)")] = None,
    colour: Annotated[str, Doc("the column of the colours, such as label or ambiguity")] = "label",
    legend: Annotated[bool, Doc("say below what sizes and colours mean")] = False,
    classes: Annotated[tuple[str, ...], Doc("only pictures of these classes")] = (),
    names: Annotated[bool, Doc("the names of classes beside their pictures, where there is room")] = True,
    gallery: Annotated[Path | None, Doc("a .png file for the least and the most ambiguous pictures"), Output()] = None,
    count: Annotated[int, Within(1, 100), Doc("pictures in each line of the gallery")] = 8,
) -> None:
    """Draw the paper's figure of a set: clear pictures small and crisp, ambiguous ones large and faint."""
    from url_viz.export.figure import write_figure, write_gallery

    measure, shown = write_figure(
        image_set,
        out,
        by=by,
        classes=classes,
        method=method,
        colour=colour,
        with_names=names,
        with_legend=legend,
    )
    print(f"{counted(shown, 'picture')} by {measure} in {out}.")
    if gallery is not None:
        write_gallery(image_set, gallery, by=measure, classes=classes, count=count)
        print(f"The least and the most ambiguous in {gallery}.")


def ids_in(path: Path) -> list[int]:
    """The picture ids that a file, or standard input, lists. Raises FolderError if they cannot be read."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FolderError(
            f"Cannot read ids from {str(path)!r}: {error}. Give a text file with one id per line."
        ) from error
    try:
        return [int(np.int64(int(line))) for line in text.split()]
    except (ValueError, OverflowError) as error:
        raise FolderError(f"{str(path)!r} holds more than ids: {error}. Take the column id of an export.") from error
