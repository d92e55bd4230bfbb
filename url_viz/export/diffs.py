"""What changed between two folders, or in one since a version: the command, and a report as one HTML file."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typing_extensions import Doc

from url_viz.base.command_line import Output
from url_viz.base.errors import UsageError
from url_viz.base.printout import Printout
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.capability import AsPath, capability
from url_viz.export.picture_files import inlined
from url_viz.export.report import filled, page_file
from url_viz.export.table_files import write_bytes
from url_viz.image_set import ImageSet, diff
from url_viz.versions.changes import CHANGES
from url_viz.versions.set_diffs import Diff, store_diff
from url_viz.versions.set_versions import Version


@capability("versions diff", top=5)
def describe_changes(
    image_set: ImageSet,
    other: Annotated["ImageSet | Path | None", AsPath(), Doc("the later one, which was read too")] = None,
    *,
    since: Annotated[str | None, Doc("compare FOLDER with itself: the number of a version, or a time (2026-11-28)")] = (
        None
    ),
    report: Annotated[Path | None, Doc("write a report with thumbnails, too: a .html file"), Output()] = None,
    keep: Annotated[bool, Doc("keep the result for *What changed* in the app")] = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Say what changed between two folders, or in one since a version: pictures, labels, leaks, accuracy.

    In Python `url_viz.diff` gives what changed.
    """
    if (other is None) == (since is None):
        raise UsageError("Give a second folder, or --since VERSION to compare the folder with itself: one of them.")
    progress(Progress("compare", 0))
    difference = diff(image_set, other) if other is not None else diff(image_set.versions.at(str(since)), image_set)
    shown = difference.printout()
    if keep:
        store_diff(difference)
    if report is None:
        return shown
    return replace(shown, closing=[f"The report is in {write_diff_report(difference, report)}."])


MOST_CHANGED = 24
"""Pictures of each change, classes, and leaks that are shown."""
DIFF_PX = 128


def write_diff_report(difference: Diff, path: str | Path) -> Path:
    """Write `diff_html` to a .html file, atomically; returns its path. Raises as `write_report`."""
    target = page_file(path, difference.before.core.root, difference.after.core.root)
    return write_bytes(diff_html(difference).encode("utf-8"), target)


def diff_html(difference: Diff) -> str:
    """The report on a diff as one HTML page; of folders it has only the names."""
    return filled(
        "diff.html",
        before=_name(difference.before),
        after=_name(difference.after),
        model=difference.after.core.source.title,
        made=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        sentences=difference.words,
        changes=[_shown(difference, name, count) for name, count in difference.counts().items()],
        classes=pd.concat([difference.rose, difference.fell]).head(MOST_CHANGED).to_dict("records"),
        leaks=[] if difference.new_leaks is None else difference.new_leaks.head(MOST_CHANGED).to_dict("records"),
    )


def _name(version: Version) -> str:
    return version.core.root.name + ("" if version.is_now else f", version {version.number}")


def _shown(difference: Diff, change: str, count: int) -> dict[str, Any]:
    """A change: its title, how many pictures have it, and the first of them with thumbnails ("" for none)."""
    rows = difference.table[difference.table[change]].head(MOST_CHANGED)
    version, ids = (difference.before, rows["id_before"]) if change == "removed" else (difference.after, rows["id"])
    pictures = inlined(version.core, ids, side_px=DIFF_PX)
    shown = rows.assign(thumbnail=[pictures.get(int(image_id), "") for image_id in ids]).to_dict("records")
    return {"title": CHANGES[change].capitalize(), "count": count, "rows": shown}
