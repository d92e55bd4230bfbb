"""Commands that say what to look at first: findings, and leaks between splits or two image sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import print_rest, table_text, write_rows
from url_viz.errors import ImageSetError
from url_viz.jobs.configs import TableOut
from url_viz.options import Count
from url_viz.wording import counted, first_of

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def findings(image_set: "ImageSet") -> None:
    """Say what to look at first: leaks, likely wrong labels, bursts and more, each with its count and its review."""

    for finding in (listed := image_set.findings()):
        print(f"{finding.words}. {finding.why}")
        if finding.kind == "without-objects":
            print(f"    {first_of(image_set.files.without_objects())}")
        else:
            print(f"    review --by {finding.kind}" if finding.opens else "    export --failures")
    if not listed:
        print("Nothing that stands out.")


@app.on_set()
def leakage(
    image_set: "ImageSet",
    *,
    against: Annotated[Path | None, arg(help="another folder that was read with the same model")] = None,
    top: Annotated[Count, arg(help="how many to print")] = 20,
    out: TableOut = None,
) -> None:
    """List the pictures of one split that have a twin in another (train/ and test/), or in another folder."""
    from url_viz.analysis.leaks import APART
    from url_viz.image_set import open_image_set

    other = None
    if against is not None:
        other = open_image_set(against, model=image_set.source.name, workspace=image_set.workspace.root)
    rows = image_set.splits.leaks(other)
    if rows is None:
        raise ImageSetError(image_set.splits.missing)
    if write_rows(rows, out, "leak"):
        return
    where = "another split" if other is None else str(other.root)
    also = ", or a picture that is kept apart with them," if (rows["kind"] == APART).any() else ""
    print(f"{len(rows):,} of {counted(len(image_set), 'picture')} have a twin{also} in {where}.")
    if len(rows):
        print(table_text(rows.head(top)[["cosine", "kind", "split", "path", "twin_split", "twin_path"]]))
    print_rest(len(rows), top, "--top, --out")
