"""The review of uploads, one after the other; what is answered stays in the session and goes into the exports."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.base.errors import UrlVizError
from url_viz.drawing.tiles import base
from url_viz.export.picture_files import data_url
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.labels.questions import Question, between_classes
from url_viz.outside.sides import SortedUploads
from url_viz.review.cards import NOTHING, AnswerKind, Card, CardAnswer, Queue, Stepped
from url_viz.store.decisions.decisions import Step, checked_label
from url_viz.ui.review.desk import OpenReview, opened_review, show_open_review
from url_viz.ui.session import Key
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.page import LONG_SIDE_PX, facts_of_upload, similar_pictures


@dataclass
class UploadAnswers:
    """The answers about the uploads of a session, and which uploads were skipped, by content.

    `done` and `undone` can be taken back and given again, the latest last: a content, its answers before and after.
    """

    answers: dict[int, CardAnswer] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    done: list[tuple[int, CardAnswer, CardAnswer]] = field(default_factory=list)
    undone: list[tuple[int, CardAnswer, CardAnswer]] = field(default_factory=list)
    here: OpenReview[Any] | None = None


UPLOADS_REVIEW: Key[UploadAnswers] = Key("upload.review")

TAKES: tuple[AnswerKind, ...] = ("decision", "label")


@dataclass(frozen=True)
class UploadQueue(Queue):
    """The uploads of a batch, by their number in it, in the order of `table`."""

    session: UploadAnswers
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
        set_classes = set() if self.image_set is None else set(self.image_set.table()["label"].dropna().astype(str))
        return sorted(
            set_classes | {answer.label for answer in self.session.answers.values() if answer.label is not None}
        )

    def card(self, image_id: int) -> Card:
        [row_number] = np.flatnonzero(self.ids == image_id)
        row = {str(name): value for name, value in self.table.iloc[row_number].items()}
        question = between_classes(row)
        near, facts = tuple(self._near(image_id, question)), facts_of_upload(self.table.iloc[row_number])
        return Card(row, question, near, TAKES, picture=_picture(self.batch, image_id), facts=facts)

    def _near(self, number: int, question: Question) -> list[pd.DataFrame]:
        """The nearest pictures of each class in question; without classes, of the set."""
        if self.image_set is None:
            return []
        rows, upload = self.image_set.table().set_index("id", drop=False), self.batch.scored[number]
        of_each = [similar_pictures(upload, self.image_set, of_class=one.label).head(3) for one in question.choices]
        return [rows.loc[near["id"]] for near in of_each or [similar_pictures(upload, self.image_set)]]

    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        return [self.session.answers.get(content, NOTHING) for content in self._contents(ids)]

    def store(self, image_id: int, answer: CardAnswer, *, who: str | None = None) -> None:
        label = None if answer.label is None else checked_label(answer.label)
        for content in self._contents([image_id]):
            after = CardAnswer(answer.decision, label)
            self.session.skipped.discard(content)
            self.session.done.append((content, self.session.answers.get(content, NOTHING), after))
            self.session.undone.clear()
            self.session.answers[content] = after

    def step(self, command: Step, *, who: str | None = None) -> Stepped:
        here, there = self.session.done, self.session.undone
        if command == "redo":
            here, there = there, here
        if not here:
            return Stepped(f"Nothing to {command}")
        content, before, after = here.pop()
        there.append((content, before, after))
        self.session.answers[content] = before if command == "undo" else after
        known = {upload.content: number for number, upload in enumerate(self.batch.scored)}
        name = str(self.batch.scored[known[content]].name) if content in known else "an upload"
        return Stepped(f"{'Undone' if command == 'undo' else 'Redone'}: the answer on {name}", known.get(content))

    def is_done(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.array([now != NOTHING for now in self.state(ids.tolist())], bool)

    def skipped(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.array([content in self.session.skipped for content in self._contents(ids.tolist())], bool)

    def skip(self, image_id: int) -> None:
        self.session.skipped.update(self._contents([image_id]))

    def unskip(self) -> None:
        self.session.skipped.clear()

    def _contents(self, numbers: Sequence[int]) -> list[int]:
        """The contents of the numbers that are still there: an answer may be older than the batch."""
        scored = self.batch.scored
        return [scored[number].content for number in numbers if 0 <= number < len(scored)]


def _picture(batch: UploadBatch, number: int) -> str:
    """The picture itself: it has no address."""
    try:
        data = batch.files[number].read()
        return data_url(decoders.shown(data, most_px=LONG_SIDE_PX, quality=85, rendering=batch.rendering))
    except UrlVizError:  # it was read before: the thumbnail of then is still there
        return data_url(batch.scored[number].thumbnail)


def upload_answers() -> UploadAnswers:
    """The answers of this session."""
    return UPLOADS_REVIEW.get_or(UploadAnswers)


def with_answers(table: pd.DataFrame, batch: UploadBatch) -> pd.DataFrame:
    """The table of uploads with `decision` and `label`, None where nothing was answered."""
    answered = [upload_answers().answers.get(upload.content, NOTHING) for upload in batch.scored]
    columns = {name: [getattr(answer, name) for answer in answered] for name in ("decision", "label")}
    return table.assign(
        **{name: pd.Series(values, index=table.index, dtype=object) for name, values in columns.items()}
    )


def show_upload_review(batch: UploadBatch, done: SortedUploads, image_set: ImageSet | None, *, measure: str) -> None:
    """The uploads one after the other, the most ambiguous first; those without the measure are left out."""
    answers, table = upload_answers(), pd.concat([done.unlike, done.ambiguous, done.clear.iloc[::-1]])
    queue = UploadQueue(answers, batch, table, image_set, measure)
    if answers.here is None or answers.here.review.name != queue.name:
        answers.here = opened_review(queue, f"{base()}/answers/{quote(queue.name, safe='')}")
    answers.here.review = queue
    try:
        show_open_review(image_set, answers.here, key="upload.desk")
    finally:
        answers.here.review = replace(queue, image_set=None)  # a session holds no snapshot
    st.caption("Answers stay in this session only. Download the ranking (CSV) to keep them.")
