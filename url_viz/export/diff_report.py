"""The HTML report of what changed between two versions: one file with thumbnails that loads nothing."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from url_viz.export.report_page import page_file, page_style, policy_of, template_of
from url_viz.export.report_thumbnails import inlined
from url_viz.export.table_files import write_bytes
from url_viz.subjects.set_versions import Version
from url_viz.subjects.version_diff import WORDS, Diff

SHOWN = 24
"""So many pictures of each change, classes and leaks are shown."""
SIDE_PX = 128


@dataclass(frozen=True)
class ShownChange:
    """One change: how many pictures have it, and the first `rows`, with `thumbnails` by their place, "" for none."""

    title: str
    count: int
    rows: pd.DataFrame
    thumbnails: tuple[str, ...]


def write_diff_report(found: Diff, path: str | Path) -> Path:
    """Write `diff_html` to a .html file, atomically; returns its path. Raises FolderError for where it cannot be."""
    target = page_file(path)
    return write_bytes(diff_html(found).encode("utf-8"), target)


def diff_html(found: Diff) -> str:
    """The report as the text of one HTML page; of folders it has the names alone."""
    return template_of("diff.html").render(
        before=_name(found.before),
        after=_name(found.after),
        model=found.after.core.source.title,
        made=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        sentences=found.words,
        changes=[_shown(found, name, count) for name, count in found.counts().items()],
        classes=pd.concat([found.rose, found.fell]).head(SHOWN).to_dict("records"),
        leaks=[] if found.new_leaks is None else found.new_leaks.head(SHOWN).to_dict("records"),
        style=page_style(),
        policy=policy_of(""),
    )


def _name(version: Version) -> str:
    return version.core.root.name + ("" if version.is_now else f", version {version.number}")


def _shown(found: Diff, change: str, count: int) -> ShownChange:
    rows = found.table[found.table[change]].head(SHOWN)
    version, ids = (found.before, rows["id_before"]) if change == "removed" else (found.after, rows["id"])
    pictures = inlined(version.core, ids, side_px=SIDE_PX)
    thumbnails = tuple(pictures.get(int(one), "") for one in ids)
    return ShownChange(WORDS[change].capitalize(), count, rows, thumbnails)
