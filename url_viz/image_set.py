"""ImageSet: the pictures of one folder with their measures, map, neighbours and search; read a folder, or open one."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Concatenate, Literal, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.columns import SetContext, derived_columns, user_version
from url_viz.analysis.compare import Comparison, Read, compare
from url_viz.analysis.evaluated import Evaluated, evaluated
from url_viz.analysis.evaluation import counted
from url_viz.analysis.findings import Finding
from url_viz.analysis.label_choice import ClassLevels, Labels, class_levels, stored_source
from url_viz.analysis.label_issues import NO_CLASSES, LabelCheck, confused_in
from url_viz.analysis.leaks import Splits, leaks_between_sets
from url_viz.analysis.looks import NEAR, look_of
from url_viz.analysis.map_figure import Style, map_figure
from url_viz.analysis.measures import AMBIGUITY, TABLE_MEASURES, has_values, measures_of
from url_viz.analysis.naming import Naming
from url_viz.analysis.new_pictures import Reference
from url_viz.analysis.occlusion import Heat, heat_of
from url_viz.analysis.order import Order
from url_viz.analysis.pair_measures import PairMeasures
from url_viz.analysis.ranking import percentile, percentile_of_each
from url_viz.analysis.reason_rules import Shared
from url_viz.analysis.reasons import Reasons, reasons_by_id
from url_viz.analysis.representatives import representatives
from url_viz.analysis.review import REVIEWS, open_review
from url_viz.analysis.review_queue import Review, ReviewContext
from url_viz.analysis.review_spec import ReviewSpec, from_query
from url_viz.analysis.second_model import SecondModelChoice
from url_viz.analysis.selective_retrieval import near_in_graph, search
from url_viz.analysis.stored_rows import StoredRows
from url_viz.analysis.table import Frame, keys_of
from url_viz.analysis.tuned import Tuned, Tuning
from url_viz.analysis.twin_groups import group_codes, left_of_twins, one_of_each, twin_table
from url_viz.analysis.uploads import values_of
from url_viz.analysis.user_columns import Prepared, UserColumn, UserImports
from url_viz.analysis.worth import SEEDS, ReviewedLabels, Worth, reviewed_labels, worth
from url_viz.cluster.on_ray import OnRay
from url_viz.errors import BucketError, DamageError, ImageError, ImageSetError, ModelError, NoImagesError
from url_viz.imaging.bucket import Bucket
from url_viz.imaging.decode import read_file
from url_viz.imaging.opened import opened
from url_viz.imaging.query import query_crop, read_query
from url_viz.imaging.scan import FoundFile, Scan, absolute, display_name
from url_viz.imaging.source import source_of
from url_viz.imaging.workers import decoders
from url_viz.models.head import Head
from url_viz.models.imagenet import class_names
from url_viz.models.model import EmbeddingSpace, Model, ModelSource, load_model, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import Outputs, Precision
from url_viz.pipeline.embed import embed, score_missing
from url_viz.pipeline.embedded import embed_files
from url_viz.pipeline.external_embeddings import Given, given_embeddings
from url_viz.pipeline.graph import K
from url_viz.pipeline.postprocess import finish
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, project_alone
from url_viz.pipeline.tsne import tsne_coordinates
from url_viz.pipeline.twins import twin_stars, twins_across
from url_viz.pipeline.unit_rows import UnitRows
from url_viz.pipeline.whitening import whitened_for
from url_viz.progress import Progress, ProgressCallback, silent
from url_viz.roots import address_in, is_in_bucket
from url_viz.rows import KEPT_FROM
from url_viz.store.about import embed_command, find_set, has_tables, read_before
from url_viz.store.answers import Answers
from url_viz.store.decisions import Action, Decisions, Judgement
from url_viz.store.reader import Store
from url_viz.store.reviews import list_reviews
from url_viz.store.second_model_choice import ask, other_spaces, version_beside
from url_viz.store.tables import PLACED, TSNE, UMAP, Graph, GraphColumns, Twins, no_twins, positions_of
from url_viz.store.whitened_rows import WhitenedRows
from url_viz.store.writer import Writer
from url_viz.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image
    from plotly.graph_objects import Figure

    from url_viz.imaging.read import Picture
    from url_viz.imaging.uploaded_files import IncomingFile


OfGraph = TypeVar("OfGraph", Tuning, Naming)
Result = TypeVar("Result")
Options = ParamSpec("Options")

SHOWN_S = 20.0
"""How long object storage may take to give one picture that somebody waits for."""
MANY = 5_000
"""From so many pictures on, class shares are worked out at the end of reading; of fewer when they are first shown."""


@dataclass(frozen=True)
class Projection:
    """Pictures on a map of their own: `ids` (M,) int64 in the order of `table()`, `xy` (M, 2) float32.

    It is by UMAP or t-SNE, or by PCA alone, because they are few.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    by: Literal["UMAP", "t-SNE", "PCA"]

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.xy)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class SearchResult:
    """What a search found: `hits` and `withheld` are tables, nearest first, `by` the measure that gates.

    `query_value` and `query_percentile` are the query's own by that measure, nan if it has none.
    """

    hits: pd.DataFrame
    withheld: pd.DataFrame
    by: str | None
    query_value: float
    query_percentile: float


@dataclass(frozen=True)
class _Asked:
    """A query: its `vector` (A,) in the whitened space, and its `row` if it is a picture of the set, by id or content.

    One from outside has its `embedding` (D,) and `entropy`, and its embedding by the `second` model if that was asked.
    """

    vector: NDArray[np.float32]
    row: int | None
    embedding: NDArray[np.float32] | None = None
    entropy: float = float("nan")
    second: NDArray[np.float32] | None = None
    is_of_file: bool = True


class ImageSet:
    """A snapshot of one folder's pictures as read by one model. Made by `embed_folder` and `open_image_set`.

    Rows keep their order between `table()` and `embeddings()`: by path. Every table is read as it was at the opening:
    what another process reads of the folder later is seen by opening the image set again, and `is_current` tells
    whether there is anything. Decisions, labels and columns of the user's are seen at once.
    """

    def __init__(
        self,
        store: Store,
        space: EmbeddingSpace,
        source: ModelSource,
        workspace: Workspace,
        *,
        alone: bool = False,
        within: Sequence[Path] | None = None,
    ) -> None:
        """With `alone`, no second model is asked, whatever was chosen; `within` as for `open_image_set`."""
        about = store.about()
        self.root = about.root
        self.set_id = store.paths.folder.name
        self.space = space
        self.source = source
        self.workspace = workspace
        self.within = None if within is None else tuple(dict.fromkeys((*within, self.root)))
        self._store = store.pinned()
        self.is_alone = alone
        others = [other.key for other in other_spaces(store, space)]
        self._watch = store.watch(space.key, source.head.digest if source.head else None, others=others)
        self._read_at = self._version_in(self._store)
        self._context = SetContext(
            self._store, space, source.head, source.is_given, alone, self.answers, lambda: self.decisions
        )
        self._derived = derived_columns(self._context)
        if not self._derived.is_cached("rows"):
            self._derived.get("files")  # so that damage is told at once

    def __repr__(self) -> str:
        return f"ImageSet({str(self.root)!r}, {len(self)} pictures, model={self.source.name!r})"

    def __len__(self) -> int:
        return len(self._base.table)

    @property
    def head(self) -> Head | None:
        """The head whose uncertainties the table shows; None if the backbone has none."""
        return self.source.head

    @property
    def version(self) -> str:
        """A short text that changes with the snapshot, and with what the user brought to it since (`user_columns`)."""
        own = user_version(self._context)
        return f"{self._read_at}.{own}" if own else self._read_at

    def is_current(self) -> bool:
        """Whether nothing was read since this snapshot was opened; the user's own columns are there at once."""
        now = self._watch.look()
        if self._watch.is_as_seen(now):
            return True
        is_current = self._read_at == self._version_in(self._store.latest)
        if is_current:
            self._watch.see(now)
        return is_current

    def _version_in(self, store: Store) -> str:
        of_model = store.version(self.space.key, self.head.digest if self.head else None)
        beside = "" if self.is_alone else version_beside(store, self.space)
        return f"{of_model}.{beside}" if beside else of_model

    @property
    def second(self) -> EmbeddingSpace | None:
        """The space of the second model that confusability and ambiguity are by; None if they are by one alone.

        It is the one that read the set last, of other models that have read all of its pictures.
        """
        return None if self.seconds.active is None else self.seconds.active.space

    def files_begun(self) -> int | None:
        """How many files a reading that has not come to its end was to leave, as of now; None if every one has.

        It may still run. Until its end there may be no neighbours, no map but a rough one, and fewer pictures.
        """
        return self._store.about().files_begun(self.space.key)

    def ask_second(self, *, is_asked: bool = True) -> None:
        """Choose whether a second model is taken into account; nothing is read again. Seen by opening the set again.

        Raises WorkspaceError if the disk is full or may only be read.
        """
        ask(self._store.paths, is_asked=is_asked)

    @property
    def seconds(self) -> SecondModelChoice:
        """Which second model takes part, and which could."""
        available, active = self._derived.get("second_available"), self._derived.get("second")
        return SecondModelChoice(self._store, self.space, available, active)

    @cached_property
    def alone(self) -> "ImageSet":
        """The same snapshot by its own model alone."""
        if self.is_alone:
            return self
        return ImageSet(self._store, self.space, self.source, self.workspace, alone=True, within=self.within)

    def table(self) -> pd.DataFrame:
        """One row per picture, by path.

        id, path (for people; odd bytes escaped), label (class folder, or what `use_labels` chose, as corrected),
        label_given (before any correction), label_checked ("corrected", "confirmed", or None), split and date where
        folders tell them, width, height,
        uncertainty and its percentile, confusability and its percentile, entropy (nats) and inverse_norm (baselines),
        nearest_similarity, twin_group (Int64: one number a group, none without twins), what `url_viz.imaging.quality`
        measures, x, y; the user's own columns; reasons;
        decision, tags and name (None for none). All values of ours are higher = more ambiguous, but for
        nearest_similarity and the qualities; nan if there is none.
        """
        return self._frame.copy(deep=False)  # pandas copies a column once somebody writes to it

    def of_table(
        self, make: Callable[Concatenate[pd.DataFrame, Options], Result], *args: Options.args, **named: Options.kwargs
    ) -> Result:
        """What `make` gives of `table()` and hashable arguments, made anew only if the table is another since.

        The result is shared, and not to be changed. `make` is a function of a module: one made anew would never be met
        again.
        """
        key = make, args, tuple(sorted(named.items()))
        result: Result = self._derived.result("table", key, lambda table: make(table.copy(deep=False), *args, **named))
        return result

    def of_snapshot(
        self, make: Callable[Concatenate["ImageSet", Options], Result], *args: Options.args, **named: Options.kwargs
    ) -> Result:
        """As `of_table`, what `make` gives of this set; it is made anew if labels, columns or answers are others since.

        It hangs on this snapshot and goes with it, where a cache of functions would hold both.
        """
        key = make, args, tuple(sorted(named.items()))
        result: Result = self._derived.result("measured", key, lambda measured: make(self, *args, **named))
        return result

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
        of numbers, higher = more ambiguous. Raises FolderError if the file cannot be read or nothing matches.
        """
        matched = self.user_table.match(
            file, name=name, path_column=path_column, paths=paths, uncertainties=uncertainties
        )
        self.user_table.keep(matched)
        return matched

    def remove_columns(self, name: str) -> None:
        """Take away what an import brought. Raises ImageSetError if there is none of this name."""
        self.user_table.remove(name)

    def user_columns(self) -> tuple[UserColumn, ...]:
        """The user's columns of `table()`: name, kind, how many pictures have a value, and the import's name."""
        listed: tuple[UserColumn, ...] = self._derived.get("imported").listed
        return listed

    def use_labels(self, chosen: str | None) -> None:
        """Choose what `label` is; nothing is read again.

        "folders" (the class folders as found, as at first), "level:2" (the second folder from the root), "names" (a
        picture without one has no label), "tags" (the first tag by the alphabet, the name counted among them, as names
        once were tags), one of the user's own columns, or None for no labels. Raises ImageSetError for a column or
        level that there is not.
        """
        self.user_table.use_labels(chosen)

    def correct_labels(self, labels: Mapping[int, str | None], *, who: str | None = None) -> Action:
        """Give pictures another label, or confirm theirs by giving it; None takes it back. A single action for undo.

        Files stay where they are: `label` of `table()` is the corrected one, `label_given` what it was. It holds where
        labels are taken from what they are taken from now (`use_labels`). Raises DecisionError for unknown ids, or what
        cannot be a label. `who` stands in the log; by default the user of this process.
        """
        return self._decisions_of(who).label(labels, source=self.label_source)

    def settle(self, judgements: Mapping[int, Judgement], *, who: str | None = None) -> Action:
        """What a review says of pictures: their decision and label, in place of what they had. A single action."""
        return self._decisions_of(who).judge(judgements, source=self.label_source)

    def accept_suggestions(self, ids: Iterable[int], *, who: str | None = None) -> Action:
        """Give suspects the class that `suspects()` suggests; those without a suggestion stay. A single action."""
        pictures = self.checked_labels().suspects
        wanted = {int(image_id) for image_id in ids}
        self.rows_of(wanted)  # refuses unknown ids
        rows = pictures[pictures["id"].isin(wanted) & pictures["suggested"].notna()]
        named = rows["suggested"].astype(str)
        return self.correct_labels(dict(zip(rows["id"].tolist(), named, strict=True)), who=who)

    @cached_property
    def answers(self) -> Answers:
        """What was answered on pairs of pictures, by their contents."""
        return Answers(self._store.paths.decisions)

    def pairs_to_ask(self, n: int = 20, seed: int = 0) -> pd.DataFrame:
        """Pairs to ask about next, at most n: id, neighbour_id, path, neighbour_path; a picture and its nearest.

        Some are drawn from all alike, the others more often where measures disagree (`analysis.tuned`). Raises
        ImageSetError before there is a graph in the whitened space.
        """
        rows = self._of_graph(self._tuning).pairs_to_ask(n, seed=seed)
        table = self._base.table[["id", "path"]]
        first, second = (table.iloc[rows[:, side]].reset_index(drop=True) for side in (0, 1))
        return first.assign(neighbour_id=second["id"], neighbour_path=second["path"])[
            ["id", "neighbour_id", "path", "neighbour_path"]
        ]

    def answer(self, answers: Mapping[tuple[int, int], bool | None], *, who: str | None = None) -> Action:
        """Say of pairs of pictures, by id, whether they are the same kind of thing; None takes an answer back.

        A single action for undo. Kept by content: it stays whatever the graph becomes. From ten answers on, both kinds
        among them, `table()` has `tuned`. Raises ImageSetError for an unknown id, DecisionError for copies of one file.
        """
        ids = np.array(list(answers), np.int64).reshape(-1, 2)
        contents = self.contents[self.rows_of(ids.ravel())].reshape(-1, 2)
        pairs = {(int(one), int(two)): value for (one, two), value in zip(contents, answers.values(), strict=True)}
        return self.answers.answer(pairs, who=who)

    def names_to_give(self, n: int = 20) -> pd.DataFrame:
        """Pictures without a name whose names would teach most, those first: id and path; see `analysis.naming`.

        Raises ImageSetError before there is a graph in the whitened space.
        """
        rows = self._of_graph(self._naming).first(n)
        return self._base.table[["id", "path"]].iloc[rows].reset_index(drop=True)

    def name(self, names: Mapping[int, str | None], *, who: str | None = None) -> Action:
        """Give pictures a name, or another one; None takes it away. A single action for undo.

        Decisions and tags stay. Names are labels once they are chosen: `use_labels("names")`. Raises DecisionError for
        unknown ids, or what cannot be a name: it has at most 60 characters, without comma or semicolon.
        """
        return self._decisions_of(who).name_each(names)

    def name_suggestions(self) -> pd.DataFrame:
        """What names suggest for pictures without one: id, path, name, share; the largest share first.

        By neighbours and a classifier that know the names alone, whatever the labels are. Empty before there are two.
        """
        found: pd.DataFrame = self._derived.get("name_suggestions")
        return found

    def accept_names(self, ids: Iterable[int], *, who: str | None = None) -> Action:
        """Give pictures the name that is suggested for them; those without a suggestion stay. A single action."""
        wanted = {int(one) for one in ids}
        self.rows_of(wanted)  # refuses unknown ids
        found = self.name_suggestions()
        rows = found[found["id"].isin(wanted)]
        return self.name(dict(zip(rows["id"].tolist(), rows["name"].tolist(), strict=True)), who=who)

    @property
    def pair_measures(self) -> PairMeasures:
        """What the graph says of pairs of pictures. Raises ImageSetError before there is one."""
        return self._of_graph(self._tuning).measures

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph in the whitened space: pairs and names can be asked for."""
        return self._derived.get("own_graph_columns") is not None

    def _of_graph(self, made: OfGraph | None) -> OfGraph:
        """What needs the graph; raises ImageSetError if there is none."""
        if made is None:
            raise ImageSetError(
                f"{str(self.root)!r} has no neighbour graph yet. Read it again: {embed_command(self.root)}."
            )
        return made

    def tuned(self) -> Tuned | None:
        """What the answers made of the order, and how well it holds on them; None below ten, or without both kinds."""
        tuned: Tuned | None = self._derived.get("tuned_order")
        return tuned

    def review(self, spec: ReviewSpec, *, afresh: bool = False) -> Review:
        """A review of this set, picture after picture; one that was begun before goes on, unless `afresh`.

        Raises ImageSetError for an order that there is not: doubtful labels where there are no labels to check, leaks
        where there are no splits.
        """
        if spec.by not in REVIEWS:
            self._gate(self._measured, spec.by)
        of = ReviewContext(
            self.table(),
            self._unit,
            self.decisions,
            self.label_source,
            self._store.paths,
            self._derived.get("reasons"),
            self.contents,
            self.answers,
            check=self.checked_labels,
            splits=self._known_splits,
            leaks=self.leaks,
            tuning=lambda: self._of_graph(self._tuning),
            naming=lambda: self._of_graph(self._naming),
            afresh=afresh,
            known=lambda queue: self._derived.result("table", ("queue", spec), lambda table: queue()),
        )
        return open_review(spec, of)

    def findings(self) -> tuple[Finding, ...]:
        """What a careful colleague would say of this set first, what matters most first; see `analysis.findings`.

        Leaked twins, likely wrong labels, classes mixed up, bursts, pictures that show nothing, files that cannot be
        read, small classes: each with a count, a sentence, and the review of what is not decided on yet.
        """
        found: tuple[Finding, ...] = self._derived.get("findings")
        return found

    def leaks(self, against: "ImageSet | None" = None) -> pd.DataFrame:
        """Pictures with a twin in another split: one row for each of the smaller split, with its most alike twin.

        Twins are as `url_viz.pipeline.twins` has them. Columns: id, path, label, split, twin_id,
        twin_path, twin_label, twin_split, cosine, kind ("exact", "near"). Splits are levels of folders such as train/
        and test/, or a column of the user's named like one (`analysis.leaks.find_splits`). `against` another set, the
        pictures of this one that have a twin there; the splits are then the names of the folders. Dropped pictures are
        left out. Raises ImageSetError without splits, or for a set that another model has read.
        """
        if against is not None:
            return self._leaks_against(against)
        found = self.find_leaks()
        if found is None:
            raise ImageSetError(self._no_splits)
        return found

    def find_leaks(self) -> pd.DataFrame | None:
        """Like `leaks`, None if there are no splits."""
        found: pd.DataFrame | None = self._derived.get("leaks")
        return found

    def splits(self) -> Splits | None:
        """The splits of the pictures, and what tells them; None if there are none."""
        found: Splits | None = self._derived.get("splits")
        return found

    def _known_splits(self) -> Splits:
        found = self.splits()
        if found is None:
            raise ImageSetError(self._no_splits)
        return found

    @property
    def _no_splits(self) -> str:
        return (
            f"{str(self.root)!r} has no splits to compare. Put its pictures below train/ and test/, bring a column "
            "named split (`python -m url_viz columns FOLDER add FILE`), or compare it with another set "
            "(`python -m url_viz leakage FOLDER --against OTHER`)."
        )

    def _leaks_against(self, other: "ImageSet") -> pd.DataFrame:
        if other.space.key != self.space.key:
            raise ImageSetError(
                f"{str(other.root)!r} was read with {other.source.title}, and {str(self.root)!r} with "
                f"{self.source.title}. Twins are told by one model: read both with the same."
            )
        keys = [np.unique(one.contents) for one in (self, other)]
        mine, others = (
            one._store.embeddings(one.space.key, content).embedding
            for one, content in zip((self, other), keys, strict=True)
        )
        rows = positions_of(self.contents, keys[0]), len(keys[0]) + positions_of(other.contents, keys[1])
        names = [np.full(len(one), one.root.name, object) for one in (self, other)]
        sides = [(one._frame, one.contents, name) for one, name in zip((self, other), names, strict=True)]
        hashes = np.concatenate([one._store.hashes(content) for one, content in zip((self, other), keys, strict=True)])
        return leaks_between_sets(sides[0], sides[1], twins_across(mine, others, hashes=hashes), rows)

    def reviews(self, most: int | None = None) -> list[Review]:
        """The reviews that were begun, the one that was worked on last first, at most so many.

        Those that cannot go on are left out.
        """
        return list(islice(self._begun_reviews(), most))

    def _begun_reviews(self) -> Iterator[Review]:
        for spec in (from_query(kept.query) for kept in list_reviews(self._store.paths)):
            with suppress(ImageSetError):  # of an order that there is no more
                if spec is not None:
                    yield self.review(spec)

    @property
    def label_source(self) -> str:
        """What labels are taken from, as corrected labels are stored by it (`stored_source`)."""
        return stored_source(self.label_choice)

    def _decisions_of(self, who: str | None) -> Decisions:
        return self.decisions if who is None else self.decisions.by(who)

    def class_levels(self) -> ClassLevels:
        """The levels of folders, which of them is the label, and in words what was taken."""
        classes = len(self._derived.get("picture_labels").names)
        return class_levels(self._base.found, self.label_choice, classes=classes)

    def reasons(self, ids: Iterable[int] | None = None) -> pd.DataFrame:
        """Why pictures (default: all) are ambiguous, one row per reason: id, reason, strength (0 to 1), detail.

        What explains most of a picture comes first: its strength, times how much it goes with the leading order.
        """
        return reasons_by_id(self._derived.get("measured"), self._derived.get("reasons"), ids)

    def reason_names(self) -> tuple[str, ...]:
        """The reasons that pictures of this set have, what explains most of its leading order first."""
        return self._reasons.order()

    def shared_reasons(self) -> tuple[Shared, ...]:
        """The reasons that nearly all pictures have, which are told once, of the set, and given to none."""
        return self._reasons.shared

    def heat(self, image_id: int) -> Heat:
        """Which part of a picture its uncertainty comes from (entropy, without a head): 37 forward passes."""
        return heat_of(self.model, self.read_again(image_id))

    @cached_property
    def user_table(self) -> UserImports:
        """Brings the user's columns, and chooses the labels."""
        return UserImports(self._derived.get, self._store.paths, self.root)

    @property
    def label_choice(self) -> str | None:
        """What the label is: `folders`, `level:2`, `tags`, `names`, None for none, or the name of a column."""
        labels: Labels = self._derived.get("labels")
        return labels.source

    def embeddings(self) -> NDArray[np.float32]:
        """Embeddings (N, D) float32, rows in the order of `table()`."""
        return self._stored_embeddings().astype(np.float32)

    def failures(self) -> pd.DataFrame:
        """Files that are no readable picture: path and reason."""
        return self._failures.copy(deep=False)

    @cached_property
    def _failures(self) -> pd.DataFrame:
        if not self._rows.failed:  # the table of files need not be read
            return pd.DataFrame({"path": [], "reason": []}, dtype=object)
        rows = self._files.filter(self._files["failure"].is_valid()).select(["path", "failure"]).to_pandas()
        return pd.DataFrame({"path": [display_name(p) for p in rows["path"]], "reason": rows["failure"].to_list()})

    def map(self, *, colour: str | None = None, style: Style = "points", size_by: str | None = None) -> "Figure":
        """The map as a plotly figure; `style` is points, fog or density (`map_figure`).

        Coloured by any column: by default the measure that leads (`order()`).
        """
        return map_figure(self.table(), by=self.order().measure, colour=colour, style=style, size_by=size_by)

    def measures(self) -> tuple[str, ...]:
        """Measures that this set can be ordered by, user columns of numbers last; `order()` tells which leads."""
        brought = [column.name for column in self.user_columns() if column.kind == "numeric"]
        return measures_of(self._measured, brought)

    def order(self) -> Order:
        """By which measure to order here, and why: `.measure`, `.reason`, `.evidence` (R-AUROC, or None)."""
        order: Order = self._derived.get("order")
        return order

    def prepare(self) -> None:
        """Work out and keep class shares, and rows to search among if there are many, so that no visitor waits."""
        with suppress(DamageError):  # of labels, which is told where they are shown
            self.order()
        if len(self) >= KEPT_FROM:
            _ = self.whitened

    def search(
        self,
        query: "Path | Image | int",
        k: int = 24,
        by: str | None = None,
        max_percentile: float | None = None,
    ) -> pd.DataFrame:
        """The k most similar pictures to a file, a PIL picture, or a picture of this set (by id; itself left out).

        Pictures above `max_percentile` (0 to 100) of the measure `by` (default: that of `order()`) are withheld.
        Columns: those of `table()` after id, path, similarity. `find` also tells what was withheld.
        """
        return self.find(query, k=k, by=by, max_percentile=max_percentile).hits

    def find(
        self,
        query: "Path | Image | int | NDArray[np.floating]",
        *,
        k: int = 24,
        by: str | None = None,
        max_percentile: float | None = None,
        without_dropped: bool = False,
    ) -> SearchResult:
        """Like `search`, also by an embedding (D,), with the withheld pictures and the query's own value.

        With `without_dropped`, pictures that were decided to be dropped are withheld too. Raises ImageSetError if `by`
        is not a measure that this set has.
        """
        table = self._frame
        gate = self._gate(table, by)
        is_allowed = np.ones(len(self), bool)
        if without_dropped:
            is_allowed &= (table["decision"] != "drop").to_numpy(dtype=bool)
        ranks = np.full(len(self), np.nan, np.float32) if gate is None else percentile_of_each(table, gate)
        if max_percentile is not None:  # a picture without the value cannot be vouched for, and is withheld too
            is_allowed &= ranks <= max_percentile
        asked = self._asked(query)
        value, rank = self._standing(asked, gate, ranks)
        vector, exclude = asked.vector, None if asked.is_of_file else np.arange(len(self)) == asked.row
        hits = search(vector, self._unit, k=k, is_allowed=is_allowed, exclude=exclude)
        return SearchResult(self._found(hits.rows, vector), self._found(hits.withheld, vector), gate, value, rank)

    def neighbours(self, image_id: int, k: int = 12) -> pd.DataFrame:
        """The k pictures nearest to one of this set that are no twins of it: columns as of `search`, never gated.

        Of pictures that are twins of each other one is shown, as far as the graph's lists reach.
        """
        row = self.row_of(image_id)
        near = near_in_graph(row, self.contents, self.graph)
        if near is None or (len(near[0]) < k and k > K):
            group = group_codes(self._frame)
            hits = search(self._unit[row], self._unit, k=k, exclude=group == group[row])
            near = hits.rows, hits.similarity
        return self._with_similarity(near[0][:k], near[1][:k])

    def nearest_of_class(self, image_id: int, label: str, k: int = 3) -> pd.DataFrame:
        """The k pictures of a class that are nearest to one of this set and no twins of it: columns as of `search`."""
        row = self.row_of(image_id)
        table = self._frame
        group = group_codes(table)
        is_out = (table["label"] != label).to_numpy(dtype=bool) | (group == group[row])
        hits = search(self._unit[row], self._unit, k=k, exclude=is_out)
        return self._with_similarity(hits.rows, hits.similarity)

    def row_of(self, image_id: int) -> int:
        """The row of a picture in `table()`; raises ImageSetError for an id that is not in this set."""
        return int(self.rows_of([image_id])[0])

    def rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        """The rows (M,) of pictures in `table()`, in the order of `ids`.

        Raises ImageSetError for an id that is not in this set.
        """
        wanted = np.fromiter((int(i) for i in ids), np.int64)
        rows = positions_of(wanted, self.ids)
        if (rows < 0).any():
            raise ImageSetError(
                f"There is no picture with id {wanted[rows < 0][0]} in {str(self.root)!r}. Take ids from its `table()`."
            )
        return rows

    def row(self, image_id: int) -> dict[str, Any]:
        """One picture's row of `table()`, by column."""
        values = self._frame.iloc[self.row_of(image_id)].to_dict()
        return {str(column): value for column, value in values.items()}

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids (N,) int64, rows in the order of `table()`."""
        return self._base.table["id"].to_numpy(np.int64)

    @property
    def contents(self) -> NDArray[np.int64]:
        """Content keys (N,), rows in the order of `table()`: equal ones are copies of one file."""
        return self._base.contents

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Thumbnails (JPEG, at most 256 px) by id."""
        return self._store.thumbnails(ids)

    def file_of(self, image_id: int) -> Path:
        """The file of a picture. Raises ImageSetError if it is not there any more, FolderError in object storage."""
        row = self.row_of(image_id)
        path = Path(os.fsdecode(absolute(self.root, self._base.paths[row].as_py())))
        if not path.is_file():
            raise ImageSetError(
                f"{self._frame['path'].iloc[row]!r} is not in {str(self.root)!r} any more. "
                f"Read the folder again: {embed_command(self.root)}."
            )
        return path

    def open_file(self, path: bytes) -> AbstractContextManager[BinaryIO]:
        """A picture's file by its root-relative path, open for reading; every file of a set is opened here.

        Raises ImageError as `url_viz.imaging.opened` does, for one that leads out of `within` too; FolderError for
        pictures in object storage.
        """
        return opened(absolute(self.root, path), within=self.within)

    def data_of(self, image_id: int) -> bytes:
        """The bytes of a picture's file, from its folder or from object storage.

        Raises ImageError if it is not there, cannot be read or leads out of `within`, BucketError if its store does
        not answer within `SHOWN_S`.
        """
        path = self.paths_of([image_id])[0]
        with self._said_of(path):
            if is_in_bucket(self.root):
                return self._bucket.read(FoundFile(path, 0, 0))
            return read_file(absolute(self.root, path), within=self.within)

    def read_again(self, image_id: int) -> "Picture":
        """A picture read anew for the model of this set, in a process of its own; raises as `data_of` does."""
        data = self.data_of(image_id)
        with self._said_of(self.paths_of([image_id])[0]):
            return decoders.read(data, self.space.preprocessing)

    @contextmanager
    def _said_of(self, path: bytes) -> Iterator[None]:
        """Say of which picture an ImageError is, and what to do."""
        try:
            yield
        except ImageError as error:
            name = f"{display_name(path)!r} of {str(self.root)!r}"
            raise ImageError(f"{name} {error}. Read the folder again: {embed_command(self.root)}.") from error

    @cached_property
    def _bucket(self) -> Bucket:
        return Bucket(self.root, fetch_s=SHOWN_S, retry_s=SHOWN_S / 4)

    def paths_of(self, ids: Iterable[int]) -> list[bytes]:
        """Root-relative paths of pictures, as the file system has them, in the order of `ids`."""
        paths: list[bytes] = self._base.paths.take(self.rows_of(ids)).to_pylist()
        return paths

    @cached_property
    def decisions(self) -> Decisions:
        """Decide on pictures, tag them, and take it back; `table()` shows it at once."""
        files = self._rows.columns if self._rows.is_every_file else self._files
        return Decisions(self._store.paths.decisions, keys_of(files))

    def compare(self, other: "ImageSet") -> Comparison:
        """How another model's reading of the same folder differs from this one; see `url_viz.analysis.compare`.

        Each by itself: no second model is asked.
        Raises ImageSetError if `other` is of another folder, or by the same backbone and head.
        """
        if other.set_id != self.set_id:
            raise ImageSetError(
                f"{str(other.root)!r} and {str(self.root)!r} are two folders. Open the same one with two models."
            )
        if other.is_by_same_model(self):
            raise ImageSetError(
                f"{self.source.title!r} and {other.source.title!r} are one model, which agrees with itself on "
                "everything. Give another model or head."
            )
        return compare(*(Read(one.table(), one.contents, one.graph) for one in (self.alone, other.alone)))

    def is_by_same_model(self, other: "ImageSet") -> bool:
        """Whether both were read by one backbone under one head, whatever their files are called."""
        mine, others = (one.head.digest if one.head else None for one in (self, other))
        return self.space.key == other.space.key and mine == others

    def evaluate(self) -> Evaluated | None:
        """How well each measure tells where the nearest is of another class, with 95 % intervals and baselines.

        `.pictures` are those that are counted, `.measures` every measure's figures, `.table()` these as numbers.
        Measures of the user's own take part. None below 20 pictures with a class, two classes, or without neighbours.
        Seconds of work for 100,000 pictures.
        """
        if self.graph is None:
            return None
        pictures = counted(
            self._frame,
            self.contents,
            graph=self.graph,
            embeddings=lambda: self.whitened.rows,
            user_measures=[column.name for column in self.user_columns() if column.is_uncertainty],
        )
        return None if pictures is None else evaluated(pictures)

    def twins(self) -> pd.DataFrame:
        """Groups of twins, one row each, with the pair that is least alike and which to keep; see `twin_table`."""
        return twin_table(self._frame, self.contents, lambda rows: self._unit[rows], self._left_of_twins())

    def keep_one_of_each(self) -> Action:
        """Decide to keep one of each pictures that are twins, and to drop those that are a pair of one that is kept.

        Of a group in which not each is a twin of each, several stay: see `left_of_twins`.
        """
        return self.decisions.decide_each(one_of_each(self._frame, self._left_of_twins()))

    def _left_of_twins(self) -> NDArray[np.bool_]:
        """Which pictures are left once one of each is kept; copies alone are pairs before there is a graph."""
        content, key = np.unique(self.contents, return_inverse=True)
        graph = self.graph
        if graph is None:
            return left_of_twins(self._frame, key, no_twins(len(content)), lambda _: no_twins(len(content)))

        def stars(order: NDArray[np.int64]) -> Twins:
            raw = self._store.embeddings(self.space.key, graph.content).embedding
            return twin_stars(graph.twins, order, raw, hashes=self._store.hashes(graph.content))

        return left_of_twins(self._frame, positions_of(self.contents, graph.content), graph.twins, stars)

    @property
    def graph(self) -> Graph | None:
        """The neighbour graph of the distinct contents; None before it is made, or if it is of an older kind."""
        graph: Graph | None = self._derived.get("graph")
        return graph

    @property
    def graph_columns(self) -> GraphColumns | None:
        """What the graph says of each distinct content, without its lists; confusability by both models."""
        columns: GraphColumns | None = self._derived.get("graph_columns")
        return columns

    @property
    def whitened(self) -> WhitenedRows:
        """The pictures in the set's whitened space, rows in the order of `table()`."""
        whitened: WhitenedRows = self._derived.get("whitened")
        return whitened

    def representatives(self, count: int | None = None, *, on: Projection | None = None) -> pd.DataFrame:
        """Pictures that stand for the regions of the map: id, path, x, y, size, label, share; largest regions first.

        `looks_like` is the class of ImageNet that the backbone sees in a picture and its neighbours, with its
        `like_share`; None without a head that knows the classifier, or where no class is clear. `count` bounds their
        number; by default it follows that of the pictures (`url_viz.analysis.representatives`). `on` is another map to
        look at: what `project` gave.
        """
        if on is None:
            found = representatives(self._frame, self.contents, self.graph, count=count, by=self.order().measure)
            return self._with_looks(found)
        rows = np.unique(self.rows_of(on.ids))
        table = self._frame.iloc[rows].assign(x=on.xy[:, 0], y=on.xy[:, 1])
        found = representatives(table, self.contents[rows], self.graph, count=count, by=self.order().measure)
        return self._with_looks(found)

    def _with_looks(self, found: pd.DataFrame) -> pd.DataFrame:
        names, functions = class_names(), self.head.functions if self.head is not None else None
        if functions is None or len(functions.bias) != len(names):
            return found.assign(looks_like=None, like_share=np.nan)
        looks = [look_of(functions.shares(self._near_embeddings(int(one))), names) for one in found["id"]]
        return found.assign(
            looks_like=pd.Series([name for name, _ in looks], dtype=object, index=found.index),
            like_share=np.array([share for _, share in looks], np.float32),
        )

    def _near_embeddings(self, image_id: int) -> NDArray[np.float32]:
        """Embeddings (M, D) of a picture and its nearest in the graph, M at most NEAR + 1."""
        row = self.row_of(image_id)
        near = near_in_graph(row, self.contents, self.graph)
        rows = [row] if near is None else [row, *near[0][:NEAR]]
        contents = np.unique(self.contents[rows])
        return self._store.embeddings(self.space.key, contents).embedding.astype(np.float32)

    def project(self, ids: Iterable[int], *, method: Literal["umap", "tsne"] = "umap") -> Projection:
        """Some pictures on a map of their own: UMAP on the neighbours among them, PCA below 15; seeded.

        Beyond 20,000 a sample is fitted and the others are placed. `tsne` is t-SNE of the raw embeddings, as in the
        paper's figure; beyond 10,000 of a sample. Raises ImageSetError for an id that is not in this set.
        """
        rows = np.unique(self.rows_of(ids))
        contents = np.unique(self.contents[rows])
        if method == "tsne" and len(contents) >= FEWEST_FOR_UMAP:
            read = self._store.embeddings(self.space.key, contents)
            found = tsne_coordinates(read.content, read.embedding, self.graph)
        else:
            found = project_alone(whitened_for(self._store, self.space.key, contents), self.graph)
        place = positions_of(self.contents[rows], found.content)
        all_ids = self._frame["id"].to_numpy(np.int64)
        method_of: dict[int, Literal["t-SNE", "UMAP"]] = {TSNE: "t-SNE", UMAP: "UMAP"}
        by: Literal["UMAP", "t-SNE", "PCA"] = "PCA"
        by = next((name for code, name in method_of.items() if (found.method == code).any()), by)
        return Projection(all_ids[rows], found.xy[place], by)

    def refit(self, progress: ProgressCallback | None = None) -> None:
        """Make the map of what was read again; everything moves. Seen by opening the set again.

        Raises WorkspaceError if another process writes.
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

        Raises ImageSetError if there are no labels to check.
        """
        return self.checked_labels().suspects

    def confused_classes(self) -> pd.DataFrame:
        """Pairs of classes that are taken for each other, the most confused first; see `confused_pairs`.

        By the likeliest class of each labelled picture, judged without its own label. Raises ImageSetError if there are
        no labels to check.
        """
        table = self._measured
        if not has_values(table, AMBIGUITY.name):
            raise ImageSetError(NO_CLASSES)
        found: pd.DataFrame = self._derived.result("measured", confused_in, confused_in)
        return found

    def checked_labels(self) -> LabelCheck:
        """All that was found on the labels. Raises ImageSetError if there are none to check."""
        found = self.find_suspects()
        if found is None:
            raise ImageSetError(NO_CLASSES)
        return found

    def find_suspects(self) -> LabelCheck | None:
        """Like `checked_labels`, None if there are no labels; worked out again only if they have changed."""
        found: LabelCheck | None = self._derived.get("label_check")
        return found

    def worth(self, *, seeds: int = SEEDS) -> Worth:
        """What was gained by dropping pictures and correcting labels: a linear probe's accuracy, before and after.

        `.words` says it; `.given`, `.decided` and `.random` have the figures, `.by_class` those of each class. Seconds
        of work, more seeds take longer. Raises ImageSetError below two classes or two seeds.
        """
        group = group_codes(self._frame)
        return worth(self.whitened.rows, self._reviewed_labels, group=group, seeds=seeds)

    def find_worth(self, *, seeds: int = SEEDS) -> Worth | None:
        """Like `worth`, None if nothing was dropped or corrected, or there are not two classes."""
        return self.worth(seeds=seeds) if self.has_worth() else None

    def has_worth(self) -> bool:
        """Whether anything was dropped or corrected, in a set of two classes or more."""
        labels = self._reviewed_labels
        return labels.classes > 1 and bool(labels.is_decided.any())

    @property
    def _reviewed_labels(self) -> ReviewedLabels:
        return self.of_table(_reviewed_in)

    def _gate(self, table: pd.DataFrame, by: str | None) -> str | None:
        """The measure to gate by: the one asked for, else the leading one."""
        if by is None:
            return self.order().measure
        there = self.measures()
        if by not in there and not (by in TABLE_MEASURES and has_values(table, by)):
            raise ImageSetError(f"{by!r} is not a measure of this set. It has: {', '.join(there) or 'none yet'}.")
        return by

    def _asked(self, query: "Path | Image | int | NDArray[np.floating]") -> "_Asked":
        if isinstance(query, (int, np.integer)):
            row = self.row_of(int(query))
            return _Asked(self._unit[row], row, is_of_file=False)
        if isinstance(query, np.ndarray):
            return _Asked(self._whitened_vector(query), None, query.astype(np.float32))
        crops, content = self._crops_of_query(query)
        outputs = _outputs(self.model, crops[0])
        second = None if self.second_model is None else _outputs(self.second_model, crops[1]).embedding[0]
        rows, embedding = np.flatnonzero(self.contents == content), outputs.embedding[0]
        row_of_same = int(rows[0]) if len(rows) else None
        return _Asked(self._whitened_vector(embedding), row_of_same, embedding, float(outputs.entropy[0]), second)

    def _whitened_vector(self, embedding: NDArray[np.floating]) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.whitened.whitening.transform(embedding[None])[0].astype(np.float32)
        return vector

    def _crops_of_query(self, query: "Path | Image") -> tuple[tuple[NDArray[np.uint8], ...], int | None]:
        """The crops of a query for each model that is asked, and the content key of a file."""
        asked = [self.space, *([] if self.second_model is None else [self.second_model.space])]
        sheet, *others = (space.preprocessing for space in asked)
        if isinstance(query, (str, os.PathLike)):
            picture = read_query(query, sheet, also=others)
            return (picture.crop, *picture.also), picture.content
        return tuple(query_crop(query, one) for one in (sheet, *others)), None

    def _standing(self, asked: "_Asked", measure: str | None, ranks: NDArray[np.float32]) -> tuple[float, float]:
        """A query's value of a measure, and its percentile in this set; nan if it has none.

        A file that is in the set byte for byte stands where it stands there.
        """
        if measure is None:
            return float("nan"), float("nan")
        if asked.row is not None:
            return float(self._frame[measure].iloc[asked.row]), float(ranks[asked.row])
        assert asked.embedding is not None
        embedding = asked.embedding.astype(np.float16)[None]
        second = None if asked.second is None else asked.second.astype(np.float16)[None]
        reference = self.reference() if second is not None else self.alone.reference()
        values = values_of(embedding, np.array([asked.entropy]), self.head, reference, second=second)
        if measure not in values:
            return float("nan"), float("nan")
        rank = percentile(values[measure], among=reference.pictures[measure].to_numpy(dtype=float))
        return float(values[measure][0]), float(rank[0])

    def reference(self) -> Reference:
        """What pictures from outside are compared with: the distinct contents of this set.

        By both models only if the second can be loaded (`SecondModelChoice.name`): it must read each new picture too.
        """
        if self.second is not None and self.seconds.name is None:
            return self.alone.reference()
        made: Reference = self._derived.get("reference")
        return made

    def _with_similarity(self, rows: NDArray[np.int64], similarity: NDArray[np.float32]) -> pd.DataFrame:
        found = self._frame.iloc[rows].reset_index(drop=True)
        found.insert(2, "similarity", similarity.astype(np.float32))
        return found

    @cached_property
    def _unit(self) -> UnitRows:
        return UnitRows(self.whitened.rows)

    def _stored_embeddings(self) -> NDArray[np.float16]:
        return self._store.embeddings(self.space.key, self.contents).embedding

    @property
    def _frame(self) -> pd.DataFrame:
        table: pd.DataFrame = self._derived.get("table")
        return table

    @property
    def _measured(self) -> pd.DataFrame:
        """The table before reasons and decisions are joined to it."""
        measured: pd.DataFrame = self._derived.get("measured")
        return measured

    @property
    def _naming(self) -> Naming | None:
        return Naming(self._derived.get) if self.has_graph else None

    @property
    def _tuning(self) -> Tuning | None:
        return Tuning(self._derived.get) if self.has_graph else None

    @property
    def _reasons(self) -> Reasons:
        reasons: Reasons = self._derived.get("reasons")
        return reasons

    @property
    def _base(self) -> Frame:
        base: Frame = self._derived.get("base")
        return base

    @property
    def _files(self) -> "pa.Table":
        return self._derived.get("files")

    @property
    def _rows(self) -> StoredRows:
        rows: StoredRows = self._derived.get("rows")
        return rows

    @cached_property
    def model(self) -> Model:
        """The model that read this set, loaded when it is first asked for a new picture."""
        return load_model(self.source.name, precision=self.space.precision, workspace=self.workspace.root)

    @cached_property
    def second_model(self) -> Model | None:
        """The second model, loaded when it is first asked for a new picture; None if it has no name."""
        name, precision = self.seconds.name, self.space.precision
        return None if name is None else load_model(name, precision=precision, workspace=self.workspace.root)

    def _found(self, rows: NDArray[np.int64], vector: NDArray[np.float32]) -> pd.DataFrame:
        cosine = self._unit[rows] @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        return self._with_similarity(rows, cosine)


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
) -> ImageSet:
    """Read a folder (or an address in object storage) into an image set: only new and changed files.

    It goes on where an earlier run was stopped. `limit` bounds the number of pictures; `progress` is called with
    `Progress` records; `refit` makes the map again.
    A second model `also` embeds the same pictures from the same reading of each file; confusability and ambiguity are
    then by both (`ImageSet.second`).
    Nothing outside the folders `within` (real paths), where given, is read: links out of them are passed over.
    `embeddings`, a file of them by path or what `given_embeddings` made of one, take the place of a model's.
    With `ray`, workers of Ray read and embed (`OnRay("local", workers=2)`); this process stores what they answer.
    Raises FolderError or NoImagesError if there is nothing to read, WorkspaceError where another process writes,
    BucketError where object storage does not give what it listed: what it gave is kept, and the next call goes on;
    ClusterError where Ray does not start, or cannot be joined.
    """
    report = progress or silent
    if ray is not None:
        ray.check(is_given=embeddings is not None)
    home = Workspace.at(workspace)
    root = address_in(folder) or Path(folder).expanduser()
    report(Progress("scan", 0))
    found = source_of(root.resolve() if os.path.exists(root) else root, within=within).list()
    report(Progress("scan", len(found.files), len(found.files)))
    chosen: Model | Given
    if embeddings is not None:
        chosen = embeddings if isinstance(embeddings, Given) else given_embeddings(embeddings, found)
    else:
        chosen = model if isinstance(model, Model) else _loaded(model, home, ray)
    others = _second_model(also, chosen, home, ray)
    paths = home.set_paths(find_set(root, home))
    if not found.files:  # also of a known set: an unmounted disk looks empty, and is no reason to drop its rows
        raise NoImagesError(found.why_empty)
    with Writer(paths, root) as writer:
        embed_by = embed_files if ray is None else ray.embed_by(home)
        outcome = embed(chosen, found, writer, also=others, limit=limit, report=report, embed_by=embed_by)
        if outcome.is_cut_off:
            raise BucketError(outcome.words_of_unfetched)
        for each in (chosen, *others):
            score_missing(writer, each)
            finish(writer, each.space.key, report=report, refit=refit)
        if others:
            ask(paths, is_asked=True)
        if outcome.unfetched:
            raise BucketError(outcome.words_of_unfetched)
        writer.note_ended([each.space.key for each in (chosen, *others)])
        image_set = ImageSet(Store(paths), chosen.space, chosen.source, home, within=within)
        if not len(image_set):
            raise NoImagesError(_nothing_readable(found, image_set))
    if len(image_set) >= MANY:
        image_set.prepare()
    return image_set


def _reviewed_in(table: pd.DataFrame) -> ReviewedLabels:
    given, label = (table[name].to_numpy(dtype=object) for name in ("label_given", "label"))
    return reviewed_labels(given, label, (table["decision"] == "drop").to_numpy(dtype=bool))


def _outputs(model: Model, crop: NDArray[np.uint8]) -> Outputs:
    """What a model gives of one crop (S, S, 3). Raises ModelError if that cannot be stored."""
    outputs = model.run(crop[None])
    model.as_stored(outputs.embedding)
    return outputs


def _loaded(name: str, home: Workspace, ray: OnRay | None, *, precision: Precision = "fast") -> Model:
    """A model of a reading; where workers have their own, on the CPU, for what is stored with their embeddings."""
    return load_model(name, device="auto" if ray is None else "cpu", precision=precision, workspace=home.root)


def _second_model(
    also: Model | str | None, first: Model | Given, home: Workspace, ray: OnRay | None
) -> tuple[Model, ...]:
    """The second model of a reading, if there is one. Raises ModelError if it is no other one."""
    if also is None:
        return ()
    if isinstance(first, Given):
        raise ModelError("A second model goes with a model, not with embeddings from a file. Leave one of them out.")
    second = also if isinstance(also, Model) else _loaded(also, home, ray, precision=first.space.precision)
    if (second.space.backbone, second.space.weights_digest) == (first.space.backbone, first.space.weights_digest):
        raise ModelError(f"{second.name!r} is the model itself, and no second one. Choose another.")
    return (second,)


def open_image_set(
    folder: str | Path,
    *,
    model: str = DEFAULT,
    workspace: str | Path | None = None,
    within: Sequence[Path] | None = None,
) -> ImageSet:
    """Open what was read of a folder with a model, without scanning it and without loading the model.

    No file outside the folder and those of `within` (real paths), where given, is opened later: not through links.
    Raises ImageSetError if the folder was never read, or not with this model.
    """
    home = Workspace.at(workspace)
    return open_set(read_before(folder, home), model=model, workspace=home, within=within)


def open_set(set_id: str, *, model: str, workspace: Workspace, within: Sequence[Path] | None = None) -> ImageSet:
    """Open an image set by its id; like `open_image_set`."""
    paths = workspace.set_paths(set_id)
    source = resolve(model, workspace=workspace)
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
    try:
        return ImageSet(Store(paths), space, source, workspace, within=within)
    except DamageError as error:
        if has_tables(paths):
            raise
        raise ImageSetError(
            f"Nothing that was read of {str(about.root)!r} is kept any more. Read it: {embed_command(about.root)}."
        ) from error


def _nothing_readable(found: Scan, image_set: ImageSet) -> str:
    reasons = image_set.failures()["reason"]
    first = f" The first one {reasons.iloc[0]}." if len(reasons) else ""
    return f"None of the {len(found.files)} files in {str(found.root)!r} can be read as a picture.{first}"
