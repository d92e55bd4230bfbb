"""Commands that choose and take away pictures: a subset worth training on, tables, path lists, a report, data sets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc
from tyro.conf import Positional, UseAppendAction

from url_viz.base.command_line import Count, Output
from url_viz.base.errors import ImageSetError, UsageError
from url_viz.base.progress import Progress
from url_viz.cli.command_app import app, progress_shown
from url_viz.jobs.configs import ListFile, MeasureConfig, Word

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet

Several = UseAppendAction[tuple[str, ...]]


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
    from url_viz.export.selection import ids_meant
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
    from url_viz.export.selection import ids_in
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
