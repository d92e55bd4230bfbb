"""The HTML report of what changed between two versions: one file with thumbnails that loads nothing."""

import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from url_viz.export.inline_pictures import inlined
from url_viz.export.report_page import filled, page_file
from url_viz.export.table_files import write_bytes
from url_viz.subjects.set_versions import WORDS, Diff, Version

SHOWN = 24
"""So many pictures of each change, classes and leaks are shown."""
SIDE_PX = 128


def write_diff_report(difference: Diff, path: str | Path) -> Path:
    """Write `diff_html` to a .html file, atomically; returns its path. Raises FolderError for where it cannot be."""
    target = page_file(path, difference.before.core.root, difference.after.core.root)
    return write_bytes(diff_html(difference).encode("utf-8"), target)


def diff_html(difference: Diff) -> str:
    """The report as the text of one HTML page; of folders it has the names alone."""
    return filled(
        "diff.html",
        before=_name(difference.before),
        after=_name(difference.after),
        model=difference.after.core.source.title,
        made=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        sentences=difference.words,
        changes=[_shown(difference, name, count) for name, count in difference.counts().items()],
        classes=pd.concat([difference.rose, difference.fell]).head(SHOWN).to_dict("records"),
        leaks=[] if difference.new_leaks is None else difference.new_leaks.head(SHOWN).to_dict("records"),
    )


def _name(version: Version) -> str:
    return version.core.root.name + ("" if version.is_now else f", version {version.number}")


def _shown(difference: Diff, change: str, count: int) -> dict[str, Any]:
    """One change: how many pictures have it, and the first of them, each with its thumbnail ("" for none)."""
    rows = difference.table[difference.table[change]].head(SHOWN)
    version, ids = (difference.before, rows["id_before"]) if change == "removed" else (difference.after, rows["id"])
    pictures = inlined(version.core, ids, side_px=SIDE_PX)
    shown = rows.assign(thumbnail=[pictures.get(int(image_id), "") for image_id in ids]).to_dict("records")
    return {"title": WORDS[change].capitalize(), "count": count, "rows": shown}
