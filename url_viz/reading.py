"""Reading: a folder, a bucket or a data set of Python becomes an image set, or what is new in it is read."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.errors import BucketError, DamageError, ModelError, NoImagesError
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.base.rows import CACHED_FROM
from url_viz.base.workspace import SetPaths, Workspace, address_in
from url_viz.image_set import ImageSet
from url_viz.imaging.containers.python_dataset import open_dataset
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.rendering import Rendering, with_rest_of
from url_viz.imaging.scan import Scan, ScannedFile, display_name, why_empty
from url_viz.imaging.source import Folder, Objects, Source, by_page, remark_on_range, rendering_for_new_set, source_of
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.ahead import prepare_reading
from url_viz.pipeline.cluster.on_ray import OnRay
from url_viz.pipeline.embed import embed, score_missing
from url_viz.pipeline.embedded import Given, embed_files, given_embeddings
from url_viz.pipeline.postprocess import current_contents, update_derived
from url_viz.pipeline.stash import Stash, delete_stash, stash_waits
from url_viz.store.about import choose_second_model, find_set, has_tables, read_about, space_read
from url_viz.store.columns.source_columns import keep_columns, keep_objects
from url_viz.store.tables.reader import Store
from url_viz.store.tables.writer import Writer

if TYPE_CHECKING:
    from url_viz.imaging.uploaded_files import IncomingFile

PREPARED_FROM = 5_000
"""From this many pictures on, class shares are computed at the end of reading; of fewer when they are first shown."""


def embed_folder(
    folder: str | Path,
    *,
    model: Model | str = DEFAULT,
    also: Model | str | None = None,
    embeddings: "str | Path | IncomingFile | Given | None" = None,
    workspace: str | Path | None = None,
    limit: int | None = None,
    progress: ProgressCallback | None = None,
    refit: bool = False,
    within: Sequence[Path] | None = None,
    ray: OnRay | None = None,
    rendering: Rendering | None = None,
    second_later: Preprocessing | None = None,
) -> ImageSet:
    """Read a folder (or an address in object storage) into an image set: only new and changed files.

    It goes on where an earlier run was stopped. `limit` bounds the number of pictures; `progress` is called with
    `Progress` records; `refit` makes the map again.
    A second model `also` embeds the same pictures from the same reading of each file, and the first one looks at them
    once more, squeezed and mirrored; confusability and ambiguity are then by both (`SetCore.second`).
    Nothing outside the folders `within` (real paths), where given, is read: links out of them are passed over.
    `embeddings`, a file of them by path or what `given_embeddings` made of one, take the place of a model's.
    Pictures of more than 8 bits, or of many bands, are seen as the set's are, those of a new one as `rendering` says,
    or in the range of a sample of them; another rendering than the set's reads it anew.
    With `ray`, workers of Ray read and embed (`OnRay("local", workers=2)`); this process stores what they answer.
    Where a second model is to read after this one, `second_later` is how it sees pictures: of files that are dear to
    fetch or decode, its crops wait in the image set's folder.
    Raises FolderError or NoImagesError if there is nothing to read, WorkspaceError where another process writes,
    BucketError where object storage does not give what it listed: what it gave is kept, and the next call goes on;
    ClusterError where Ray does not start, or cannot be joined.
    """
    if ray is not None:
        ray.check(is_external=embeddings is not None)
    home = Workspace.at(workspace)
    prepare_reading()
    root = address_in(folder) or Path(folder).expanduser()
    (progress or silent)(Progress("scan", 0))
    paths = home.set_paths(find_set(root, home))
    source = _source(root.resolve() if os.path.exists(root) else root, paths, within)
    return _embed_source(
        source,
        root,
        home,
        model=model,
        also=also,
        limit=limit,
        report=progress or silent,
        embeddings=embeddings,
        refit=refit,
        ray=ray,
        rendering=rendering,
        second_later=second_later,
    )


def embed_from_stash(
    folder: str | Path,
    *,
    model: Model,
    also: Model,
    workspace: str | Path | None,
    progress: ProgressCallback,
    within: Sequence[Path] | None = None,
) -> ImageSet | None:
    """Read an image set by a second model as `embed_folder` does, from crops that wait alone: its pictures may be away.

    None where crops of some pictures do not wait, or the first `model` has not read the whole.
    """
    home = Workspace.at(workspace)
    paths = home.set_paths(find_set(address_in(folder) or Path(folder).expanduser(), home))
    if not (stash_waits(paths) and has_tables(paths)):
        return None
    store = Store(paths)
    about = store.about()
    rendering = about.spaces[-1].preprocessing.rendering
    first, others = model.seeing(rendering), _others(model.seeing(rendering), also, rendering)
    if first.space not in about.spaces or about.files_begun(first.space.key) is not None:
        return None
    with Writer(paths, about.root) as writer:
        stash = Stash(paths, [each.space.preprocessing for each in others])
        contents = current_contents(writer, first.space.key)
        lacking = [np.setdiff1d(contents, writer.embedded(each.space.key).content) for each in others]
        if not all(content in stash for content in np.union1d(*lacking).tolist()):
            return None
    with suppress(BucketError):  # of crops that are damaged: the others are read
        source = _AsStored(store, within)
        return _embed_source(source, about.root, home, model=first, also=also, limit=None, report=progress)
    return None


class _AsStored:
    """The files of an image set as they were read, which need not be there any more, as a source that opens none."""

    at_a_time = 1

    def __init__(self, store: Store, within: Sequence[Path] | None) -> None:
        self._store, self.within = store, within
        self.root = self.base = store.about().root

    def list(self) -> Scan:
        rows = self._store.images(["path", "size_bytes", "mtime_ns"]).to_pylist()
        about = self._store.about()
        files = sorted((row["path"], row["size_bytes"], row["mtime_ns"]) for row in rows)
        return Scan(
            about.root,
            tuple(ScannedFile(*file) for file in files),
            about.skipped,
            within=self.within,
            remarks=about.remarks,
        )

    def read(self, file: ScannedFile) -> bytes:
        raise BucketError(f"{display_name(file.path)!r} was not to be read again.")


def embed_dataset(
    dataset: Any,
    *,
    image: str | int = "image",
    label: str | int | None = "label",
    name: str | None = None,
    model: Model | str = DEFAULT,
    also: Model | str | None = None,
    workspace: str | Path | None = None,
    limit: int | None = None,
    progress: ProgressCallback | None = None,
) -> ImageSet:
    """Read a map-style Dataset of Python (Hugging Face, torchvision, one of yours) into an image set, by index.

    Its items are mappings with the keys `image` and `label`, or sequences: the picture first, then the class, unless
    these are numbers. Pictures are PIL images, arrays (H, W, 3) or tensors (3, H, W), bytes, or paths. `name` is the
    set's (by default that of the dataset's class): another call with it goes on. What was embedded is not again, but
    every item is read. The original is shown where the dataset is open; else the thumbnail is what there is.
    Raises FolderError where it has no length, or no picture under that key; else as `embed_folder`.
    """
    home = Workspace.at(workspace)
    source = open_dataset(dataset, home.datasets, image=image, label=label, name=name)
    return _embed_source(source, source.root, home, model=model, also=also, limit=limit, report=progress or silent)


def _embed_source(
    source: Source,
    root: Path,
    home: Workspace,
    *,
    model: Model | str,
    also: Model | str | None,
    limit: int | None,
    report: ProgressCallback,
    embeddings: "str | Path | IncomingFile | Given | None" = None,
    refit: bool = False,
    ray: OnRay | None = None,
    rendering: Rendering | None = None,
    second_later: Preprocessing | None = None,
) -> ImageSet:
    """Read what is new in a source into the image set of `root`; see `embed_folder`."""
    paths = home.set_paths(find_set(root, home))
    spaces = read_about(paths).spaces if has_tables(paths) else ()
    before = spaces[-1].preprocessing.rendering if spaces else None
    wanted = with_rest_of(rendering, before)
    source = by_page(source, is_each=wanted is None or wanted.page == "each")
    found = source.list()
    report(Progress("scan", len(found.files), len(found.files)))
    chosen = _first_model(model, home, ray, root=found.root) if embeddings is None else embeddings
    chosen = chosen if isinstance(chosen, Model | Given) else given_embeddings(chosen, found)
    second = _second_model(also, chosen, home, ray)
    if not found.files:  # also of a known set: an unmounted disk looks empty, and is no reason to drop its rows
        raise NoImagesError(why_empty(found.root, found.other))
    is_as_before = rendering is None and bool(spaces)
    rendering = before if is_as_before else rendering_for_new_set(source, found.files, wanted)
    found = _with_remarks(found, source, rendering, is_as_before=is_as_before)
    chosen = _seeing(chosen, rendering)
    others = _others(chosen, second, rendering) if second is not None and isinstance(chosen, Model) else ()
    sheets = [each.space.preprocessing for each in others]
    if second_later is not None and isinstance(chosen, Model) and not others:
        sheets = [chosen.squeezed.space.preprocessing, replace(second_later, rendering=rendering)]
    with Writer(paths, root) as writer:
        embed_by = embed_files if ray is None else ray.embed_by(home)
        _keep_source_columns(writer, source, found)
        outcome = embed(
            chosen,
            found,
            writer,
            also=others,
            limit=limit,
            report=report,
            embed_by=embed_by,
            source=source,
            stash=Stash(paths, sheets) if sheets else None,
        )
        if outcome.is_cut_off:
            raise BucketError(outcome.words_of_unfetched)
        _keep_source_columns(writer, source, found)
        for each in (chosen, *others):
            score_missing(writer, each)
            update_derived(writer, each.space, report=report, refit=refit)
        if others:
            choose_second_model(paths, is_used=True)
        if outcome.unfetched:
            raise BucketError(outcome.words_of_unfetched)
        writer.note_ended([each.space.key for each in (chosen, *others)])
        if second_later is None:
            delete_stash(paths)
        image_set = ImageSet(Store(paths), chosen.space, chosen.source, home, within=source.within)
        if not len(image_set):
            raise NoImagesError(_why_none(found, image_set.failures()))
    with suppress(DamageError):  # of labels or columns, reported where they are shown: all that was read is stored
        if len(image_set) >= PREPARED_FROM:
            prepare(image_set)
        image_set.versions.store()
    return image_set


def _with_remarks(found: Scan, source: Source, rendering: Rendering | None, *, is_as_before: bool) -> Scan:
    """What was found, with how its pictures are seen, and which of them a range chosen earlier does not hold."""
    seen_so = "" if rendering is None else f"{rendering.words}."
    outside = remark_on_range(source, found.files, rendering) if is_as_before else ""
    return replace(found, remarks=tuple(dict.fromkeys((*found.remarks, *filter(None, (seen_so, outside))))))


def _why_none(found: Scan, failed: pd.DataFrame) -> str:
    first = f" The first one, {failed['path'].iloc[0]!r}, {failed['reason'].iloc[0]}." if len(failed) else ""
    return f"None of the {len(found.files)} files in {str(found.root)!r} can be read as a picture.{first}"


def prepare(image_set: ImageSet) -> None:
    """Work out and keep class shares, and rows to search among if there are many, so that no visitor waits."""
    with suppress(DamageError):  # of labels, which is reported where they are shown
        image_set.order()
    if len(image_set) >= CACHED_FROM:
        _ = image_set.core.whitened


def _keep_source_columns(writer: Writer, source: Source, found: Scan) -> None:
    """Keep what a source says of its pictures as columns: before they are read, and with their contents after."""
    keep_objects(writer, source)
    keep_columns(writer, found)


def _source(root: Path, paths: SetPaths, within: Sequence[Path] | None) -> Source:
    """Where a set's pictures are: a folder read as whole pictures stays so, even if it is laid out as VOC's by now."""
    source = source_of(root, within=within)
    is_folder = isinstance(source, Objects) and os.path.isdir(root)
    was_read = is_folder and has_tables(paths) and not Store(paths).about().objects_in
    return Folder(root, within) if was_read else source


def _seeing(model: Model | Given, rendering: Rendering | None) -> Model | Given:
    """The model for pictures that are seen so; of given embeddings only thumbnails are."""
    return model.seeing(rendering) if isinstance(model, Model) else replace(model, space=model.space.seeing(rendering))


def _others(first: Model, second: Model, rendering: Rendering | None) -> tuple[Model, Model]:
    """What reads pictures beside a first model: that once more with its other look, and a second one.

    The second one is last: it takes part as soon as its graph is there, and then all is.
    """
    return first.squeezed, second.seeing(rendering)


def _first_model(model: Model | str, home: Workspace, ray: OnRay | None, *, root: Path) -> Model:
    """By name, in the precision in which the set of `root` was read."""
    if isinstance(model, Model):
        return model
    space = space_read(find_set(root, home), model, home)
    return _load(model, home, ray, precision=space.precision if space else "fast")


def _load(name: str, home: Workspace, ray: OnRay | None, *, precision: PrecisionChoice = "fast") -> Model:
    """A model of a reading; where workers have their own, on the CPU, for what is stored with their embeddings."""
    return load_model(name, device="auto" if ray is None else "cpu", precision=precision, workspace=home.root)


def _second_model(also: Model | str | None, first: Model | Given, home: Workspace, ray: OnRay | None) -> Model | None:
    """Raises ModelError if it is no other model."""
    if also is None:
        return None
    if isinstance(first, Given):
        raise ModelError("A second model needs a first one, not embeddings from a file. Leave one of them out.")
    second = also if isinstance(also, Model) else _load(also, home, ray, precision=first.space.precision)
    if (second.space.backbone, second.space.weights_digest) == (first.space.backbone, first.space.weights_digest):
        raise ModelError(f"{second.name!r} is the first model already. Choose another as the second.")
    return second
