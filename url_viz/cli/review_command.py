"""The command that lists the pictures of a review with what is asked of each."""

from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import print_rest
from url_viz.errors import UrlVizError
from url_viz.options import Count, OptionalCount
from url_viz.wording import counted

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def review(
    image_set: "ImageSet",
    *,
    by: Annotated[
        str | None,
        arg(
            help="suspects, labels (all, doubtful first), twins, pairs, names, other-class, missed, one of `findings`, "
            "a measure (default: what holds here)"
        ),
    ] = None,
    of_class: Annotated[str | None, arg(help="only pictures with this label")] = None,
    tag: Annotated[str | None, arg(help="only pictures with this tag")] = None,
    within_class: Annotated[bool, arg(help="compare each picture with its own class only")] = False,
    per_class: Annotated[OptionalCount, arg(help="so many of each class")] = None,
    top: Annotated[Count, arg(help="how many pictures to list")] = 20,
) -> None:
    """List pictures to review, decided ones left out, with the question of each; answer by `decide` and `relabel`."""
    from url_viz.analysis.filters import OneOf
    from url_viz.analysis.review import title_of_review
    from url_viz.analysis.review_spec import ReviewSpec
    from url_viz.analysis.scope import Scope

    order = by or image_set.order().measure
    if order is None:
        raise UrlVizError(f"{image_set.order().reason} Say which order the review has: --by twins, or a measure.")
    if (within_class or per_class is not None) and image_set.table()["label"].isna().all():
        raise UrlVizError(
            "There are no classes for --within-class and --per-class. Choose some: `python -m url_viz labels FOLDER`."
        )
    named = {"label": of_class, "tags": tag}
    filters = tuple(OneOf(column, (value,)) for column, value in named.items() if value is not None)
    queue = image_set.reviews.open(ReviewSpec(order, Scope(filters=filters), within_class, per_class), afresh=True)
    print(f"{title_of_review(queue.spec)}: {counted(len(queue), 'picture')} to review.")
    for image_id in queue.ids[:top].tolist():
        card = queue.card(image_id)
        label = card.row["label"] if isinstance(card.row["label"], str) else "no label"
        neighbour = f"  beside {card.near[0]['path'].iloc[0]}" if "same" in card.takes else ""
        print(f"{card.row['path']}  ({label})  {card.question.text}{neighbour}")
    print_rest(len(queue), top, "--top")
