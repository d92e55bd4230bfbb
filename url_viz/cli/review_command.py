"""The command that lists the pictures of a review with what is asked of each."""

from typing import Annotated

from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.errors import UrlVizError
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Count, OptionalCount


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="review")(review)


def review(
    folder: Positional[Folder],
    *,
    by: Annotated[
        str | None,
        arg(
            help="suspects, labels (all, doubtful first), twins, pairs, names, one of `findings`, a measure "
            "(default: what holds here)"
        ),
    ] = None,
    of_class: Annotated[str | None, arg(help="only pictures with this label")] = None,
    tag: Annotated[str | None, arg(help="only pictures with this tag")] = None,
    within_class: Annotated[bool, arg(help="compare each picture with its own class only")] = False,
    per_class: Annotated[OptionalCount, arg(help="so many of each class")] = None,
    top: Annotated[Count, arg(help="how many pictures to list")] = 20,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """List pictures to review, decided ones left out, with the question of each; answer by `decide` and `relabel`."""
    from url_viz.analysis.filters import OneOf
    from url_viz.analysis.review import title_of_review
    from url_viz.analysis.review_spec import ReviewSpec
    from url_viz.analysis.scope import Scope
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    order = by or image_set.order().measure
    if order is None:
        raise UrlVizError(f"{image_set.order().reason} Say which order the review has: --by twins, or a measure.")
    if (within_class or per_class is not None) and image_set.table()["label"].isna().all():
        raise UrlVizError(
            "There are no classes for --within-class and --per-class. Choose some: `python -m url_viz labels FOLDER`."
        )
    named = {"label": of_class, "tags": tag}
    filters = tuple(OneOf(column, (value,)) for column, value in named.items() if value is not None)
    found = image_set.reviews.open(ReviewSpec(order, Scope(filters=filters), within_class, per_class), afresh=True)
    print(f"{title_of_review(found.spec)}: {len(found):,} {'picture' if len(found) == 1 else 'pictures'} to review.")
    for number in found.ids[:top].tolist():
        card = found.card(number)
        label = card.row["label"] if isinstance(card.row["label"], str) else "no label"
        beside = f"  beside {card.near[0]['path'].iloc[0]}" if "same" in card.takes else ""
        print(f"{card.row['path']}  ({label})  {card.question.text}{beside}")
    if len(found) > top:
        print(f"… and {len(found) - top:,} more (--top)")
