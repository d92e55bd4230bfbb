"""Commands that export an image set: tables, path lists, an HTML report, FiftyOne and Hugging Face data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from url_viz.cli.decide_command import paths_listed
from url_viz.cli.printing import PrintingApp, progress_shown
from url_viz.errors import ImageSetError
from url_viz.jobs.arguments import DEFAULT, Above, Below, By, Folder, ModelName, WithFolder, Word, WorkspaceDir, bound
from url_viz.jobs.configs import ExportConfig

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


def register(app: PrintingApp) -> None:
    """Add these commands to the command line."""
    app.command(name="export")(export)
    app.command(name="report")(report)
    app.command_on(ExportConfig, name="share")(share)


def export(
    folder: Positional[Folder],
    out: Positional[Annotated[Path, arg(help="a .csv or .parquet file, or .txt for a list of paths")]],
    *,
    decision: Annotated[
        Literal["keep", "drop", "look-again", "none"] | None, arg(help="only pictures with this decision")
    ] = None,
    failures: Annotated[bool, arg(help="write the failure list instead")] = False,
    nul: Annotated[bool, arg(help="end the paths of a .txt with NUL, for odd names (xargs -0)")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Write the table of an image set to CSV or Parquet, or the paths of its pictures to a text file."""
    from url_viz.export.folders import paths_text
    from url_viz.export.table_files import write_bytes, write_table
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    table = image_set.failures() if failures else image_set.table()
    if decision is not None and not failures:
        table = table[table["decision"].isna() if decision == "none" else table["decision"] == decision]
    if out.suffix.lower() == ".txt" and not failures:
        write_bytes(paths_text(image_set, table["id"], nul=nul), out)
    else:
        write_table(table, out)
    print(f"{len(table)} rows in {out}")


def report(
    folder: Positional[Folder],
    out: Positional[Annotated[Path, arg(help="a .html file")]],
    *,
    title: Annotated[str | None, arg(help="what to call it (default: the image set's name)")] = None,
    decision: Word = None,
    above: Above = None,
    below: Below = None,
    by: By = None,
    with_folder: WithFolder = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Write a report as one HTML file that opens anywhere: map, galleries, reasons, classes, figures, provenance."""
    from url_viz.export.report import write_report
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    ids = _chosen(image_set, decision=decision, above=above, below=below, by=by)
    file = write_report(image_set, out, ids=ids, title=title, with_folder=with_folder)
    print(
        f"{len(image_set) if ids is None else len(ids):,} pictures in {file} ({file.stat().st_size / 2**20:.1f} MiB)."
    )


def share(config: ExportConfig) -> None:
    """Write a data set for another program."""
    from url_viz.export.data_sets import DATA_SETS
    from url_viz.image_set import open_image_set

    image_set = open_image_set(
        config.folder, model=config.model, workspace=config.workspace, within=bound(config.within)
    )
    ids = _chosen(
        image_set, listed=config.listed, decision=config.decision, above=config.above, below=config.below, by=config.by
    )
    program = DATA_SETS[config.kind]
    with progress_shown() as report:
        done = program.write(
            image_set, config.out, ids=ids, how=config.how, with_folder=config.with_folder, progress=report
        )
    print("\n".join(done.words))
    print(f"Open it: {program.opening(done.out)}")


def _chosen(
    image_set: "ImageSet",
    *,
    listed: Path | None = None,
    decision: str | None,
    above: float | None,
    below: float | None,
    by: str | None,
) -> list[int] | None:
    """Ids of the selected pictures; None for all."""
    from url_viz.export.selection import chosen_ids

    paths = None if listed is None else paths_listed(listed)
    is_all = paths is None and above is None and below is None
    ids = None if is_all else chosen_ids(image_set, paths=paths, above=above, below=below, by=by)
    if decision is None:
        return None if ids is None else ids.tolist()
    table = image_set.table()
    is_meant = table["decision"].isna() if decision == "none" else table["decision"] == decision
    meant = table["id"].to_numpy()[is_meant.to_numpy(dtype=bool)]
    meant = meant if ids is None else meant[np.isin(meant, ids)]
    if not len(meant):
        raise ImageSetError(f"No picture is decided {decision!r} among those asked for. Leave out --decision for all.")
    return [int(i) for i in meant]
