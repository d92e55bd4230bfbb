"""Measures: everything that orders pictures, listed once, and the words that people read for columns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from url_viz.base.errors import PluginError
from url_viz.base.plugins import plugged_in
from url_viz.base.wording import MISSING

PICTURE, SET, MODEL = "the picture alone", "the set", "your model"
TRAINING = f"{MODEL}, the picture's own label"


@dataclass(frozen=True)
class Measure:
    """One measure, higher = less to be trusted.

    `name` is its column in `ImageSet.table()` and the word in code and addresses, `title` what controls, tables and
    legends call it, `noun` what sentences do (by default the title). `knows` says what it has seen, `percentile` which
    column has its percentile. `is_offered` are those that pages offer as an order; `in_table` is false for what only an
    evaluation computes. One of another package has `make`, a function of columns (`url_viz.column_list`) that gives its
    values (N,), nan for none.
    """

    name: str
    title: str
    knows: str
    meaning: str
    colour: str | None
    noun: str | None = None
    percentile: str | None = None
    is_baseline: bool = False
    is_offered: bool = True
    in_table: bool = True
    make: Callable[..., Any] | None = None

    @property
    def knows_no_more_than_nearest(self) -> bool:
        """Whether a lead over nearest similarity, which knows the set, is the measure's own merit."""
        return self.knows in (PICTURE, SET)


AMBIGUITY = Measure(
    "ambiguity",
    "Torn between classes",
    f"{SET}, your classes",
    "How evenly a picture is torn between two of your classes, leaving out its own label and those of near copies.",
    "#d55e00",
    noun="ambiguity",
    percentile="ambiguity_percentile",
)
CONFUSABILITY = Measure(
    "confusability",
    "Easily mistaken",
    SET,
    "How easily a picture is mistaken for another in this set, by its nearest neighbours. Needs no classes.",
    "#0072b2",
    noun="confusability",
    percentile="confusability_percentile",
)
TUNED = Measure(
    "tuned",
    "By your answers",
    f"{SET}, your answers",
    "How easily a picture is mistaken for another, adjusted to your answers.",
    "#cc79a7",
    noun="your answers",
)
UNCERTAINTY = Measure(
    "uncertainty",
    "General model",
    PICTURE,
    "What a model trained on other pictures says of each picture alone. Uses nothing else of this set.",
    "#009e73",
    noun="uncertainty",
    percentile="percentile",
)
ADAPTED_HEAD = replace(
    UNCERTAINTY,
    title="Adapted head",
    knows=SET,
    meaning="What a head that has learnt from these pictures says of each by itself.",
)
"""`uncertainty` by a head that has learnt from the pictures it is asked about."""
NOT_JUDGED = "It has learnt from these pictures, so they cannot show how well it orders"
MODEL_DOUBT = Measure(
    "model_doubt",
    "Your model",
    MODEL,
    "How undecided your own model is between its two likeliest classes: where it was not trained on a picture, in the "
    "end; else on average over its epochs.",
    "#b30059",
)
TRAINING_MEASURES = (
    Measure(
        "low_last_margin",
        "Low last margin",
        TRAINING,
        "How far the picture's class is behind the largest other in your model's logits, in the last epoch.",
        "#8f3f71",
        is_offered=False,
    ),
    Measure(
        "low_mean_margin",
        "Low mean margin",
        TRAINING,
        "The same on average over the epochs: minus the area under the margin (AUM).",
        "#6d4aa0",
        is_offered=False,
    ),
    Measure(
        "low_confidence",
        "Low confidence",
        TRAINING,
        "One minus the mean probability that your model gave the picture's class over the epochs.",
        "#4b5bb5",
        is_offered=False,
    ),
    Measure(
        "variability",
        "Variability",
        TRAINING,
        "How much that probability changed from epoch to epoch: its standard deviation.",
        "#3f7fb0",
        is_offered=False,
    ),
    Measure(
        "forgotten",
        "Forgotten",
        TRAINING,
        "How often an epoch in which your model was right came before one in which it was wrong.",
        "#3a8f86",
        is_offered=False,
    ),
    Measure(
        "learnt",
        "Learnt late",
        TRAINING,
        "The first epoch in which your model was right; as many as there were if it never was.",
        "#5d8f3a",
        is_offered=False,
    ),
)
"""What a recorded run says of the pictures that the model was trained on (`url_viz.runs.run_on_set.dynamics`)."""
ENTROPY = Measure(
    "entropy",
    "ImageNet entropy",
    PICTURE,
    "How undecided the backbone's own ImageNet classifier is, in nats. A baseline.",
    "#56b4e9",
    noun="entropy",
    is_baseline=True,
)
INVERSE_NORM = Measure(
    "inverse_norm",
    "1 / norm",
    PICTURE,
    "One over the length of the embedding. A baseline.",
    "#e69f00",
    is_baseline=True,
    is_offered=False,
)
NEAREST = Measure(
    "nearest_similarity",
    "Nearest similarity",
    SET,
    "How different the most similar other picture is (minus its similarity). A baseline.",
    "#8f6b4a",
    is_baseline=True,
    is_offered=False,
    in_table=False,
)
NEAREST_GAP = Measure(
    "nearest_gap",
    "Nearest gap",
    SET,
    "How close the second most similar picture comes to the most similar one. A baseline.",
    "#b5a642",
    is_baseline=True,
    is_offered=False,
    in_table=False,
)
LOGISTIC = Measure(
    "logistic_regression",
    "Logistic regression",
    f"{SET}, your classes",
    "How undecided a logistic regression is between its two likeliest classes. It has seen neither the picture nor its "
    "near copies (five folds). A baseline.",
    "#7a7a7a",
    is_baseline=True,
    is_offered=False,
    in_table=False,
)

MEASURES: tuple[Measure, ...] = (
    AMBIGUITY,
    CONFUSABILITY,
    TUNED,
    UNCERTAINTY,
    MODEL_DOUBT,
    *TRAINING_MEASURES,
    ENTROPY,
    INVERSE_NORM,
    NEAREST,
    NEAREST_GAP,
    LOGISTIC,
)
PERCENTILE_COLUMNS: tuple[str, ...] = tuple(m.percentile for m in MEASURES if m.percentile is not None)
"""Columns that hold percentiles of measures, and are not measures themselves."""


@cache
def added_measures() -> tuple[Measure, ...]:
    """The measures of other packages, by their entry points (`url_viz.base.plugins`). Raises PluginError."""
    added: tuple[Measure, ...] = plugged_in("url_viz.measures", Measure, tuple(each.name for each in MEASURES))
    for each in added:
        if each.make is None:
            raise PluginError(
                f"The measure {each.name!r} has no `make`, which gives its values. Uninstall its package."
            )
    return added


def every_measure() -> tuple[Measure, ...]:
    """Our measures, then those of other packages."""
    return (*MEASURES, *added_measures())


def table_measures() -> tuple[str, ...]:
    """The measures that are columns of `ImageSet.table()`, in the order in which they are offered."""
    return tuple(measure.name for measure in every_measure() if measure.in_table)


@cache
def _by_name() -> Mapping[str, Measure]:
    return {measure.name: measure for measure in every_measure()}


def measure_named(name: str) -> Measure:
    """A measure by its name; a user's column is one by its own name."""
    return _by_name().get(name) or Measure(name, name, MISSING, "A column you added; the highest first.", None)


def is_measure(name: str) -> bool:
    """Whether a column is one of ours, not a user's."""
    return name in _by_name()


def measure_title(name: str) -> str:
    """What pages call a measure or a column: a user's column by its own name."""
    return measure_named(name).title


def quoted(name: str) -> str:
    """A measure within a sentence beside controls that call it so: “Torn between classes”."""
    return f"“{measure_title(name)}”"


def in_text(name: str) -> str:
    """A measure within a sentence; a user's column by its own name."""
    measure = measure_named(name)
    return measure.noun or (measure.title.lower() if is_measure(name) else name)


def available_measures(table: pd.DataFrame, brought: Iterable[str] = ()) -> tuple[str, ...]:
    """The measures that a table has values of: those that pages offer, then the user columns in `brought`."""
    names = (*(measure.name for measure in every_measure() if measure.is_offered), *brought)
    return tuple(name for name in names if has_values(table, name))


def has_values(table: pd.DataFrame, name: str) -> bool:
    """Whether a table has a column of this name with a number in it."""
    if name not in table:
        return False
    values = table[name].to_numpy(dtype=float)
    return bool(np.isfinite(values[:1]).any() or np.isfinite(values).any())  # nearly always the first one has


DISAGREEMENT = "disagreement with "
"""The beginning of a column: how far apart the leading order by this model and by another one put a picture, 0 to 100
(`url_viz.evidence.compare.disagreement`). The name of the other's backbone follows."""

_COLUMNS: Mapping[str, str] = {
    "label": "Class",
    "label_given": "Label in the files",
    "label_checked": "Label you checked",
    "either": "Rightly also",
    "label_check": "Label check",
    "first_class": "Most likely class",
    "second_class": "Second most likely class",
    "first_share": "Share of the most likely class",
    "second_share": "Share of the second most likely class",
    "first_like": "Group it is most like",
    "second_like": "Group it is also like",
    "twins": "Copies and look-alikes",
}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "reasons": {
        "between classes": "torn between classes",
        "easily confused": "easily mistaken",
        "out on its own": "unlike the rest",
        "twin": "copies or look-alikes",
    },
    "decision": {"look-again": "put aside for later"},
    "label_checked": {"either": "rightly both"},
    "label_check": {"between classes": "torn between classes", "out on its own": "unlike the rest"},
}


def title_of_column(column: str) -> str:
    """What pages call a column; a measure by its title."""
    if is_measure(column):
        return measure_title(column)
    if column.startswith(DISAGREEMENT):
        return f"Disagreement with {column.removeprefix(DISAGREEMENT)}"
    return _COLUMNS.get(column, column.replace("_", " ").capitalize())


def shown_value(column: str, value: str) -> str:
    """What pages call a value of a column of names."""
    return _VALUES.get(column, {}).get(value, value)


def shown_reason(name: str) -> str:
    """What pages and commands call a reason."""
    return shown_value("reasons", name)


def value_called(column: str, words: str) -> str:
    """The value of a column that is called so, or is this."""
    return next((value for value, shown in _VALUES.get(column, {}).items() if shown == words), words)
