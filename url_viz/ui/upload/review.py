"""The review of uploads, one after the other; what is answered stays in the session and goes into the exports."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.review import Question, asked_of
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.store.decisions import Verdict, checked_label
from url_viz.ui.session import UPLOADS_REVIEW
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.detail import facts_of_upload, similar_ids
from url_viz.ui.upload.page import SortedUploads, data_url
from url_viz.ui.urls import picture_url, thumbnail_url
from url_viz.ui.widgets.desk import DeskAnswer, DeskCard, DeskState, NearPicture, Panel, Refused, show_desk

LONG_SIDE_PX = 1200
AHEAD = 4


@dataclass
class UploadReview:
    """What was answered of the uploads of a session, by the number of the content; `at` is the position shown."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    known: dict[tuple[int, str, str], DeskCard] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    at: int = 0


def review_of_uploads() -> UploadReview:
    """That of this session."""
    return UPLOADS_REVIEW.get_or(UploadReview)


def with_verdicts(table: pd.DataFrame, batch: UploadBatch) -> pd.DataFrame:
    """The table of uploads with `decision` and `label`, None where nothing was answered."""
    verdicts = [review_of_uploads().verdicts.get(upload.content, Verdict()) for upload in batch.scored]
    return table.assign(
        decision=pd.Series([one.decision for one in verdicts], index=table.index, dtype=object),
        label=pd.Series([one.label for one in verdicts], index=table.index, dtype=object),
    )


def show_upload_review(batch: UploadBatch, done: SortedUploads, image_set: ImageSet | None, *, measure: str) -> None:
    """The uploads one after the other, the most ambiguous first; those without the measure are left out."""
    review = review_of_uploads()
    ordered = pd.concat([done.ambiguous, done.clear.iloc[::-1]])
    numbers = ordered["id"].to_numpy(np.int64)

    def handle(answers: Sequence[DeskAnswer]) -> None:
        take_answers(review, batch, answers)

    show_desk(_state(review, batch, ordered, numbers, image_set, measure), key="upload.desk", handle=handle)
    st.caption("Answers stay in this session: take them with you as the ranking (CSV).")


def take_answers(review: UploadReview, batch: UploadBatch, answers: Sequence[DeskAnswer]) -> None:
    """Note answers; the number of an upload in its batch is its id."""
    refused = []
    for answer in answers:
        review.at = answer.at
        if answer.unskip:
            review.skipped.clear()
            review.at = 0
        if answer.id is None or not 0 <= answer.id < len(batch.scored):
            continue
        content = batch.scored[answer.id].content
        if answer.skip:
            review.skipped.add(content)
            continue
        try:
            label = None if answer.label is None else checked_label(answer.label)
        except UrlVizError as error:
            review.at = answer.position
            refused.append(Refused(answer.sequence, answer.position, str(error)))
            continue
        review.skipped.discard(content)
        review.verdicts[content] = Verdict(answer.decision, label)
    review.refused = tuple(refused)


def _state(
    review: UploadReview,
    batch: UploadBatch,
    ordered: pd.DataFrame,
    numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    image_set: ImageSet | None,
    measure: str,
) -> DeskState:
    contents = [batch.scored[number].content for number in numbers.tolist()]
    done = np.array([review.verdicts.get(content, Verdict()) != Verdict() for content in contents], bool)
    skipped = np.array([content in review.skipped for content in contents], bool) & ~done
    waiting = np.flatnonzero(~done & ~skipped)
    at = review.at if 0 <= review.at < len(numbers) else int(waiting[0]) if len(waiting) else len(numbers)
    upcoming = [int(p) for p in np.concatenate([waiting[waiting >= at], waiting[waiting < at]])[: AHEAD + 1]]
    around = [place for place in dict.fromkeys([at - 1, at, *upcoming]) if 0 <= place < len(numbers)]
    cards = []
    for place in around:
        card = replace(_card(review, batch, ordered, int(numbers[place]), image_set, measure), position=place)
        verdict = review.verdicts.get(contents[place], Verdict())
        state = replace(card, decision=verdict.decision, given=verdict.label)
        cards.append(replace(state, is_done=bool(done[place]), is_skipped=bool(skipped[place])))
    return DeskState(
        review=f"uploads.{batch.key}.{measure}",
        cards=tuple(cards),
        upcoming=tuple(upcoming),
        place=at,
        total=len(numbers),
        done=int(done.sum()),
        skipped=int(skipped.sum()),
        classes=_classes(image_set, review),
        refused=review.refused,
    )


def _classes(image_set: ImageSet | None, review: UploadReview) -> tuple[str, ...]:
    known = set() if image_set is None else set(image_set.table()["label"].dropna().astype(str))
    return tuple(sorted(known | {one.label for one in review.verdicts.values() if one.label is not None}))


def _card(
    review: UploadReview, batch: UploadBatch, ordered: pd.DataFrame, number: int, image_set: ImageSet | None, by: str
) -> DeskCard:
    key = (batch.scored[number].content, "" if image_set is None else image_set.version, by)
    if key not in review.known:
        review.known[key] = _drawn(batch, ordered.loc[ordered["id"] == number].iloc[0], number, image_set, by)
    return review.known[key]


def _drawn(batch: UploadBatch, row: "pd.Series[Any]", number: int, image_set: ImageSet | None, by: str) -> DeskCard:
    question = asked_of({str(name): value for name, value in row.items()}, by=by)
    try:
        shown = decoders.shown(batch.files[number].read(), most_px=LONG_SIDE_PX, quality=85)
    except UrlVizError:  # it was read before: the thumbnail of then is still there
        shown = batch.scored[number].thumbnail
    return DeskCard(
        position=-1,
        id=str(number),
        name=str(row["path"]),
        picture=data_url(shown),
        question=question.text,
        kind="classes" if question.choices else "plain",
        panels=_panels(batch, number, image_set, question),
        label_given=None,
        given=None,
        decision=None,
        twins=0,
        facts=tuple((str(fact), str(value)) for fact, value in facts_of_upload(row).itertuples(index=False)),
        reasons=(),
    )


def _panels(batch: UploadBatch, number: int, image_set: ImageSet | None, question: Question) -> tuple[Panel, ...]:
    """The nearest pictures of the set, of each class that is asked for."""
    if image_set is None:
        return ()
    if not question.choices:
        return (Panel(_near(image_set, similar_ids(batch.scored[number], image_set))),)
    return tuple(
        Panel(
            _near(image_set, similar_ids(batch.scored[number], image_set, of_class=choice.label)[:3]),
            choice.label,
            None if math.isnan(choice.share) else choice.share,
        )
        for choice in question.choices
    )


def _near(image_set: ImageSet, ids: Sequence[int]) -> tuple[NearPicture, ...]:
    rows = image_set.table().set_index("id").loc[list(ids), ["path", "label"]]
    return tuple(
        NearPicture(
            id=str(image_id),
            name=str(row.path),
            thumbnail=thumbnail_url(image_set.set_id, image_id),
            picture=picture_url(image_set, image_id),
            label=row.label if isinstance(row.label, str) else None,
        )
        for image_id, row in zip(ids, rows.itertuples(index=False), strict=True)
    )
