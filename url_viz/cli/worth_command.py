"""The command that measures what a review was worth: dropped pictures and corrected labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.files import require_parent
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Within

if TYPE_CHECKING:
    from url_viz.analysis.order_metrics import Figure

Seeds = Annotated[int, Within(2, 1000)]


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="worth")(worth)


def worth(
    folder: Positional[Folder],
    *,
    seeds: Annotated[Seeds, arg(help="how often folds and random drops are dealt, 2 or more")] = 5,
    out: Annotated[Path | None, arg(help="write the figures of each class to a .csv or .parquet file")] = None,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """Print what dropping pictures and correcting labels was worth to a linear probe on held-out pictures."""
    from url_viz.export.table_files import write_table
    from url_viz.image_set import open_image_set

    require_parent(out)
    found = open_image_set(folder, model=model, workspace=workspace).labels.worth(seeds=seeds)
    print(found.words)
    print(f"{'accuracy':<28}{'labels as corrected':<28}labels as given")
    for name, arm in found.arms:
        print(f"{name:<28}{_shown(arm.accuracy):<28}{_shown(arm.under_given)}")
    if len(found.differing):
        print("Classes with a difference that can be told:")
        print(found.differing.to_string(index=False, float_format=lambda share: f"{share:.3f}"))
    if out is not None:
        print(f"{len(found.by_class):,} classes in {write_table(found.by_class, out)}.")


def _shown(figure: "Figure") -> str:
    return f"{figure.value:.3f} ({figure.interval.low:.3f} to {figure.interval.high:.3f})"
