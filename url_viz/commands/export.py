"""The command that writes what is known of the pictures of a folder into a file for other programs."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.commands.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.commands.printing import PrintingApp


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="export")(export)


def export(
    folder: Positional[Folder],
    out: Positional[Annotated[Path, arg(help="a .csv or .parquet file, or .txt for a list of paths")]],
    *,
    decision: Annotated[
        Literal["keep", "drop", "look-again", "none"] | None, arg(help="only pictures with this decision")
    ] = None,
    failures: Annotated[bool, arg(help="write the failure list instead")] = False,
    nul: Annotated[bool, arg(help="end the paths of a .txt with NUL, for odd names (xargs -0)")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Write the table of an image set to CSV or Parquet, or the paths of its pictures to a text file."""
    from url_viz.export.folders import paths_text
    from url_viz.export.tables import write_bytes, write_table
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    table = image_set.failures() if failures else image_set.table()
    if decision is not None and not failures:
        table = table[table["decision"].isna() if decision == "none" else table["decision"] == decision]
    if out.suffix.lower() == ".txt" and not failures:
        write_bytes(paths_text(image_set, table["id"], nul=nul), out)
    else:
        write_table(table, out)
    print(f"{len(table)} rows in {out}")
