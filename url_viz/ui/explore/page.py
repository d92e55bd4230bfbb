"""Parts of the Explore page: heading, galleries, classes, columns, choosing pictures, unreadable files."""

from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import above, counted, first_of
from url_viz.columns.filters import ReviewSpec, Scope, class_columns, replaced_in, scoped
from url_viz.columns.measures import quoted
from url_viz.columns.ranking import with_percentile
from url_viz.findings.object_findings import TINY_PX
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.ambiguity import between_filters, count_between
from url_viz.labels.apart import apart_choices, apart_in_words
from url_viz.labels.set_columns import Prepared
from url_viz.reading import PREPARED_FROM
from url_viz.review.review import READY_PER_CLASS as REVIEWED_PER_CLASS
from url_viz.store.columns.imported_columns import FOLDERS, NAMES, TAGS
from url_viz.store.columns.source_columns import CLASS, PICTURE
from url_viz.store.columns.user_files import CSV_ENDINGS, JSON_ENDINGS, PARQUET_ENDINGS
from url_viz.ui.explore.controls import default_measure, set_filter, show_filter_chips
from url_viz.ui.explore.export import EXPORT_PANEL, show_export
from url_viz.ui.explore.view import ExploreView, change_view
from url_viz.ui.menu import go_to_review, purpose_of
from url_viz.ui.search import start_search
from url_viz.ui.session import DIALOG, Key
from url_viz.ui.text import errors_shown, escape, show_error
from url_viz.ui.widgets.buttons import act_button, control, dialog_button, download_table, page_title
from url_viz.ui.widgets.components import announce
from url_viz.ui.widgets.embed_job import set_name

CLASSES_OPEN = "view.classes_open"
CLASSES: Key[str] = Key("set.classes")
"""The choice of a set's classes, by its id."""

NONE = "none"
"""The option for no classes; no column can have this name."""


def class_choices(image_set: ImageSet) -> dict[str, tuple[str, str]]:
    """The options by the argument of `ImageSet.labels.use` (NONE for None), each with its title and its classes."""
    now = image_set.labels.levels()
    taken = next((level for level in now.levels if level.number == now.folder_level), None)
    choices = {FOLDERS: ("Class folders", "none found" if taken is None else first_of(taken.names))}
    for level in now.levels:
        if (level != taken and len(level.names) > 1) or now.chosen == level.choice:
            choices[level.choice] = (f"Level {level.number} of the folders", first_of(level.names))
    choices[NAMES] = ("Names", "the names you gave to pictures")
    choices[TAGS] = ("Tags", "a picture's first tag in alphabetical order")
    brought = {column.name: column.source for column in image_set.columns.list()}
    fitting = image_set.cached_of_table(class_columns, tuple(brought))
    choices |= {
        name: (name, f"a column from {source}")
        for name, source in brought.items()
        if name in fitting or name == now.chosen
    }
    if now.chosen is not None and now.chosen not in choices:  # another session may have brought it just now
        choices[now.chosen] = now.chosen, ""
    return choices | {NONE: ("No classes", "")}


def show_class_choice(image_set: ImageSet) -> None:
    """The classes in use, and a choice of others; stored with the set, for all pages."""

    def take(picked: str) -> None:
        with errors_shown():
            image_set.labels.use(None if picked == NONE else picked)
            set_filter("label", None)

    now, choices = image_set.labels.levels(), class_choices(image_set)
    chosen = now.chosen or NONE
    words = escape("; ".join(filter(None, [now.words, image_set.labels.apart.words])))
    if image_set.is_of_objects and (now.chosen, image_set.labels.apart.choice) == (CLASS, PICTURE):
        words = escape(now.words)  # apart as was to be expected
    meaning = "Choose where the classes come from. Pictures are not read again"
    with st.popover(words, type="tertiary", help=meaning, key=CLASSES_OPEN, on_change="rerun") as popover:
        st.radio(
            "Classes from",
            list(choices),
            format_func=lambda choice: escape(choices[choice][0]),
            captions=[escape(detail) for _, detail in choices.values()],
            index=list(choices).index(chosen),
            **control(CLASSES.under(image_set.set_id), chosen, take, options=choices),
        )
        _show_apart(image_set, with_suggestion=bool(popover.open))


def _show_apart(image_set: ImageSet, *, with_suggestion: bool) -> None:
    """The choice of pictures that are no witnesses for each other, and a suggestion, which takes a moment."""
    now = image_set.labels.apart.choice or NONE
    choices = (NONE, *apart_choices(image_set.core.base, [column.name for column in image_set.columns.list()]))
    picked = st.selectbox(
        "Keep apart",
        choices,
        index=choices.index(now),
        format_func=lambda choice: "near copies only" if choice == NONE else apart_in_words(choice),
        key=f"apart.{image_set.version}",
        help="Pictures of one patient, video or camera are then no evidence for each other, as with near copies",
    )
    suggestion = image_set.labels.suggested_apart() if with_suggestion and len(image_set) < PREPARED_FROM else None
    if suggestion is not None:
        st.caption(escape(suggestion.words))
        set_apart = partial(image_set.labels.set_apart, suggestion.choice)
        if act_button("Keep them apart", set_apart, key="apart.suggested"):
            st.rerun()
    if picked != now:
        with errors_shown():
            image_set.labels.set_apart(None if picked == NONE else picked)
            st.rerun()


MATCHED_COLUMNS: "Key[tuple[tuple[object, ...], Prepared]]" = Key("own.matched")

MOST_MEGABYTES = 100
ROWS_SHOWN = 5
_ENDINGS = [ending.removeprefix(".") for ending in (*CSV_ENDINGS, *PARQUET_ENDINGS, *JSON_ENDINGS, ".npz")]


def _closed() -> None:
    DIALOG.clear()
    MATCHED_COLUMNS.clear()


@st.dialog("Add columns", width="large", on_dismiss=_closed)
def user_columns_dialog(image_set: ImageSet) -> None:
    """Add columns from a file, and remove earlier imports."""
    st.caption(
        "A table with one row per picture: a column of paths, and any columns of numbers or text. You can then filter, "
        "colour, order and export by them. Columns `logit_0`, `logit_1`, … become measures."
    )
    with errors_shown(st.error):
        _add(image_set)
        _show_imports(image_set)


def _add(image_set: ImageSet) -> None:
    dropped = st.file_uploader(
        "CSV, Parquet, JSON or NumPy file", type=_ENDINGS, key="own.file", max_upload_size=MOST_MEGABYTES
    )
    if dropped is None:
        return
    typed = st.text_input("Column with the paths", key="own.path_column", placeholder="detected by name")
    path_column = typed.strip() or None
    try:
        with st.spinner("Matching rows to pictures"):
            prepared = _matched(image_set, dropped, path_column, ())
    except UrlVizError as error:
        show_error(error)
        return
    first, *more = prepared.words
    st.success(escape(first), icon=":material/check_circle:")
    for sentence in more:
        st.caption(escape(sentence))
    columns = {name: column.values[:ROWS_SHOWN] for name, column in prepared.content.columns.items()}
    alt = "The first rows of the new columns"
    st.dataframe(pd.DataFrame(columns), hide_index=True, width="stretch", height="content", alt=alt)
    numeric = [name for name, column in prepared.names.items() if prepared.content.columns[column].kind == "numeric"]
    marked = st.multiselect(
        "Uncertainty columns",
        numeric,
        default=prepared.marked_in(image_set.columns.list()),
        key=f"own.uncertainties.{dropped.file_id}",
        placeholder="none",
        help="Columns that are higher for more ambiguous pictures. The page Model then shows how well they order.",
    )

    def keep() -> None:
        image_set.columns.keep(_matched(image_set, dropped, path_column, tuple(marked)))

    if act_button("Keep these columns", keep, type="primary", key="own.keep", icon=":material/check:"):
        st.rerun(scope="app")


def _matched(image_set: ImageSet, file: UploadedFile, path_column: str | None, marked: tuple[str, ...]) -> Prepared:
    """The file matched to the set, cached for the same file and options."""
    key = (file.file_id, path_column, marked, image_set.set_id, image_set.version)
    match = partial(image_set.columns.match, path_column=path_column, uncertainties=marked)
    return MATCHED_COLUMNS.get_for(key, lambda: match(IncomingFile(file.name, file.getvalue())))


def _show_imports(image_set: ImageSet) -> None:
    columns = image_set.columns.list()
    for source in dict.fromkeys(column.source for column in columns):
        mine = [column for column in columns if column.source == source]
        count = counted(max(column.known for column in mine), image_set.noun)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            names = ", ".join(column.name for column in mine)
            st.markdown(f"**{escape(source)}** · {escape(count)} · {escape(names)}")
            if mine[0].comes_with_pictures:
                st.caption("comes with the pictures", width="content")
                continue
            remove, key = partial(image_set.columns.remove, source), f"own.remove.{source}"
            if act_button("Remove", remove, icon=":material/delete:", key=key, type="tertiary"):
                st.rerun(scope="app")


MOST_PAIRS = 12
SHOWN_FIRST: Key[int] = Key("view.shown_first")
"""How often a control below the galleries changed what they show: the page scrolls to them then."""


def show_heading(
    image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame, review: ReviewSpec, *, count: int
) -> None:
    """The set's name, counts and classes, the `review` of the `count` pictures acted on, user columns, and exports.

    Exports are of `table`, all pictures, and `rows`: those that are acted on, with the tiny ones that are not shown.
    """
    facts = counted(len(table), image_set.noun)
    if image_set.is_of_objects:
        facts += f" in {counted(table[PICTURE].nunique(), 'picture')}"
    if failed := len(image_set.failures()):
        facts += f" · {failed:,} unreadable"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_heading"):
        page_title(escape(set_name(image_set.root)), width="content", help=escape(purpose_of("Explore")))
        st.caption(escape(facts), width="content")
        show_class_choice(image_set)
        st.space("stretch")
        is_all = count == len(image_set)
        st.button(
            "Review" if is_all else "Review this one" if count == 1 else f"Review these {count:,}",
            type="primary",
            icon=":material/rate_review:",
            key="explore.review",
            disabled=not count,
            help="Go through what is selected, or else all that is shown, one by one in this order. What you have "
            "decided on is skipped",
            on_click=go_to_review,
            args=(review,),
        )
        with st.container(horizontal=True, width="content", gap="small", key="explore_extras"):
            words = "From a CSV or Parquet file, matched by path; and those that there are"
            if dialog_button("Add columns", icon=":material/table_chart:", key="own.open", help=words):
                user_columns_dialog(image_set)
            st.button("Find similar", icon=":material/image_search:", key="search.start", on_click=start_search)
            with st.popover("Export", icon=":material/download:", key=EXPORT_PANEL, on_change="rerun"):
                show_export(image_set, table, rows)
    if image_set.source.head is None:
        st.info(
            f"{escape(repr(image_set.source.title))} has no head, which only the order “General model” needs. To train "
            "one: `python -m training.finetune`.",
            icon=":material/info:",
        )


def announce_shown(image_set: ImageSet, rows: pd.DataFrame, measure: str) -> None:
    """Announce how many pictures are shown, and in which order."""
    of = "" if len(rows) == len(image_set) else f" of {len(image_set):,}"
    announce("explore", f"{len(rows):,}{of} {image_set.noun}s by {quoted(measure)}")


def show_pairs(image_set: ImageSet) -> None:
    """The pairs of classes that are most often taken for each other, each a button; nothing without classes."""
    confused = image_set.labels.confused()
    if confused is None or confused.empty:
        return
    pairs, table = confused.head(MOST_PAIRS), image_set.table()
    first = f"the first {len(pairs):d}" if len(pairs) == MOST_PAIRS else f"{len(pairs):d}"
    with st.expander(f"Classes taken for each other · {escape(first)}", icon=":material/compare_arrows:"):
        st.caption("How many pictures are torn between the two, leaving out their own label.")
        with st.container(horizontal=True, gap="small"):
            for number, row in enumerate(pairs.itertuples()):
                pair = str(row.class_a), str(row.class_b)
                words = f"{pair[0]} or {pair[1]}? · {count_between(table, pair):,}"
                st.button(escape(words), key=f"pair.{number}", on_click=show_pair, args=(pair,))


def show_pair(pair: tuple[str, str]) -> None:
    """Have Explore show the pictures that lie between two classes."""
    for between in between_filters(pair):
        set_filter(between.column, between)
    SHOWN_FIRST.set((SHOWN_FIRST.get() or 0) + 1)


def show_chips(view: ExploreView, *, hidden: int) -> None:
    """A removable chip for everything that narrows the view; `hidden` is the number of objects that are too small."""

    def chip(words: str, key: str, *, help_text: str | None = None, **change: object) -> None:
        meaning, icon = None if help_text is None else escape(help_text), ":material/close:"
        st.button(escape(words), icon=icon, key=f"chip.{key}", help=meaning, on_click=change_view, kwargs=change)

    if view == replace(view, polygon=None, cuts=(), filters=()) and not hidden:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if view.polygon is not None:
            chip("Selection", "selection", polygon=None)
        show_filter_chips()
        if hidden:
            meaning = "The shorter side of their box has fewer pixels. Exports have them. Click to show them"
            chip(f"{hidden:,} under {TINY_PX} px hidden", "tiny", help_text=meaning, hide_tiny=False)
        if view.cuts:
            chip(f"Threshold: {', '.join(map(above, view.cuts))}", "threshold", cuts=())


def before_reasons(table: pd.DataFrame, view: ExploreView, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that `view` shows without its filter on reasons, whose control counts them; `rows` are those with it."""
    others = replaced_in(view.filters, "reasons", None)
    return rows if others == view.filters else scoped(table, replace(view.scope, filters=others))


def review_of(view: ExploreView, measure: str, scope: Scope | None = None) -> ReviewSpec:
    """The review of Explore's pictures in its order, in `scope` or by default in lasso and filters."""
    return ReviewSpec(
        measure,
        scope or view.scope,
        within_class=view.within_class,
        per_class=REVIEWED_PER_CLASS if view.class_by_class else None,
    )


def show_failures(image_set: ImageSet) -> None:
    """The files that could not be read, with reasons, and a download of the list."""
    failures = image_set.failures()
    if failures.empty:
        return
    with st.expander(escape(f"{counted(len(failures), 'file')} could not be read"), icon=":material/broken_image:"):
        show_failure_list(image_set)


def show_failure_list(image_set: ImageSet, *, key: str = "failures") -> None:
    """The files that could not be read, with reasons, and the download of the list."""
    failures = image_set.failures()
    st.dataframe(failures, hide_index=True, width="stretch", alt="Files that could not be read, with reasons")
    download_table(
        "Download the list (CSV)",
        failures,
        file_name=f"{image_set.root.name}-failures.csv",
        key=f"download.{key}",
        is_quiet=False,
    )


def ranked_by(table: pd.DataFrame, view: ExploreView, measure: str) -> pd.DataFrame:
    """The table with the measure's percentile in the set, or in the class, as galleries and exports show it."""
    within_class = view.within_class and bool(table["label"].notna().any())
    return with_percentile(table, measure, within_class=within_class)


def lasting(view: ExploreView, image_set: ImageSet, *, measure: str, colour: str) -> ExploreView:
    """The view for the address: the default measure counts as no choice."""
    return replace(view, measure=None if measure == default_measure(image_set) else measure, colour=colour)
