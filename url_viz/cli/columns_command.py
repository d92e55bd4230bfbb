"""Commands for what users bring of their own: columns, the choice of the label, runs, and predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import Count, Fraction
from url_viz.base.errors import DamageError, ImageSetError, UrlVizError
from url_viz.base.wording import command, counted
from url_viz.base.workspace import root_of
from url_viz.cli.command_app import app, print_rest, table_text, write_rows
from url_viz.jobs.configs import Folder, TableOut, WorkspaceDir

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.pipeline.embedded import Given


NO_LABELS = "none"
PathColumn = Annotated[str | None, Doc("the column that holds the paths, if its name is unusual")]
RowPaths = Annotated[Path | None, Doc("paths of the rows of a .npy or .npz of logits, one per line")]


@app.command()
def columns(
    folder: Positional[Folder],
    action: Positional[Literal["add", "list", "remove"]],
    what: Positional[Annotated[str | None, Doc("the file to add, or the name to remove")]] = None,
    *,
    name: Annotated[str | None, Doc("what to call the import (default: the file's name)")] = None,
    path_column: PathColumn = None,
    paths: RowPaths = None,
    uncertainty: Annotated[tuple[str, ...], Doc("columns of numbers that are higher for more ambiguous pictures")] = (),
    label: Annotated[str | None, Doc("the column that is the label from now on")] = None,
    apart: Annotated[str | None, Doc("the column by which pictures are no witnesses for each other")] = None,
    workspace: WorkspaceDir = None,
) -> None:
    """Add columns of a CSV, Parquet, JSON or NumPy file to the pictures of a folder by path; list or remove them."""
    image_set = opened(folder, workspace)
    if action == "list":
        _list(image_set)
        return
    if what is None:
        raise UrlVizError(f"Say what to {action}: a file to add, or the name of an import (columns FOLDER list).")
    if action == "remove":
        print(f"Removed {what!r}. {image_set.columns.remove(what)}".rstrip())
        return
    added = image_set.columns.match(what, name=name, path_column=path_column, paths=paths, uncertainties=uncertainty)
    as_label, as_apart = (None if column is None else added.named(column) for column in (label, apart))
    became = image_set.columns.keep(added)
    print("\n".join(added.words), became, sep=" " if became else "")
    print(f"Added as {added.content.name!r}: {', '.join(added.content.columns)}.")
    if as_label is not None:
        image_set.labels.use(as_label)
        print(f"The label is the column {as_label!r} from now on.")
    if as_apart is not None:
        _set_apart(image_set, as_apart)


def given_for(folder: Path, embeddings: Path, *, paths: Path | None, model: str) -> "Given":
    """The user's embeddings of a folder's pictures; prints what was matched. A model `own:NAME` names them."""
    from url_viz.imaging.source import source_of
    from url_viz.models.model import EXTERNAL
    from url_viz.pipeline.embedded import given_embeddings

    name = model if model.startswith(EXTERNAL) else None
    given = given_embeddings(embeddings, source_of(root_of(folder)).list(), paths=paths, name=name)
    print("\n".join(given.words))
    return given


def _list(image_set: "ImageSet") -> None:
    from url_viz.labels.label_choice import source_in_words

    user_columns = image_set.columns.list()
    for column in user_columns:
        kind = "uncertainty" if column.is_uncertainty else column.kind
        pictures = f"{column.known:,} of {counted(len(image_set), image_set.noun)}"
        print(f"{column.name}: {kind}, {pictures}, from {column.source!r}")
    if not user_columns:
        print("No columns yet. Add some: python -m url_viz columns FOLDER add FILE")
    print(f"The label is {source_in_words(image_set.labels.chosen)}.")


def _set_apart(image_set: "ImageSet", chosen: str) -> None:
    image_set.labels.set_apart(None if chosen == NO_LABELS else chosen)
    print(f"Pictures are {image_set.labels.apart.words or 'apart as near copies only'} from now on.")


def opened(folder: Path, workspace: Path | None) -> "ImageSet":
    """The image set of a folder with its latest model: columns belong to pictures, not to a model."""
    from url_viz.base.workspace import Workspace
    from url_viz.image_set import ImageSet
    from url_viz.models.model import ModelSource
    from url_viz.store.about import read_before
    from url_viz.store.tables.reader import Store

    home = Workspace.at(workspace)
    store = Store(home.set_paths(read_before(folder, home)))
    spaces = store.about().spaces
    if not spaces:
        raise ImageSetError(f"Nothing of {str(folder)!r} was read yet. Read it: {command('embed', folder)}")
    return ImageSet(store, spaces[-1], ModelSource(spaces[-1].backbone, spaces[-1].backbone, None), home)


@app.command()
def runs(
    folder: Positional[Folder],
    action: Positional[Literal["add", "list", "use", "remove"]] = "list",
    what: Positional[Annotated[str | None, Doc("the file to add, or the run to use or remove")]] = None,
    *,
    run: Annotated[str, Doc("the name of the run that a file is added to")] = "r1",
    split: Annotated[str, Doc("`train` if the model was trained on these pictures, else another name")] = "val",
    fold: Annotated[str, Doc("parts several models of one run")] = "",
    path_column: PathColumn = None,
    paths: RowPaths = None,
    workspace: WorkspaceDir = None,
) -> None:
    """Record a file of your model's predictions (CSV, Parquet, NumPy) as a run; list, use or remove runs.

    Several files are added to each other. The run that is used is the one that is compared with the pictures.
    """
    image_set = opened(folder, workspace)
    if action == "list":
        _list_runs(image_set)
    elif what is None:
        raise UrlVizError(f"Say what to {action}: a file to add, or the name of a run (runs FOLDER list).")
    elif action == "use":
        image_set.runs.use(what)
        print(f"The run {what!r} is compared with the pictures from now on.")
    elif action == "remove":
        image_set.runs.remove(what)
        print(f"Removed {what!r}.")
    else:
        added = image_set.runs.add(what, run=run, split=split, fold=fold, path_column=path_column, paths=paths)
        on_set = image_set.runs.get(run)
        print(*added.words, f"{on_set.words}.", *on_set.notes, sep="\n")


def _list_runs(image_set: "ImageSet") -> None:
    chosen = image_set.runs.chosen
    for name in (names := image_set.runs.names()):
        try:
            run = image_set.runs.get(name)
            is_used = ["It is compared with the pictures."] if name == chosen else []
            print(" ".join([f"{run.words}.", *run.notes, *is_used]))
        except DamageError as error:
            print(f"{name}: {error}")
    if not names:
        print("No runs yet. Record one: url_viz.record(FOLDER, run=NAME) in Python, or runs FOLDER add FILE.")


@app.on_set()
def predictions(
    image_set: "ImageSet",
    file: Positional[Annotated[Path, Doc("COCO results (.json), or a folder of YOLO labels with confidences")]],
    *,
    names: Annotated[
        Path | None, Doc("data.yaml, COCO file, or a class a line: names of the detector's numbers")
    ] = None,
    least_score: Annotated[Fraction, Doc("predictions below this score do not count")] = 0.25,
    run: Annotated[str | None, Doc("record the classes of found objects as a run of this name, too")] = None,
    split: Annotated[str, Doc("with --run: `train` if the detector was trained on these pictures")] = "val",
    top: Annotated[Count, Doc("how many predictions of no object to list")] = 10,
    out: TableOut = None,
) -> None:
    """Match a detector's predictions to objects: columns, and reviews of what it missed or calls something else.

    Predictions of no object are listed, or written with --out.
    """
    brought = image_set.objects.predictions(file, names=names, least_score=least_score, run=run, split=split)
    print("\n".join(brought.words))
    invented = brought.detections.invented
    if not write_rows(invented, out, "prediction of no object", "predictions of no object") and len(invented):
        print(table_text(invented.head(top)))
        print_rest(len(invented), top, "--top")
    print(f"Review: {command('review', image_set.root, '--by', 'other-class')} (or missed)")
