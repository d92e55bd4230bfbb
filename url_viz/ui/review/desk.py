"""The desk of a review: one large picture, its question, and keys; it knows cards and answers, not kinds of reviews."""

import math
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Generic, Literal, TypeVar, cast
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.records import read_plain
from url_viz.base.wording import chance, percent
from url_viz.drawing.tiles import picture_url, thumbnail_url, whole_url
from url_viz.image_set import ImageSet
from url_viz.review.cards import NOTHING, Card, CardAnswer, Moved, Queue, ReviewProgress
from url_viz.runs.detections import DETECTOR_COLUMNS
from url_viz.store.columns.source_columns import VERDICTS
from url_viz.ui.auth import user_name
from url_viz.ui.open_sets import LruCache
from url_viz.ui.session import Record, component_state, nothing
from url_viz.ui.text import escape
from url_viz.ui.widgets.components import component_of
from url_viz.ui.widgets.picture import facts_of, title_of_reason
from url_viz.ui.widgets.picture_layers import object_legend

Queued = TypeVar("Queued", bound=Queue)


@dataclass
class OpenReview(Generic[Queued]):
    """A review that is open in this session: `position` is the position shown, `drawn` the cards drawn before.

    Answers are posted to `address`, where `name` tells it from the same review in other sessions.
    """

    review: Queued
    position: int
    address: str = ""
    drawn: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    shares: Callable[[int], dict[str, float]] | None = None
    name: str = field(default_factory=partial(secrets.token_urlsafe, 12))

    def __post_init__(self) -> None:
        open_reviews[self.name] = self


open_reviews: WeakValueDictionary[str, OpenReview[Any]] = WeakValueDictionary()
"""The open reviews of all sessions, by name."""

_mount = component_of("review")

SMALL_AREA = 0.01
"""The share of its picture below which an object is small: a desk remembers apart how it is to show these."""
NO_NUMBER = "no number in the files, whose export it stops"
"""What is said of a new class of objects whose annotation files number classes."""
CARDS_AHEAD, CARDS_BEFORE = 12, 3
"""Cards sent that wait for an answer; cards sent from before the place."""


@dataclass(frozen=True)
class DeskAnswer:
    """An answer, `said` of the picture `id` in place of the one `before`; `once` identifies it.

    `skip`: passed over. Without an `id` it is a `command`: to come back to what was skipped, or to undo or redo the
    latest answer. `late`: the server was not reached at once, and others may have answered meanwhile.
    """

    sequence: int
    id: int | None = None
    said: CardAnswer = NOTHING
    skip: bool = False
    command: Literal["unskip", "undo", "redo"] | None = None
    once: str = ""
    late: bool = False
    before: CardAnswer | None = None


def opened_review(review: Queued, address: str = "") -> OpenReview[Queued]:
    """The review, open at the next card that waits."""
    return OpenReview(review, review.next_index(), address)


def show_open_review(image_set: ImageSet | None, here: OpenReview[Any], *, key: str) -> None:
    """Draw the review at its place. Raises a UrlVizError if nothing can be read."""
    shown = cast(Mapping[str, Any], component_state(key).get("shown") or {})
    is_of_this = shown.get("review") == here.review.name
    if is_of_this:
        here.position = int(shown["at"])
    taken = {"who": user_name() or "", "taken": shown["stored"] if is_of_this else 0}
    _mount(key=key, data=desk_state(image_set, here) | taken, on_shown_change=nothing)


def desk_state(image_set: ImageSet | None, here: OpenReview[Any]) -> dict[str, Any]:
    """The data of the review component: `review` names the queue; a queue of another name begins at `place`.

    `cards` are those around the place, as `Card` in url_viz/frontend/review/queue.js; `upcoming` the positions of those
    that wait for an answer, the next first. `change` is what answers have changed, where they teach an order; `names`
    have a key. `goes_on` says why there are more where the queue seemed to have ended. Answers are posted to `address`,
    for this `desk`.
    """
    review, ids, position = here.review, here.review.ids, here.position
    settled, skipped = review.is_done(ids), review.skipped(ids)
    progress, waits = ReviewProgress.counted(settled, skipped), ~settled & ~skipped
    waiting = np.flatnonzero(waits)
    from_here_on = np.concatenate([waiting[waiting >= position], waiting[waiting < position]])
    upcoming = from_here_on[:CARDS_AHEAD].tolist()
    before = range(max(0, min(position, len(ids)) - CARDS_BEFORE), min(position + 1, len(ids)))
    places = list(dict.fromkeys(place for place in (*before, *upcoming) if place >= 0))
    cards = []
    for place, now in zip(places, review.state(ids[places].tolist()), strict=True):
        state = {
            "position": place,
            "decision": now.decision,
            "given": now.label,
            "either": now.either,
            "same": now.same,
            "kept": [*map(str, now.keep or ())],
            "verdict": now.verdict,
            "is_done": bool(settled[place]),
            "is_skipped": bool(~waits[place] & ~settled[place]),
        }
        cards.append(_drawn_once(image_set, here, int(ids[place])) | state)
    change: Moved | None = None if image_set is None else review.moved(image_set.table)
    return {
        "review": review.name,
        "cards": cards,
        "upcoming": upcoming,
        "place": position if 0 <= position <= len(ids) else review.next_index(),
        "total": progress.total,
        "done": progress.done,
        "skipped": progress.skipped,
        "classes": list(review.classes),
        "address": here.address,
        "desk": here.name,
        "change": None if change is None else asdict(change),
        "names": list(review.name_keys),
        "unit": "picture" if image_set is None else image_set.noun,
        "new_is": "" if image_set is None or not image_set.labels.named_classes() else NO_NUMBER,
        "goes_on": review.goes_on,
    }


def _drawn_once(image_set: ImageSet | None, here: OpenReview[Any], image_id: int) -> dict[str, Any]:
    """The part of a card that does not change, with the shares that rank classes which are too many for keys."""
    key = (here.review.version, image_id)
    if key not in here.drawn:
        card, shares = here.review.card(image_id), dict[str, float]()
        if image_set is not None and card.picture is None and "label" in card.takes and not here.review.name_keys:
            here.shares = here.shares or image_set.labels.share_reader()
            shares = here.shares(card.id)
        here.drawn[key] = _drawn(image_set, card) | {"shares": shares}
    return here.drawn[key]


def _drawn(image_set: ImageSet | None, card: Card) -> dict[str, Any]:
    """A card as the browser takes it: `Card` in url_viz/frontend/review/queue.js."""
    # without a set, picture and facts are the card's, and no other pictures are shown
    opened_set = cast(ImageSet, image_set)
    is_one_number = not math.isnan(card.question.wrong)
    has_shares = not is_one_number and (image_set is None or image_set.labels.shows_shares())
    choices: list[tuple[str | None, str | None]] = [
        (choice.label, choice.votes or (percent(choice.share) if has_shares and not math.isnan(choice.share) else None))
        for choice in card.question.choices
    ]
    choices = choices or [(None, f"like: {name}") for name in card.question.groups]
    facts = facts_of(opened_set, dict(card.row), with_shares=has_shares) if card.facts is None else card.facts
    area = card.row.get("box_area")
    is_small = isinstance(area, float) and area < SMALL_AREA
    reasons = () if card.reasons is None else card.reasons.itertuples()
    return {
        "id": str(card.id),
        "name": str(card.row["path"]),
        "picture": card.picture or picture_url(opened_set, card.id),
        "whole": None if card.picture else whole_url(opened_set, card.id),
        "boxes": _legend(card.row),
        "size": "small" if is_small else "large",
        "question": card.question.text,
        "wrong": f"{chance(card.question.wrong)} wrong" if is_one_number else None,
        "takes": card.takes,
        "are_shares_told": has_shares,
        "panels": [
            {"near": _pictures(opened_set, near), "label": label, "said": support}
            for near, (label, support) in zip(card.near, choices or [(None, None)] * len(card.near), strict=True)
        ],
        "label_given": _text(card.row.get("label_given")),
        "twins": card.twins,
        "facts": [(str(fact), str(value)) for fact, value in facts.itertuples(index=False)],
        "reasons": [{"title": title_of_reason(str(r.reason), str(r.detail)), "detail": str(r.detail)} for r in reasons],
    }


def _pictures(image_set: ImageSet, near: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["id", "path", "label", "mark", "width", "height", *DETECTOR_COLUMNS]
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
        for row in near.filter(columns).to_dict("records")
    ]


def _legend(row: Mapping[Any, Any]) -> list[dict[str, str]]:
    return [{"line": line, "words": words} for line, words in object_legend(row)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_taking = threading.Lock()
"""Held while answers are stored: a page that is left may send the same ones twice at a time."""
_taken: LruCache[str, Mapping[str, Any]] = LruCache(10_000)
"""The outcome of an answer, by its `once`."""


def take_answers(here: OpenReview[Any], answers: Sequence[DeskAnswer], *, who: str | None) -> dict[str, Any]:
    """Store answers, each once however often it comes.

    Returns those that were `refused`, by number with the reason, and what undo or redo did (`stepped`), in words and
    with the position that it leads to, negative where it is not known.
    """
    refused, stepped = [], None
    with _taking:
        new = [answer for answer in answers if _taken.get(answer.once) is None]
        asked = [answer for answer in new if answer.id is None or here.review.asks(answer.id)]
        overtaken = _overtaken(here.review, [answer for answer in asked if answer.late])
        for answer in answers:
            outcome = _taken.get(answer.once)
            if outcome is None:
                outcome = _carried_out(here, answer, who, is_overtaken=answer.late and answer.id in overtaken)
            if answer.once:
                _taken.put(answer.once, outcome)
            stepped = outcome.get("stepped", stepped)
            if "refused" in outcome:
                refused.append({"sequence": answer.sequence, "message": outcome["refused"]})
    return {"refused": refused, "stepped": stepped}


def _overtaken(review: Queue, late: Sequence[DeskAnswer]) -> set[int]:
    """The pictures whose answer is by now neither a late one nor the one that it replaces."""
    expected: dict[int, list[CardAnswer]] = {}
    for answer in late:
        if answer.id is not None and not answer.skip:
            said = replace(answer.said, twins=False, back=False)
            expected.setdefault(answer.id, [answer.before or NOTHING]).append(said)
    return {image_id for image_id, these in expected.items() if not {*review.state([image_id])} & {*these}}


def _carried_out(here: OpenReview[Any], answer: DeskAnswer, who: str | None, *, is_overtaken: bool) -> dict[str, Any]:
    if answer.id is not None and not here.review.asks(answer.id):
        return {"refused": "A picture is no longer asked about in this review: its answer was left out."}
    if is_overtaken:
        return {"refused": "A picture was answered elsewhere while the server could not be reached: that answer stays."}
    if answer.late and answer.command in ("undo", "redo"):
        return {"refused": f"The server could not be reached at the time, so {answer.command} was left out."}
    try:
        if answer.command == "unskip":
            here.review.unskip()
        elif answer.command is not None:
            stepped = here.review.step(answer.command, who=who)
            at = next(iter(np.flatnonzero(here.review.ids == stepped.id).tolist()), -1)
            return {"stepped": {"position": at, "words": stepped.words}}
        elif answer.id is not None and answer.skip:
            here.review.skip(answer.id)
        elif answer.id is not None:
            here.review.store(answer.id, answer.said, who=who)
    except UrlVizError as error:
        return {"refused": str(error)}
    return {}


def parse_answer(record: Record) -> DeskAnswer | None:
    """An answer from the browser; None if this is not one."""
    try:
        answer = read_plain(DeskAnswer, {**record, "said": record})
    except ValueError:
        return None
    are_ids = all(-(1 << 63) <= number < 1 << 63 for number in (answer.id or 0, *(answer.said.keep or ())))
    return answer if are_ids and answer.said.verdict in (None, *VERDICTS) else None


UNSENT = "unsent"
_mount_unsent = component_of("unsent")


def send_unsent() -> None:
    """Send the answers that wait in this browser; the page runs again once the server has them."""

    def show_refused() -> None:
        sent = cast(Mapping[str, Any], component_state(UNSENT).get("sent"))
        for message in dict.fromkeys(map(str, sent["refused"])):
            st.toast(escape(message), icon=":material/warning:")

    _mount_unsent(key=UNSENT, data={"who": user_name() or ""}, on_sent_change=show_refused)
