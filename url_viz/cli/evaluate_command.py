"""The command that evaluates an image set: how well each measure tells where the nearest is of another class."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.errors import ImageSetError
from url_viz.files import require_parent
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="evaluate")(evaluate)


def evaluate(
    folder: Positional[Folder],
    *,
    json: Annotated[Path | None, arg(help="also write every figure, tenths and classes to this file")] = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print recall@1 of a folder with classes, and R-AUROC of every measure with its interval, beside the baselines.

    The figures of the app's page Evaluate. Of a head and pictures that no set was read of: `training.evaluate`.
    """
    from url_viz.analysis.evaluated import NEEDED
    from url_viz.export.evaluation_files import write_evaluation
    from url_viz.image_set import open_image_set

    require_parent(json)
    image_set = open_image_set(folder, model=model, workspace=workspace)
    found = image_set.evaluate()
    if found is None:
        raise ImageSetError(f"{NEEDED} Choose other classes with `python -m url_viz labels {folder}`, or add pictures.")
    print(f"Recall@1 {100 * found.pictures.recall:.1f} %, {found.recall_words}")
    print(found.shown().to_string(index=False))
    print("\n".join(filter(None, (found.verdict, found.how_to_read))))
    if json is not None:
        print(f"Every figure is in {write_evaluation(image_set, found, json)}.")
