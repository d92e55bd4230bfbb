"""The command for names: which pictures to name first, what the names suggest, and taking suggestions."""

from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.command_app import app
from url_viz.cli.printing import table_text
from url_viz.options import Count, Fraction
from url_viz.wording import counted

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet


@app.on_set()
def names(
    image_set: "ImageSet",
    action: Positional[Literal["first", "suggest", "accept"]] = "first",
    *,
    top: Annotated[Count, arg(help="how many pictures to list")] = 20,
    share: Annotated[
        Fraction, arg(help="suggest, accept: names that are each right in at least this share of cases")
    ] = 0.9,
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
