"""Selection of pictures by path and by percentile, and what of it leaves: tables, lists of paths, a map."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
from typing_extensions import Doc
from tyro.conf import arg

from url_viz.base.command_line import Checked, Count, OptionalPercentile, Output
from url_viz.base.errors import ImageSetError, UsageError
from url_viz.base.files import ids_in
from url_viz.base.printout import Printout
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.base.wording import counted
from url_viz.capability import AsKind, capability
from url_viz.evidence.choice import choice_in_words
from url_viz.export.folders import paths_file, paths_text
from url_viz.export.table_files import table_bytes, write_bytes, write_table
from url_viz.image_set import ImageSet
from url_viz.labels.label_choice import relabelled
from url_viz.parameters import IDS_FILE, By, ListFile, WithDecision
from url_viz.pictures.set_maps import MapBy
from url_viz.pictures.set_selection import chosen_ids, has_decision, ids_of_paths, paths_listed
from url_viz.store.columns.user_files import read_user_file


@dataclass(frozen=True)
class Selection(Checked):
    """The pictures that meet all of these conditions; every picture without any."""

    listed: Annotated[ListFile, arg(name="from")] = None
    decision: WithDecision = None
    above: Annotated[OptionalPercentile, Doc("only pictures from this percentile on")] = None
    below: Annotated[OptionalPercentile, Doc("only pictures below this percentile")] = None
    by: By = None

    def ids(self, image_set: ImageSet) -> list[int] | None:
        """The ids of the pictures in an image set; None for all, without any condition."""
        if self.listed is None and self.above is None and self.below is None and self.decision is None:
            return None
        paths = None if self.listed is None else paths_listed(self.listed)
        above, below = self.above, self.below
        return list(chosen_ids(image_set, paths=paths, above=above, below=below, by=self.by, decision=self.decision))


EVERY_PICTURE = Selection()
Selected = Annotated[Selection, Doc("Which pictures; all by default.")]


@capability("export table")
def export_table(
    image_set: ImageSet,
    out: Annotated[Path, Doc("a .csv or .parquet file, or .txt for a list of paths"), Output()],
    *,
    decision: WithDecision = None,
    failures: Annotated[bool, Doc("write the failure list instead")] = False,
    nul: Annotated[bool, Doc("end the paths of a .txt with NUL, for odd names (xargs -0)")] = False,
) -> str:
    """Write the table of an image set, most ambiguous first, to CSV or Parquet, or its paths to a text file."""
    table = image_set.failures() if failures else image_set.table()
    if decision is not None and not failures:
        table = table[has_decision(table, decision)]
    table = table if failures else leading_first(image_set, table)
    if out.suffix.lower() == ".txt" and not failures:
        write_bytes(paths_text(image_set, table["id"], nul=nul), out)
    else:
        write_table(table, out)
    return f"{counted(len(table), 'row')} in {out}"


@capability("export map")
def export_map(
    image_set: ImageSet,
    ids: Annotated[Iterable[int] | Path, AsKind(Path), IDS_FILE],
    out: Annotated[Path, Doc("a .csv or .parquet file"), Output()],
    *,
    method: Annotated[MapBy, Doc("UMAP, or t-SNE as in the paper's figure")] = "umap",
    progress: ProgressCallback = silent,
) -> str:
    """Compute a map of some pictures only, and write their ids, paths and coordinates."""
    wanted = ids_in(ids) if isinstance(ids, Path) else ids
    progress(Progress("map", 0))
    projection = image_set.maps.project(wanted, method=method)
    table = image_set.table().set_index("id").loc[projection.ids, ["path"]].reset_index()
    write_table(table.assign(x=projection.xy[:, 0], y=projection.xy[:, 1], method=projection.by), out)
    return f"{counted(len(projection), 'picture')} by {projection.by} in {out}."


def leading_first(image_set: ImageSet, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the set's table, the most ambiguous by the leading order first; as they are where none leads."""
    measure = image_set.order().measure
    return rows if measure is None else rows.sort_values(measure, ascending=False, kind="stable")


def selection_file(image_set: ImageSet, rows: pd.DataFrame, ending: str) -> bytes:
    """Rows of the set's table as a .csv or .parquet file, or as .txt their paths; the most ambiguous first."""
    ordered = leading_first(image_set, rows)
    if ending == ".txt":
        return paths_file(image_set, ordered["id"].tolist())
    return table_bytes(ordered.drop(columns=["rank_percentile"], errors="ignore"), ending)


@dataclass(frozen=True)
class Leaving:
    """What leaves of a selection in a set of `whole` pictures: `rows` of its table.

    `dropped` ones were left out, or are among the rows if `with_dropped`. `folded` ones are copies and views of others
    among the rows, which galleries show as one.
    """

    rows: pd.DataFrame
    whole: int
    dropped: int
    relabelled: int
    folded: int
    with_dropped: bool

    @property
    def words(self) -> str:
        """ "1,290 of 1,296; 6 dropped are left out; 9 relabelled; 19 near copies are among them." """
        are = "is" if self.dropped == 1 else "are"
        parts = [f"{len(self.rows):,} of {self.whole:,}"]
        if self.dropped:
            parts.append(f"{self.dropped:,} dropped {are} {'among them' if self.with_dropped else 'left out'}")
        if self.relabelled:
            parts.append(f"{self.relabelled:,} relabelled")
        if self.folded:
            copies = "copy or view of another is" if self.folded == 1 else "copies and views of others are"
            parts.append(f"{self.folded:,} {copies} among them")
        return f"{'; '.join(parts)}."


def leaving(rows: pd.DataFrame, *, whole: int, with_dropped: bool) -> Leaving:
    """What leaves of selected `rows` of `ImageSet.table()`, which has `whole` rows."""
    is_dropped = (rows["decision"] == "drop").to_numpy(bool)
    taken = rows if with_dropped else rows[~is_dropped]
    groups = taken["twin_group"].dropna()
    return Leaving(
        taken,
        whole=whole,
        dropped=int(is_dropped.sum()),
        relabelled=int(relabelled(taken).sum()),
        folded=len(groups) - groups.nunique(),
        with_dropped=with_dropped,
    )


@capability("subsets choose")
def choose(
    image_set: ImageSet,
    count: Annotated[Count, Doc("how many pictures, the pinned ones among them")] = 500,
    *,
    per: Annotated[str, Doc("as many of each value of this column; none: however many")] = "label",
    most: Annotated[tuple[str, ...], Doc("at most so many of a value: cat=100; may be repeated")] = (),
    pin: Annotated[
        tuple[str, ...], Doc("pictures that are chosen in any case: a file of paths, or a tag; may be repeated")
    ] = (),
    listed: ListFile = None,
    decision: WithDecision = None,
    tag: Annotated[str | None, Doc("give the chosen pictures, and no others, this tag")] = None,
    out: Annotated[Path | None, Doc("write the paths to a .txt file, or a table to .csv or .parquet"), Output()] = None,
    worth: Annotated[bool, Doc("measure what the choice is worth against chance")] = True,
) -> Printout:
    """Choose pictures that cover the set, twins once, as many of each class; say what that is worth against chance.

    Without --out or --tag the paths are printed, those first that cover most. Nothing is moved or changed.

    In Python `image_set.subsets.choose` gives the rows, `.worth` says what they are worth.
    """
    named = None if listed is None else paths_listed(listed)
    among = None if named is None and decision is None else chosen_ids(image_set, paths=named, decision=decision)
    subsets, column = image_set.subsets, None if per == "none" else per
    pinned = [image_id for where in pin for image_id in _pinned(image_set, where)]
    chosen = subsets.choose(count, per=column, most=dict(map(_most_of, most)), among=among, pinned=pinned)
    words = [choice_in_words(chosen, count, per=subsets.quota_column(column))]
    if out is not None and out.suffix.lower() == ".txt":
        write_bytes(paths_text(image_set, chosen["id"]), out)
    elif out is not None:
        write_table(chosen, out)
    if tag is not None:
        words.append(f"{subsets.tag(chosen['id'], tag).sentence}.")
    if worth:
        try:
            words.append(subsets.worth(chosen["id"]).words)
        except ImageSetError as error:
            words.append(str(error))
    if out is None and tag is None:
        return Printout(chosen["path"].tolist(), notes=words, figures=chosen)
    return Printout(words, figures=chosen)


def _pinned(image_set: ImageSet, where: str) -> list[int]:
    """Ids of the pictures in a file of paths, or in a table that `--out` wrote, or else of those with a tag."""
    if Path(where).suffix.lower() in (".csv", ".parquet") and Path(where).is_file():
        paths = read_user_file(where).paths
    elif where == "-" or Path(where).is_file():
        paths = tuple(paths_listed(Path(where)))
    else:
        return image_set.subsets.tagged(where)
    return [int(image_id) for image_id in ids_of_paths(image_set, paths)]


def _most_of(text: str) -> tuple[str, int]:
    value, _, count = text.rpartition("=")
    if not value or not count.isdecimal():
        raise UsageError(f"--most is {text!r}; give a value and a whole number: cat=100.")
    return value, int(count)
