"""Commands for the map: representatives of its regions, the projection of a selection, and refitting."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp, progress_shown
from url_viz.errors import FolderError
from url_viz.jobs.arguments import DEFAULT, Folder, Method, ModelName, WorkspaceDir
from url_viz.jobs.configs import ProjectConfig, RefitConfig
from url_viz.options import OptionalCount, Within


def register(app: PrintingApp) -> None:
    """Add these commands to the command line."""
    app.command(name="representatives")(representatives)
    app.command_on(ProjectConfig, name="project")(project)
    app.command_on(RefitConfig, name="refit")(refit)
    app.command(name="figure")(figure)


def representatives(
    folder: Positional[Folder],
    *,
    count: Annotated[
        OptionalCount, arg(help="at most this many (default: by the number of pictures, at most 32)")
    ] = None,
    out: Annotated[Path | None, arg(help="write a .csv or .parquet file instead of printing")] = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print one representative picture per region of the map: its path, the pictures of the region, and their class."""
    from url_viz.export.table_files import write_table
    from url_viz.image_set import open_image_set

    table = open_image_set(folder, model=model, workspace=workspace).representatives(count)
    if out is not None:
        print(f"{len(table)} representatives in {write_table(table, out)}.")
        return
    columns = ["size", "path", *(["label", "share"] if table["label"].notna().any() else [])]
    print(table[columns].to_string(index=False, float_format=lambda share: f"{share:.0%}") if len(table) else "(none)")


def project(config: ProjectConfig) -> None:
    """Write a map of some pictures only."""
    from url_viz.image_set import open_image_set
    from url_viz.jobs.mapping import write_map
    from url_viz.progress import Progress

    wanted = _ids_in(config.ids)
    image_set = open_image_set(config.folder, model=config.model, workspace=config.workspace)
    with progress_shown() as report:
        report(Progress("map", 0))
        projection = write_map(image_set, wanted, config.out, method=config.method)
    print(f"{len(projection):,} pictures by {projection.by} in {config.out}.")


def figure(
    folder: Positional[Folder],
    out: Positional[Annotated[Path, arg(help="a .png file")]],
    *,
    method: Method = "tsne",
    by: Annotated[str | None, arg(help="the measure (default: the order that holds on this set)")] = None,
    classes: Annotated[tuple[str, ...], arg(help="only pictures of these classes")] = (),
    gallery: Annotated[Path | None, arg(help="a .png file for the clearest and the most ambiguous pictures")] = None,
    count: Annotated[int, Within(1, 100), arg(help="pictures in each line of the gallery")] = 8,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Draw the paper's figure of a set: clear pictures small and crisp, ambiguous ones large and faint."""
    from url_viz.export.figure import write_figure, write_gallery
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    measure, shown = write_figure(image_set, out, by=by, classes=classes, method=method)
    print(f"{shown:,} pictures by {measure} in {out}.")
    if gallery is not None:
        write_gallery(image_set, gallery, by=measure, classes=classes, count=count)
        print(f"The clearest and the most ambiguous in {gallery}.")


def refit(config: RefitConfig) -> None:
    """Make the map again."""
    from url_viz.image_set import open_image_set

    image_set = open_image_set(config.folder, model=config.model, workspace=config.workspace)
    with progress_shown() as report:
        image_set.refit(report)
    print(f"The map of {len(image_set):,} pictures in {image_set.root} is made again.")


def _ids_in(path: Path) -> list[int]:
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
