"""Read a folder into an image set, and open one that was read."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from url_viz.errors import ImageSetError, NoImagesError
from url_viz.imaging.scan import Scan, scan
from url_viz.index.embed import embed, score_missing
from url_viz.index.finish import finish
from url_viz.index.given import Given, given_embeddings
from url_viz.index.store import Store, Writer, find_set
from url_viz.models.model import Model, load_model, resolve
from url_viz.models.names import DEFAULT
from url_viz.progress import Progress, Report, silent
from url_viz.workspace import Workspace

if TYPE_CHECKING:
    from url_viz.imaging.uploads import IncomingFile


from url_viz.image_set.handle import ImageSet, embed_command


def embed_folder(
    folder: str | Path,
    *,
    model: Model | str = DEFAULT,
    embeddings: "str | Path | IncomingFile | Given | None" = None,
    workspace: str | Path | None = None,
    limit: int | None = None,
    progress: Report | None = None,
    refit: bool = False,
    within: Sequence[Path] | None = None,
) -> ImageSet:
    """Read a folder into an image set: only new and changed files, going on where an earlier run was stopped.

    `limit` bounds the number of pictures; `progress` is called with `Progress` records; `refit` makes the map anew.
    Nothing outside the folders `within` (real paths), where given, is read: links out of them are passed over.
    `embeddings`, a file of them by path or what `given_embeddings` made of one, take the place of a model's.
    Raises FolderError or NoImagesError where there is nothing to read, WorkspaceError where another process writes.
    """
    report = progress or silent
    home = Workspace.at(workspace)
    root = Path(folder).expanduser()
    report(Progress("scan", 0))
    found = scan(root.resolve() if os.path.exists(root) else root, within=within)
    report(Progress("scan", len(found.files), len(found.files)))
    chosen: Model | Given
    if embeddings is not None:
        chosen = embeddings if isinstance(embeddings, Given) else given_embeddings(embeddings, found)
    else:
        chosen = model if isinstance(model, Model) else load_model(model, workspace=home.root)
    paths = home.set_paths(find_set(root, home))
    if not found.files:  # also of a known set: an unmounted disk looks empty, and is no reason to drop its rows
        raise NoImagesError(found.why_empty)
    with Writer(paths, root) as writer:
        embed(chosen, found, writer, limit=limit, report=report)
        score_missing(writer, chosen)
        finish(writer, chosen.space.key, report=report, refit=refit)
    image_set = ImageSet(Store(paths), chosen.space, chosen.source, home)
    if not len(image_set):
        raise NoImagesError(_nothing_readable(found, image_set) if found.files else found.why_empty)
    return image_set


def open_image_set(folder: str | Path, *, model: str = DEFAULT, workspace: str | Path | None = None) -> ImageSet:
    """Open what was read of a folder with a model, without scanning it and without loading the model.

    Raises ImageSetError where the folder was never read, or not with this model.
    """
    home = Workspace.at(workspace)
    return open_set(read_before(folder, home), model=model, workspace=home)


def open_set(set_id: str, *, model: str, workspace: Workspace) -> ImageSet:
    """Open an image set by its id; like `open_image_set`."""
    paths = workspace.set_paths(set_id)
    source = resolve(model)
    about = Store(paths).about()
    space = about.space(source.backbone, weights_digest=source.weights_digest)
    if space is None:
        names = dict.fromkeys(
            f"{s.backbone} of other weights" if s.backbone == source.backbone else s.backbone for s in about.spaces
        )
        read_with = ", ".join(names) or "no model yet"
        raise ImageSetError(
            f"{str(about.root)!r} was not read with {model!r} (but with {read_with}). "
            f"Read it: {embed_command(about.root, '--model', model)}."
        )
    return ImageSet(Store(paths), space, source, workspace)


def read_before(folder: str | Path, home: Workspace) -> str:
    """The id of the image set of a folder. Raises ImageSetError where it was never read."""
    set_id = find_set(Path(folder), home)
    if not home.set_paths(set_id).about.exists():
        raise ImageSetError(
            f"{str(folder)!r} was not read yet ({embed_command(folder)}). `python -m url_viz sets` lists what was."
        )
    return set_id


def _nothing_readable(found: Scan, image_set: ImageSet) -> str:
    reasons = image_set.failures()["reason"]
    first = f" The first one {reasons.iloc[0]}." if len(reasons) else ""
    return f"None of the {len(found.files)} files in {str(found.root)!r} can be read as a picture.{first}"
