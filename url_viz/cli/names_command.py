"""The command for names: which pictures to name first, what the names suggest, and taking suggestions."""

from typing import Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.printing import PrintingApp
from url_viz.jobs.arguments import DEFAULT, Folder, ModelName, WorkspaceDir
from url_viz.options import Count, Fraction


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="names")(names)


def names(
    folder: Positional[Folder],
    action: Positional[Literal["first", "suggest", "accept"]] = "first",
    *,
    top: Annotated[Count, arg(help="how many pictures to list")] = 20,
    share: Annotated[Fraction, arg(help="suggest, accept: from this share on (0 to 1)")] = 0.9,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> None:
    """List the pictures whose names teach most, or what the names so far suggest for the others; accept that.

    Give a name by `decide FOLDER leave a.jpg --name kiwi`, or in the app under Review. From two names on they suggest
    names for the others; `labels FOLDER names` makes them labels.
    """
    from url_viz.image_set import open_image_set

    image_set = open_image_set(folder, model=model, workspace=workspace)
    if action == "first":
        print("\n".join(image_set.names.ask(top)["path"]) or "Every picture has a name.")
        return
    found = image_set.names.suggestions()
    found = found[found["share"] >= share]
    if action == "accept":
        print(f"{image_set.names.accept(found['id'].tolist()).sentence}.")
        return
    print(f"{len(found):,} suggestions from share {share:.2f} on.")
    if len(found):
        print(found[["name", "share", "path"]].head(top).round(2).to_string(index=False))
