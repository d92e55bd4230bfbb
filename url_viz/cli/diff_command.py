"""Commands on versions: list those of a set, and say what changed between two, or between two folders."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import print_rest, table_text
from url_viz.errors import UsageError
from url_viz.files import replaced, require_parent
from url_viz.jobs.configs import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Count

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.subjects.version_diff import Diff


@app.on_set()
def versions(image_set: "ImageSet") -> None:
    """List the versions of an image set that `diff --since` compares with: one for each reading that changed it."""
    print(table_text(image_set.versions.table()))


@app.command()
def diff(
    folder: Positional[Folder],
    other: Positional[Annotated[Path | None, arg(metavar="B", help="the later one, which was read too")]] = None,
    *,
    since: Annotated[
        str | None, arg(help="compare FOLDER with itself: the number of a version, or a time (2026-11-28)")
    ] = None,
    json_file: Annotated[Path | None, arg(name="json", metavar="OUT", help="write all of it to this file")] = None,
    report: Annotated[Path | None, arg(help="write a report with thumbnails: a .html file")] = None,
    top: Annotated[Count, arg(help="how many paths of each kind to print")] = 5,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Say what changed between two folders, or in one since a version: pictures, labels, leaks, accuracy."""
    from url_viz.image_set import diff, open_image_set

    if (other is None) == (since is None):
        raise UsageError("Give a second folder, or --since VERSION to compare the folder with itself: one of them.")
    require_parent(json_file)
    require_parent(report)
    if since is None:
        assert other is not None
        found = diff(folder, other, model=model, workspace=workspace)
    else:
        now = open_image_set(folder, model=model, workspace=workspace)
        found = diff(now.versions.at(since), now)
    _print(found, top)
    if json_file is not None:
        with replaced(json_file.expanduser()) as temporary:
            temporary.write_text(json.dumps(found.as_json(), indent=1), encoding="utf-8")
        print(f"All of it is in {json_file}.")
    if report is not None:
        from url_viz.export.diff_report import write_diff_report

        print(f"The report is in {write_diff_report(found, report)}.")


def _print(found: "Diff", top: int) -> None:
    from url_viz.subjects.version_diff import WORDS

    print(f"From {found.before.title} to {found.after.title}.")
    for sentence in found.words:
        print(sentence)
    for change, count in found.counts().items():
        print(f"{WORDS[change].capitalize()}:")
        print("\n".join(f"    {path}" for path in getattr(found, change)[:top]))
        print_rest(count, top, "--top, --json")
    for what, classes in (("rose", found.rose), ("fell", found.fell)):
        if len(classes):
            print(f"Mean ambiguity {what} in:")
            print(table_text(classes.head(top)))
