"""The command that measures what a review was worth: dropped pictures and corrected labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import table_text, write_rows
from url_viz.files import require_parent
from url_viz.options import Within

if TYPE_CHECKING:
    from url_viz.analysis.order_metrics import Figure
    from url_viz.image_set import ImageSet

Seeds = Annotated[int, Within(2, 1000)]


@app.on_set()
def worth(
    image_set: "ImageSet",
    *,
    seeds: Annotated[Seeds, arg(help="how often folds and random drops are dealt, 2 or more")] = 5,
    out: Annotated[Path | None, arg(help="write the figures of each class to a .csv or .parquet file")] = None,
) -> None:
    """Print what dropping pictures and correcting labels was worth to a linear probe on held-out pictures."""
    require_parent(out)
    result = image_set.labels.worth(seeds=seeds)
    print(result.words)
    print(f"{'accuracy':<28}{'labels as corrected':<28}labels as given")
    for name, arm in result.arms:
        print(f"{name:<28}{_shown(arm.accuracy):<28}{_shown(arm.under_given)}")
    if len(result.differing):
        print("Classes with a measurable difference:")
        print(table_text(result.differing))
    write_rows(result.by_class, out, "class")


def _shown(figure: "Figure") -> str:
    return f"{figure.value:.3f} ({figure.interval.low:.3f} to {figure.interval.high:.3f})"
