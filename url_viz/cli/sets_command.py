"""Commands for image sets: list, rename, relocate, compact, repair, pack, unpack, forget, and compare versions."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import Output
from url_viz.base.errors import ImageSetError, UsageError
from url_viz.base.progress import Progress
from url_viz.base.wording import command, counted
from url_viz.cli.command_app import app, print_rest, progress_shown, table_text
from url_viz.jobs.configs import DiffConfig, Folder, WorkspaceDir

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.store.sets import Agreement
    from url_viz.versions.set_diffs import Diff


_NONE_YET = "No image sets yet. Read one: python -m url_viz embed FOLDER"
Known = Annotated[Path, Doc("folder of an image set, as `sets` lists it")]


@app.command()
def sets(
    folder: Positional[Annotated[Path | None, Doc("only this image set: its disk use by part")]] = None,
    *,
    skipped: Annotated[bool, Doc("list the files that the scan ignored, by extension")] = False,
    workspace: WorkspaceDir = None,
) -> None:
    """List the image sets of the workspace; for one folder, its disk use or the files ignored in it."""
    from url_viz.store import sets as store

    if folder is None and not skipped:
        table = store.list_sets(workspace)
        shown = table if table["state"].any() else table.drop(columns="state")
        print(shown.to_string(index=False) if len(table) else _NONE_YET)
        for root in table["folder"][table["state"] == store.DAMAGED]:
            named = "" if root else ", that of its pictures"
            print(f"Repair it: {command('mend', root or 'FOLDER')}{named}")
        return
    stored = store.list_sets(workspace)["folder"].tolist() if folder is None else []
    folders = [str(folder)] if folder is not None else [root for root in stored if root]
    if not folders:
        print(_NONE_YET)
    for path in folders:
        table = store.skipped(path, workspace=workspace) if skipped else store.disk_use(path, workspace=workspace)
        print(path)
        print(table.to_string(index=False) if len(table) else "(no file was ignored)")


@app.command()
def rename(
    folder: Positional[Known],
    name: Positional[Annotated[str, Doc('what to call it; "" for the name of its folder')]],
    *,
    workspace: WorkspaceDir = None,
) -> None:
    """Rename an image set."""
    from url_viz.store.sets import rename

    print(f"{folder} is called {rename(folder, name, workspace=workspace)!r} now.")


@app.command()
def repoint(
    old: Positional[Annotated[Path, Doc("where the folder lay")]],
    new: Positional[Annotated[Path, Doc("where the same pictures lie now")]],
    *,
    workspace: WorkspaceDir = None,
) -> None:
    """Change the folder of an image set that was moved; all stored data stay."""
    from url_viz.store.sets import repoint

    agreement = repoint(old, new, workspace=workspace)
    print(f"{old} lies in {new} now: {_same_in(agreement)}.")


@app.command("drop-model")
def drop_model(
    folder: Positional[Known],
    model: Positional[Annotated[str, Doc("the backbone whose embeddings go")]],
    *,
    workspace: WorkspaceDir = None,
) -> None:
    """Remove one model's embeddings, scores and map of an image set."""
    from url_viz.store.sets import drop_model as drop

    freed = drop(folder, model, workspace=workspace)
    print(
        f"Dropped what {model} left of {folder}: {freed:,.1f} MiB. Reading the folder with that model makes it again."
    )


@app.command()
def compact(folder: Positional[Known], *, workspace: WorkspaceDir = None) -> None:
    """Remove unused tables, and merge the fragments of many small writes."""
    from url_viz.store.sets import compact

    print(f"Compacted {folder}: {compact(folder, workspace=workspace):,.1f} MiB freed.")


@app.command()
def mend(folder: Positional[Known], *, workspace: WorkspaceDir = None) -> None:
    """Repair an image set whose files were cut off, lost or altered."""
    from url_viz.store.sets import mend

    mended = mend(folder, workspace=workspace)
    for part in mended:
        print(f"{part.part} {part.done}")
    if any(part.is_made_again for part in mended):
        print(f"Read it again: {command('embed', folder)}")
    elif not mended:
        print("Everything can be read.")


@app.command()
def forget(
    folder: Positional[Folder],
    *,
    yes: Annotated[bool, Doc("do not ask: needed where there is no terminal, as in a script")] = False,
    workspace: WorkspaceDir = None,
) -> int:
    """Remove everything stored for a folder, after a question; the pictures themselves are not touched."""
    from url_viz.jobs.kinds import forget_plan, forget_set

    words = forget_plan(folder, workspace=workspace).words
    if not yes and not _is_sure(folder, words):
        print("Nothing was removed.")
        return 1
    print(f"Forgot {forget_set(folder, workspace=workspace)}. Its pictures are where they were.")
    return 0


def _is_sure(folder: Path, words: Sequence[str]) -> bool:
    """Ask on the terminal. Raises UsageError if there is none."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"There is no terminal to ask on whether to forget {str(folder)!r}, decisions included. "
            "If you are sure, give --yes."
        )
    print("\n".join((str(folder), *words)))
    try:
        return input("Forget it? [y/N] ").strip().casefold() in ("y", "yes")
    except EOFError:
        return False


@app.command()
def pack(
    folder: Positional[Known],
    out: Positional[Annotated[Path, Doc("the .tar file to write; must not exist"), Output()]],
    *,
    workspace: WorkspaceDir = None,
) -> None:
    """Write everything stored for a folder, except the pictures, into one file for another machine."""
    from url_viz.store.bundle import pack

    size = pack(folder, out, workspace=workspace)
    print(f"{out}: {size / 2**20:,.1f} MiB. On the other machine: {command('unpack', out.name, '--root', 'FOLDER')}")


@app.command()
def unpack(
    file: Positional[Annotated[Path, Doc("a file that `pack` wrote")]],
    *,
    root: Annotated[Path, Doc("where the same pictures lie on this machine")],
    workspace: WorkspaceDir = None,
) -> None:
    """Import an image set that was packed on another machine."""
    from url_viz.store.bundle import unpack

    if file.is_dir():
        raise ImageSetError(f"{str(file)!r} is a folder. Give the file that `python -m url_viz pack` wrote.")
    agreement = unpack(file, root=root, workspace=workspace)
    print(f"{root} is an image set now: {_same_in(agreement)}.")


def _same_in(agreement: "Agreement") -> str:
    return f"{agreement.equal:,} of {counted(agreement.compared, 'picture')} compared are the same"


@app.on_set()
def versions(image_set: "ImageSet") -> None:
    """List the versions of an image set that `diff --since` compares with: one for each reading that changed it."""
    table = image_set.versions.table()
    print(table_text(table if table["state"].any() else table.drop(columns="state")))


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
