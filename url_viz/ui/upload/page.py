"""Parts of the New pictures page: file drop, galleries, the map, exports, and the dialog of one upload."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import MISSING, counted, percent
from url_viz.columns.measures import available_measures, measure_named, measure_title, quoted
from url_viz.drawing.tiles import Tile, tile_of, tiles_by_similarity, value_text, value_with_percentile
from url_viz.evidence.order import plain_words
from url_viz.export.picture_files import data_url
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import Incoming, copy_into, sorted_zip
from url_viz.imaging.workers import decoders
from url_viz.models.model import resolve
from url_viz.outside.new_pictures import nearest_without_twins
from url_viz.outside.sides import MARKS, THRESHOLD, SortedUploads, classes_in_words
from url_viz.outside.uploads import (
    COPY,
    MEASURED,
    UNLIKE,
    VIEW,
    NewPicture,
    arrays_of,
    judge_pictures,
    unlike_in_words,
)
from url_viz.ui.auth import allowed, proposed_folder, roots
from url_viz.ui.session import DIALOG, Key, SetChoice, clear_under
from url_viz.ui.text import Markdown, errors_shown, escape
from url_viz.ui.upload.batch import UPLOADS, UploadBatch
from url_viz.ui.widgets.buttons import act_button, download, led_by, measure_under, page_title
from url_viz.ui.widgets.charts import show_figure, uploads_figure
from url_viz.ui.widgets.components import announce, show_paste
from url_viz.ui.widgets.embed_job import open_folder, set_name
from url_viz.ui.widgets.gallery import one_page, show_gallery
from url_viz.ui.widgets.open_folder import offer_to_write

UPLOADS_RANKED: "Key[tuple[tuple[object, ...], pd.DataFrame]]" = Key("upload.ranked")
UPLOAD_OPENED: Key[int] = Key("upload.opened")
"""The number of the upload that was opened last."""
UPLOADER: "Key[Sequence[UploadedFile]]" = Key("upload.drop")
"""The uploader of files or of a folder, by UPLOADS_ROUND: the browser keeps the files of a widget."""
UPLOADS_ROUND: Key[int] = Key("uploads.round")
"""How often all uploads were removed."""
UPLOAD_MEASURE: Key[str | None] = Key("upload.measure")
UPLOADS_PAGE: Key[int] = Key("upload.page")
"""The page of a gallery of uploads that is shown, by its side and the number of pages."""
TILES_PER_PAGE = 12
CLEAR = "Unambiguous"


def show_drop() -> None:
    """Drop, choose or paste files; they stay in the session while other pages are visited."""

    def store() -> None:
        UPLOADS.set(tuple(key.get() or ()))

    page_title(Markdown("New pictures"))
    way = st.segmented_control(
        "What to upload",
        ["Files or zips", "A folder"],
        default="Files or zips",
        required=True,
        label_visibility="collapsed",
        key="upload.way",
    )
    is_folder = way == "A folder"
    key = UPLOADER.under("folder" if is_folder else "", UPLOADS_ROUND.get() or 0)
    st.file_uploader(
        "Pictures to sort",
        accept_multiple_files="directory" if is_folder else True,
        key=key,
        on_change=store,
        label_visibility="collapsed",
    )
    if not is_folder:
        show_paste(key="upload.paste")


def show_cannot_embed(now: SetChoice) -> None:
    """Say why nothing can be scored under imported embeddings."""
    page_title(Markdown("New pictures"))
    st.info(
        f"{escape(resolve(now.model).title)}: these embeddings were imported, so no model here can embed a new "
        "picture. Choose a model under Folder and model.",
        icon=":material/info:",
    )


def show_empty(now: SetChoice, image_set: ImageSet | None) -> None:
    """What the page does, shown before any upload."""
    others = "each other until an image set is open" if image_set is None else f"**{escape(set_name(image_set.root))}**"
    model = escape(resolve(now.model).title)
    st.markdown(
        f"Drop pictures, a folder or a zip. They are scored with **{model}** in memory: nothing is stored unless you "
        f"ask. They are sorted from most to least ambiguous, and compared with {others}."
    )
    st.caption("Download the ranking as CSV or the pictures as a sorted zip, or add the pictures to a folder.")


def ranked_uploads(batch: UploadBatch, image_set: ImageSet | None) -> pd.DataFrame:
    """The table of `judge_pictures`, cached for the same uploads and image set."""
    key = (batch.key, image_set.set_id if image_set else None, image_set.version if image_set else None)
    return UPLOADS_RANKED.get_for(
        key, lambda: judge_pictures(batch.scored, image_set.core.reference() if image_set else None)
    )


def show_heading(batch: UploadBatch, now: SetChoice, image_set: ImageSet | None) -> None:
    """The number of uploads, the model, the image set that they are compared with, and a button that removes all."""

    def remove_all() -> None:
        clear_under("upload.")
        UPLOADS_ROUND.set((UPLOADS_ROUND.get() or 0) + 1)

    left, right = st.columns([6, 1], vertical_alignment="center")
    compared = (
        f"percentiles are within {set_name(image_set.root)} ({len(image_set):,} pictures)"
        if image_set is not None
        else "compared with each other: no image set is open"
    )
    second, named = (
        (image_set.core.second.active, image_set.core.second.name) if image_set is not None else (None, None)
    )
    models = " and ".join([resolve(now.model).title, *([named] if named else [])])
    models += f" alone, since the weights of {second.space.backbone} are in no package" if second and not named else ""
    left.caption(f"{escape(counted(len(batch.scored), 'picture'))} · scored with {escape(models)} · {escape(compared)}")
    right.button("Remove all", icon=":material/close:", key="upload.clear", on_click=remove_all, width="stretch")


def pick_order(table: pd.DataFrame, image_set: ImageSet | None) -> tuple[str, int] | None:
    """The measure that orders the uploads, and the percentile from which they are ambiguous; None without a measure.

    At first it is the measure that leads in the image set, if uploads have it.
    """
    order = image_set.order() if image_set is not None else None
    leading = order.measure if order is not None else None
    measures = available_measures(table)
    if not measures and image_set is not None:  # all uploads are unlike the set
        measures = tuple(name for name in image_set.core.measures() if name in MEASURED)
    options = led_by(leading, measures)
    if not options:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        measure = measure_under(UPLOAD_MEASURE, options)
        threshold = st.slider("Ambiguous if above", 0, 100, THRESHOLD, format="%d %%", key="upload.threshold")
    st.caption(escape(plain_words(order) if order and measure == leading else measure_named(measure).meaning))
    return measure, threshold


def show_sides(
    batch: UploadBatch, done: SortedUploads, image_set: ImageSet | None, *, measure: str, columns: int
) -> None:
    """Ambiguous and unambiguous uploads side by side, those that are unlike the set above them."""
    copies = in_set(batch, image_set)
    counts = f"{len(done.ambiguous):,} uploads are ambiguous, {len(done.clear):,} unambiguous"
    announce("upload", counts + (f", {len(done.unlike):,} unlike this set" if len(done.unlike) else ""))
    if len(done.unlike):
        _gallery(batch, done.unlike, UNLIKE, copies, measure=measure, columns=2 * columns)
        st.caption(escape(unlike_in_words(len(done.unlike))))
    left, right = st.columns(2, gap="medium")
    with left:
        _gallery(batch, done.ambiguous, "Ambiguous", copies, measure=measure, columns=columns)
    with right:
        _gallery(batch, done.clear, CLEAR, copies, measure=measure, columns=columns)
    if len(done.unknown):
        st.caption(f"{len(done.unknown):,} pictures have no value of {escape(quoted(measure))} here.")


def show_on_map(table: pd.DataFrame, done: SortedUploads, image_set: ImageSet, *, measure: str, threshold: int) -> None:
    """The uploads on the image set's map, each next to its neighbours."""
    rows = pd.concat([part for part in (done.unlike, done.clear, done.ambiguous) if len(part)] or [done.clear])
    xy, title = image_set.core.reference().xy, f"{measure_title(measure)}, percentile"
    figure = uploads_figure(rows, xy, threshold=threshold, title=title)
    show_figure(
        figure,
        key="upload.map",
        alt="The uploads on the map of the image set, each next to its neighbours",
    )
    kinds = table["twin_kind"].value_counts()
    parts = [f"{counted(len(table), 'upload')} among {len(image_set):,} pictures, each placed by its neighbours"]
    if copies := int(kinds.get(COPY, 0)):
        parts.append(f"{copies:,} {'is' if copies == 1 else 'are'} in the image set already, or a copy is")
    if views := int(kinds.get(VIEW, 0)):
        parts.append(f"of {views:,} the image set has another view")
    st.caption(escape(" · ".join(parts)))


def in_set(batch: UploadBatch, image_set: ImageSet | None) -> frozenset[int]:
    """The rows of the uploads whose very file the image set has."""
    if image_set is None:
        return frozenset()
    is_present = np.isin([upload.content for upload in batch.scored], image_set.core.contents)
    return frozenset(np.flatnonzero(is_present).tolist())


def _gallery(
    batch: UploadBatch, rows: pd.DataFrame, title: str, copies: Collection[int], *, measure: str, columns: int
) -> None:
    def tile(row: Mapping[Any, Any]) -> Tile:
        value, detail = "", "Nothing in the set is like this picture"
        if not row["is_unlike"]:
            of_measure, rank = float(row[measure]), float(row["rank_percentile"])
            value = value_text(of_measure, rank)
            detail = f"{measure_title(measure)} {value_with_percentile(of_measure, rank)}"
        return tile_of(
            row,
            set_id="",
            thumbnail=data_url(batch.scored[int(row["id"])].thumbnail),
            value=value,
            detail=detail,
            label=None if row["is_unlike"] else classes_in_words(row, is_clear=title == CLEAR),
            mark="in the set" if row["id"] in copies else MARKS.get(row["twin_kind"]),
        )

    def open_upload(number: int) -> None:
        UPLOAD_OPENED.set(number)
        DIALOG.set("upload")

    st.header(f"{escape(title)} · {len(rows):,}", anchor=False)
    with one_page(rows, UPLOADS_PAGE.under(title), size=TILES_PER_PAGE) as page:
        shown = tuple(map(tile, page.to_dict("records")))
        key, empty = f"upload.gallery.{title}", "No pictures on this side."
        show_gallery(shown, key=key, empty=empty, columns=columns, on_click=open_upload)


def show_refused(batch: UploadBatch) -> None:
    """The files that were not scored, with reasons."""
    if not batch.refused:
        return
    table = pd.DataFrame([(r.name, r.reason) for r in batch.refused], columns=["file", "reason"])
    count = f"{counted(len(table), 'file')} {'was' if len(table) == 1 else 'were'} not scored"
    with st.expander(escape(count), icon=":material/broken_image:", expanded=not batch.scored):
        st.dataframe(table, hide_index=True, width="stretch", alt="Files that were not scored, with reasons")


FOLDER_NAME = "uploads"


def show_exports(batch: UploadBatch, done: SortedUploads, now: SetChoice, image_set: ImageSet | None) -> None:
    """Two downloads, created on request, and a popover that adds the pictures to a folder."""
    download(
        "Ranking (CSV)",
        lambda: ranking_csv(done),
        file_name="uploads-ranking.csv",
        key="upload.csv",
        icon=":material/table:",
    )
    download(
        "Sorted zip",
        lambda: zip_uploads(batch, done),
        file_name="uploads-sorted.zip",
        key="upload.zip",
        icon=":material/folder_zip:",
    )
    with st.popover("Add to a folder", icon=":material/create_new_folder:"):
        _show_add(batch, done, now, image_set)


def ranking_csv(done: SortedUploads) -> bytes:
    """Every upload, most ambiguous first, with its side and all values; those without a value last."""
    table = done.table()
    named = table.drop(columns=["id", "rank_percentile", "is_unlike"]).rename(columns={"path": "name"})
    front = ["name", "side"]
    return table_bytes(named[[*front, *(c for c in named.columns if c not in front)]], ".csv")


def zip_uploads(batch: UploadBatch, done: SortedUploads) -> bytes:
    """A zip with `ambiguous/`, `clear/` and the ranking; others are in `unlike-the-set/` and `no-value/`."""
    folders = {"ambiguous": _files(batch, done.ambiguous), "clear": _files(batch, done.clear)}
    others = {"unlike-the-set": done.unlike, "no-value": done.unknown}
    folders |= {name: _files(batch, rows) for name, rows in others.items() if len(rows)}
    return sorted_zip(folders, top_level={"ranking.csv": ranking_csv(done)})


def _show_add(batch: UploadBatch, done: SortedUploads, now: SetChoice, image_set: ImageSet | None) -> None:
    st.caption("Copies pictures into a folder, except those you dropped, and reads it. Nothing there is overwritten.")
    both = pd.concat([done.ambiguous, done.clear])
    sides = {CLEAR: done.clear, "Ambiguous": done.ambiguous, UNLIKE: done.unlike, "All": pd.concat([both, done.unlike])}
    sides = {name: rows for name, rows in sides.items() if name != UNLIKE or len(rows)}
    choices = {name: rows[rows["decision"] != "drop"] for name, rows in sides.items()}
    side = st.segmented_control(
        "Which",
        list(choices),
        default=CLEAR,
        required=True,
        format_func=lambda name: f"{escape(name)} ({len(choices[name]):,})",
        key="upload.kept",
    )
    inside = Markdown(f"Inside {escape(', '.join(map(str, roots())))} (\\$URL_VIZ_ROOTS).")
    typed = st.text_input("Folder", value=str(suggested_folder(image_set)), key="upload.folder", help=inside)
    st.caption(escape(outcome_of_adding(Path(typed), image_set)))
    offer_to_write(Path(typed), key="upload.folder")
    rows = choices[side]

    def add() -> str:
        count = add_to(Path(typed), _files(batch, rows), now, image_set)
        return f"{count:,} pictures copied. They are being read; see the Explore page."

    act_button("Copy and read", add, type="primary", key="upload.add", disabled=not len(rows))


def add_to(typed: Path, files: Sequence[Incoming], now: SetChoice, image_set: ImageSet | None) -> int:
    """Copy files into a folder inside the allowed roots, and start reading it; returns how many are new there.

    If the folder is inside the open image set, that set is read again; else the folder becomes an image set.
    """
    folder = allowed(typed)
    is_inside = image_set is not None and folder.is_relative_to(image_set.root)
    new = copy_into(folder, files)
    if image_set is not None and is_inside:
        open_folder(image_set.root, model=now.model, also=image_set.core.second.name)
    else:
        open_folder(folder, model=now.model)
    return len(new)


def suggested_folder(image_set: ImageSet | None) -> Path:
    """A new folder inside the allowed roots: in the open image set, or next to it where its folders are its classes."""
    if image_set is None:
        return next(iter(roots()), Path.home()) / FOLDER_NAME
    root = image_set.root
    may_write = root.is_dir() and any(root.is_relative_to(each) for each in roots())
    if may_write and image_set.labels.levels().label is None:
        return root / FOLDER_NAME
    return proposed_folder(root, f"{root.stem}-{FOLDER_NAME}")


def outcome_of_adding(folder: Path, image_set: ImageSet | None) -> str:
    """Which image set has the pictures that are copied into a folder, and with which label; or why it cannot be."""
    try:
        folder = allowed(folder)
    except UrlVizError as error:
        return str(error)
    if image_set is None or not folder.is_relative_to(image_set.root):
        stays = f" {set_name(image_set.root)} stays as it is." if image_set is not None else ""
        return f"The folder is read as an image set of its own.{stays}"
    labelled = image_set.labels.levels().outcome_in(folder.relative_to(image_set.root).parts)
    return f"{set_name(image_set.root)} is read again with them. {labelled}"


def _files(batch: UploadBatch, rows: pd.DataFrame) -> list[Incoming]:
    return [batch.files[int(number)] for number in rows["id"]]


LONG_SIDE_PX = 1200
NEIGHBOURS = 6


def show_opened_upload(batch: UploadBatch, table: pd.DataFrame, image_set: ImageSet | None) -> None:
    """The dialog, if an upload is open; call it last."""
    number = UPLOAD_OPENED.get()
    if DIALOG.get() == "upload" and number is not None and number < len(table):
        _show_upload(batch, table, number, image_set)


@st.dialog("Upload", width="large", on_dismiss=DIALOG.clear)
def _show_upload(batch: UploadBatch, table: pd.DataFrame, number: int, image_set: ImageSet | None) -> None:
    row = table.iloc[number]
    left, right = st.columns([3, 2], gap="medium")
    with left, errors_shown(st.error):
        data = batch.files[number].read()
        shown = decoders.shown(data, most_px=LONG_SIDE_PX, quality=85, rendering=batch.rendering)
        shape = f"aspect-ratio: {int(row['width'])} / {int(row['height'])}"
        st.html(f'<img class="url-viz-picture" src="{data_url(shown)}" style="{shape}" alt="The picture">')
    with right:
        st.subheader("File", anchor=False)
        st.code(str(row["path"]), language=None, wrap_lines=True)
        st.dataframe(facts_of_upload(row), hide_index=True, width="stretch", alt="Facts of the picture")
    if image_set is None:
        return
    if (twin := int(row["twin_of"])) >= 0:
        is_exact, is_copy = number in in_set(batch, image_set), row["twin_kind"] == COPY
        what = "This exact file" if is_exact else "A copy" if is_copy else "Another view of this"
        words = f"{what} is in the image set already: {image_set.row(twin)['path']}"
        st.info(escape(words), icon=":material/content_copy:")
    st.subheader("Similar pictures in the set", anchor=False)
    near = similar_pictures(batch.scored[number], image_set)
    rows = image_set.table().set_index("id", drop=False).loc[near["id"]]
    similar = tiles_by_similarity(rows.assign(similarity=near["similarity"].to_numpy()), set_id=image_set.set_id)
    show_gallery(similar, key="upload.nearest", empty="No pictures.", columns=NEIGHBOURS)
    st.caption("The nearest ones; copies and other views of this picture are left out.")


def similar_pictures(upload: NewPicture, image_set: ImageSet, *, of_class: str | None = None) -> pd.DataFrame:
    """The nearest pictures of the set (id, similarity) to an upload, twins left out; with `of_class`, of that class."""
    reference = image_set.core.reference()
    if of_class is not None:
        is_of_class = (reference.table["label"] == of_class).to_numpy(dtype=bool)
        reference = replace(reference, counts=reference.counts & is_of_class)
    nearest, _ = nearest_without_twins(arrays_of([upload]), reference, k=NEIGHBOURS)
    position = nearest.position[0]
    is_there = position >= 0
    return pd.DataFrame({"id": reference.ids[position[is_there]], "similarity": nearest.similarity[0][is_there]})


def facts_of_upload(row: "pd.Series[Any]") -> pd.DataFrame:
    """The facts known of an upload, one a row: Fact, Value."""
    facts = [("Size", f"{row['width']} × {row['height']} px")]
    if isinstance(row["first_class"], str):
        shares = (percent(float(row[f"{nth}_share"])) for nth in ("first", "second"))
        names = (row["first_class"], row["second_class"])
        named = [name if share == MISSING else f"{name} · {share}" for name, share in zip(names, shares, strict=True)]
        facts += zip(("Likeliest class", "Second class"), named, strict=True)
    for measure in MEASURED:
        value, rank = float(str(row[measure])), float(str(row[f"{measure}_percentile"]))
        if np.isfinite(value):
            facts.append((measure_title(measure), value_with_percentile(value, rank)))
    return pd.DataFrame(facts, columns=["Fact", "Value"])
