"""The desk of the Review page: the cards around its place, and what is done with answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from url_viz.analysis.name_review import NameReview
from url_viz.analysis.pair_review import PairReview
from url_viz.analysis.review import GROUPS, Card, Review, as_query
from url_viz.analysis.tuned import change_in_words, moved_share
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.store.decisions import Decision, Verdict
from url_viz.store.reviews import review_key
from url_viz.ui.auth import user_name
from url_viz.ui.urls import picture_url, thumbnail_url
from url_viz.ui.widgets.desk import Change, DeskAnswer, DeskCard, DeskState, NearPicture, Panel, Refused, show_desk
from url_viz.ui.widgets.picture import facts_of
from url_viz.ui.widgets.reasons import title_of_reason

AHEAD, BEHIND = 12, 3
"""So many cards are sent of those that wait, and so many of those before."""


@dataclass
class OpenReview:
    """A review that is open in this session: `at` is the position shown, `known` the cards drawn before, by id.

    `shown` is what was drawn last: it stays where the decisions cannot be read for once, with the answer taken back.
    """

    review: Review
    at: int
    known: dict[int, DeskCard] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    shown: DeskState | None = None

    @property
    def name(self) -> str:
        """Changes with the queue, so that the browser begins at its place."""
        return f"{review_key(as_query(self.review.spec))}.{self.review.begun.isoformat()}"


def opened(review: Review) -> OpenReview:
    """A review at its place."""
    return OpenReview(review, review.place())


def show_open_review(image_set: ImageSet, here: OpenReview) -> None:
    """Draw the review where it is. Raises a UrlVizError if nothing can be read and nothing was drawn before."""
    try:
        here.shown = state_of(image_set, here)
    except UrlVizError:
        if here.shown is None or not here.refused:
            raise
    show_desk(
        replace(here.shown, refused=here.refused),
        key=f"review.desk.{image_set.set_id}",
        handle=lambda answers: take_answers(here, answers, who=user_name()),
    )


def state_of(image_set: ImageSet, here: OpenReview) -> DeskState:
    """The cards around the place, and how far the review has come."""
    review, ids = here.review, here.review.ids
    settled, progress = review.settled(), review.progress()
    waits = ~settled & ~review.skipped()
    upcoming = _upcoming(waits, here.at)
    around = [*range(max(0, min(here.at, len(ids)) - BEHIND), min(here.at + 1, len(ids))), *upcoming]
    positions = list(dict.fromkeys(place for place in around if place >= 0))
    verdicts = review.verdicts([int(ids[position]) for position in positions])
    cards = [
        replace(
            _card(image_set, here, position),
            decision=verdict.decision,
            given=verdict.label,
            is_done=bool(settled[position]),
            is_skipped=bool(~waits[position] & ~settled[position]),
        )
        for position, verdict in zip(positions, verdicts, strict=True)
    ]
    return DeskState(
        review=here.name,
        cards=tuple(cards),
        upcoming=tuple(upcoming),
        place=here.at if 0 <= here.at <= len(ids) else review.place(),
        total=progress.total,
        done=progress.done,
        skipped=progress.skipped,
        classes=tuple(review.classes),
        refused=here.refused,
        change=_change(image_set) if isinstance(review, PairReview) else None,
        names=review.latest_names() if isinstance(review, NameReview) else (),
    )


def _change(image_set: ImageSet) -> Change:
    share = moved_share(image_set.table())
    words = change_in_words(image_set.answers.now(), image_set.tuned(), moved=share)
    return Change(words, 0.0 if math.isnan(share) else share)


def _upcoming(waits: "np.ndarray[tuple[int], np.dtype[np.bool_]]", at: int) -> list[int]:
    """The next positions that wait, from `at` on and then from the start."""
    waiting = np.flatnonzero(waits)
    later = waiting[waiting >= at]
    return [int(place) for place in np.concatenate([later, waiting[waiting < at]])[:AHEAD]]


def _card(image_set: ImageSet, here: OpenReview, position: int) -> DeskCard:
    """The card of a position: what cannot change is drawn once."""
    image_id = int(here.review.ids[position])
    if image_id not in here.known:
        here.known[image_id] = _drawn(image_set, here.review, here.review.card(image_id), position)
    card = here.known[image_id]
    if isinstance(here.review, PairReview):
        return replace(card, same=here.review.same(image_id))
    if isinstance(here.review, NameReview):
        question = here.review.question(image_id)
        label, share = next(((one.label, one.share) for one in question.choices), (None, None))
        panels = tuple(replace(panel, label=label, share=share) for panel in card.panels)
        return replace(card, question=question.text, panels=panels)
    return replace(card, kept=_kept(here.review, card)) if card.kind == "twins" else card


def _kept(review: Review, card: DeskCard) -> tuple[str, ...]:
    """Ids of the group of a card that are to be kept."""
    ids = [picture.id for picture in card.panels[0].near]
    verdicts = review.verdicts([int(one) for one in ids])
    return tuple(one for one, verdict in zip(ids, verdicts, strict=True) if verdict.decision == "keep")


def _drawn(image_set: ImageSet, review: Review, card: Card, position: int) -> DeskCard:
    row = card.row
    choices = [(choice.label, choice.share) for choice in card.question.choices]
    shares: list[tuple[str | None, float]] = [*choices] or [(None, math.nan)]
    return DeskCard(
        position=position,
        id=str(card.id),
        name=str(row["path"]),
        picture=picture_url(image_set, card.id),
        question=card.question.text,
        kind=card.kind,
        panels=tuple(
            Panel(_pictures(image_set, near), label, None if math.isnan(share) else share)
            for near, (label, share) in zip(card.near, shares, strict=True)
        ),
        label_given=_text(row["label_given"]),
        given=None,
        decision=None,
        twins=0 if card.kind == "twins" else card.twins,
        facts=tuple((str(fact), str(value)) for fact, value in facts_of(image_set, dict(row)).itertuples(index=False)),
        reasons=tuple(
            {"title": title_of_reason(str(r.reason), str(r.detail)), "detail": str(r.detail)}
            for r in review.reasons(card.id).itertuples()
        ),
    )


def _pictures(image_set: ImageSet, near: pd.DataFrame) -> tuple[NearPicture, ...]:
    return tuple(
        NearPicture(
            id=str(row["id"]),
            name=str(row["path"]),
            thumbnail=thumbnail_url(image_set.set_id, int(row["id"])),
            picture=picture_url(image_set, int(row["id"])),
            label=_text(row["label"]),
            mark=_text(row.get("mark")),
        )
        for row in near.to_dict("records")
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def take_answers(here: OpenReview, answers: Sequence[DeskAnswer], *, who: str | None) -> None:
    """Store answers; those that cannot be stored are named in `refused`, and shown where they were given."""
    refused = []
    for answer in answers:
        here.at = answer.at
        try:
            _store(here, answer, who)
        except UrlVizError as error:
            here.at = answer.position
            refused.append(Refused(answer.sequence, answer.position, str(error)))
    here.refused = tuple(refused)


def _store(here: OpenReview, answer: DeskAnswer, who: str | None) -> None:
    review = here.review
    if answer.unskip:
        review.unskip()
        here.at = review.place()
    elif answer.id is None:
        return
    elif answer.skip:
        review.skip(answer.id)
    elif isinstance(review, PairReview):
        review.answer(answer.id, answer.same, who=who)
    elif review.spec.by in GROUPS and answer.keep is not None:
        decision: Decision = answer.decision or "drop"
        review.decide_group(answer.id, keep=answer.keep, others=decision, who=who)
    else:
        review.settle({answer.id: Verdict(answer.decision, answer.label)}, with_twins=answer.twins, who=who)
