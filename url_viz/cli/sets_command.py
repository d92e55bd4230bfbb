"""Commands for image sets: list, rename, relocate, compact, repair, pack, unpack, forget, and compare versions."""

import json
from typing import TYPE_CHECKING

from url_viz.base.errors import UsageError
from url_viz.base.progress import Progress
from url_viz.cli.command_app import app, print_rest, progress_shown, table_text
from url_viz.jobs.configs import DiffConfig

if TYPE_CHECKING:
    from url_viz.versions.set_diffs import Diff


@app.command_on(DiffConfig)
def diff(config: DiffConfig) -> None:
    """Say what changed between two folders, or in one since a version."""
    from url_viz.export.table_files import write_bytes
    from url_viz.versions.set_diffs import store_diff

    with progress_shown() as report:
        report(Progress("compare", 0))
        difference = _diff_of(config)
        _print(difference, config.top)
        if config.keep:
            store_diff(difference)
    if config.json_file is not None:
        lists = json.dumps(difference.as_json(), indent=1).encode()
        print(f"All of it is in {write_bytes(lists, config.json_file)}.")
    if config.report is not None:
        from url_viz.export.report import write_diff_report

        print(f"The report is in {write_diff_report(difference, config.report)}.")


def _diff_of(config: DiffConfig) -> "Diff":
    from url_viz.image_set import diff, open_image_set

    if (config.other is None) == (config.since is None):
        raise UsageError("Give a second folder, or --since VERSION to compare the folder with itself: one of them.")
    if config.other is not None:
        return diff(config.folder, config.other, model=config.model, workspace=config.workspace)
    now = open_image_set(config.folder, model=config.model, workspace=config.workspace)
    return diff(now.versions.at(str(config.since)), now)


def _print(difference: "Diff", top: int) -> None:
    from url_viz.versions.changes import CHANGES

    print(f"From {difference.before.title} to {difference.after.title}.")
    for sentence in difference.words:
        print(sentence)
    for change, count in difference.counts().items():
        print(f"{CHANGES[change].capitalize()}:")
        print("\n".join(f"    {path}" for path in difference.paths(change)[:top]))
        print_rest(count, top, "--top, --json")
    for what, classes in (("rose", difference.rose), ("fell", difference.fell)):
        if len(classes):
            print(f"Mean ambiguity {what} in:")
            print(table_text(classes.head(top)))
