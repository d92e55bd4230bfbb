"""Commands that choose and take away pictures: a subset worth training on, tables, path lists, a report, data sets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc
from tyro.conf import Positional, UseAppendAction

from url_viz.base.command_line import Count, Output
from url_viz.base.errors import ImageSetError, UsageError
from url_viz.base.progress import Progress
from url_viz.base.wording import counted
from url_viz.cli.command_app import app, progress_shown
from url_viz.jobs.configs import Above, Below, By, ExportConfig, ListFile, MeasureConfig, WithFolder, Word, bound

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet

Several = UseAppendAction[tuple[str, ...]]


@app.on_set()
def export(
    image_set: "ImageSet",
    out: Positional[Annotated[Path, Doc("a .csv or .parquet file, or .txt for a list of paths"), Output()]],
    *,
    decision: Word = None,
    failures: Annotated[bool, Doc("write the failure list instead")] = False,
    nul: Annotated[bool, Doc("end the paths of a .txt with NUL, for odd names (xargs -0)")] = False,
) -> None:
    """Write the table of an image set, most ambiguous first, to CSV or Parquet, or its paths to a text file."""
    from url_viz.export.folders import paths_text
    from url_viz.export.selection import has_decision, leading_first
    from url_viz.export.table_files import write_bytes, write_table

    table = image_set.failures() if failures else image_set.table()
    if decision is not None and not failures:
        table = table[has_decision(table, decision)]
    table = table if failures else leading_first(image_set, table)
    if out.suffix.lower() == ".txt" and not failures:
        write_bytes(paths_text(image_set, table["id"], nul=nul), out)
    else:
        write_table(table, out)
    print(f"{counted(len(table), 'row')} in {out}")


@app.on_set()
def report(
    image_set: "ImageSet",
    out: Positional[Annotated[Path, Doc("a .html file"), Output()]],
    *,
    title: Annotated[str | None, Doc("what to call it (default: the image set's name)")] = None,
    decision: Word = None,
    above: Above = None,
    below: Below = None,
    by: By = None,
    with_folder: WithFolder = False,
    live: Annotated[bool, Doc("up to 5,000 pictures, a map and a grid to lasso and filter")] = True,
) -> None:
    """Write a report as one HTML file that opens anywhere: map, galleries, reasons, classes, figures, provenance."""
    from url_viz.export.report import write_report

    ids = ids_meant(image_set, decision, above, below, by=by)
    file = write_report(image_set, out, ids=ids, title=title, with_folder=with_folder, is_live=live)
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
    above: float | None = None,
    below: float | None = None,
    *,
    by: str | None = None,
    listed: Path | None = None,
) -> list[int] | None:
    """Ids of the selected pictures; None for all."""
    from url_viz.export.selection import chosen_ids, paths_listed

    if listed is None and above is None and below is None and decision is None:
        return None
    paths = None if listed is None else paths_listed(listed)
    return list(chosen_ids(image_set, paths=paths, above=above, below=below, by=by, decision=decision))


@app.on_set()
def choose(
    image_set: "ImageSet",
    count: Positional[Annotated[Count, Doc("how many pictures, the pinned ones among them")]] = 500,
    *,
    per: Annotated[str, Doc("as many of each value of this column; none: however many")] = "label",
    most: Annotated[Several, Doc("at most so many of a value: cat=100; may be repeated")] = (),
    pin: Annotated[Several, Doc("pictures that are chosen in any case: a file of paths, or a tag")] = (),
    listed: ListFile = None,
    decision: Word = None,
    tag: Annotated[str | None, Doc("give the chosen pictures, and no others, this tag")] = None,
    out: Annotated[Path | None, Doc("write the paths to a .txt file, or a table to .csv or .parquet"), Output()] = None,
    worth: Annotated[bool, Doc("measure what the choice is worth against chance")] = True,
) -> None:
    """Choose pictures that cover the set, twins once, as many of each class; print what that is worth against chance.

    Without --out or --tag the paths are printed, those first that cover most. Nothing is moved or changed.
    """
    from url_viz.evidence.choice import choice_in_words
    from url_viz.export.folders import paths_text
    from url_viz.export.table_files import write_bytes, write_table

    among = ids_meant(image_set, decision, listed=listed)
    pinned = [image_id for where in pin for image_id in _pinned(image_set, where)]
    subsets, column = image_set.subsets, None if per == "none" else per
    chosen = subsets.choose(count, per=column, most=dict(map(_bound, most)), among=among, pinned=pinned)
    output = sys.stderr if out is None and tag is None else sys.stdout
    if output is sys.stderr:
        print("\n".join(chosen["path"]))
    print(choice_in_words(chosen, count, per=subsets.quota_column(column)), file=output)
    if out is not None and out.suffix.lower() == ".txt":
        write_bytes(paths_text(image_set, chosen["id"]), out)
    elif out is not None:
        write_table(chosen, out)
    if tag is not None:
        print(f"{subsets.tag(chosen['id'], tag).sentence}.")
    if worth:
        print(_worth(image_set, chosen["id"].tolist()), file=output)


@app.command_on(MeasureConfig)
def measure(config: MeasureConfig) -> None:
    """Measure what it is worth to train on some pictures only."""
    from url_viz.base.records import sealed_text
    from url_viz.cli.map_command import ids_in
    from url_viz.export.table_files import write_bytes
    from url_viz.image_set import open_image_set

    with progress_shown() as report:
        report(Progress("worth", 0))
        image_set = open_image_set(config.folder, model=config.model, workspace=config.workspace)
        worth = image_set.subsets.worth(ids_in(config.ids))
    print(worth.words)
    print(f"The figures are in {write_bytes(sealed_text(worth).encode(), config.out)}.")


def _worth(image_set: "ImageSet", ids: list[int]) -> str:
    try:
        return image_set.subsets.worth(ids).words
    except ImageSetError as error:
        return str(error)


def _pinned(image_set: "ImageSet", where: str) -> list[int]:
    """Ids of the pictures in a file of paths, or in a table that `--out` wrote, or else of those with a tag."""
    from url_viz.export.selection import ids_of_paths, paths_listed
    from url_viz.store.columns.user_files import read_user_file

    if Path(where).suffix.lower() in (".csv", ".parquet") and Path(where).is_file():
        paths = read_user_file(where).paths
    elif where == "-" or Path(where).is_file():
        paths = tuple(paths_listed(Path(where)))
    else:
        return image_set.subsets.tagged(where)
    return [int(image_id) for image_id in ids_of_paths(image_set, paths)]


def _bound(text: str) -> tuple[str, int]:
    value, _, count = text.rpartition("=")
    if not value or not count.isdecimal():
        raise UsageError(f"--most is {text!r}; give a value and a whole number: cat=100.")
    return value, int(count)
