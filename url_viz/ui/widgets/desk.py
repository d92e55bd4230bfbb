"""The review component: one large picture, what is asked of it, and keys; an answer shows before it is stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

import streamlit as st

from url_viz.analysis.review import CardKind
from url_viz.store.decisions import DECISIONS, Decision
from url_viz.ui.session import state_of
from url_viz.ui.widgets.actions import Record, handle_new, handled_before, sequence_of
from url_viz.ui.widgets.assets import script_of, text_of

_mount = st.components.v2.component(
    "url_viz_review",
    html=text_of("review", ".html"),
    css=text_of("review", ".css"),
    js=script_of("review"),
)


@dataclass(frozen=True)
class NearPicture:
    """A picture beside the one that is asked about: URLs of its `thumbnail` and of the whole `picture`.

    Of a group of twins a `mark` stands on it: its split.
    """

    id: str
    name: str
    thumbnail: str
    picture: str
    label: str | None
    mark: str | None = None


@dataclass(frozen=True)
class Panel:
    """Pictures beside the one that is asked about; with a `label`, a class to choose, and its `share` if known."""

    near: tuple[NearPicture, ...]
    label: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class DeskCard:
    """One picture of the queue, at `position` from 0.

    `kind` is "twins" if its panel is the group to choose from; "pair" if it is the one picture that is asked about
    beside it, and `same` what was answered; "names" if a name is asked for, which `given` then is. `given` is else the
    label that somebody gave, None if nobody did; `label_given` that of before. `kept` are the ids of twins that are to
    be kept. `is_done` and `is_skipped` tell its state in the queue.
    """

    position: int
    id: str
    name: str
    picture: str
    question: str
    kind: CardKind
    panels: tuple[Panel, ...]
    label_given: str | None
    given: str | None
    decision: str | None
    twins: int
    facts: tuple[tuple[str, str], ...]
    reasons: tuple[dict[str, str], ...]
    kept: tuple[str, ...] = ()
    same: bool | None = None
    is_done: bool = False
    is_skipped: bool = False


@dataclass(frozen=True)
class Refused:
    """An answer that could not be stored: its number, the position of its picture, and why."""

    sequence: int
    position: int
    message: str


@dataclass(frozen=True)
class Change:
    """What answers on pairs have changed so far: in `words`, and as a `share` of the most ambiguous tenth (0 to 1)."""

    words: str
    share: float


@dataclass(frozen=True)
class DeskState:
    """What the component shows: `review` names the queue; a queue of another name begins at `place`.

    `cards` are some cards of the queue, `upcoming` the positions of those that wait for an answer, the next first.
    `change` is told of a review of pairs, `names` have a key in one that names pictures.
    """

    review: str
    cards: tuple[DeskCard, ...]
    upcoming: tuple[int, ...]
    place: int
    total: int
    done: int
    skipped: int
    classes: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    change: Change | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeskAnswer:
    """What somebody answered of the picture `id` at `position`; `at` is the position shown next (negative: none yet).

    `twins`: the answer is for its twins too. `skip`: passed over. `keep`: ids of the twins to keep, of a group. `same`:
    of a pair, whether both are the same kind, None to take that back. Without an `id` the user went to another picture,
    or wants to come back to what was skipped (`unskip`).
    """

    sequence: int
    at: int
    id: int | None = None
    position: int = -1
    decision: Decision | None = None
    label: str | None = None
    twins: bool = False
    skip: bool = False
    keep: tuple[int, ...] | None = None
    same: bool | None = None
    unskip: bool = False


HandleAnswers = Callable[[Sequence[DeskAnswer]], None]


def show_desk(state: DeskState, *, key: str, handle: HandleAnswers) -> None:
    """Draw the review. `handle` is called with new answers before the page runs again, exactly once for each.

    It must carry them out before it calls Streamlit.
    """
    data = asdict(state) | {"taken": handled_before(key)}
    result = _mount(key=key, data=data, on_actions_change=partial(_handle_from_session, key, handle))
    _handle(key, result, handle)  # usually none are left, unless another run came between


def _handle_from_session(key: str, handle: HandleAnswers) -> None:
    _handle(key, state_of(key), handle)


def _handle(key: str, state: Mapping[str, object], handle: HandleAnswers) -> None:
    handle_new(key, state, lambda records: handle([answer for answer in map(answer_of, records) if answer is not None]))


def answer_of(record: Record) -> DeskAnswer | None:
    """An answer as the browser sent it; None if it is none."""
    decision, label, keep = record.get("decision"), record.get("label"), record.get("keep")
    known = next((one for one in DECISIONS if one == decision), None)
    if known != decision or not (label is None or isinstance(label, str)):
        return None
    try:
        return DeskAnswer(
            sequence=sequence_of(record),
            at=int(cast(float, record.get("at", -1))),
            id=int(cast(str, record["id"])) if "id" in record else None,
            position=int(cast(float, record.get("position", -1))),
            decision=known,
            label=label,
            twins=record.get("twins") is True,
            skip=record.get("skip") is True,
            same=None if (same := record.get("same")) is None else same is True,
            keep=None if keep is None else tuple(int(one) for one in cast("Sequence[str]", keep)),
            unskip=record.get("command") == "unskip",
        )
    except (TypeError, ValueError):
        return None
