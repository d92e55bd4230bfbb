"""Reading: a folder, a bucket or a data set of Python becomes an image set, or what is new in it is read."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.errors import BucketError, DamageError, ModelError, NoImagesError
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.base.rows import CACHED_FROM
from url_viz.base.workspace import SetPaths, Workspace, address_in
from url_viz.image_set import ImageSet
from url_viz.imaging.containers.python_dataset import open_dataset
from url_viz.imaging.rendering import PageChoice, Rendering, with_rest_of
from url_viz.imaging.scan import Scan, why_empty
from url_viz.imaging.source import Folder, Objects, Source, by_page, remark_on_range, rendering_for_new_set, source_of
from url_viz.models.model import EmbeddingSpace, Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.cluster.on_ray import OnRay
from url_viz.pipeline.embed import embed, score_missing
from url_viz.pipeline.embedded import Given, embed_files, given_embeddings
from url_viz.pipeline.postprocess import update_derived
from url_viz.store.about import choose_second_model, find_set, has_tables, read_about, space_read
from url_viz.store.columns.source_columns import keep_columns, keep_objects
from url_viz.store.tables.reader import Store
from url_viz.store.tables.writer import Writer

if TYPE_CHECKING:
    from url_viz.imaging.uploaded_files import IncomingFile

MANY = 5_000
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
) -> ImageSet:
    """Read a folder (or an address in object storage) into an image set: only new and changed files.

    It goes on where an earlier run was stopped. `limit` bounds the number of pictures; `progress` is called with
    `Progress` records; `refit` makes the map again.
    A second model `also` embeds the same pictures from the same reading of each file; confusability and ambiguity are
    then by both (`SetCore.second`).
    Nothing outside the folders `within` (real paths), where given, is read: links out of them are passed over.
    `embeddings`, a file of them by path or what `given_embeddings` made of one, take the place of a model's.
    Pictures of more than 8 bits, or of many bands, are seen as the set's are, those of a new one as `rendering` says,
    or in the range of a sample of them; another rendering than the set's reads it anew.
    With `ray`, workers of Ray read and embed (`OnRay("local", workers=2)`); this process stores what they answer.
    Raises FolderError or NoImagesError if there is nothing to read, WorkspaceError where another process writes,
    BucketError where object storage does not give what it listed: what it gave is kept, and the next call goes on;
    ClusterError where Ray does not start, or cannot be joined.
    """
    if ray is not None:
        ray.check(is_external=embeddings is not None)
    home = Workspace.at(workspace)
    root = address_in(folder) or Path(folder).expanduser()
    (progress or silent)(Progress("scan", 0))
    paths = home.set_paths(find_set(root, home))
    source = _source(root.resolve() if os.path.exists(root) else root, paths, within)
    run = _SourceReading(model, also, embeddings, limit, progress or silent, ray, refit, rendering)
    return _embed_source(source, root, home, run)


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
    return _embed_source(source, source.root, home, _SourceReading(model, also, None, limit, progress or silent, None))


@dataclass(frozen=True)
class _SourceReading:
    """How a source is read; see `embed_folder`."""

    model: Model | str
    also: Model | str | None
    embeddings: "str | Path | IncomingFile | Given | None"
    limit: int | None
    report: ProgressCallback
    ray: OnRay | None
    is_map_refitted: bool = False
    rendering: Rendering | None = None

    def models(self, found: Scan, home: Workspace) -> tuple[Model | Given, tuple[Model, ...]]:
        """The model, or the embeddings in its place, and the second model, if there is one."""
        chosen: Model | Given
        if self.embeddings is not None:
            given = self.embeddings
            chosen = given if isinstance(given, Given) else given_embeddings(given, found)
        elif isinstance(self.model, Model):
            chosen = self.model
        else:
            space = space_read(find_set(found.root, home), self.model, home)
            chosen = _loaded(self.model, home, self.ray, precision=space.precision if space else "fast")
        return chosen, _second_model(self.also, chosen, home, self.ray)

    def rendering_for(self, source: Source, found: Scan, paths: SetPaths) -> Rendering | None:
        """How the pictures are seen: as those that were read before, unless another rendering is wanted."""
        before = _spaces(paths)
        if self.rendering is None and before:
            return before[-1].preprocessing.rendering
        return rendering_for_new_set(source, found.files, self._wanted(before))

    def page(self, paths: SetPaths) -> PageChoice:
        """Which pages of a file are pictures, as of `rendering_for`."""
        wanted = self._wanted(_spaces(paths))
        return "each" if wanted is None else wanted.page

    def _wanted(self, spaces: Sequence[EmbeddingSpace]) -> Rendering | None:
        return with_rest_of(self.rendering, spaces[-1].preprocessing.rendering if spaces else None)


def _embed_source(source: Source, root: Path, home: Workspace, run: _SourceReading) -> ImageSet:
    """Read what is new in a source into the image set of `root`; see `embed_folder`."""
    paths = home.set_paths(find_set(root, home))
    source = by_page(source, is_each=run.page(paths) == "each")
    found = source.list()
    run.report(Progress("scan", len(found.files), len(found.files)))
    chosen, others = run.models(found, home)
    if not found.files:  # also of a known set: an unmounted disk looks empty, and is no reason to drop its rows
        raise NoImagesError(why_empty(found.root, found.other))
    rendering = run.rendering_for(source, found, paths)
    chosen, others = _seeing(chosen, rendering), tuple(one.seeing(rendering) for one in others)
    is_kept = run.rendering is None and bool(_spaces(paths))
    found = replace(found, remarks=(*found.remarks, *_remarks_on(rendering, source, found, is_kept=is_kept)))
    with Writer(paths, root) as writer:
        embed_by = embed_files if run.ray is None else run.ray.embed_by(home)
        _keep_said(writer, source, found)
        outcome = embed(
            chosen, found, writer, also=others, limit=run.limit, report=run.report, embed_by=embed_by, source=source
        )
        if outcome.is_cut_off:
            raise BucketError(outcome.words_of_unfetched)
        _keep_said(writer, source, found)
        for each in (chosen, *others):
            score_missing(writer, each)
            update_derived(writer, each.space.key, report=run.report, refit=run.is_map_refitted)
        if others:
            choose_second_model(paths, is_used=True)
        if outcome.unfetched:
            raise BucketError(outcome.words_of_unfetched)
        writer.note_ended([each.space.key for each in (chosen, *others)])
        image_set = ImageSet(Store(paths), chosen.space, chosen.source, home, within=source.within)
        if not len(image_set):
            raise NoImagesError(_nothing_readable(found, image_set))
    with suppress(DamageError):  # of labels or columns, reported where they are shown: all that was read is stored
        if len(image_set) >= MANY:
            prepare(image_set)
        image_set.versions.store()
    return image_set


def prepare(image_set: ImageSet) -> None:
    """Work out and keep class shares, and rows to search among if there are many, so that no visitor waits."""
    with suppress(DamageError):  # of labels, which is reported where they are shown
        image_set.order()
    if len(image_set) >= CACHED_FROM:
        _ = image_set.core.whitened


def _spaces(paths: SetPaths) -> Sequence[EmbeddingSpace]:
    """The spaces that a set was read in, the latest last; none of one that was not."""
    return read_about(paths).spaces if has_tables(paths) else ()


def _seeing(model: Model | Given, rendering: Rendering | None) -> Model | Given:
    """The model for pictures that are seen so; of given embeddings only thumbnails are."""
    return model.seeing(rendering) if isinstance(model, Model) else replace(model, space=model.space.seeing(rendering))


def _remarks_on(rendering: Rendering | None, source: Source, found: Scan, *, is_kept: bool) -> Iterator[str]:
    """What is to be said of how pictures are seen; of a rendering that was chosen just now, not how it fits."""
    if rendering is not None:
        yield f"{rendering.words}."
    if is_kept and (outside := remark_on_range(source, found.files, rendering)):
        yield outside


def _keep_said(writer: Writer, source: Source, found: Scan) -> None:
    """Keep what a source says of its pictures as columns: before they are read, and with their contents after."""
    keep_objects(writer, source)
    keep_columns(writer, found)


def _source(root: Path, paths: SetPaths, within: Sequence[Path] | None) -> Source:
    """Where a set's pictures are: a folder read as whole pictures stays so, even if it is laid out as VOC's by now."""
    source = source_of(root, within=within)
    is_folder = isinstance(source, Objects) and os.path.isdir(root)
    was_read = is_folder and has_tables(paths) and not Store(paths).about().objects_in
    return Folder(root, within) if was_read else source


def _loaded(name: str, home: Workspace, ray: OnRay | None, *, precision: PrecisionChoice = "fast") -> Model:
    """A model of a reading; where workers have their own, on the CPU, for what is stored with their embeddings."""
    return load_model(name, device="auto" if ray is None else "cpu", precision=precision, workspace=home.root)


def _second_model(
    also: Model | str | None, first: Model | Given, home: Workspace, ray: OnRay | None
) -> tuple[Model, ...]:
    """The second model of a reading, if there is one. Raises ModelError if it is no other one."""
    if also is None:
        return ()
    if isinstance(first, Given):
        raise ModelError("A second model needs a first one, not embeddings from a file. Leave one of them out.")
    second = also if isinstance(also, Model) else _loaded(also, home, ray, precision=first.space.precision)
    if (second.space.backbone, second.space.weights_digest) == (first.space.backbone, first.space.weights_digest):
        raise ModelError(f"{second.name!r} is the first model already. Choose another as the second.")
    return (second,)


def _nothing_readable(found: Scan, image_set: ImageSet) -> str:
    failed = image_set.failures()
    first = f" The first one, {failed['path'].iloc[0]!r}, {failed['reason'].iloc[0]}." if len(failed) else ""
    return f"None of the {len(found.files)} files in {str(found.root)!r} can be read as a picture.{first}"
