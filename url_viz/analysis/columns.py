"""The columns of an image set: each is declared here once, and made by a function in the file of its subject.

A measure is a column that `gives` a column of the table, and an entry in `url_viz.analysis.measures`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.analysis.derived import Column, Derived, DiskCache, Get, Input, OnDisk
from url_viz.analysis.findings.findings import FindingInputs, findings, useless
from url_viz.analysis.findings.leaks import APART, find_splits, leaks_between_splits
from url_viz.analysis.findings.object_findings import wrong_together
from url_viz.analysis.findings.reasons import reasons_of
from url_viz.analysis.findings.twin_groups import group_codes
from url_viz.analysis.labels.ambiguity import (
    LEAST_OF_A_CLASS,
    MANY,
    Classified,
    ClassReader,
    ClassShares,
    LabelEvidence,
    StoredClasses,
    classify,
)
from url_viz.analysis.labels.apart import (
    Apart,
    ApartSuggestion,
    apart_by,
    apart_choices,
    apart_codes,
    content_codes,
    near_pairs,
    suggest,
)
from url_viz.analysis.labels.classes import (
    CLASS_COLUMNS,
    CodedLabels,
    class_codes,
    content_labels,
    picture_labels,
    schema_of,
    spelled_out,
)
from url_viz.analysis.labels.doubtful_labels import doubtful_labels
from url_viz.analysis.labels.label_choice import Labels, chosen_labels
from url_viz.analysis.labels.label_issues import LabelCheck, check_labels
from url_viz.analysis.labels.votes import NONE, Codes
from url_viz.analysis.order import Order, leading_order, order_from_table, order_to_table
from url_viz.analysis.outside.new_pictures import Reference
from url_viz.analysis.ranking import percentile
from url_viz.analysis.review.naming import suggestions_in
from url_viz.analysis.review.pair_measures import PER_IMAGE, PairMeasures
from url_viz.analysis.review.tuned import FEWEST, Tuned, tune
from url_viz.analysis.runs.run_on_set import RunOnSet
from url_viz.analysis.runs.two_by_two import MODEL_COLUMNS, model_columns
from url_viz.analysis.second_model import CONFUSABILITY_BY_BOTH, SecondModel, by_both, find_second, side_by_side
from url_viz.analysis.table import (
    FILES,
    StoredRows,
    frame_of,
    graph_columns_from_table,
    rows_from_table,
    rows_to_table,
    stored_rows,
    with_decisions,
)
from url_viz.analysis.user_columns import Imported, imported_columns, with_user_columns
from url_viz.errors import DamageError, SupersededError
from url_viz.models.head import Head
from url_viz.models.model import EmbeddingSpace
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import apart_graph
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.stored_pixels import stored_pixels
from url_viz.pipeline.twins import is_representative, joined_groups, source_groups, twin_representatives
from url_viz.pipeline.whitening import whitened_for
from url_viz.rows import CACHED_FROM
from url_viz.store.columns import imported_columns as user_files
from url_viz.store.columns.object_columns import OBJECTS, PICTURE
from url_viz.store.decisions.answers import Answered, Answers
from url_viz.store.decisions.decision_rows import Decided
from url_viz.store.decisions.decisions import Decisions
from url_viz.store.second_model_choice import is_second_model_used, second_models_version
from url_viz.store.tables.derived_cache import numbers_from_table
from url_viz.store.tables.derived_cache import rows_from_table as matrix_from_table
from url_viz.store.tables.derived_cache import rows_to_table as matrix_to_table
from url_viz.store.tables.reader import Snapshot, shown_tables
from url_viz.store.tables.tables import Graph, GraphColumns, no_twins, positions_of
from url_viz.store.tables.whitened_rows import WhitenedRows
from url_viz.store.training_records import chosen_run, epochs_of, run_version, runs_of


@dataclass(frozen=True)
class SetContext:
    """What the columns of one snapshot are of: its tables, the model that it is looked at with, and what is decided.

    With `is_single_model` no second model takes part. `is_external` is for embeddings from a file, which no head
    of ours reads: the first uncertainty column of the user takes the place of `uncertainty`.
    """

    store: Snapshot
    space: EmbeddingSpace
    head: Head | None
    is_external: bool
    is_single_model: bool
    answers: Answers
    decisions: Callable[[], Decisions]

    @property
    def key(self) -> str:
        """The key of the space."""
        return self.space.key


def derived_columns(context: SetContext) -> Derived:
    """All columns of a snapshot, of which none is made yet."""
    store = context.store
    disk = DiskCache(store.paths.derived, context.key, size=lambda: store.count("images"), large_from=CACHED_FROM)
    return Derived(COLUMNS, _sources(context), disk=disk)


def _sources(context: SetContext) -> Iterator[Input]:
    """What columns are made of: tables, which stay as they were at the opening, and what changes at any time."""
    store, key, paths = context.store, context.key, context.store.paths
    head = context.head.digest if context.head else None
    tables = {
        "image_table": ["images"],
        "graph_table": [f"graph-{key}"],
        "whitened_table": [f"whitening-{key}", f"whitened-{key}"],
        "shown_tables": shown_tables(key, head),
    }
    for name, names in tables.items():
        yield Input(name, partial(str, store.digest_of(names)), lambda: store)
    second = "" if context.is_single_model else second_models_version(store, context.space)
    yield Input("second_tables", lambda: second, lambda: store)
    yield Input("space", lambda: key, lambda: context)
    yield Input("set", lambda: f"{key} {head} {context.is_external} {context.is_single_model}", lambda: context)
    yield Input("imports", lambda: user_files.version_of(paths), lambda: paths)
    yield Input("runs", lambda: run_version(paths), lambda: paths)
    yield Input("decisions", lambda: str(context.decisions().version), lambda: context.decisions().now())
    yield Input("given_labels", lambda: str(_version_of_labels(context)), lambda: context.decisions().now())


def _version_of_labels(context: SetContext) -> int:
    """What changes with the labels that somebody gave, and with names and tags where these are the labels."""
    decisions, is_by_words = context.decisions(), False
    with suppress(DamageError):  # reported where labels are made
        is_by_words = user_files.read_label_choice(context.store.paths) in (user_files.TAGS, user_files.NAMES)
    return decisions.version if is_by_words else decisions.labels_version


def user_version(context: SetContext) -> str:
    """A short text that changes with what the user brought and with the labels; "" if there is neither; cheap."""
    version, labels = user_files.version_of(context.store.paths), _version_of_labels(context)
    return f"{version}.{labels}" if labels else version


# What is stored


def _second_available(get: Get) -> SecondModel | None:
    own: GraphColumns | None = get("own_graph_columns")
    return None if own is None else find_second(get("second_tables"), get("space").space, own.content)


def _confusability_by_both(get: Get) -> NDArray[np.float32] | None:
    """None if no second model takes part, or what it is worked out from cannot be read, or is being written."""
    context, second = get("set"), get("second_available")
    if context.is_single_model or second is None or not is_second_model_used(context.store.paths):
        return None
    graph: Graph | None = get("graph")
    return None if graph is None or not second.is_whole else by_both(graph, second)[0]


def _confusability_by_both_from(table: pa.Table, get: Get) -> NDArray[np.float32]:
    rows = len(get("own_graph_columns").content)
    return numbers_from_table(table, CONFUSABILITY_BY_BOTH, rows)["confusability"].astype(np.float32, copy=False)


def _graph_columns(get: Get) -> GraphColumns | None:
    own, both = get("own_graph_columns"), get("confusability_by_both")
    return own if own is None or both is None else GraphColumns(**{**_fields(own), "confusability": both})


def _rows(get: Get) -> StoredRows:
    context: SetContext = get("set")
    return stored_rows(
        get("shown_tables"),
        get("files"),
        space_key=context.key,
        head=context.head,
        graph=get("graph_columns"),
        by_both=get("confusability_by_both") is not None,
    )


def _whitened_from(table: pa.Table, get: Get) -> WhitenedRows:
    whitening, contents = get("whitened_table").whitening(get("space").key), get("base").contents
    return WhitenedRows(whitening, contents, matrix_from_table(table, (len(contents), len(whitening.scales))))


# What the user brought, and the labels


def _imported(get: Get) -> Imported:
    return imported_columns(get("base"), get("imports"), lambda: np.asarray(get("files")["id"].to_numpy(), np.int64))


def _of_the_table(get: Get, source: str) -> Decided:
    """What is decided of the pictures of the table (N,)."""
    decided: Decided = get(source)
    return decided.rows_at(get("file_rows"))


def _labels(get: Get) -> Labels:
    base, stored = get("base"), user_files.read_label_choice(get("imports"))
    folders = base.table["label"].to_numpy(object)
    decided = partial(_of_the_table, get, "given_labels")
    return chosen_labels(stored, folders, base.found, get("imported").columns, decided)


def _labels_as_given(get: Get) -> CodedLabels | None:
    """The labels before anybody corrected them, among the classes there are now; None where nobody did."""
    names, given = get("picture_labels").names, get("labels").columns.get("label_given")
    if given is None:
        return None
    codes = pd.Index(names, dtype=object).get_indexer(given.map(str, na_action="ignore"))
    return CodedLabels(names, codes.astype(np.int32))


def _digest_of_labels(labels: Labels) -> bytes:
    parts = [str(labels.source).encode("utf-8", "surrogatepass")]
    return b"\0".join([*parts, *map(_digest_of_words, labels.columns.values())])


def _digest_of_array(values: NDArray[Any] | None) -> bytes:
    return b"" if values is None else values.tobytes()


def _digest_of_words(words: "pd.Series[str]") -> bytes:
    codes, names = pd.factorize(words)
    return codes.tobytes() + "\0".join(map(str, names)).encode("utf-8", "surrogatepass")


def _digest_of_picture_labels(labels: CodedLabels | None) -> bytes:
    if labels is None:
        return b""
    return labels.codes.tobytes() + "\0".join(labels.names).encode("utf-8", "surrogatepass")


def _apart(get: Get) -> Apart:
    choice, imported = user_files.read_apart(get("imports")), get("imported")
    if choice is None:
        return Apart()
    return apart_by(choice, get("base"), imported.columns, is_of_objects=imported.source_of(PICTURE) == OBJECTS)


def _digest_of_apart(apart: Apart) -> bytes:
    return _digest_of_array(apart.codes) + _digest_of_array(apart.for_labels)


def _of_apart(codes_of: Callable[[Apart], Codes | None], get: Get) -> Codes | None:
    """The codes (M,) of what is kept apart; None for twins alone."""
    codes, columns = codes_of(get("apart")), get("own_graph_columns")
    if codes is None or columns is None:
        return None
    return content_codes(codes, columns.rows_of(get("base").contents), len(columns.content))


def _witnesses(apart: str, get: Get) -> Graph | None:
    """The graph whose lists hold nothing of the source group of their row, by the codes of the column `apart`."""
    graph: Graph | None = get("graph")
    codes = get(apart)
    if graph is None or codes is None or get("whitened_graph").whitening.key != graph.whitening:
        return graph
    return apart_graph(graph, get("whitened_graph").rows, codes)


def _label_witnesses(get: Get) -> Graph | None:
    """The witnesses of whether a label is wrong: those of the classes, but for siblings in a picture (`apart_by`)."""
    of_classes: Graph | None = get("witnesses")
    if np.array_equal(get("content_apart"), get("content_apart_for_labels")):
        return of_classes
    return _witnesses("content_apart_for_labels", get)


def _apart_suggestion(get: Get) -> ApartSuggestion | None:
    graph, labels, base, columns = get("graph"), get("content_labels"), get("base"), get("imported").columns
    if graph is None or labels is None or get("apart").choice is not None:
        return None
    store, key, row = get("shown_tables"), get("space").key, positions_of(base.contents, graph.content)
    codes = {choice: apart_codes(choice, base, columns) for choice in apart_choices(base, columns)}
    candidates = {choice: content_codes(of, row, len(graph)) for choice, of in codes.items()}
    pairs = near_pairs(graph, lambda rows: store.embeddings(key, graph.content[rows]).embedding)
    return suggest(pairs, candidates, labels.codes)


# Classes, by labels and by names


def _of_contents(name: str | None, get: Get) -> CodedLabels | None:
    """Labels of pictures as those of contents (M,); None without any."""
    columns: GraphColumns | None = get("own_graph_columns")
    if columns is None or name is None or get(name) is None:
        return None
    return content_labels(get(name), columns.rows_of(get("base").contents), len(columns.content))


def columns_of_classes(
    labels: str, prefix: str = "", *, given: str | None = None, least: int = LEAST_OF_A_CLASS
) -> Iterator[Column]:
    """The columns that follow from `labels`, which is one of CodedLabels; a class has `least` so many of them.

    `given` names the column of those as they were given, where some may have been corrected since.
    """
    contents, as_given, classified, shares, codes = (f"{prefix}{name}" for name in _OF_CLASSES)

    def classified_by(get: Get) -> Classified | None:
        return _classified_by("witnesses", get(contents), get(as_given), get, least=least)

    def class_shares(get: Get) -> StoredClasses | None:
        found: Classified | None = get(classified)
        return None if found is None else found.stored

    def class_shares_from(table: pa.Table, get: Get) -> StoredClasses:
        return StoredClasses(*_arrays_of((ClassShares, LabelEvidence), table, get(contents)))

    def class_codes_of(get: Get) -> dict[str, NDArray[Any]] | None:
        found = get(shares)
        return None if found is None else class_codes(found.shares, get("own_graph_columns"), get("base").contents)

    def class_codes_from(table: pa.Table, get: Get) -> dict[str, NDArray[Any]]:
        of = {name: len(get(labels).names) for name in CLASS_COLUMNS if name.endswith("_class")}
        return numbers_from_table(table, schema_of(CLASS_COLUMNS), len(get("base").contents), codes=of)

    of = ("own_graph_columns", "base")
    for column, name in ((contents, labels), (as_given, given)):
        named = of if name is None else (name, *of)
        yield Column(column, named, partial(_of_contents, name), digest=_digest_of_picture_labels)
    yield Column(classified, (contents, as_given, "witnesses", "whitened_graph", "second"), classified_by, version=4)
    yield Column(shares, (classified, contents), class_shares, on_disk=OnDisk(_shares_to_table, class_shares_from))
    on_disk = OnDisk(pa.table, class_codes_from, only_large=True)
    yield Column(codes, (shares, labels, "own_graph_columns", "base"), class_codes_of, on_disk=on_disk)


_OF_CLASSES = ("content_labels", "content_labels_as_given", "classified", "class_shares", "class_codes")


def _classified_by(
    witnesses: str, known: CodedLabels | None, given: CodedLabels | None, get: Get, *, least: int = LEAST_OF_A_CLASS
) -> Classified | None:
    """What the column `witnesses` says of labels; None also while a writer refits the whitened space, until it has made
    the graph in it."""
    if known is None or len(known.names) < 2:
        return None
    graph, whitened, second = get(witnesses), get("whitened_graph"), get("second")
    if whitened.whitening.key != graph.whitening or not (second is None or second.is_whole):
        return None
    groups = source_groups(graph.twins, graph.apart)
    return classify(
        graph.position,
        graph.similarity,
        whitened.rows if second is None else side_by_side(whitened.rows, second.whitened.rows),
        known.codes,
        groups,
        also=None if second is None else second.voters(groups),
        given=None if given is None else given.codes,
        least=least,
    )


def _class_reader(get: Get) -> ClassReader | None:
    """What gives the shares of all classes of a picture, by its place among the contents; None in a set of MANY."""
    if len(get("base").contents) >= MANY or (found := get("classified")) is None:
        return None
    graph, rows, second = get("witnesses"), get("whitened_graph").rows, get("second")
    groups = source_groups(graph.twins, graph.apart)
    lists = [Nearest(graph.position, graph.similarity), *([] if second is None else [second.voters(groups)])]
    whitened = rows if second is None else side_by_side(rows, second.whitened.rows)
    names = tuple(get("content_labels").names[code] for code in found.model.classes)
    return ClassReader(tuple(lists), whitened, groups, found.model, names)


def _label_evidence(get: Get) -> LabelEvidence | None:
    """What speaks for the labels by witnesses of their own; None where these are those of the classes."""
    if get("label_witnesses") is get("witnesses"):
        return None
    found = _classified_by("label_witnesses", get("content_labels"), get("content_labels_as_given"), get)
    return None if found is None else found.evidence


def _arrays_of(kinds: Sequence[type], table: pa.Table, known: CodedLabels) -> list[Any]:
    """Dataclasses of arrays (M,), as they are cached in one table; those of classes are codes of `known`."""
    names = [each.name for kind in kinds for each in fields(kind)]
    of = {name: len(known.names) for name in names if name.endswith("_class")}
    columns = numbers_from_table(table, schema_of(names), len(known), codes=of)
    return [kind(**{each.name: columns[each.name] for each in fields(kind)}) for kind in kinds]


def _shares_to_table(stored: StoredClasses) -> pa.Table:
    return pa.table({**_fields(stored.shares), **_fields(stored.evidence)})


def _recorded_runs(get: Get) -> dict[str, RunOnSet | DamageError]:
    """Each run, or what is wrong with it: others can be read all the same."""
    paths, ids = get("runs"), get("base").table["id"].to_numpy(np.int64)
    runs: dict[str, RunOnSet | DamageError] = {}
    for run in runs_of(paths):
        try:
            epochs = epochs_of(paths, run)
        except DamageError as error:
            runs[run] = error
        else:
            runs |= {run: RunOnSet(run, epochs, ids, get("picture_labels"))} if epochs else {}
    return runs


def _model_columns(get: Get) -> dict[str, Any]:
    """What the chosen run says; {} without a run that can be read, or without two classes."""
    with suppress(DamageError, SupersededError):  # reported where runs are shown
        run = get("recorded_runs").get(chosen_run(get("runs")))
        if isinstance(run, RunOnSet) and len(run.labels.names) > 1:
            codes = get("class_codes")
            names = ("first_class", "second_class", "first_share", "second_share")
            return dict(model_columns(run, None if codes is None else ClassShares(*(codes[name] for name in names))))
    return {}


def _ambiguity(get: Get) -> dict[str, Any]:
    codes = get("class_codes")
    return {} if codes is None else spelled_out(codes, get("picture_labels").names)


def _name_suggestions(get: Get) -> pd.DataFrame:
    names, codes = get("names"), get("name_class_codes")
    table = get("base").table.assign(label=names.to_numpy(object))
    return suggestions_in(table if codes is None else table.assign(**spelled_out(codes, get("name_labels").names)))


# Answers


def _pair_measures(get: Get) -> PairMeasures:
    graph, base, second = get("graph"), get("base"), get("second")
    row = positions_of(graph.content, base.contents)
    of_pictures = base.table[list(PER_IMAGE)].to_numpy(np.float32)
    by_itself = np.where((row >= 0)[:, None], np.nan_to_num(of_pictures[row]), 0)
    return PairMeasures(
        graph,
        get("whitened_graph"),
        by_itself.astype(np.float32),
        representative=twin_representatives(graph.twins).astype(np.int64),
        second=second if second is not None and second.is_whole else None,
    )


def _tuned_order(get: Get) -> Tuned | None:
    answered: Answered = get("answered")
    is_one_kind = answered.is_same.all() or not answered.is_same.any()
    if get("own_graph_columns") is None or len(answered) < FEWEST or is_one_kind:
        return None
    return tune(get("pair_measures"), get("graph").content, answered)


def _tuned(get: Get) -> dict[str, NDArray[np.float32]]:
    tuned: Tuned | None = get("tuned_order")
    if tuned is None:
        return {}
    row = positions_of(get("base").contents, get("graph").content)
    return {"tuned": np.where(row >= 0, tuned.values[row], np.float32(np.nan))}


# The table, and what follows from it


def _measured(get: Get) -> pd.DataFrame:
    """The table before reasons and decisions are joined to it."""
    imported: Imported = get("imported")
    columns = dict(get("labels").columns)
    if get("set").is_external and imported.uncertainty is not None:
        columns |= {"uncertainty": imported.uncertainty, "percentile": percentile(imported.uncertainty)}
    table = with_user_columns(get("base").table.assign(**columns), imported)
    for name in OF_THE_TABLE:
        table = table.assign(**get(name))
    return table


def _order(get: Get) -> Order:
    """The nearest picture that tells of the classes is of another source group."""
    second: SecondModel | None = get("second")
    columns, witnesses = get("graph_columns"), get("content_apart") is not None and get("witnesses")
    if columns is not None and witnesses:
        nearest, source = witnesses.position[:, 0], source_groups(witnesses.twins, witnesses.apart)
        columns = replace(columns, nearest=nearest, twin_group=source)
    return leading_order(
        get("measured"),
        get("base").contents,
        columns,
        get("content_labels"),
        tuned=get("tuned_order"),
        second=None if second is None else second.title,
    )


def _explained(get: Get) -> pd.DataFrame:
    """The table with the reasons of each picture, before decisions are joined to it."""
    table: pd.DataFrame = get("measured")
    texts = get("reasons").texts()
    return table.assign(reasons=pd.Series(texts, index=table.index, dtype=object, copy=False))


def _label_check(get: Get) -> LabelCheck | None:
    """What is found on the labels; None without labels to check."""
    labels, shares, table = get("content_labels"), get("class_shares"), get("measured")
    if labels is None or shares is None:
        return None
    of_labels: LabelEvidence | None = get("label_evidence")
    evidence = shares.evidence if of_labels is None else of_labels
    unseen = useless(table, get("reasons"))["id"].tolist()
    return check_labels(table, get("base").contents, get("label_witnesses"), labels, evidence, useless=unseen)


def _wrong_together(get: Get) -> pd.DataFrame | None:
    """Classes of pictures that look wrong as a whole to other pictures; None where siblings say nothing of labels."""
    shares: StoredClasses | None = get("class_shares")
    if shares is None or get("label_witnesses") is get("witnesses"):
        return None
    row, evidence = get("own_graph_columns").rows_of(get("base").contents), shares.evidence
    names = np.array([*get("content_labels").names, None], dtype=object)  # the code −1 finds the last
    wrong, other = np.append(evidence.label_wrong, np.nan)[row], names[np.append(evidence.other_class, NONE)[row]]
    return wrong_together(get("measured"), wrong, other)


def _leaks(get: Get) -> pd.DataFrame | None:
    """Pictures and twins in two splits, and what is kept apart and lies in two; None without splits."""
    splits, graph, contents = get("splits"), get("graph"), get("base").contents
    if splits is None:
        return None
    twins = replace(no_twins(0), is_thinned=True) if graph is None else graph.twins
    key = contents if graph is None else positions_of(contents, graph.content)
    leaks = leaks_between_splits(get("table"), contents, splits, key, twins)
    if get("apart").codes is None:
        return leaks
    sources = get("sources").astype(np.int64)
    others = leaks_between_splits(get("table"), contents, splits, sources, no_twins(len(sources)))
    return pd.concat([leaks, others[~others["id"].isin(leaks["id"])].assign(kind=APART)], ignore_index=True)


def _reference(get: Get) -> Reference:
    """What new pictures are compared with: the distinct contents of the set."""
    table, contents, graph = get("measured"), get("base").contents, get("graph")
    keys = np.unique(contents) if graph is None else graph.content
    first, row = np.unique(contents, return_index=True)
    is_here = positions_of(keys, first) >= 0  # of the graph, too: a picture may have left since
    rows = row[positions_of(keys[is_here], first)]
    whitened = WhitenedRows(get("whitened").whitening, keys[is_here], get("whitened").rows[rows])
    store: Snapshot = get("shown_tables")
    embeddings = store.embeddings(get("space").key, contents).embedding[rows]
    pixels = stored_pixels(store, keys[is_here])
    labels, classified = get("content_labels"), get("classified")
    if graph is None or labels is None or not is_here.all():
        return Reference(table, table.iloc[rows], whitened, embeddings, np.ones(len(rows), bool), pixels=pixels)
    representative = twin_representatives(graph.twins)
    is_counted = representative == np.arange(len(graph))
    second = _second_reference(get, table, rows)
    _, among = (
        confusability(graph.position, graph.similarity, representative=representative)
        if second is None
        else by_both(graph, get("second"))
    )
    model = None if classified is None else classified.model
    reference = Reference(table, table.iloc[rows], whitened, embeddings, is_counted, among, model, labels.names)
    return replace(reference, second=second, pixels=pixels, groups=source_groups(graph.twins, get("content_apart")))


def _second_reference(get: Get, table: pd.DataFrame, rows: NDArray[np.int64]) -> Reference | None:
    """What new pictures are compared with by the second model."""
    second: SecondModel | None = get("second")
    if second is None or not second.is_whole:
        return None
    graph = get("graph")
    embeddings = get("second_tables").embeddings(second.space.key, graph.content).embedding
    is_counted = is_representative(second.graph.twins)
    return Reference(table, table.iloc[rows], second.whitened, embeddings, is_counted)


def _fields(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


_STORED = (
    Column("files", ("image_table",), lambda get: get("image_table").images(FILES)),
    Column(
        "own_graph_columns",
        ("graph_table", "space"),
        lambda get: get("graph_table").graph_columns(get("space").key),
        on_disk=OnDisk(
            lambda value: pa.table(_fields(value)),
            lambda table, get: graph_columns_from_table(table, get("graph_table").count(f"graph-{get('space').key}")),
            only_large=True,
        ),
    ),
    Column("graph", ("graph_table", "space"), lambda get: get("graph_table").graph(get("space").key)),
    Column("second_available", ("own_graph_columns", "second_tables", "space"), _second_available),
    Column(
        "confusability_by_both",
        ("own_graph_columns", "graph", "second_available", "set"),
        _confusability_by_both,
        digest=_digest_of_array,
        on_disk=OnDisk(lambda value: pa.table({"confusability": value}), _confusability_by_both_from),
    ),
    Column(
        "second",
        ("second_available", "confusability_by_both"),
        lambda get: None if get("confusability_by_both") is None else get("second_available"),
    ),
    Column("graph_columns", ("own_graph_columns", "confusability_by_both", "graph_table", "space"), _graph_columns),
    Column(
        "rows",
        ("shown_tables", "files", "graph_columns", "confusability_by_both", "set"),
        _rows,
        on_disk=OnDisk(
            rows_to_table,
            lambda table, get: rows_from_table(table, files=get("shown_tables").count("images")),
            only_large=True,
        ),
    ),
    Column("base", ("rows",), lambda get: frame_of(get("rows"))),
    Column(
        "whitened",
        ("whitened_table", "base", "space"),
        lambda get: whitened_for(get("whitened_table"), get("space").key, get("base").contents),
        on_disk=OnDisk(lambda value: matrix_to_table(value.rows), _whitened_from, only_large=True, most=1),
    ),
    Column(
        "whitened_graph",
        ("whitened_table", "graph", "space"),
        lambda get: whitened_for(get("whitened_table"), get("space").key, get("graph").content),
    ),
)
_BROUGHT = (
    Column(
        "file_rows",
        ("base", "set"),
        lambda get: get("set").decisions().files.rows_of(get("base").table["id"].to_numpy(np.int64)),
    ),
    Column("imported", ("base", "files", "imports"), _imported),
    Column("labels", ("base", "imported", "imports", "given_labels", "file_rows"), _labels, digest=_digest_of_labels),
    Column("apart", ("base", "imported", "imports"), _apart, digest=_digest_of_apart),
    Column("sources", ("base", "apart"), lambda get: joined_groups(group_codes(get("base").table), get("apart").codes)),
    Column(
        "label_sources",
        ("base", "apart"),
        lambda get: joined_groups(group_codes(get("base").table), get("apart").for_labels),
    ),
    Column(
        "content_apart",
        ("apart", "own_graph_columns", "base"),
        partial(_of_apart, lambda apart: apart.codes),
        digest=_digest_of_array,
    ),
    Column(
        "content_apart_for_labels",
        ("apart", "own_graph_columns", "base"),
        partial(_of_apart, lambda apart: apart.for_labels),
        digest=_digest_of_array,
    ),
    Column("witnesses", ("graph", "whitened_graph", "content_apart"), partial(_witnesses, "content_apart")),
    Column(
        "label_witnesses",
        ("graph", "whitened_graph", "content_apart", "content_apart_for_labels", "witnesses"),
        _label_witnesses,
    ),
    Column(
        "picture_labels",
        ("base", "labels"),
        lambda get: picture_labels(get("labels").columns.get("label", get("base").table["label"])),
        digest=_digest_of_picture_labels,
    ),
    Column("labels_as_given", ("labels", "picture_labels"), _labels_as_given, digest=_digest_of_picture_labels),
    Column(
        "names",
        ("decisions", "file_rows"),
        lambda get: pd.Series(_of_the_table(get, "decisions").name, dtype=object),
        digest=_digest_of_words,
    ),
    Column("name_labels", ("names",), lambda get: picture_labels(get("names"))),
    Column("recorded_runs", ("runs", "base", "picture_labels"), _recorded_runs),
    Column(
        "answered",
        ("decisions", "set"),
        lambda get: get("set").answers.now(),
        digest=lambda answered: answered.pairs.tobytes() + answered.is_same.tobytes(),
    ),
)
AMBIGUITY_COLUMN = Column("ambiguity", ("class_codes", "picture_labels"), _ambiguity, gives=CLASS_COLUMNS)
_MEASURES = (
    *columns_of_classes("picture_labels", given="labels_as_given"),
    Column(
        "label_evidence",
        (
            *("content_labels", "content_labels_as_given", "witnesses", "label_witnesses", "whitened_graph"),
            *("second", "own_graph_columns"),
        ),
        _label_evidence,
        on_disk=OnDisk(
            lambda value: pa.table(_fields(value)),
            lambda table, get: _arrays_of((LabelEvidence,), table, get("content_labels"))[0],
        ),
    ),
    AMBIGUITY_COLUMN,
    Column(
        "class_reader",
        ("base", "classified", "witnesses", "whitened_graph", "second", "content_labels"),
        _class_reader,
    ),
    Column(
        "apart_suggestion",
        ("graph", "base", "imported", "content_labels", "apart", "shown_tables", "space"),
        _apart_suggestion,
    ),
    Column("model_columns", ("recorded_runs", "runs", "class_codes"), _model_columns, gives=MODEL_COLUMNS),
    Column("pair_measures", ("graph", "whitened_graph", "base", "second"), _pair_measures),
    Column("tuned_order", ("answered", "own_graph_columns", "pair_measures", "graph"), _tuned_order),
    Column("tuned", ("tuned_order", "base", "graph"), _tuned, gives=("tuned",)),
)
OF_THE_TABLE = tuple(column.name for column in _MEASURES if column.gives)
"""The columns that give the table a measure."""
_TABLE = (
    Column("measured", ("base", "imported", "labels", "set", *OF_THE_TABLE), _measured),
    Column(
        "order",
        ("measured", "base", "graph_columns", "content_labels", "tuned_order", "second", "witnesses", "content_apart"),
        _order,
        on_disk=OnDisk(order_to_table, lambda table, get: order_from_table(table), only_large=True),
    ),
    Column(
        "reasons",
        ("measured", "order"),
        lambda get: reasons_of(get("measured"), leading=get("order").measure),
    ),
    Column("explained", ("measured", "reasons"), _explained),
    Column(
        "table",
        ("explained", "decisions", "file_rows"),
        lambda get: with_decisions(get("explained"), _of_the_table(get, "decisions")),
    ),
    Column(
        "label_check",
        ("measured", "base", "label_witnesses", "label_evidence", "content_labels", "class_shares", "reasons"),
        _label_check,
    ),
    Column(
        "wrong_together",
        ("class_shares", "content_labels", "label_witnesses", "witnesses", "own_graph_columns", "base", "measured"),
        _wrong_together,
    ),
    Column(
        "doubtful",
        ("label_check", "table"),
        lambda get: None if get("label_check") is None else doubtful_labels(get("label_check"), get("table")),
    ),
    Column(
        "reference",
        (
            *("measured", "base", "graph", "whitened", "content_labels", "classified", "second", "content_apart"),
            *("shown_tables", "second_tables", "space"),
        ),
        _reference,
    ),
    Column(
        "splits",
        ("table", "imported"),
        lambda get: find_splits(get("table"), [column.name for column in get("imported").listed]),
    ),
    Column("leaks", ("splits", "graph", "base", "table", "apart", "sources"), _leaks),
    Column(
        "finding_inputs",
        ("table", "reasons", "label_check", "doubtful", "wrong_together", "leaks", "rows", "set"),
        lambda get: FindingInputs(
            get("table"),
            get("reasons"),
            get("label_check"),
            get("leaks"),
            get("rows").failed,
            get("set").store.about().without_objects,
            get("doubtful"),
            get("wrong_together"),
        ),
    ),
    Column("findings", ("finding_inputs",), lambda get: findings(get("finding_inputs"))),
    *columns_of_classes("name_labels", "name_", least=1),
    Column("name_suggestions", ("names", "name_class_codes", "name_labels", "base"), _name_suggestions),
)
COLUMNS: tuple[Column, ...] = (*_STORED, *_BROUGHT, *_MEASURES, *_TABLE)
"""Every column, after those that it is of."""
