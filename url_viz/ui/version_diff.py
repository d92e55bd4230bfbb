"""What changed since another version or folder: in words, on one map, in pictures and figures."""

import datetime
import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.wording import counted
from url_viz.columns.filters import category_names
from url_viz.drawing.points import MapView
from url_viz.drawing.tiles import Tile, card_url, tile_of
from url_viz.export.diffs import diff_html
from url_viz.image_set import ImageSet, diff
from url_viz.jobs import Job, JobState, latest_job, list_jobs, why_it_failed
from url_viz.jobs.calls import call
from url_viz.jobs.kinds import AT_ONCE, COMPARE
from url_viz.ui.http import drawn_url, mask_url
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import OPENED, Key
from url_viz.ui.text import Markdown, date_and_time, errors_shown, escape, show_error
from url_viz.ui.widgets.buttons import act_button, control_of, download, offered
from url_viz.ui.widgets.embed_job import set_name, titles
from url_viz.ui.widgets.gallery import one_page, show_gallery
from url_viz.ui.widgets.jobs import show_until_over
from url_viz.ui.widgets.map import show_map
from url_viz.ui.widgets.picture import open_picture, show_opened
from url_viz.versions.changes import CHANGES
from url_viz.versions.set_diffs import CHANGED, GONE, NEW, SAME, Diff, stored_diff

VERSION_BEFORE: Key[str | None] = Key("view.versions.before")
"""What the set is compared with: the number of a version, or the id of another set."""
VERSION_CHANGES: Key[list[str]] = Key("view.versions.changes")
VERSION_PAGE: Key[int] = Key("view.versions.page")
"""The page of changed pictures, by the number of pages and of pictures."""
VERSION_MEASURED: Key[str] = Key("view.versions.measured")
"""The two versions whose accuracy was asked for."""
VERSIONS_MAP = "view.versions.map."
VERSIONS_GALLERY = "view.versions.gallery"

KINDS = {NEW: "#009e73", GONE: "#d55e00", CHANGED: "#0072b2", SAME: "#7d8590"}
"""What happened to a picture, and its colour, told from the others with common colour-vision deficiencies."""
CHANGES_BY_KIND = {NEW: ["added"], GONE: ["removed"], CHANGED: [*CHANGES][2:]}
MAP_HEIGHT_PX = 520
TILES = 24
_NUMBER = "v"
"""The beginning of the number of a version, among ids of image sets."""


def pick_before(image_set: ImageSet) -> str | None:
    """The earlier version or other set that is compared with the set; None if there is neither."""

    def title(option: str) -> str:
        if option not in versions:
            return sets[option]
        version = versions[option]
        read = date_and_time(datetime.datetime.fromisoformat(version.at))
        return f"Version {version.number}, {read}: {counted(version.pictures, image_set.noun)}"

    versions = {f"{_NUMBER}{version.number}": version for version in reversed(image_set.versions.stored())}
    if damaged := image_set.versions.damaged():
        numbers = ", ".join(map(str, damaged))
        words = f"Version {numbers} is damaged" if len(damaged) == 1 else f"Versions {numbers} are damaged"
        advice = "url-viz sets repair FOLDER lays damaged files aside."
        st.warning(escape(f"{words}. {advice}"), icon=":material/broken_image:")
    sets = {set_id: title for set_id, title in titles().items() if set_id != image_set.set_id}
    options = [*versions, *sets]
    if not options:
        st.info(
            "No earlier version of this image set is kept yet, and there is no other set. One is kept at the end of "
            "each reading that changes something.",
            icon=":material/history:",
        )
        return None
    before = VERSION_BEFORE.get()
    if before not in options:
        job = latest_job(image_set.workspace, kind=COMPARE.name, set_id=image_set.set_id)
        last = None if job is None else job.about.get("before")
        # Another set is no version of this one until somebody says so.
        before = last if last in options else [*versions, None][1 if len(versions) > 1 else 0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("Since", width="content")
        st.selectbox(
            "What changed since",
            options,
            index=None if before is None else options.index(before),
            format_func=title,
            placeholder="Choose another image set",
            label_visibility="collapsed",
            width=420,
            **control_of(VERSION_BEFORE, before, options=options),
        )
    return before


def compare_versions(image_set: ImageSet, before: str) -> Diff | None:
    """What changed since; None if the other set was not read with this model, or a job has to compare first."""
    other = image_set if before.startswith(_NUMBER) else open_sets().find(before, image_set.source.name)
    if other is None:
        st.info(
            f"That image set has not been read with {escape(image_set.source.title)}. Open it, and "
            "read it with this model first.",
            icon=":material/info:",
        )
        return None
    about = {"set_id": image_set.set_id, "before": before}
    job = next(iter(list_jobs(image_set.workspace, kind=COMPARE.name, about=about)), None)
    by_job = "" if job is None else f"{job.id}.{job.state}"
    with st.spinner("Comparing"):
        difference = image_set.cached(_diff, before, _state(image_set), _state(other), by_job)
    if difference is None:
        _show_job(image_set, other, before, job)
    return difference


def _state(image_set: ImageSet) -> str:
    return f"{image_set.version}.{image_set.decisions.version}"


def _diff(image_set: ImageSet, before: str, *_: str) -> Diff | None:
    """The changes since `before`, None if a job has yet to find them; `_` are part of the cache's key."""
    if before.startswith(_NUMBER):
        version = image_set.versions.at(before.removeprefix(_NUMBER))
    else:
        version = open_sets().get(before, image_set.source.name).versions.now()
    now = image_set.versions.now()
    return diff(version, now) if len(version.rows) + len(now.rows) <= AT_ONCE else stored_diff(version, now)


def _show_job(image_set: ImageSet, other: ImageSet, before: str, job: Job | None) -> None:
    """A button that starts the job that compares, its progress, or why it failed."""

    def start() -> None:
        source, home = image_set.source.name, image_set.workspace.root
        number = before.removeprefix(_NUMBER) if other is image_set else None
        later = image_set.root if number is None else None
        opening: dict[str, Any] = {"folder": other.root, "model": source, "workspace": home}
        compare = call("versions diff", other=later, since=number, keep=True, **opening)
        what = set_name(other.root) if number is None else f"its version {number}"
        COMPARE.start_on(image_set, compare, name=set_name(image_set.root), before=before, other=what)

    if job is not None and job.status().is_live:
        show_until_over(job)
        return
    if job is not None and job.state is JobState.FAILED:
        show_error(f"Nothing was compared. {why_it_failed(job)}")
    st.caption(
        "Comparing so many pictures may take a minute or more. It goes on when you leave this page, and its result "
        "stays until pictures, labels or decisions change."
    )
    if act_button("Compare", start, type="primary", icon=":material/difference:", key="versions.compare"):
        st.rerun()


def show_changes(difference: Diff) -> tuple[str, ...]:
    """The changes in words, and pills that choose among them; returns those chosen, none for all."""
    st.markdown(Markdown("\n".join(f"- {escape(sentence)}" for sentence in difference.words_of_changes)))
    counts = difference.counts()
    chosen = [name for name in VERSION_CHANGES.get() or [] if name in counts]
    st.pills(
        "Changes",
        list(counts),
        selection_mode="multi",
        default=chosen,
        format_func=lambda name: escape(f"{CHANGES[name].capitalize()} · {counts[name]:,}"),
        label_visibility="collapsed",
        **control_of(VERSION_CHANGES, chosen, options=counts),
    )
    return tuple(chosen)


def show_both_on_map(image_set: ImageSet, difference: Diff, chosen: Sequence[str]) -> None:
    """Both versions on the map of the later one, coloured by what happened."""

    def pick(kinds: tuple[str, ...]) -> None:
        VERSION_CHANGES.set([name for kind in kinds for name in CHANGES_BY_KIND.get(kind, ())])

    table = difference.on_map
    names = category_names(table, "change")
    rows = difference.table[difference.table[list(chosen)].any(axis=1)]
    ids = pd.concat([rows["id"], rows["id_before"].where(rows["removed"])])
    is_shown = table["id"].isin(ids.dropna()).to_numpy(bool) if chosen else table["id"].notna().to_numpy(bool)
    view = MapView(
        points_url=drawn_url(table, "change"),
        card_url=card_url(image_set, gone=difference.before.core.set_id),
        mask_url=mask_url(table, is_shown),
        total=len(table),
        unit=image_set.noun,
        colour="category",
        categories=names,
        category_title="Change",
        category_colours=tuple(KINDS[name] for name in names),
        ringed_id=OPENED.get(),
        with_names=False,
        chosen=tuple(number for number, name in enumerate(names) if set(CHANGES_BY_KIND.get(name, ())) & set(chosen)),
    )
    key = f"{VERSIONS_MAP}{image_set.set_id}"
    show_map(view, key=key, height_px=MAP_HEIGHT_PX, on_pick=pick, on_click=open_picture)


def show_pictures(difference: Diff, chosen: Sequence[str]) -> None:
    """The pictures with these changes, by path, a page at a time."""
    rows = difference.table[difference.table[list(chosen or CHANGES)].any(axis=1)]
    with one_page(rows, VERSION_PAGE.under(len(rows)), size=TILES) as page:
        tiles = tuple(_tile(row, difference) for _, row in page.iterrows())
        show_gallery(tiles, key=VERSIONS_GALLERY, empty="Nothing changed.", on_click=open_picture)


def _tile(row: "pd.Series[Any]", difference: Diff) -> Tile:
    is_gone = bool(row["removed"])
    image_id, label = (row["id_before"], row["label_before"]) if is_gone else (row["id"], row["label"])
    changes = " · ".join(CHANGES[name] for name in CHANGES if row[name])
    was = f"{row['path_before']} → " if row["moved"] else ""
    shown = f"{row['label_before'] or 'none'} → {row['label'] or 'none'}" if row["relabelled"] else label
    set_id = (difference.before if is_gone else difference.after).core.set_id
    return tile_of(
        {"id": image_id, "path": row["path"], "label": shown},
        set_id=set_id,
        value=changes,
        detail=f"{was}{row['path']}",
    )


def holder_of(image_set: ImageSet, difference: Diff, image_id: int) -> ImageSet | None:
    """The set that has a picture now; None for one that is gone from the same set."""
    sets = image_set, open_sets().get(difference.before.core.set_id, image_set.source.name)
    return next((image_set_of for image_set_of in sets if image_id in image_set_of.core.ids), None)


def show_figures(difference: Diff) -> None:
    """New leaks, and the classes whose ambiguity changed."""
    if difference.new_leaks is not None and len(difference.new_leaks):
        st.header("New leaks", anchor=False)
        columns = ["path", "split", "twin_path", "twin_split", "cosine", "kind"]
        st.dataframe(
            difference.new_leaks[columns],
            hide_index=True,
            column_config={
                **{name: name.capitalize() for name in ("path", "split", "kind")},
                "twin_path": "Copy or view",
                "twin_split": "in split",
                "cosine": st.column_config.NumberColumn("Cosine", format="%.3f"),
            },
            alt="Leaks between splits that are new",
        )
    classes = pd.concat([difference.rose, difference.fell])
    if len(classes):
        st.header("Classes that became more or less ambiguous", anchor=False)
        number = st.column_config.NumberColumn
        st.dataframe(
            classes.drop(columns=["pictures_before", "pictures", "p"]),
            hide_index=True,
            width="content",
            column_config={
                "label": "Class",
                **{name: number(name.capitalize(), format="%.2f") for name in ("before", "after")},
                **{name: number(name.capitalize(), format="%+.2f") for name in ("difference", "low", "high")},
            },
            alt="Classes whose mean ambiguity changed, with intervals",
        )
        st.caption(
            "Mean ambiguity, 0 to 1. Low and high are the 95 % interval of the difference, over groups of near copies."
        )


def show_accuracy(image_set: ImageSet, difference: Diff) -> None:
    """A button that measures the same classifier on both versions, and the result."""
    now = f"{_state(image_set)}.{VERSION_BEFORE.get()}"
    if not difference.is_measured and VERSION_MEASURED.get() != now:
        st.button(
            "What did it do to accuracy?",
            icon=":material/trending_up:",
            key="versions.measure",
            on_click=VERSION_MEASURED.set,
            args=(now,),
            help="Trains a linear classifier on the stored embeddings of each version, and tests it on the same "
            "pictures: those of both whose label stayed. It takes seconds; the network itself is not trained",
        )
        return
    with errors_shown(st.error), st.spinner("Training the classifier: five folds, three times"):
        accuracy = difference.accuracy
    st.markdown("There are too few pictures or classes." if accuracy is None else escape(accuracy.words))


def show_downloads(image_set: ImageSet, difference: Diff) -> None:
    """The report, and all lists as JSON, the accuracy among them."""
    with st.container(horizontal=True):
        name = f"{image_set.root.name}-changes"
        download("Report (HTML)", lambda: diff_html(difference).encode(), file_name=f"{name}.html", key="versions.html")
        download(
            "Lists (JSON)",
            lambda: json.dumps(difference.as_json(), indent=1).encode(),
            file_name=f"{name}.json",
            key="versions.json",
        )


def show_versions(image_set: ImageSet) -> None:
    """What changed in the set since an earlier version, or between two folders."""
    before = pick_before(image_set)
    difference = compare_versions(image_set, before) if before is not None else None
    if difference is None:
        return
    chosen = show_changes(difference)
    if difference.table.empty:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        show_both_on_map(image_set, difference, chosen)
    with right:
        show_pictures(difference, chosen)
    with left:
        show_figures(difference)
        show_accuracy(image_set, difference)
        show_downloads(image_set, difference)
    opened = OPENED.get()
    holder = None if opened is None else holder_of(image_set, difference, opened)
    if holder is not None:
        show_opened(holder, measure=offered(holder)[0])
