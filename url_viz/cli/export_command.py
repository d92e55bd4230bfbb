"""Commands that export an image set: tables, path lists, an HTML report, FiftyOne and Hugging Face data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.cli.decide_command import paths_listed
from url_viz.cli.printing import progress_shown
from url_viz.jobs.arguments import Above, Below, By, WithFolder, Word, bound
from url_viz.jobs.configs import ExportConfig
from url_viz.wording import counted

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def export(
    image_set: "ImageSet",
    out: Positional[Annotated[Path, arg(help="a .csv or .parquet file, or .txt for a list of paths")]],
    *,
    decision: Word = None,
    failures: Annotated[bool, arg(help="write the failure list instead")] = False,
    nul: Annotated[bool, arg(help="end the paths of a .txt with NUL, for odd names (xargs -0)")] = False,
) -> None:
    """Write the table of an image set to CSV or Parquet, or the paths of its pictures to a text file."""
    from url_viz.export.folders import paths_text
    from url_viz.export.selection import has_decision
    from url_viz.export.table_files import write_bytes, write_table

    table = image_set.failures() if failures else image_set.table()
    if decision is not None and not failures:
        table = table[has_decision(table, decision)]
    if out.suffix.lower() == ".txt" and not failures:
        write_bytes(paths_text(image_set, table["id"], nul=nul), out)
    else:
        write_table(table, out)
    print(f"{counted(len(table), 'row')} in {out}")


@app.on_set()
def report(
    image_set: "ImageSet",
    out: Positional[Annotated[Path, arg(help="a .html file")]],
    *,
    title: Annotated[str | None, arg(help="what to call it (default: the image set's name)")] = None,
    decision: Word = None,
    above: Above = None,
    below: Below = None,
    by: By = None,
    with_folder: WithFolder = False,
) -> None:
    """Write a report as one HTML file that opens anywhere: map, galleries, reasons, classes, figures, provenance."""
    from url_viz.export.report import write_report

    ids = ids_meant(image_set, decision, above, below, by=by)
    file = write_report(image_set, out, ids=ids, title=title, with_folder=with_folder)
    rows = counted(len(image_set if ids is None else ids), "object" if image_set.is_of_objects else "picture")
    print(f"{rows} in {file} ({file.stat().st_size / 2**20:.1f} MiB).")


@app.command_on(ExportConfig)
def share(config: ExportConfig) -> None:
    """Write a data set for another program."""
    from url_viz.export.data_sets import program_for
    from url_viz.image_set import open_image_set

    within, home = bound(config.within), config.workspace
    image_set = open_image_set(config.folder, model=config.model, workspace=home, within=within)
    ids = ids_meant(image_set, config.decision, config.above, config.below, by=config.by, listed=config.listed)
    program, full = program_for(image_set, config.kind), config.with_folder
    with progress_shown() as report:
        done = program.write(image_set, config.out, ids=ids, how=config.how, with_folder=full, progress=report)
    print("\n".join(done.words))
    print(" ".join(filter(None, program.opening(done.out))))


def ids_meant(
    image_set: "ImageSet",
    decision: str | None,
    above: float | None,
    below: float | None,
    *,
    by: str | None,
    listed: Path | None = None,
) -> list[int] | None:
    """Ids of the selected pictures; None for all."""
    from url_viz.export.selection import chosen_ids

    if listed is None and above is None and below is None and decision is None:
        return None
    paths = None if listed is None else paths_listed(listed)
    return list(chosen_ids(image_set, paths=paths, above=above, below=below, by=by, decision=decision))
