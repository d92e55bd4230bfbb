"""The command for training runs: what a user's own model says of the pictures of a folder."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.errors import UrlVizError
from url_viz.jobs.arguments import Folder, WorkspaceDir


@app.command()
def runs(
    folder: Positional[Folder],
    action: Positional[Literal["add", "list", "remove"]] = "list",
    what: Positional[Annotated[str | None, arg(help="the file to add, or the run to remove")]] = None,
    *,
    run: Annotated[str, arg(help="the name of the run that a file is added to")] = "r1",
    split: Annotated[str, arg(help="`train` if the model was trained on these pictures, else another name")] = "val",
    fold: Annotated[str, arg(help="parts several models of one run")] = "",
    path_column: Annotated[str | None, arg(help="the column that holds the paths, if its name is unusual")] = None,
    paths: Annotated[Path | None, arg(help="paths of the rows of a .npy or .npz of logits, one per line")] = None,
    workspace: WorkspaceDir = None,
) -> None:
    """Record a file of your model's predictions (CSV, Parquet, NumPy) as a run; list or remove runs."""
    from url_viz.cli.columns_command import opened

    image_set = opened(folder, workspace)
    if action == "list":
        for name in (names := image_set.runs.names()):
            known = image_set.runs.get(name)
            print(" ".join(filter(None, [f"{known.words}.", known.match.words])))
        if not names:
            print("No runs yet. Record one: url_viz.record(FOLDER, run=NAME) in Python, or runs FOLDER add FILE.")
        return
    if what is None:
        raise UrlVizError(f"Say what to {action}: a file to add, or the name of a run (runs FOLDER list).")
    if action == "remove":
        image_set.runs.remove(what)
        print(f"Removed {what!r}.")
        return
    matched = image_set.runs.add(what, run=run, split=split, fold=fold, path_column=path_column, paths=paths)
    print(*matched.words(Path(what).name, of="set"), image_set.runs.get(run).words + ".", sep="\n")
