"""What one browser session looks at: every key of the session by name, its records, the chosen set, Explore's view.

No other file touches `st.session_state`. The keys below are what our code reads or sets, and all that is cleared with
the set or the uploads; a button's own key, which only identifies it, stands next to the button.
"""

import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import streamlit as st

from url_viz.analysis.filters import Filter
from url_viz.analysis.review.cards import CardAnswer, Moved, Queue
from url_viz.analysis.scope import Polygon, Scope, thinned
from url_viz.models.model_names import DEFAULT, check_length, is_too_long
from url_viz.store.decisions.decision_rows import Decision
from url_viz.ui.text import Markdown, escape

if TYPE_CHECKING:
    from weakref import ReferenceType

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from streamlit.typing import UploadedFile

    from url_viz.analysis.outside.crop_test import CropTest
    from url_viz.analysis.outside.uploads import NewPicture
    from url_viz.analysis.scope import ReviewSpec
    from url_viz.analysis.user_columns import Prepared
    from url_viz.image_set import ImageSet
    from url_viz.imaging.uploaded_files import RefusedFile
    from url_viz.options import PrecisionChoice

T = TypeVar("T")
Value = TypeVar("Value")
Queued = TypeVar("Queued", bound=Queue)
_SET, _MODEL = "set", "model"
Style = Literal["points", "fog", "density"]
"""How the map draws pictures."""
Side = Literal["both", "ambiguous", "clear"]
"""Which ends of the order the grid shows."""
BulkKind = Literal["decide", "tag", "untag", "name"]


@dataclass(frozen=True)
class Handled:
    """For each component of a session, the number of the last action that was handled.

    It is changed in place, because writing to the session could end the run halfway, and under its lock: a run that is
    overtaken still finishes the actions it has begun, and later actions have to wait for that.
    """

    last: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Shown:
    """Of the widgets of a control, which differ in the number in their key: what each said last, or was made with.

    `options` are those of the last widget. It is changed in place: a run that is overtaken has shown what it has shown.
    """

    options: object
    said: list[object] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """What came of a click on the button of a key."""

    key: str
    words: str
    is_error: bool
    is_seen: bool = False


@dataclass(frozen=True)
class BulkAction:
    """An action on some pictures: a decision (None clears it), tags added or removed, or a name; `word` names it."""

    word: str
    ids: tuple[int, ...]
    kind: BulkKind = "decide"
    decision: Decision | None = None
    tags: tuple[str, ...] = ()

    @property
    def question(self) -> Markdown:
        """The question that asks for confirmation."""
        named = f" ({escape(', '.join(self.tags))})" if self.tags else ""
        return Markdown(f"**{escape(self.word)} {len(self.ids):,} pictures**{named}?")


@dataclass(frozen=True)
class RefusedAnswer:
    """An answer that could not be stored: its number, the position of its picture, and why."""

    sequence: int
    position: int
    message: str


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
    change: Moved | None = None
    names: tuple[str, ...] = ()
    unit: str = "picture"


@dataclass
class OpenReview(Generic[Queued]):
    """A review that is open in this session: `at` is the position shown, `drawn` the cards drawn before.

    `shown` is the state that was shown last: it stays when the decisions cannot be read, with the answer taken back.
    """

    review: Queued
    at: int
    drawn: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    refused: tuple[RefusedAnswer, ...] = ()
    shown: DeskState | None = None


class Visit:
    """What a session is known by where more than it should hold is kept for it, until it ends."""


@dataclass
class UploadAnswers:
    """The answers about the uploads of a session, and which uploads were skipped, by their content."""

    answers: dict[int, CardAnswer] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    here: OpenReview[Any] | None = None


class Key(str, Generic[T]):
    """A name in the session, and the way to its value of type T; widgets and components take it as their `key`.

    Streamlit forgets the value of a widget or component that a run of the script does not draw; other values stay.
    """

    @property
    def is_set(self) -> bool:
        """Whether there is a value, which may be None."""
        return self in st.session_state

    def get(self) -> T | None:
        """The value; None if there is none."""
        value: T | None = st.session_state.get(self)
        return value

    def get_or(self, make: Callable[[], T]) -> T:
        """The value; if there is none, `make()`, which is then kept."""
        if not self.is_set:
            self.set(make())
        value: T = st.session_state[self]
        return value

    def get_for(
        self: "Key[tuple[tuple[object, ...], Value]]", of: tuple[object, ...], make: Callable[[], Value]
    ) -> Value:
        """The value if it was made of the same `of`; else `make()`, which is then kept with it."""
        cached = self.get()
        if cached is None or cached[0] != of:
            cached = of, make()
            self.set(cached)
        return cached[1]

    def of(self, *parts: object) -> "Key[T]":
        """The key of one of several values that differ by these parts; empty parts are left out."""
        return Key(".".join(filter(None, map(str, (self, *parts)))))

    def set(self, value: T) -> None:
        """Set the value; never that of a widget (`url_viz.ui.widgets.shown_value`)."""
        st.session_state[self] = value

    def clear(self) -> None:
        """Remove the value, if there is one."""
        st.session_state.pop(self, None)


def keys_under(beginning: str) -> list[str]:
    """The keys with this beginning that have a value."""
    return [key for key in map(str, st.session_state) if key.startswith(beginning)]


# Every page
CHOSEN_SET: Key[str | None] = Key("chosen_set")
CHOSEN_MODEL: Key[str] = Key("chosen_model")
BROWSED: Key[str] = Key("browse_path")
TYPED: Key[str] = Key("first.typed")
"""The path that was typed on the first page."""
READING_TICKS: Key[int] = Key("reading_ticks")
DISMISSED: Key[frozenset[str]] = Key("reading.put_away")
"""The ids of failed reading jobs whose message was dismissed."""
NOT_THERE: Key[str] = Key("not_there")
"""The id of the job whose reading left nothing, "" for an image set that is not here; the first page says so."""
OPENED: Key[int] = Key("view.opened")
"""The id of the picture that was opened last: in the dialog, and ringed on maps and in galleries."""
DIALOG: Key[str] = Key("view.dialog")
"""The dialog that is open: each run of the page draws it again until it is closed."""
PAGE: Key[str] = Key("page_shown")
"""The address of the page that ran last."""
ASKED: Key[tuple[str, ...]] = Key("button.asked")
"""The keys of buttons whose click no run of the page has carried out."""
SAID: "Key[tuple[Said, ...]]" = Key("button.said")
"""What came of the last click, or of several that came together."""
GO_TO: Key[str] = Key("go_to")
"""The name of the page that runs next, whichever page a browser asks for that has not heard of it."""
LINK_FOLLOWED: Key[bool] = Key("view.link_followed")
"""Whether the picture in the address of a new session was opened."""
HEAT: Key[bool] = Key("view.heat")
WHOLE: Key[bool] = Key("view.whole")
"""Whether an opened object is shown in its whole picture."""
CLASSES_OPEN = "view.classes_open"
HANDLED: Key[Handled] = Key("actions.handled")
SHOWN: Key[dict[str, Shown]] = Key("controls.shown")
MATCHED_COLUMNS: "Key[tuple[tuple[object, ...], Prepared]]" = Key("own.matched")


DECIDED: Key[bool] = Key("view.decided")
"""The buttons of the decisions on a picture, by its id and the decision."""
LABELLED: Key[str | None] = Key("view.labelled")
"""The control of a picture's label, by its id."""


CLASSES: Key[str] = Key("set.classes")
"""The choice of what the classes of a set are, by its id."""
PENDING: Key[BulkAction] = Key("view.pending")
"""The action that a decide bar asks to confirm, by the bar's key."""


def component_state(component: str) -> MutableMapping[str, object]:
    """The state of one of our components under its key; assigning to it before it is drawn changes it."""
    return Key[MutableMapping[str, object]](component).get() or {}


# Explore
VIEW: "Key[ExploreView]" = Key("view.explore")
PLACES: "Key[pd.DataFrame]" = Key("view.places")
"""Some pictures (id, x, y) as they lay on the map when it was drawn last."""
MEASURE: Key[str | None] = Key("view.measure")
OTHER_MEASURE: Key[str | None] = Key("view.other_measure")
COLOUR: Key[str] = Key("view.colour")
COLLAPSE: Key[bool] = Key("view.collapse")
SIZE: Key[str] = Key("view.size")
WITHIN: Key[bool] = Key("view.within")
BY_CLASS: Key[bool] = Key("view.by_class")
ONE_CLASS: Key[str] = Key("view.label")
REASON: Key[str | None] = Key("view.reason")
FILTER_COLUMN = "view.filter_column"
FILTER_NAME: Key[str] = Key("view.filter_name")
SPACE: Key[str] = Key("view.space")
DECIDE = "view.decide"
SECOND_SEEN: Key[str] = Key("view.second_seen")
"""How Explore drew a set last: ordered by "one" model, by "two", or by two with the "news" that it is so now."""
FINDINGS_WANTED: Key[bool] = Key("explore.findings")
"""Whether the findings of a large set are wanted, by its id."""
FILTER: Key[Any] = Key("view.filter")
"""The controls of a filter, by its column: a list of values, or with "low" and "high" a number."""
MAP: Key[MutableMapping[str, object]] = Key("view.map")
"""The map of a set, by its id and its space, so that each keeps its own zoom."""
GRID: Key[MutableMapping[str, object]] = Key("view.grid")
"""The grid of a set, by its id."""
TWINS: Key[MutableMapping[str, object]] = Key("view.twins")
"""The gallery of a group of twins, by the set's id."""
CHOSEN: "Key[NDArray[np.int64]]" = Key("view.chosen")
"""Ids (M,) that were chosen in a grid, by its key: it forgets them while another page is shown."""

# Check labels
SUSPECT_KIND, SUSPECT_CLASS = "view.labels.kind", "view.labels.class"

CONFUSED_PAIRS: Key[Any] = Key("view.labels.pairs")
"""The table of classes that overlap, by the set's version: a selection in that of another version does not apply."""
SUSPECTS: Key[Any] = Key("view.labels.gallery")
"""The gallery of doubtful labels, by the set's id."""
SUSPECTS_PAGE: Key[int] = Key("view.labels.page")
"""The page of the gallery that is shown, by the number of pages and of labels."""
SUSPECTS_WANTED: Key[bool] = Key("view.labels.wanted")
"""Whether the most doubtful labels are wanted where none stands out."""

# Review
REVIEW: "Key[ReviewSpec | None]" = Key("view.review")
VISIT: Key[Visit] = Key("visit")
REVIEW_WORTH: Key[str] = Key("view.review.worth")
OWN_REVIEW = "view.review."
"""What the controls of a review put together begin with: by, class, tag, most, within."""

# Your model
RUN: Key[str | None] = Key("view.run")
RUN_COMPARED: Key[str] = Key("view.run.compared")
RUN_COLUMN: Key[str] = Key("view.run.column")
RUN_TABLE = "view.run.table."
"""What tables of the page begin with: the confusion matrix, and accuracy by a column, of a run and a set's version."""

# Versions
VERSION_BEFORE: Key[str | None] = Key("view.versions.before")
"""What the set is compared with: the number of a version, or the id of another set."""
VERSION_CHANGES: Key[list[str]] = Key("view.versions.changes")
VERSION_PAGE: Key[int] = Key("view.versions.page")
"""The page of changed pictures, by the number of pages and of pictures."""
VERSION_MEASURED: Key[str] = Key("view.versions.measured")
"""Of which two versions the accuracy was asked for."""
VERSIONS_MAP = "view.versions.map."
VERSIONS_GALLERY = "view.versions.gallery"

# Compare models
SECOND: Key[str | None] = Key("view.compare.second")
"""The second model, by the name of the first."""
COMPARED_MEASURE: Key[str | None] = Key("view.compare.measure")
LASSO: "Key[tuple[str, Polygon] | None]" = Key("view.compare.lasso")
"""The lasso that was drawn last, and the key of the map that it was drawn on."""
COMPARED_MAPS = "view.compare.map."
COMPARED_GALLERY = "view.compare.gallery."

# Adapt and finetune
HEAD_BEFORE: Key[str] = Key("finetune.before")
FINETUNE_PLACE: Key[str] = Key("finetune.place")
PARTITION: Key[str] = Key("finetune.slurm.partition")
SLURM_NUMBER: Key[int] = Key("finetune.slurm")
"""A number of a SLURM request, by its name and partition, so that it is never outside another partition's bounds."""
PRETRAIN_SETS: Key[list[str]] = Key("pretrain.sets")
"""The ids of the image sets to train a head on or to measure it on, by that use and the set that is open."""

# Models
DEVICE: Key[str] = Key("models.device")
"""Where readings that the app starts run; none chosen is auto."""
ON_RAY = "ray"
"""In the place of a device: on the cluster that $RAY_ADDRESS names."""
ONE_MODEL: Key[bool] = Key("models.one_model")
"""Whether no second model reads a new set unasked."""
PRECISION: "Key[PrecisionChoice | None]" = Key("models.precision")
"""In which precision they read; None is the one in which a set was read."""

# Evaluate
CROP_ASKED: Key[str] = Key("evaluate.crop.asked")
"""The version of the set whose crop test was asked for, until it has ended."""
CROP_TEST: "Key[tuple[ReferenceType[ImageSet], CropTest]]" = Key("evaluate.crop.result")

# Search safely
QUERY_ID: Key[int] = Key("search.query_id")
QUERY_FILE: "Key[UploadedFile | None]" = Key("search.file")
QUERY_DROP: "Key[UploadedFile | None]" = Key("search.drop")
QUERY_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.scored")
PART: Key[MutableMapping[str, object]] = Key("search.part")
"""The part that was drawn on a picture searched with, by the set's id and the picture's, or the upload's."""
PART_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.part.scored")
SEARCH_MEASURE: Key[str | None] = Key("search.measure")
SEARCH_ANYWAY: Key[tuple[str, str, int]] = Key("search.anyway")

EVIDENCE_WANTED: Key[bool] = Key("search.evidence")
"""Whether the evidence of a large set is wanted, by its id."""

# Sort uploads
UPLOADS: "Key[tuple[UploadedFile, ...]]" = Key("upload.files")
UPLOADS_SCORED: "Key[dict[tuple[str, str], NewPicture | RefusedFile]]" = Key("upload.outcomes")
UPLOADS_RANKED: "Key[tuple[tuple[object, ...], pd.DataFrame]]" = Key("upload.ranked")
UPLOADS_REVIEW: Key[UploadAnswers] = Key("upload.review")
UPLOAD_OPENED: Key[int] = Key("upload.opened")
"""The number of the upload that was opened last."""
UPLOADER: "Key[Sequence[UploadedFile]]" = Key("upload.drop")
"""The uploader of files or of a folder, by UPLOADS_ROUND: the browser keeps the files of a widget."""
UPLOADS_ROUND: Key[int] = Key("uploads.round")
"""How often all uploads were removed."""
UPLOAD_MEASURE: Key[str | None] = Key("upload.measure")
UPLOADS_PAGE: Key[int] = Key("upload.page")
"""The page of a gallery of uploads that is shown, by its side and the number of pages."""


def remove_uploads() -> None:
    """Remove all uploads, and what was chosen on their page."""
    for key in keys_under("upload."):
        del st.session_state[key]
    UPLOADS_ROUND.set((UPLOADS_ROUND.get() or 0) + 1)


@dataclass(frozen=True)
class SetChoice:
    """The image set (None: none chosen yet) and the model that all pages show."""

    set_id: str | None
    model: str


def choice() -> SetChoice:
    """The current choice: the session's, else the one in the address."""
    set_id = CHOSEN_SET.get() if CHOSEN_SET.is_set else st.query_params.get(_SET)
    named = st.query_params.get(_MODEL, DEFAULT)
    return SetChoice(set_id, CHOSEN_MODEL.get() or (DEFAULT if is_too_long(named) else named))


def choose(set_id: str | None, *, model: str | None = None) -> None:
    """Choose another image set or model; what is selected and shown of the previous one is cleared.

    Raises ModelError for an endless name.
    """
    check_length(model or "")
    before = choice()
    after = SetChoice(set_id, model or before.model)
    if after != before:
        for key in keys_under("view."):
            del st.session_state[key]
        VIEW.set(ExploreView())  # else the address, which still has the previous view, would be read
    if set_id is not None:
        NOT_THERE.clear()
    _choose(after)


def show_in_address() -> None:
    """Write the choice into the address, and store one that came from it: the next page's address starts empty.

    Raises ModelError if the address had an endless name of a model, which is not stored.
    """
    named, now = st.query_params.get(_MODEL, ""), choice()
    _choose(now)
    wanted = {_SET: [now.set_id]} if now.set_id is not None else {}
    write_query(
        wanted | ({_MODEL: [now.model]} if now.model != DEFAULT else {}), among=lambda key: key in (_SET, _MODEL)
    )
    check_length(named)


def _choose(now: SetChoice) -> None:
    CHOSEN_SET.set(now.set_id)
    CHOSEN_MODEL.set(now.model)


@dataclass(frozen=True)
class ExploreView:
    """What Explore shows of an image set, and how; the defaults are those of a first visit.

    `colour` and `size` are columns, or "value" for the measure; without a `size` all points are alike. `space` is
    that of the map: "" by look, or `two_by_two.TRAINING`.

    One value, kept under VIEW and nowhere else: controls show it (`url_viz.ui.widgets.shown_value`) and change it, as
    the map and the grid do (`url_viz.ui.explore.view_address`).
    """

    measure: str | None = None
    colour: str = "value"
    collapse_twins: bool = True
    style: Style = "points"
    size: str = ""
    within_class: bool = False
    class_by_class: bool = False
    representatives: bool = False
    names: bool = True
    space: str = ""
    side: Side = "both"
    is_wide: bool = False
    threshold_percentile: float | None = None
    polygon: Polygon | None = None
    filters: tuple[Filter, ...] = ()

    @property
    def scope(self) -> Scope:
        """Which pictures are shown."""
        return Scope(thinned(self.polygon), self.filters)


def view() -> ExploreView:
    """The view as it was kept last."""
    return VIEW.get() or ExploreView()


def change_view(**changes: Any) -> None:
    """Change these fields of the view."""
    VIEW.set(replace(view(), **changes))


def queried() -> dict[str, list[str]]:
    """The address's parameters."""
    return {key: st.query_params.get_all(key) for key in st.query_params}


def write_query(wanted: Mapping[str, Sequence[str]], *, among: Callable[[str], bool]) -> None:
    """Write parameters into the address, and remove others `among` the writer's; the same ones are left alone."""
    now = queried()
    others = {key: values for key, values in now.items() if not among(key) and key not in wanted}
    changed = others | {key: list(values) for key, values in wanted.items()}
    if changed != now:
        st.query_params.from_dict(changed)  # at once: each change is a step of the browser's history
