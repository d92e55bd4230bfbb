"""Commands that say what to look at first: findings, and leaks between splits or two image sets."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.errors import ImageSetError
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Count


def register(app: PrintingApp) -> None:
    """Add these commands to the command line."""
    app.command(name="findings")(findings)
    app.command(name="leakage")(leakage)


def findings(folder: Positional[Folder], *, model: ModelName = DEFAULT, workspace: WorkspaceDir = None) -> None:
    """Say what to look at first: leaks, likely wrong labels, bursts and more, each with its count and its review."""
    from url_viz.image_set import open_image_set

    found = open_image_set(folder, model=model, workspace=workspace).findings()
    for one in found:
        print(f"{one.words}. {one.why}")
        print(f"    review --by {one.kind}" if one.opens else "    export --failures")
    if not found:
        print("Nothing that stands out.")


def leakage(
    folder: Positional[Folder],
    *,
    against: Annotated[Path | None, arg(help="another folder that was read with the same model")] = None,
    top: Annotated[Count, arg(help="how many to print")] = 20,
    out: Annotated[Path | None, arg(help="write a .csv or .parquet file instead of printing")] = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """List the pictures of one split that have a twin in another (train/ and test/), or in another folder."""
    from url_viz.export.table_files import write_table
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    other = None if against is None else open_image_set(against, model=model, workspace=workspace)
    rows = image_set.splits.leaks(other)
    if rows is None:
        raise ImageSetError(image_set.splits.missing)
    if out is not None:
        print(f"{len(rows):,} leaks in {write_table(rows, out)}.")
        return
    where = "another split" if other is None else str(other.root)
    print(f"{len(rows):,} of {len(image_set):,} pictures have a twin in {where}.")
    if len(rows):
        shown = rows.head(top)[["cosine", "kind", "split", "path", "twin_split", "twin_path"]]
        print(shown.to_string(index=False, na_rep="–", float_format=lambda cosine: f"{cosine:.3f}"))
    if len(rows) > top:
        print(f"… and {len(rows) - top:,} more (--top, --out)")
