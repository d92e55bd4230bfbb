"""The desk of a review: one large picture, its question, and keys; it knows cards and answers, not kinds of reviews."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.review.cards import NOTHING, Card, CardAnswer, Choice, Moved, Queue
from url_viz.analysis.runs.detections import DETECTOR_COLUMNS
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.records import read_plain
from url_viz.store.columns.object_columns import VERDICTS
from url_viz.ui.auth import user_name
from url_viz.ui.session import component_state
from url_viz.ui.urls import picture_url, thumbnail_url, whole_url
from url_viz.ui.widgets.actions import Record, handle_new, handled_before
from url_viz.ui.widgets.assets import component_of
from url_viz.ui.widgets.box_legend import legend_of
from url_viz.ui.widgets.picture import facts_of, title_of_reason
from url_viz.wording import chance, percent

Queued = TypeVar("Queued", bound=Queue)


@dataclass(frozen=True)
class RefusedAnswer:
    """An answer that could not be stored: its number, the position of its picture, and why."""

    sequence: int
    position: int
    message: str


@dataclass(frozen=True)
class AnswerStepped:
    """What undo or redo did: the number of the action, in `words`, the position that it leads to (else negative)."""

    sequence: int
    position: int
    words: str


@dataclass(frozen=True)
class DeskState:
    """What the review component shows: `review` names the queue; a queue of another name begins at `place`.

    `cards` are some cards of the queue as it takes them (`Card` in url_viz/frontend/review/queue.js), `upcoming` the
    positions of those that wait for an answer, the next first. `change` is what answers have changed, where they teach
    an order; `names` have a key.
    """

    review: str
    cards: tuple[Mapping[str, Any], ...]
    upcoming: tuple[int, ...]
    place: int
    total: int
    done: int
    skipped: int
    classes: tuple[str, ...]
    refused: tuple[RefusedAnswer, ...] = ()
    stepped: AnswerStepped | None = None
    change: Moved | None = None
    names: tuple[str, ...] = ()
    unit: str = "picture"


@dataclass
class OpenReview(Generic[Queued]):
    """A review that is open in this session: `position` is the position shown, `drawn` the cards drawn before.

    `shown` is the state that was shown last: it stays when the decisions cannot be read, with the answer taken back.
    """

    review: Queued
    position: int
    drawn: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    refused: tuple[RefusedAnswer, ...] = ()
    stepped: AnswerStepped | None = None
    shares: Callable[[int], dict[str, float]] | None = None
    shown: DeskState | None = None


_mount = component_of("review")

AHEAD, BEHIND = 12, 3
"""So many cards are sent of those that wait, and so many of those before."""


@dataclass(frozen=True)
class DeskAnswer:
    """What somebody `said` of the picture `id` at `position`; `at` is the position shown next (negative: none yet).

    `skip`: passed over. Without an `id` the user went to another picture, or gave a `command`: to come back to what was
    skipped, or to undo or redo the latest answer.
    """

    sequence: int
    at: int = -1
    id: int | None = None
    position: int = -1
    said: CardAnswer = NOTHING
    skip: bool = False
    command: Literal["unskip", "undo", "redo"] | None = None


def opened_review(review: Queued) -> OpenReview[Queued]:
    """A review at its place."""
    return OpenReview(review, review.next_index())


def show_open_review(image_set: ImageSet | None, here: OpenReview[Any], *, key: str) -> None:
    """Draw the review where it is. Raises a UrlVizError if nothing can be read and nothing was drawn before."""
    try:
        here.shown = desk_state(image_set, here)
    except UrlVizError:
        if here.shown is None or not here.refused:
            raise
    data = asdict(replace(here.shown, refused=here.refused)) | {"taken": handled_before(key)}

    def handle(state: Mapping[str, object]) -> None:
        handle_new(
            key, state, lambda records: take_answers(here, filter(None, map(parse_answer, records)), who=user_name())
        )

    # New answers are taken before the page runs again; usually none are left, unless another run came between.
    handle(_mount(key=key, data=data, on_actions_change=lambda: handle(component_state(key))))


def desk_state(image_set: ImageSet | None, here: OpenReview[Any]) -> DeskState:
    """The cards around the place, and how far the review has come."""
    review, ids, version = here.review, here.review.ids, here.review.version
    settled, progress = review.is_done(), review.progress()
    waits = ~settled & ~review.skipped()
    upcoming = _upcoming(waits, here.position)
    around = [*range(max(0, min(here.position, len(ids)) - BEHIND), min(here.position + 1, len(ids))), *upcoming]
    positions = list(dict.fromkeys(place for place in around if place >= 0))
    cards = []
    for place, now in zip(positions, review.state(ids[positions].tolist()), strict=True):
        state = {"decision": now.decision, "given": now.label, "same": now.same, "kept": [*map(str, now.keep or ())]}
        state |= {"verdict": now.verdict}
        state |= {"is_done": bool(settled[place]), "is_skipped": bool(~waits[place] & ~settled[place])}
        cards.append(_card(image_set, here, version, int(ids[place])) | state | {"position": place})
    return DeskState(
        review=review.name,
        cards=tuple(cards),
        upcoming=tuple(upcoming),
        place=here.position if 0 <= here.position <= len(ids) else review.next_index(),
        total=progress.total,
        done=progress.done,
        skipped=progress.skipped,
        classes=tuple(review.classes),
        refused=here.refused,
        stepped=here.stepped,
        change=None if image_set is None else review.moved(image_set.table),
        names=review.name_keys,
        unit="picture" if image_set is None else image_set.noun,
    )


def _upcoming(waits: NDArray[np.bool_], position: int) -> list[int]:
    """The next positions that wait, from `position` on and then from the start."""
    waiting = np.flatnonzero(waits)
    later = waiting[waiting >= position]
    return [int(place) for place in np.concatenate([later, waiting[waiting < position]])[:AHEAD]]


def _card(image_set: ImageSet | None, here: OpenReview[Any], version: str, image_id: int) -> dict[str, Any]:
    """What cannot change of a card is drawn once."""
    if (version, image_id) not in here.drawn:
        card = here.review.card(image_id)
        here.drawn[version, image_id] = _drawn(image_set, card) | {"shares": _shares(image_set, here, card)}
    return here.drawn[version, image_id]


def _shares(image_set: ImageSet | None, here: OpenReview[Any], card: Card) -> dict[str, float]:
    """By what classes are ranked where they are too many for keys, as of when the first card was drawn."""
    if image_set is None or card.picture is not None or "label" not in card.takes or here.review.name_keys:
        return {}
    if here.shares is None:
        here.shares = image_set.labels.shares_as_of_now()
    return here.shares(card.id)


def _drawn(image_set: ImageSet | None, card: Card) -> dict[str, Any]:
    """A card as the browser takes it: `Card` in url_viz/frontend/review/queue.js."""
    # without a set, picture and facts are the card's, and no other pictures are shown
    opened_set = cast(ImageSet, image_set)
    is_one_number = not math.isnan(card.question.wrong)
    is_told = not is_one_number and (image_set is None or image_set.labels.are_shares_told())
    choices: list[tuple[str | None, str | None]] = [
        (choice.label, _said(choice, is_told=is_told)) for choice in card.question.choices
    ]
    facts = facts_of(opened_set, dict(card.row), with_shares=is_told) if card.facts is None else card.facts
    reasons = () if card.reasons is None else card.reasons.itertuples()
    return {
        "id": str(card.id),
        "name": str(card.row["path"]),
        "picture": card.picture or picture_url(opened_set, card.id),
        "whole": None if card.picture else whole_url(opened_set, card.id),
        "boxes": _legend(card.row),
        "question": card.question.text,
        "wrong": f"{chance(card.question.wrong)} wrong" if is_one_number else None,
        "takes": card.takes,
        "are_shares_told": is_told,
        "panels": [
            {"near": _pictures(opened_set, near), "label": label, "said": said}
            for near, (label, said) in zip(card.near, choices or [(None, None)] * len(card.near), strict=True)
        ],
        "label_given": _text(card.row.get("label_given")),
        "twins": card.twins,
        "facts": [(str(fact), str(value)) for fact, value in facts.itertuples(index=False)],
        "reasons": [{"title": title_of_reason(str(r.reason), str(r.detail)), "detail": str(r.detail)} for r in reasons],
    }


def _said(choice: Choice, *, is_told: bool) -> str | None:
    """What speaks for a class: neighbours' votes, or its share where this is shown; None for nothing."""
    share = percent(choice.share) if is_told and not math.isnan(choice.share) else None
    return choice.votes or share


_SHOWN = ["id", "path", "label", "mark", "width", "height", *DETECTOR_COLUMNS]


def _pictures(image_set: ImageSet, near: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "id": str(row["id"]),
            "name": str(row["path"]),
            "thumbnail": thumbnail_url(image_set.set_id, int(row["id"])),
            "picture": picture_url(image_set, int(row["id"])),
            "whole": whole_url(image_set, int(row["id"])),
            "boxes": _legend(row),
            "label": _text(row["label"]),
            "mark": _text(row.get("mark")),
            "size": f"{row['width']} × {row['height']} px",
        }
        for row in near.filter(_SHOWN).to_dict("records")
    ]


def _legend(row: Mapping[Any, Any]) -> list[dict[str, str]]:
    """What is drawn on the whole picture of an object, beside which a detector's predictions are."""
    return [{"line": entry.line, "words": entry.words} for entry in legend_of(row)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def take_answers(here: OpenReview[Any], answers: Iterable[DeskAnswer], *, who: str | None) -> None:
    """Store answers; those that cannot be stored are named in `refused`, and shown where they were given."""
    refused = []
    here.stepped = None
    for answer in answers:
        here.position = answer.at
        try:
            _store(here, answer, who)
        except UrlVizError as error:
            here.position = answer.position
            refused.append(RefusedAnswer(answer.sequence, answer.position, str(error)))
    here.refused = tuple(refused)


def _store(here: OpenReview[Any], answer: DeskAnswer, who: str | None) -> None:
    if answer.command == "unskip":
        here.review.unskip()
        here.position = here.review.next_index()
    elif answer.command is not None:
        stepped = here.review.step(answer.command, who=who)
        at = next(iter(np.flatnonzero(here.review.ids == stepped.id).tolist()), None)
        here.position = here.position if at is None else at
        here.stepped = AnswerStepped(answer.sequence, -1 if at is None else at, stepped.words)
    elif answer.id is not None and answer.skip:
        here.review.skip(answer.id)
    elif answer.id is not None:
        here.review.store(answer.id, answer.said, who=who)


def parse_answer(record: Record) -> DeskAnswer | None:
    """An answer as the browser sent it; None if it is none."""
    try:
        answer = read_plain(DeskAnswer, {**record, "said": record})
    except ValueError:
        return None
    return answer if answer.said.verdict in (None, *VERDICTS) else None
