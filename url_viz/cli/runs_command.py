"""Commands for a user's own model: its training runs, and a detector's predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import print_rest, table_text, write_rows
from url_viz.errors import UrlVizError
from url_viz.jobs.configs import Folder, TableOut, WorkspaceDir
from url_viz.options import Count, Fraction

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


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


@app.on_set()
def predictions(
    image_set: "ImageSet",
    file: Positional[Annotated[Path, arg(help="COCO results (.json), or a folder of YOLO labels with confidences")]],
    *,
    names: Annotated[Path | None, arg(help="a data.yaml, or a class a line, that names the detector's numbers")] = None,
    least_score: Annotated[Fraction, arg(help="predictions below this score do not count")] = 0.25,
    run: Annotated[str | None, arg(help="record the classes of found objects as a run of this name, too")] = None,
    split: Annotated[str, arg(help="with --run: `train` if the detector was trained on these pictures")] = "val",
    top: Annotated[Count, arg(help="how many predictions of no object to list")] = 10,
    out: TableOut = None,
) -> None:
    """Match a detector's predictions to objects: columns, and reviews of what it missed or calls something else.

    Predictions of no object are listed, or written with --out.
    """
    brought = image_set.objects.predictions(file, names=names, least_score=least_score, run=run, split=split)
    print("\n".join(brought.words))
    invented = brought.found.invented
    if not write_rows(invented, out, "prediction of no object", "predictions of no object") and len(invented):
        print(table_text(invented.head(top)))
        print_rest(len(invented), top, "--top")
    print(f"Review: python -m url_viz review {image_set.root} --by other-class (or missed)")
