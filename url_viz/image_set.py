"""ImageSet: the pictures of one folder with their measures, map, neighbours and search; read a folder, or open one."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.compare import Comparison, Read, compare
from url_viz.analysis.label_issues import NO_CLASSES, LabelCheck, check_labels
from url_viz.analysis.map_figure import Style, map_figure
from url_viz.analysis.occlusion import Heat, heat_of
from url_viz.analysis.ranking import percentile_of
from url_viz.analysis.reasons import ReasonedTable
from url_viz.analysis.representatives import representatives
from url_viz.analysis.selective_retrieval import near_in_graph, search
from url_viz.analysis.table import DecidedTable, Frame, decisions_of, frame_of
from url_viz.analysis.twins import one_of_each, twin_table
from url_viz.analysis.user_columns import Prepared, UserColumn, UserColumns
from url_viz.errors import ImageSetError, NoImagesError
from url_viz.imaging.query import query_crop, read_query
from url_viz.imaging.scan import Scan, absolute, display_name, scan
from url_viz.models.head import Head
from url_viz.models.model import EmbeddingSpace, Model, ModelSource, load_model, resolve
from url_viz.models.names import DEFAULT
from url_viz.pipeline.embed import embed, score_missing
from url_viz.pipeline.external_embeddings import Given, given_embeddings
from url_viz.pipeline.postprocess import finish
from url_viz.pipeline.projection import project_alone
from url_viz.progress import Progress, ProgressCallback, silent
from url_viz.store.about import embed_command, find_set, read_before
from url_viz.store.decisions import Action, Decisions
from url_viz.store.reader import Store
from url_viz.store.tables import PLACED, UMAP, Graph, positions_of
from url_viz.store.writer import Writer
from url_viz.workspace import Workspace

if TYPE_CHECKING:
    from PIL.Image import Image
    from plotly.graph_objects import Figure

    from url_viz.imaging.uploads import IncomingFile


@dataclass(frozen=True)
class Projection:
    """Pictures on a map of their own: `ids` (M,) int64 in the order of `table()`, `xy` (M, 2) float32.

    `is_umap` is False where PCA alone made it, because they are few.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    is_umap: bool

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.xy)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class SearchResult:
    """What a search found: `hits` and `withheld` are tables, nearest first; the query's own values where known."""

    hits: pd.DataFrame
    withheld: pd.DataFrame
    query_uncertainty: float
    query_percentile: float


class ImageSet:
    """A snapshot of one folder's pictures as read by one model. Made by `embed_folder` and `open_image_set`.

    Rows keep their order between `table()` and `embeddings()`: by path. What another process writes later is seen by
    opening the image set again; `version` tells whether there is anything new.
    """

    def __init__(self, store: Store, space: EmbeddingSpace, source: ModelSource, workspace: Workspace) -> None:
        about = store.about()
        self.root = about.root
        self.set_id = store.paths.folder.name
        self.space = space
        self.source = source
        self.workspace = workspace
        self._read_at = store.version(space.key, source.head.digest if source.head else None)
        self._store = store
        self._checked: tuple[pd.Series, LabelCheck | None] | None = None
        self._files = store.images(["id", "path", "content", "width", "height", "failure"])

    def __repr__(self) -> str:
        return f"ImageSet({str(self.root)!r}, {len(self)} pictures, model={self.source.name!r})"

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def head(self) -> Head | None:
        """The head whose uncertainties the table shows; None where the backbone has none."""
        return self.source.head

    @property
    def version(self) -> str:
        """A short text that changes with the snapshot, and with what the user brought to it since (`user_columns`)."""
        own = self.user_table.version
        return f"{self._read_at}.{own}" if own else self._read_at

    def is_current(self) -> bool:
        """Whether nothing was read since this snapshot was opened; the user's own columns are there at once."""
        return self._read_at == self._store.version(self.space.key, self.head.digest if self.head else None)

    def table(self) -> pd.DataFrame:
        """One row a picture, by path.

        id, path (for people; odd bytes escaped), label (class folder, or what `use_labels` chose), width, height,
        uncertainty and its percentile, confusability and its percentile, entropy (nats) and inverse_norm (baselines),
        nearest_similarity, twin_group, what `url_viz.imaging.quality` measures, x, y; the user's own columns; reasons;
        decision and tags. All values of ours are higher = more ambiguous, but for nearest_similarity and the
        qualities; nan where there is none.
        """
        return self._frame.copy()

    def add_columns(
        self,
        file: "str | Path | IncomingFile",
        *,
        name: str | None = None,
        path_column: str | None = None,
        paths: "str | Path | IncomingFile | None" = None,
        uncertainties: Collection[str] = (),
    ) -> Prepared:
        """Keep columns of a CSV, Parquet or NumPy file with this set, by path, and tell what matched.

        `name` is the import's (the file's by default): another of that name is replaced. `uncertainties` are columns
        of numbers, higher = more ambiguous. Raises FolderError where the file cannot be read or nothing matches.
        """
        matched = self.user_table.match(
            file, name=name, path_column=path_column, paths=paths, uncertainties=uncertainties
        )
        self.user_table.keep(matched)
        return matched

    def remove_columns(self, name: str) -> None:
        """Take away what an import brought. Raises ImageSetError where there is none of this name."""
        self.user_table.remove(name)

    def user_columns(self) -> tuple[UserColumn, ...]:
        """The user's columns of `table()`: name, kind, how many pictures have a value, and the import's name."""
        return self.user_table.columns()

    def use_labels(self, chosen: str | None) -> None:
        """Choose what `label` is: "folders" (as at first), None for no labels, or one of the user's own columns."""
        self.user_table.use_labels(chosen)

    def reasons(self, ids: Iterable[int] | None = None) -> pd.DataFrame:
        """Why pictures (default: all) are ambiguous, one row a reason: id, reason, strength (0 to 1), detail."""
        return self._reasoned.reasons(self.user_table.table(), ids)

    def heat(self, image_id: int) -> Heat:
        """Which part of a picture its uncertainty comes from (entropy, without a head): 37 forward passes."""
        return heat_of(self.model, read_query(self.file_of(image_id), self.space.preprocessing))

    @cached_property
    def user_table(self) -> UserColumns:
        """The table with what the user brought, and the ways to bring it."""
        stands_in = self.source.is_given
        return UserColumns(self._joined, self._files, self._store, root=self.root, stands_in=stands_in)

    def embeddings(self) -> NDArray[np.float32]:
        """Embeddings (N, D) float32, rows in the order of `table()`."""
        return self._stored_embeddings().astype(np.float32)

    def failures(self) -> pd.DataFrame:
        """Files that are no readable picture: path and reason."""
        rows = self._files.filter(self._files["failure"].is_valid()).select(["path", "failure"]).to_pandas()
        return pd.DataFrame({"path": [display_name(p) for p in rows["path"]], "reason": rows["failure"].to_list()})

    def map(self, *, colour: str = "uncertainty", style: Style = "points", size_by: str | None = None) -> "Figure":
        """The map as a plotly figure, coloured by any column; `style` is points, fog or density (`map_figure`)."""
        return map_figure(self.table(), colour=colour, style=style, size_by=size_by)

    def search(
        self,
        query: "Path | Image | int",
        k: int = 24,
        max_uncertainty: float | None = None,
        max_confusability: float | None = None,
    ) -> pd.DataFrame:
        """The k most similar pictures to a file, a PIL picture, or a picture of this set (by id; itself left out).

        Pictures above `max_uncertainty` or `max_confusability` are withheld. Columns: those of `table()` after
        id, path, similarity. `find` also tells what was withheld.
        """
        return self.find(query, k=k, max_uncertainty=max_uncertainty, max_confusability=max_confusability).hits

    def find(
        self,
        query: "Path | Image | int | NDArray[np.floating]",
        *,
        k: int = 24,
        max_uncertainty: float | None = None,
        max_confusability: float | None = None,
        without_dropped: bool = False,
    ) -> SearchResult:
        """Like `search`, also by an embedding (D,), with the withheld pictures and the query's own uncertainty.

        With `without_dropped`, pictures that were decided to be dropped are withheld too.
        """
        is_allowed = np.ones(len(self), bool)
        if without_dropped:
            is_allowed &= (self._frame["decision"] != "drop").to_numpy(dtype=bool)
        for column, bound in (("uncertainty", max_uncertainty), ("confusability", max_confusability)):
            if bound is not None:  # a picture without the value cannot be vouched for, and is withheld too
                is_allowed &= self._frame[column].to_numpy() <= bound
        if isinstance(query, (int, np.integer)):
            row = self.row_of(int(query))
            vector, exclude = self._unit[row], np.arange(len(self)) == row
            uncertainty, rank = (float(self._frame[name].iloc[row]) for name in ("uncertainty", "percentile"))
        else:
            vector, exclude = self._embedded_query(query), None
            uncertainty = float(self.head(vector[None])[0]) if self.head else float("nan")
            rank = percentile_of(uncertainty, self._frame["uncertainty"].to_numpy())
        hits = search(vector, self._unit, k=k, is_allowed=is_allowed, exclude=exclude)
        return SearchResult(self._found(hits.rows, vector), self._found(hits.withheld, vector), uncertainty, rank)

    def neighbours(self, image_id: int, k: int = 12) -> pd.DataFrame:
        """The k pictures most similar to one of this set, as an ungated `search`; from the graph where it reaches."""
        row = self.row_of(image_id)
        near = near_in_graph(row, self.contents, self.graph)
        if near is None or len(near[0]) < min(k, len(self) - 1):
            return self.search(image_id, k)
        return self._with_similarity(near[0][:k], near[1][:k])

    def row_of(self, image_id: int) -> int:
        """The row of a picture in `table()`; raises ImageSetError for an id that is not in this set."""
        found = np.flatnonzero(self._frame["id"].to_numpy() == image_id)
        if not len(found):
            raise ImageSetError(f"There is no picture with id {image_id} in {str(self.root)!r}.")
        return int(found[0])

    def row(self, image_id: int) -> dict[str, Any]:
        """One picture's row of `table()`, by column."""
        values = self._frame.iloc[self.row_of(image_id)].to_dict()
        return {str(column): value for column, value in values.items()}

    @property
    def contents(self) -> NDArray[np.int64]:
        """Content keys (N,), rows in the order of `table()`: equal ones are copies of one file."""
        return self._joined.contents

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Thumbnails (JPEG, at most 256 px) by id."""
        return self._store.thumbnails(ids)

    def file_of(self, image_id: int) -> Path:
        """The file of a picture. Raises ImageSetError where it is not there any more."""
        row = self.row_of(image_id)
        path = Path(os.fsdecode(absolute(self.root, self._joined.paths[row])))
        if not path.is_file():
            raise ImageSetError(
                f"{self._frame['path'].iloc[row]!r} is not in {str(self.root)!r} any more. "
                f"Read the folder again: {embed_command(self.root)}."
            )
        return path

    def paths_of(self, ids: Iterable[int]) -> list[bytes]:
        """Root-relative paths of pictures, as the file system has them, in the order of `ids`."""
        wanted = np.fromiter((int(i) for i in ids), np.int64)
        rows = positions_of(wanted, self._frame["id"].to_numpy())
        if (rows < 0).any():
            raise ImageSetError(f"There is no picture with id {wanted[rows < 0][0]} in {str(self.root)!r}.")
        return [self._joined.paths[row] for row in rows.tolist()]

    @cached_property
    def decisions(self) -> Decisions:
        """Decide on pictures, tag them, and take it back; `table()` shows it at once."""
        return decisions_of(self._store.paths.decisions, self._files)

    def compare(self, other: "ImageSet") -> Comparison:
        """How another model's reading of the same folder differs from this one; see `url_viz.analysis.compare`.

        Raises ImageSetError where `other` is of another folder.
        """
        if other.set_id != self.set_id:
            raise ImageSetError(
                f"{str(other.root)!r} and {str(self.root)!r} are two folders. Open the same one with two models."
            )
        return compare(*(Read(one.table(), one.contents, one.graph) for one in (self, other)))

    def twins(self) -> pd.DataFrame:
        """Groups of twins, one row each, with the pair that is least alike and which to keep; see `twin_table`."""
        return twin_table(self._frame, self.contents, lambda rows: self._unit[rows])

    def keep_one_of_each(self) -> Action:
        """Decide to keep one picture of each group of twins and to drop the others; see `one_of_each`."""
        return self.decisions.decide_each(one_of_each(self._frame))

    @cached_property
    def graph(self) -> Graph | None:
        """The neighbour graph of the distinct contents, once it is made."""
        return self._store.graph(self.space.key)

    def representatives(self, count: int | None = None, *, on: Projection | None = None) -> pd.DataFrame:
        """Pictures that stand for the regions of the map: id, path, x, y, size, label, share; largest regions first.

        `count` bounds their number; by default it follows that of the pictures (`url_viz.analysis.representatives`).
        `on` is another map to look at: what `project` gave.
        """
        if on is None:
            return representatives(self._frame, self.contents, self.graph, count=count)
        rows = self._rows_of(on.ids)
        table = self._frame.iloc[rows].assign(x=on.xy[:, 0], y=on.xy[:, 1])
        return representatives(table, self.contents[rows], self.graph, count=count)

    def project(self, ids: Iterable[int]) -> Projection:
        """Some pictures on a map of their own: UMAP on the neighbours among them, PCA below 15; seeded.

        Beyond 20,000 a sample is fitted and the others are placed. Raises ImageSetError for an id that is not in this
        set.
        """
        rows = self._rows_of(ids)
        contents = np.unique(self.contents[rows])
        found = project_alone(self._store.embeddings(self.space.key, contents), self.graph)
        place = positions_of(self.contents[rows], found.content)
        all_ids = self._frame["id"].to_numpy(np.int64)
        return Projection(all_ids[rows], found.xy[place], bool((found.method == UMAP).any()))

    def refit(self, progress: ProgressCallback | None = None) -> None:
        """Make the map of what was read anew; everything moves. Seen by opening the set again.

        Raises WorkspaceError where another process writes.
        """
        with Writer(self._store.paths, self.root) as writer:
            finish(writer, self.space.key, report=progress or silent, refit=True)

    @cached_property
    def placed_share(self) -> float:
        """The share of the map's pictures that came after its fit, and were placed by their neighbours."""
        known = self._store.coordinates(self.space.key)
        if known is None or not (known.method == UMAP).any():
            return 0.0
        return float((known.method == PLACED).mean())

    def suspects(self) -> pd.DataFrame:
        """Pictures whose label is to be doubted, the most doubtful first; columns as in `LabelCheck`.

        Raises ImageSetError where there are no labels to check.
        """
        return self.checked_labels().suspects

    def confused_classes(self) -> pd.DataFrame:
        """Pairs of classes that are taken for each other, the most confused first; see `confused_pairs`.

        Raises ImageSetError where there are no labels to check.
        """
        return self.checked_labels().confused

    def checked_labels(self) -> LabelCheck:
        """All that was found on the labels. Raises ImageSetError where there are none to check."""
        found = self.find_suspects()
        if found is None:
            raise ImageSetError(NO_CLASSES)
        return found

    def find_suspects(self) -> LabelCheck | None:
        """Like `checked_labels`, None where there are no labels; worked out anew only where they have changed."""
        table, known = self._frame, self._checked
        if known is None or not known[0].equals(table["label"]):
            found = None if self.graph is None else check_labels(table, self.contents, self.graph, lambda: self._unit)
            known = self._checked = table["label"], found
        return known[1]

    def _rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """The rows (M,) of these pictures in `table()`, each once, in its order."""
        wanted = np.unique(np.fromiter((int(i) for i in ids), np.int64))
        rows = positions_of(wanted, self._frame["id"].to_numpy(np.int64))
        if (rows < 0).any():
            raise ImageSetError(
                f"There is no picture with id {wanted[rows < 0][0]} in this set. Take ids from its `table()`."
            )
        return np.sort(rows)

    def _with_similarity(self, rows: NDArray[np.int64], similarity: NDArray[np.float32]) -> pd.DataFrame:
        found = self._frame.iloc[rows].reset_index(drop=True)
        found.insert(2, "similarity", similarity.astype(np.float32))
        return found

    @cached_property
    def _unit(self) -> NDArray[np.float32]:
        return self._store.unit_rows(self.space.key, self.contents)

    def _stored_embeddings(self) -> NDArray[np.float16]:
        return self._store.embeddings(self.space.key, self.contents).embedding

    @property
    def _frame(self) -> pd.DataFrame:
        return self._decided.joined(self._reasoned.joined(self.user_table.table()))

    @cached_property
    def _reasoned(self) -> ReasonedTable:
        return ReasonedTable(self.contents, self.graph)

    @cached_property
    def _decided(self) -> DecidedTable:
        return DecidedTable(self.decisions)

    @cached_property
    def _joined(self) -> Frame:
        head = self.head
        return frame_of(self._store, self._files, space_key=self.space.key, head=head, graph=self.graph)

    def _embedded_query(self, query: "Path | Image | NDArray[np.floating]") -> NDArray[np.float32]:
        if isinstance(query, np.ndarray):
            return query.astype(np.float32)
        embedding = self.model.run(query_crop(query, self.space.preprocessing)[None]).embedding
        self.model.as_stored(embedding)  # refuses what is not finite
        vector: NDArray[np.float32] = embedding[0]
        return vector

    @cached_property
    def model(self) -> Model:
        """The model that read this set, loaded when it is first asked for a new picture."""
        return load_model(self.source.name, precision=self.space.precision, workspace=self.workspace.root)

    def _found(self, rows: NDArray[np.int64], vector: NDArray[np.float32]) -> pd.DataFrame:
        cosine = self._unit[rows] @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        return self._with_similarity(rows, cosine)


def embed_folder(
    folder: str | Path,
    *,
    model: Model | str = DEFAULT,
    embeddings: "str | Path | IncomingFile | Given | None" = None,
    workspace: str | Path | None = None,
    limit: int | None = None,
    progress: ProgressCallback | None = None,
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


def _nothing_readable(found: Scan, image_set: ImageSet) -> str:
    reasons = image_set.failures()["reason"]
    first = f" The first one {reasons.iloc[0]}." if len(reasons) else ""
    return f"None of the {len(found.files)} files in {str(found.root)!r} can be read as a picture.{first}"
