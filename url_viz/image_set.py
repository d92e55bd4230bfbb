"""ImageSet: the pictures of one folder with their measures, map, neighbours and search, and how one is opened."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Doc

from url_viz.base.command_line import Count, OptionalPercentile
from url_viz.base.errors import DamageError, DecisionError, ImageSetError
from url_viz.base.wording import command
from url_viz.base.workspace import Workspace
from url_viz.capability import AsKind, capability
from url_viz.columns.measures import ADAPTED_HEAD, NOT_JUDGED
from url_viz.columns.sources import user_version
from url_viz.columns.table import failures, files, rows, table
from url_viz.core import SetCore
from url_viz.evidence.compare import Comparison, ModelReading, compare, comparison_printout
from url_viz.evidence.evaluation import CountedPictures, Evaluated, counted_pictures, evaluated
from url_viz.evidence.holdout_report import held_out_in_words
from url_viz.evidence.looked_at import LookedAt, looked_at
from url_viz.evidence.order import Order, nearest_labelled, order_by
from url_viz.evidence.ranked import Ranked, rank
from url_viz.evidence.set_subsets import SetSubsets
from url_viz.findings.checks import has_boxes
from url_viz.findings.findings import Finding, findings
from url_viz.findings.gate import GateResult, Policy, judged, policy_of, read_policy
from url_viz.findings.object_findings import boxes_of
from url_viz.findings.reasons import reason_table
from url_viz.findings.set_splits import SetSplits, SetTwins
from url_viz.findings.shortcuts import NOT_JUDGED as NO_SHORTCUTS
from url_viz.findings.shortcuts import Shortcuts, shortcuts
from url_viz.imaging.containers.picture_lists import is_listing
from url_viz.labels.label_choice import measured
from url_viz.labels.set_columns import SetColumns
from url_viz.labels.set_labels import SetLabels
from url_viz.models.model import EmbeddingSpace, ModelSource, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.outside.occlusion import Explained, Heat, explained, explained_measure, heat_of
from url_viz.outside.set_search import SearchableSet
from url_viz.parameters import By, ListFile, Pictures
from url_viz.pictures.map_figure import Style, map_figure
from url_viz.pictures.set_files import SetFiles, SetObjects
from url_viz.pictures.set_maps import SetMaps
from url_viz.pictures.set_selection import chosen_ids, paths_listed
from url_viz.review.decided import decided_in, decisions_shown
from url_viz.review.queues import findings_printout
from url_viz.review.set_reviews import SetAnswers, SetNames, SetReviews
from url_viz.runs.set_runs import SetRuns
from url_viz.store.about import embed_command, has_tables, read_before
from url_viz.store.bundle import refuse_pack
from url_viz.store.columns.user_paths import match_paths
from url_viz.store.decisions.decisions import Action, Decisions
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import positions_of
from url_viz.versions.set_diffs import Diff, diff_versions
from url_viz.versions.set_versions import SetVersions, Version

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


PUBLIC = (
    *("table", "embeddings", "order", "map", "rank", "decide", "decided", "search", "findings", "check", "evaluate"),
    *(
        "shortcuts",
        "compare",
        "failures",
        "labels",
        "decisions",
        "reviews",
        "answers",
        "names",
        "splits",
        "twins",
        "subsets",
    ),
    *("versions", "runs", "objects", "columns", "files", "root", "single_model"),
)
"""What an image set offers from Python; docs/commands.md tells what each does."""
Result = TypeVar("Result")
Options = ParamSpec("Options")

DecisionWord = Annotated[
    Literal["keep", "drop", "look-again", "none", "leave"], Doc("leave changes only tags and names")
]


class ImageSet(SearchableSet):
    """A snapshot of one folder's pictures as read by one model. Made by `embed_folder` and `open_image_set`.

    Rows have the same order in `table()` and `embeddings()`: by path. Every table is read as it was at the opening:
    what another process reads of the folder later is seen by opening the image set again, and `is_current` says
    whether there is anything new. Decisions, labels and the user's columns are seen at once.

    What concerns one subject is on a small object of its own: `labels`, `answers`, `names`, `reviews`, `splits`,
    `subsets`, `twins`, `maps`, `files`, `objects`, `versions`, `runs`, `columns`, `decisions`. They stand on `core`.
    """

    def __init__(
        self,
        store: Store,
        space: EmbeddingSpace,
        source: ModelSource,
        workspace: Workspace,
        *,
        is_single_model: bool = False,
        within: Sequence[Path] | None = None,
    ) -> None:
        """With `is_single_model`, no second model takes part, whatever was chosen; `within` as for `open_image_set`."""
        core = SetCore(store.pinned(), space, source, workspace, is_single_model=is_single_model)
        super().__init__(core)
        self.core = core
        self.set_id, self.root, self.folder = core.set_id, core.root, core.folder
        self.space, self.source, self.workspace = space, source, workspace
        self.is_of_objects, self.noun = core.is_of_objects, core.noun
        self.within = None
        if within is not None:
            is_listing_file = os.path.isfile(self.root) and (self.is_of_objects or is_listing(self.root))
            self.within = tuple(dict.fromkeys((*within, self.root.parent if is_listing_file else self.root)))
        self._read_at = self._version_in(core.store)
        if not core.derived.is_cached(rows):
            core.derived.get(files)  # so that damage is reported at once
        self.columns = SetColumns(core)
        self.labels = SetLabels(core)
        self.answers = SetAnswers(core)
        self.names = SetNames(core)
        self.splits = SetSplits(core)
        self.subsets = SetSubsets(core)
        self.runs = SetRuns(core)
        self.reviews = SetReviews(core, labels=self.labels, splits=self.splits)
        self.files = SetFiles(core, within=self.within)
        self.objects = SetObjects(core, self.files)
        self.maps = SetMaps(core)
        self.twins = SetTwins(core)
        self.versions = SetVersions(core)

    def __repr__(self) -> str:
        return f"ImageSet({str(self.root)!r}, {len(self)} pictures, model={self.source.name!r})"

    def __len__(self) -> int:
        return len(self.core.base.table)

    def __dir__(self) -> list[str]:
        """What completion offers: PUBLIC. The rest serves pages and commands, and may change."""
        return [*PUBLIC, *(name for name in super().__dir__() if name.startswith("__"))]

    @property
    def decisions(self) -> Decisions:
        """The decisions on pictures, their tags and corrected labels."""
        return self.core.decisions

    @capability("decide")
    def decide(
        self,
        decision: DecisionWord,
        paths: Pictures = (),
        *,
        above: Annotated[OptionalPercentile, Doc("only pictures from this percentile on; alone: all of them")] = None,
        below: Annotated[OptionalPercentile, Doc("only pictures below this percentile; alone: all of them")] = None,
        by: By = None,
        listed: ListFile = None,
        tag: Annotated[tuple[str, ...], Doc("give this tag; may be repeated")] = (),
        untag: Annotated[tuple[str, ...], Doc("remove this tag; may be repeated")] = (),
        name: Annotated[str | None, Doc("call them so, in place of the name they have; '' takes it away")] = None,
    ) -> Action:
        """Decide on pictures, tag and name them.

        All of it is one action, which `undo` takes back.

        In Python `decisions` decides by id. Raises DecisionError for paths, tags and names that cannot be meant, and
        if no picture meets the conditions; then nothing was done.
        """
        if decision == "leave" and not tag and not untag and name is None:
            raise DecisionError("There is nothing to do: 'leave' decides nothing, so give --tag, --untag or --name.")
        named = [*paths, *paths_listed(listed)] if paths or listed is not None else None
        ids = chosen_ids(self, paths=named, above=above, below=below, by=by).tolist()
        word = None if decision == "leave" else decision
        return self.decisions.change(ids, decision=word, tag=tag, untag=untag, name=name)

    @capability("decisions", top=20, show=decisions_shown, noun="picture")
    def decided(
        self, *, log: Annotated[bool, Doc("list the actions instead, the latest first: when, who, what")] = False
    ) -> pd.DataFrame:
        """Count and list decisions, tags, names and corrected labels.

        In Python rows of `table()`, or with `log` the whole `decisions.history`.
        """
        return self.decisions.history(None) if log else decided_in(self.table())

    @property
    def version(self) -> str:
        """A short text that changes with the snapshot, and with what the user brought to it since (`columns`)."""
        own = user_version(self.core.context)
        return f"{self._read_at}.{own}" if own else self._read_at

    def is_current(self) -> bool:
        """Whether this snapshot is the newest: nothing was read since it was opened. User columns appear at once."""
        return self._read_at == self._version_in(self.core.store.latest)

    def _version_in(self, store: Store) -> str:
        own = store.version(self.space.key, self.source.head.digest if self.source.head else None)
        others = "" if self.core.is_single_model else store.others_version(self.space)
        return f"{own}.{others}" if others else own

    @cached_property
    def single_model(self) -> "ImageSet":
        """The same snapshot by its own model only."""
        if self.core.is_single_model:
            return self
        store, within = self.core.store, self.within
        return ImageSet(store, self.space, self.source, self.workspace, is_single_model=True, within=within)

    def table(self) -> pd.DataFrame:
        """One row per picture, by path.

        id, path (for people; odd bytes escaped), label (class folder, or what `labels.use` chose, as corrected),
        label_given (before any correction), label_checked ("corrected", "confirmed", "either", or None), either
        (the class that it rightly is besides its label; only where anybody said so), split and date where
        folders have them, width, height, uncertainty and its percentile, confusability and its percentile, entropy
        (nats) and inverse_norm (baselines), nearest_similarity, copy_group and twin_group (Int64: one number for a
        group of copies, and of copies and views of one thing, none alone), what `url_viz.imaging.quality` measures, x,
        y; the user's own columns; reasons; first_like and second_like (without classes, the groups that it is like,
        named by look: `url_viz.pictures.named_groups`; the second only if it lies between two); decision, tags and name
        (None for none). Of objects, also picture (its path), and box: x, y, width and height in pixels of the upright
        picture. For all our measures, higher = more ambiguous, except nearest_similarity and the qualities; nan if
        there is none."""
        table = self.core.frame.copy(deep=False)  # pandas copies a column once somebody writes to it
        if self.is_of_objects and has_boxes(table):
            table["box"] = self.cached_of_table(boxes_of)
        return table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """`table()` for what reads Arrow, such as `pyarrow.table(image_set)`, `polars.DataFrame(image_set)`, DuckDB."""
        return self.table().__arrow_c_stream__(requested_schema)

    def cached_of_table(
        self, make: Callable[Concatenate[pd.DataFrame, Options], Result], *args: Options.args, **named: Options.kwargs
    ) -> Result:
        """The result of `make` on `table()` and hashable arguments, computed again only once the table has changed.

        The result is shared, and not to be changed. `make` is a function of a module: a new closure would never be
        found in the cache.
        """
        key = make, args, tuple(sorted(named.items()))
        result: Result = self.core.derived.result(table, key, lambda rows: make(rows.copy(deep=False), *args, **named))
        return result

    def cached(
        self, make: Callable[Concatenate["ImageSet", Options], Result], *args: Options.args, **named: Options.kwargs
    ) -> Result:
        """As `cached_of_table`, the result of `make` on this set; computed again once labels or answers change.

        The cache belongs to this snapshot and is freed with it; a cache of the function would keep both alive.
        """
        key = make, args, tuple(sorted(named.items()))
        result: Result = self.core.derived.result(measured, key, lambda _: make(self, *args, **named))
        return result

    def kept(self, paths: Iterable[str] | None = None) -> NDArray[np.int64]:
        """Where the pictures that were not dropped are (M,) int64: for `torch.utils.data.Subset`, `datasets.select`.

        Among `paths`, those of your data set's items in its order; a file that could not be read is not kept. Without
        them, the items of a Dataset or rows of a Parquet or Arrow file that was read, else rows of `table()`. Raises
        ImageSetError if no path is of a picture of this set, FolderError if two are of the same one.
        """
        is_kept = self.core.keep_mask()
        if paths is None:
            names = self.core.frame["path"]
            numbers = (
                names.astype(np.int64) if names.str.fullmatch("[0-9]+").all() else pd.Series(np.arange(len(names)))
            )
            return np.asarray(numbers, np.int64)[is_kept]
        row = match_paths(list(paths), self.core.paths_of(self.core.ids), root=self.folder).row
        if not (row >= 0).any():
            raise ImageSetError(f"None of these paths is a picture of {str(self.root)!r}. Give those of its files.")
        return np.flatnonzero((row >= 0) & is_kept[row])

    @capability("findings", show=findings_printout)
    def findings(self) -> tuple[Finding, ...]:
        """Say what to look at first: leaks, likely wrong labels, bursts.

        Then what else there is to review.

        In Python the findings alone, what matters most first; see `url_viz.findings.findings`. Leaks, likely wrong
        labels, classes mixed up, bursts, pictures that show nothing, files that cannot be read, small classes: each
        with a count, a sentence, and the review of what is not decided on yet.
        """
        return findings(self.core.derived)

    @capability("shortcuts", missing=NO_SHORTCUTS)
    def shortcuts(self) -> Shortcuts | None:
        """List properties that are no content, and tell classes all the same: size, border, JPEG quality, camera.

        Each is asked by itself, copies and views left out, what is kept apart, too; a class counts as told where this
        is far from chance, and not by luck.

        In Python `.rows`, `.tried`, `.classes`; see `url_viz.findings.shortcuts.Shortcuts`. None without classes to
        judge.
        """
        return self.core.derived.get(shortcuts)

    def check(
        self, policy: Policy | Mapping[str, Any] | str | Path, *, baseline: "ImageSet | GateResult | None" = None
    ) -> GateResult:
        """Judge the findings by a policy: a TOML file, or the same as a dict (`{"leaks": 0, "unreadable": "1%"}`).

        With a `baseline`, another set by the same model or an earlier result, only what that has not counts: `.state`,
        `.rules` with what each found. Raises UsageError for a policy with an unknown rule or an impossible bound.
        """
        if not isinstance(policy, Policy):
            policy = policy_of(policy) if isinstance(policy, Mapping) else read_policy(Path(policy))
        rules = judged(self.core.derived, policy, no_splits=self.splits.missing)
        result = GateResult(self.root.name, len(self), self.source.title, self.space.key, rules, self.noun)
        if baseline is None:
            return result
        return result.against(baseline.check(policy) if isinstance(baseline, ImageSet) else baseline)

    def reasons(self, ids: Iterable[int] | None = None) -> pd.DataFrame:
        """Why pictures (default: all) are ambiguous, one row per reason: id, reason, strength (0 to 1), detail.

        What explains most of a picture comes first: its strength, times how much it correlates with the leading order.
        Ids that are not there are left out.
        """
        rows = None if ids is None else np.flatnonzero(np.isin(self.core.ids, np.fromiter(ids, np.int64)))
        return reason_table(self.core.measured, self.core.reasons, rows=rows)

    def heat(self, image_id: int, *, by: str | None = None) -> Heat:
        """Which parts of a picture put it where it stands by a measure (default: `order()`'s): 37 forward passes."""
        return heat_of(self.core.model, self.files.read(image_id), self.explained(image_id, by=by))

    def explained(self, image_id: int, *, by: str | None = None) -> Explained:
        """What the heat map of a picture is of: `by` or what can be explained instead, by the first model alone."""
        row, reference = self.row(image_id), self.core.reference(is_single_model=True)
        place = int(positions_of(self.core.contents[[self.core.row_of(image_id)]], reference.content)[0])
        return explained(explained_measure(row, by, self.order().measure), row, place, reference)

    def embeddings(self) -> NDArray[np.float32]:
        """Embeddings (N, D) float32, rows in the order of `table()`."""
        return self.core.store.embeddings(self.space.key, self.core.contents).embedding.astype(np.float32)

    def failures(self) -> pd.DataFrame:
        """Files that are no readable picture: path and reason."""
        return self.core.derived.get(failures).copy(deep=False)

    def map(self, *, colour: str | None = None, style: Style = "points", size_by: str | None = None) -> "Figure":
        """The map as a plotly figure; `style` is points, fog or density (`map_figure`).

        Coloured by any column: by default the measure that leads (`order()`).
        """
        return map_figure(self.table(), by=self.order().measure, colour=colour, style=style, size_by=size_by)

    def order(self, by: str | None = None) -> Order:
        """By which measure to order here, and why: `.measure`, `.reason`, `.evidence` (R-AUROC, or None).

        With another measure, or column of numbers, that one and how well it holds.
        """
        order = self.core.current_order()
        return order if by in (None, order.measure) else self.cached(_order_by, by)

    def looked_at(self, by: str | None = None) -> LookedAt:
        """What people said of pictures at both ends of the order by a measure, by default the leading one: `.words`.

        Its precision by their word. Raises ImageSetError where nothing leads.
        """
        measure = by or self.order().measure
        if measure is None:
            raise ImageSetError(f"{self.order().reason} Say which measure is meant: image_set.looked_at('ambiguity').")
        return self.cached_of_table(looked_at, measure)

    @capability("rank")
    def rank(
        self,
        *,
        top: Annotated[Count, Doc("how many pictures of each end")] = 20,
        by: Annotated[
            str | None, Doc("a measure or any column of numbers (default: the order that holds on this set)")
        ] = None,
        twins: Annotated[bool, Doc("show every picture of a group of copies and views")] = False,
        within_class: Annotated[bool, Doc("compare each picture with its own class only")] = False,
    ) -> Ranked:
        """List the most ambiguous and the clearest pictures.

        Each is listed with the classes that it lies between.

        In Python `.ambiguous` and `.clear`. Raises ImageSetError for what is no column of numbers.
        """
        order = self.order() if by is None else None
        ranked = rank(
            self.table(),
            by if order is None else order.measure,
            top=top,
            twins=twins,
            within_class=within_class,
            model=self.source.name,
            labels=command("labels", "list", self.root),
        )
        if order is None or order.measure is None:
            return ranked if order is None else replace(ranked, why=order.reason)
        return replace(ranked, why=" ".join(filter(None, (order.reason, self.looked_at().words))))

    def row(self, image_id: int) -> dict[str, Any]:
        """One picture's row of `table()`, by column."""
        values = self.core.frame.iloc[self.core.row_of(image_id)].to_dict()
        return {str(column): value for column, value in values.items()}

    @capability("models compare", show=comparison_printout, top=10)
    def compare(
        self,
        other: Annotated["ImageSet | str", AsKind(str), Doc("the second model; the folder was read with both")],
    ) -> Comparison:
        """Compare two models or heads on a folder: order, most ambiguous tenth, neighbours, and where they disagree.

        Each by itself: no second model is asked.

        In Python `other` may be another model's reading of the folder; see `url_viz.evidence.compare`. Raises
        ImageSetError if it is of another folder, or by the same backbone and head.
        """
        if isinstance(other, str):
            other = open_image_set(self.root, model=other, workspace=self.workspace.root)
        if other.set_id != self.set_id:
            raise ImageSetError(
                f"{str(other.root)!r} and {str(self.root)!r} are different folders. Open the same one with two models."
            )
        if other.is_by_same_model(self):
            raise ImageSetError(
                f"{self.source.title!r} and {other.source.title!r} are the same model. "
                "Give another model or head to compare with."
            )
        comparison = compare(
            *(
                ModelReading(
                    each.table(),
                    each.core.contents,
                    each.core.witnesses,
                    each.cached(counted_of),
                    each.core.context.has_learnt,
                )
                for each in (self.single_model, other.single_model)
            )
        )
        return replace(comparison, titles=(self.source.title, other.source.title))

    @capability("models second")
    def second(
        self,
        *,
        ask: Annotated[Literal["yes", "no"] | None, Doc("whether the second model is asked from now on")] = None,
    ) -> str:
        """Say whether a second model is asked too; choose whether it is (`embed --also NAME` has one read a folder)."""
        if ask is not None:
            self.core.second.enable(is_enabled=ask == "yes")
        return self.core.second.in_words(self.source)

    def is_by_same_model(self, other: "ImageSet") -> bool:
        """Whether both were read by one backbone under one head, whatever their files are called."""
        mine, theirs = (each.source.head.digest if each.source.head else None for each in (self, other))
        return self.space.key == other.space.key and mine == theirs

    def evaluate(self) -> Evaluated | None:
        """How well each measure tells where the nearest is of another class, with 95 % intervals and baselines.

        `.pictures` are those that are counted, `.measures` every measure's figures, `.table()` these as numbers.
        Measures of the user's own take part; one with gaps on the pictures that have it (`.partial`). None below 20
        pictures with a class, two classes, or without neighbours. Seconds of work for 100,000 pictures.
        """
        pictures = self.cached(counted_of)
        return None if pictures is None else evaluated(pictures)


def counted_of(image_set: ImageSet) -> CountedPictures | None:
    """The pictures of a set that its orders are judged on; None where classes, pictures or neighbours are too few."""
    core = image_set.core
    if core.witnesses is None:
        return None
    brought = [column.name for column in image_set.columns.list() if column.is_uncertainty]
    not_judged = ""
    if core.context.has_learnt:
        held_out = held_out_in_words(Path(image_set.source.name).with_name("report.json"))
        not_judged = f"{ADAPTED_HEAD.title}: no figure here. {NOT_JUDGED} them.{held_out and f' {held_out}'}"
        if image_set.source.weights is not None:
            not_judged += " The backbone has learnt from them, too: every figure here may be too good."
    return counted_pictures(
        core.frame,
        core.contents,
        graph=core.witnesses,
        embeddings=lambda: core.whitened.rows,
        user_measures=["uncertainty", *brought] if image_set.source.is_external else brought,
        not_judged=not_judged,
    )


def _order_by(image_set: ImageSet, measure: str) -> Order:
    core = image_set.core
    return order_by(core.measure(measure), core.leading_order, core.frame, partial(core.derived.get, nearest_labelled))


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


def open_latest(
    folder: str | Path, *, workspace: str | Path | None = None, within: Sequence[Path] | None = None
) -> ImageSet:
    """Open what the packaged model read of a folder; if that has not read it, what was read last, by any model.

    Raises ImageSetError if the folder was never read.
    """
    home = Workspace.at(workspace)
    set_id = read_before(folder, home)
    spaces = Store(home.set_paths(set_id)).about().spaces
    if not spaces or any(space.backbone == DEFAULT for space in spaces):
        return open_set(set_id, model=DEFAULT, workspace=home, within=within)
    latest = spaces[-1]
    source = ModelSource(latest.backbone, latest.backbone, None)
    return ImageSet(Store(home.set_paths(set_id)), latest, source, home, within=within)


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
            f"Nothing that was read of {str(about.root)!r} is left. Read it again: {embed_command(about.root)}."
        ) from error


def diff(
    a: "ImageSet | Version | str | Path",
    b: "ImageSet | Version | str | Path",
    *,
    model: str = DEFAULT,
    workspace: str | Path | None = None,
) -> Diff:
    """What changed from `a` to `b`: two folders or other sources that were read, open image sets, or versions of one.

    `image_set.versions.at("2026-11-28")` is an earlier version of a set. Folders are opened as by `open_image_set`, and
    not read anew. Raises ImageSetError for what was not read with `model`, or by two models; FolderError for a pack.
    """

    def version_of(one: "ImageSet | Version | str | Path") -> Version:
        if isinstance(one, str | Path):
            refuse_pack(one)
            one = open_image_set(one, model=model, workspace=workspace)
        return one if isinstance(one, Version) else one.versions.now()

    return diff_versions(version_of(a), version_of(b))
