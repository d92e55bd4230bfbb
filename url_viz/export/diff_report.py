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


def write_diff_report(found: Diff, path: str | Path) -> Path:
    """Write `diff_html` to a .html file, atomically; returns its path. Raises FolderError for where it cannot be."""
    target = page_file(path, found.before.core.root, found.after.core.root)
    return write_bytes(diff_html(found).encode("utf-8"), target)


def diff_html(found: Diff) -> str:
    """The report as the text of one HTML page; of folders it has the names alone."""
    return filled(
        "diff.html",
        before=_name(found.before),
        after=_name(found.after),
        model=found.after.core.source.title,
        made=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        sentences=found.words,
        changes=[_shown(found, name, count) for name, count in found.counts().items()],
        classes=pd.concat([found.rose, found.fell]).head(SHOWN).to_dict("records"),
        leaks=[] if found.new_leaks is None else found.new_leaks.head(SHOWN).to_dict("records"),
    )


def _name(version: Version) -> str:
    return version.core.root.name + ("" if version.is_now else f", version {version.number}")


def _shown(found: Diff, change: str, count: int) -> dict[str, Any]:
    """One change: how many pictures have it, and the first of them, each with its thumbnail ("" for none)."""
    rows = found.table[found.table[change]].head(SHOWN)
    version, ids = (found.before, rows["id_before"]) if change == "removed" else (found.after, rows["id"])
    pictures = inlined(version.core, ids, side_px=SIDE_PX)
    shown = rows.assign(thumbnail=[pictures.get(int(image_id), "") for image_id in ids]).to_dict("records")
    return {"title": WORDS[change].capitalize(), "count": count, "rows": shown}
