"""One upload: its dialog, with its twin and similar pictures of the image set; and the review of uploads one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.analysis.cards import NOTHING, AnswerKind, Card, CardAnswer, Question, Queue, between_classes
from url_viz.analysis.measures import title_of
from url_viz.analysis.new_pictures import nearest_without_twins
from url_viz.analysis.ranking import with_percentile
from url_viz.analysis.uploads import MEASURED, ScoredUpload, hashes_of
from url_viz.errors import UrlVizError
from url_viz.export.inline_pictures import data_url
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.store.decisions import checked_label
from url_viz.ui.review.desk import opened, show_open_review
from url_viz.ui.session import UPLOADS_REVIEW, UploadAnswers
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.tile_data import tiles, value_with_percentile
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.page import SortedUploads, in_set
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.wording import percent

LONG_SIDE_PX = 1200
NEIGHBOURS = 6


@st.dialog("Upload", width="large")
def show_upload(
    batch: UploadBatch, table: pd.DataFrame, number: int, image_set: ImageSet | None, *, measure: str
) -> None:
    """The upload in row `number` of the table."""
    row = table.iloc[number]
    left, right = st.columns([3, 2], gap="medium")
    with left, errors_shown(st.error):
        shown = decoders.shown(batch.files[number].read(), most_px=LONG_SIDE_PX, quality=85)
        shape = f"aspect-ratio: {int(row['width'])} / {int(row['height'])}"
        st.html(f'<img class="url-viz-picture" src="{data_url(shown)}" style="{shape}" alt="The picture">')
    with right:
        st.markdown("**File**")
        st.code(str(row["path"]), language=None, wrap_lines=True)
        st.dataframe(facts_of_upload(row), hide_index=True, width="stretch", alt="Facts of the picture")
    if image_set is not None:
        _show_twin(batch, row, number, image_set)
        st.markdown("**Similar pictures in the set**")
        _show_nearest(batch, number, image_set, measure=measure)


def _show_twin(batch: UploadBatch, row: "pd.Series[Any]", number: int, image_set: ImageSet) -> None:
    twin = int(row["twin_of"])
    if twin < 0:
        return
    what = "This exact file" if number in in_set(batch, image_set) else "A near copy"
    st.info(
        escape(f"{what} is in the image set already: {image_set.row(twin)['path']}"), icon=":material/content_copy:"
    )


def _show_nearest(batch: UploadBatch, number: int, image_set: ImageSet, *, measure: str) -> None:
    ids = similar_ids(batch.scored[number], image_set)
    rows = with_percentile(image_set.table(), measure).set_index("id", drop=False).loc[ids]
    shown = tiles(rows, set_id=image_set.set_id, measure=measure)
    show_gallery(shown, key="upload.nearest", empty="No pictures.", columns=NEIGHBOURS)
    st.caption("The nearest ones; copies and near copies of this picture are left out.")


def similar_ids(upload: ScoredUpload, image_set: ImageSet, *, of_class: str | None = None) -> list[int]:
    """The ids of the pictures of the set that are nearest to an upload and no twins of it, nearest first.

    With `of_class`, those of this class.
    """
    reference = image_set.reference()
    if of_class is not None:
        is_of_class = (reference.table["label"] == of_class).to_numpy(dtype=bool)
        reference = replace(reference, counts=reference.counts & is_of_class)
    embedding, content = upload.embedding[None], np.array([upload.content], np.int64)
    whitened = reference.whitened.whitening.transform(embedding)
    hashes = hashes_of([upload])
    nearest, _ = nearest_without_twins(embedding, content, reference, whitened, k=NEIGHBOURS, hashes=hashes)
    position = nearest.position[0]
    return [int(i) for i in reference.ids[position[position >= 0]]]


def facts_of_upload(row: "pd.Series[Any]") -> pd.DataFrame:
    """What is known of an upload, one row a fact: Fact, Value."""
    facts = [("Size", f"{row['width']} × {row['height']} px")]
    if isinstance(row["first_class"], str):
        named = (f"{row[f'{nth}_class']} · {percent(float(row[f'{nth}_share']))}" for nth in ("first", "second"))
        facts += zip(("Likeliest class", "Second class"), named, strict=True)
    for measure in MEASURED:
        value, rank = float(str(row[measure])), float(str(row[f"{measure}_percentile"]))
        if np.isfinite(value):
            facts.append((title_of(measure), value_with_percentile(value, rank)))
    return pd.DataFrame(facts, columns=["Fact", "Value"])


TAKES: tuple[AnswerKind, ...] = ("decision", "label")


@dataclass(frozen=True)
class UploadQueue(Queue):
    """The uploads of a batch in the order of a measure, by their number in it; `table` has them in that order."""

    said: UploadAnswers
    batch: UploadBatch
    table: pd.DataFrame
    image_set: ImageSet | None
    by: str

    @property
    def name(self) -> str:
        return f"uploads.{self.batch.key}.{self.by}"

    @property
    def version(self) -> str:
        return "" if self.image_set is None else self.image_set.version

    @property
    def ids(self) -> NDArray[np.int64]:
        return self.table["id"].to_numpy(np.int64)

    @property
    def classes(self) -> list[str]:
        known = set() if self.image_set is None else set(self.image_set.table()["label"].dropna().astype(str))
        return sorted(known | {answer.label for answer in self.said.answers.values() if answer.label is not None})

    def card(self, image_id: int) -> Card:
        [at] = np.flatnonzero(self.ids == image_id)
        row = {str(name): value for name, value in self.table.iloc[at].items()}
        question = between_classes(row)
        near, facts = tuple(self._near(image_id, question)), facts_of_upload(self.table.iloc[at])
        return Card(row, question, near, TAKES, picture=_picture(self.batch, image_id), facts=facts)

    def _near(self, number: int, question: Question) -> list[pd.DataFrame]:
        """The nearest pictures of the set, of each class in question."""
        if self.image_set is None:
            return []
        rows, upload = self.image_set.table().set_index("id", drop=False), self.batch.scored[number]
        of_each = [similar_ids(upload, self.image_set, of_class=choice.label)[:3] for choice in question.choices]
        return [rows.loc[ids] for ids in of_each or [similar_ids(upload, self.image_set)]]

    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        return [self.said.answers.get(content, NOTHING) for content in self._contents(ids)]

    def store(self, image_id: int, answer: CardAnswer, *, who: str | None = None) -> None:
        label = None if answer.label is None else checked_label(answer.label)
        for content in self._contents([image_id]):
            self.said.skipped.discard(content)
            self.said.answers[content] = CardAnswer(answer.decision, label)

    def is_done(self) -> NDArray[np.bool_]:
        return np.array([now != NOTHING for now in self.state(self.ids.tolist())], bool)

    def skipped(self) -> NDArray[np.bool_]:
        return np.array([content in self.said.skipped for content in self._contents(self.ids.tolist())], bool)

    def skip(self, image_id: int) -> None:
        self.said.skipped.update(self._contents([image_id]))

    def unskip(self) -> None:
        self.said.skipped.clear()

    def _contents(self, numbers: Sequence[int]) -> list[int]:
        """Of those that are there still: an answer may be older than the batch."""
        scored = self.batch.scored
        return [scored[number].content for number in numbers if 0 <= number < len(scored)]


def _picture(batch: UploadBatch, number: int) -> str:
    """The picture itself, for there is no address of it."""
    try:
        return data_url(decoders.shown(batch.files[number].read(), most_px=LONG_SIDE_PX, quality=85))
    except UrlVizError:  # it was read before: the thumbnail of then is still there
        return data_url(batch.scored[number].thumbnail)


def upload_answers() -> UploadAnswers:
    """Those of this session."""
    return UPLOADS_REVIEW.get_or(UploadAnswers)


def with_answers(table: pd.DataFrame, batch: UploadBatch) -> pd.DataFrame:
    """The table of uploads with `decision` and `label`, None where nothing was answered."""
    said = [upload_answers().answers.get(upload.content, NOTHING) for upload in batch.scored]
    columns = {name: [getattr(answer, name) for answer in said] for name in ("decision", "label")}
    return table.assign(**{name: pd.Series(of, index=table.index, dtype=object) for name, of in columns.items()})


def show_upload_review(batch: UploadBatch, done: SortedUploads, image_set: ImageSet | None, *, measure: str) -> None:
    """The uploads one after the other, the most ambiguous first; those without the measure are left out."""
    said, table = upload_answers(), pd.concat([done.ambiguous, done.clear.iloc[::-1]])
    queue = UploadQueue(said, batch, table, image_set, measure)
    if said.here is None or said.here.review.name != queue.name:
        said.here = opened(queue)
    said.here.review = queue
    try:
        show_open_review(image_set, said.here, key="upload.desk")
    finally:
        said.here.review = replace(queue, image_set=None)  # a session holds no snapshot
    st.caption("Answers stay in this session only. Download the ranking (CSV) to keep them.")
