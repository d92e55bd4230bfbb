"""Commands for what a user says of pictures: reviews, answers on pairs, and names; all ask what teaches most."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc
from tyro.conf import Positional

from url_viz.base.command_line import Count, Fraction, OptionalCount, Seed
from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted
from url_viz.cli.command_app import app, print_rest, table_text, write_rows

if TYPE_CHECKING:
    import pandas as pd

    from url_viz.image_set import ImageSet


@app.on_set()
def review(
    image_set: "ImageSet",
    *,
    by: Annotated[
        str | None,
        Doc(
            "suspects, labels (all, doubtful first), copies, bursts, pairs, names, other-class, missed, one "
            "of `findings`, a measure (default: what holds here)"
        ),
    ] = None,
    of_class: Annotated[str | None, Doc("only pictures with this label")] = None,
    tag: Annotated[str | None, Doc("only pictures with this tag")] = None,
    within_class: Annotated[bool, Doc("compare each picture with its own class only")] = False,
    per_class: Annotated[OptionalCount, Doc("so many of each class")] = None,
    top: Annotated[Count, Doc("how many pictures to list")] = 20,
) -> None:
    """List pictures to review, decided ones left out, with the question of each; answer by `decide` and `relabel`."""
    from url_viz.columns.filters import OneOf, ReviewSpec, Scope
    from url_viz.review.review import title_of_review

    order = by or image_set.order().measure
    if order is None:
        raise UrlVizError(f"{image_set.order().reason} Say which order the review has: --by copies, or a measure.")
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


LISTED = 20


@app.on_set()
def answers(
    image_set: "ImageSet",
    action: Positional[Literal["list", "ask", "export", "import"]] = "list",
    file: Positional[Annotated[Path | None, Doc("the CSV file to write (ask, export) or read (import)")]] = None,
    *,
    n: Annotated[Count, Doc("how many pairs to ask about")] = LISTED,
    seed: Annotated[Seed, Doc("another one draws other pairs")] = 0,
) -> None:
    """Say whether pictures and their nearest are the same kind of thing: a few answers make the order truer.

    `ask` writes pairs with an empty column `same`; fill in yes or no, and `import` the file. From ten answers on, both
    kinds among them, the measure `tuned` has them taken in, and leads where no classes do. In the app: Review.
    """
    from url_viz.export.result_files import answers_table, import_answers, questions_table

    if action == "list":
        _list(image_set)
    elif action == "ask":
        _write(image_set, questions_table(image_set, n, seed=seed), file, "pair to ask about", "pairs to ask about")
    elif action == "export":
        _write(image_set, answers_table(image_set), file, "answer", "answers")
    elif file is None:
        raise UrlVizError(
            "Say which file to import: answers FOLDER import FILE.csv, as `answers FOLDER ask` writes it."
        )
    else:
        print(import_answers(image_set, file).words)


def _write(image_set: "ImageSet", table: "pd.DataFrame", file: Path | None, noun: str, plural: str) -> None:
    """Write a table to a file, or print it if none is named."""
    from url_viz.imaging.outputs import require_outside

    if file is not None:
        require_outside(file, image_set.root)
    if not write_rows(table, file, noun, plural):
        print(table.to_csv(index=False), end="")


def _list(image_set: "ImageSet") -> None:
    from url_viz.export.result_files import answers_table
    from url_viz.review.tuned import change_in_words, moved_share

    print(change_in_words(image_set.answers.log.now(), image_set.answers.tuned(), moved=moved_share(image_set.table())))
    table = answers_table(image_set)
    if len(table):
        print(table[["same", "path", "neighbour_path"]].tail(LISTED).to_string(index=False))
    if len(table) > LISTED:
        print(f"… and {len(table) - LISTED:,} before (answers FOLDER export FILE.csv)")


@app.on_set()
def names(
    image_set: "ImageSet",
    action: Positional[Literal["first", "suggest", "accept"]] = "first",
    *,
    top: Annotated[Count, Doc("how many pictures to list")] = 20,
    share: Annotated[Fraction, Doc("suggest, accept: names that are each right in at least this share of cases")] = 0.9,
) -> None:
    """List the pictures whose names teach most, or what the names so far suggest for the others; accept that.

    Give a name by `decide FOLDER leave a.jpg --name kiwi`, or in the app under Review. From two names on they suggest
    names for the others; `labels FOLDER names` makes them labels.
    """
    if action == "first":
        print("\n".join(image_set.names.ask(top)["path"]) or "Every picture has a name.")
        return
    suggested = image_set.names.suggestions()
    suggested = suggested[suggested["share"] >= share]
    if action == "accept":
        print(f"{image_set.names.accept(suggested['id'].tolist()).sentence}.")
        return
    mistakes = round(float((1 - suggested["share"]).sum()))
    print(f"{counted(len(suggested), 'suggestion')} from share {share:.2f} on, about {mistakes:,} of them wrong.")
    if len(suggested):
        print(table_text(suggested[["name", "share", "path"]].head(top), "{:.2f}"))
